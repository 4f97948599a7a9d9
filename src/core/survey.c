/* survey.c -- runs host/survey.sh on every host and parses the answers (survey.h).  Called at the
 * start of every command that looks at the hosts or changes them.  Relies on host/site.c to read
 * the answers. */
#include "core/survey.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/job/script.h"
#include "core/script.h"
#include "core/trip.h"

EMBED(script_survey, "host/survey.sh");
EMBED(script_several, "host/several.sh");

enum { SURVEY_MS = 60000 };

void linked_assign(struct run *r, struct buf *b)
{
    const struct strs *lists[] = {&r->recipe->linked_files, &r->recipe->linked_dirs};
    const char *names[] = {"linked_files", "linked_dirs"};

    for (size_t k = 0; k < 2; k++) {
        const char *text = strs_joined(r->arena, lists[k], "\n");
        quote_assign(b, names[k], *text ? arena_printf(r->arena, "%s\n", text) : "");
    }
}

/* Only the database's host is asked for several databases. */
static bool asks_several(const struct run *r, size_t host)
{
    return r->asks_several && recipe_may_have_several(r->recipe) &&
           recipe_database_host(r->recipe) == (long)host;
}

static void survey_call(struct run *r, size_t host, bool tools, struct call *ret)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    linked_assign(r, &b);
    quote_assign(&b, "tools", tools ? "yes" : "");
    struct buf path = buf_make(SCRIPT_BYTES_MAX);
    const struct variables *env = &r->recipe->hosts[host].env;
    for (size_t i = 0; i < env->n; i++)
        if (strcmp(env->v[i].name, "PATH") == 0)
            variable_assign(&path, &env->v[i]);
    quote_assign(&b, "job_path", path.len ? path.text : "");
    buf_free(&path);
    quote_assign(&b, "digest", r->recipe->digest);
    quote_assign(&b, "place", r->recipe->n_hosts > 1 ? "yes" : "");
    bool several = asks_several(r, host);
    if (several)
        quote_assign(&b, "yml", r->database_yml ? r->database_yml : "");
    const struct script s = {
        .deploy_to = r->recipe->hosts[host].deploy_to,
        .verb = "look",
        .values = b.text,
        .parts = {several ? script_several : script_survey, several ? script_survey : NULL}};
    *ret = (struct call){.host = host,
                         .script = b.full ? NULL : script_text(r->arena, &s),
                         .frame = b.full ? NULL : script_frame(r->arena, &s),
                         .payload = -1,
                         .timeout_ms = SURVEY_MS};
    buf_free(&b);
}

bool survey_goes_on(struct run *r, struct err *err)
{
    loop_turn(r->loop, loop_now());
    return !run_is_stopped(r, "while reading the answers", err);
}

bool survey_hosts(struct run *r, bool tools, struct survey *ret, struct err *err)
{
    size_t n = r->recipe->n_hosts;
    struct call *calls = arena_array(r->arena, n, sizeof *calls);
    struct reply *replies = arena_array(r->arena, n, sizeof *replies);
    bool ok = true;

    ret->sites = arena_array(r->arena, n, sizeof *ret->sites);
    ret->reached = arena_array(r->arena, n, sizeof *ret->reached);
    ret->why = arena_array(r->arena, n, sizeof *ret->why);
    for (size_t h = 0; h < n; h++) {
        survey_call(r, h, tools, &calls[h]);
        if (!calls[h].script)
            return err_set(err, ERR_USAGE, "the recipe is too long to send to a host");
    }
    fleet_impatient(r->fleet, true);
    fleet_run(r->fleet, r->arena, calls, n, replies);
    fleet_impatient(r->fleet, false);
    for (size_t h = 0; h < n; h++) {
        struct err one = {.arena = r->arena};
        bool good = survey_goes_on(r, &one) && run_judge(r, h, &replies[h], &one) &&
                    (site_parse(r->arena, replies[h].out, &ret->sites[h], &one) ||
                     err_in(&one, "%s", r->recipe->hosts[h].name));
        if (!good && one.code == ERR_UNCERTAIN)
            one.code = ERR_UNREACHABLE; /* nothing was changed by looking */
        ret->reached[h] = good;
        ret->why[h] = one.msg;
        if (!good && ok)
            *err = one;
        else if (!good)
            run_warn(r, NULL, "%s", one.msg);
        ok = ok && good;
    }
    return ok;
}
