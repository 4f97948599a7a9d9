#include "core/plan.h"

#include "base/number.h"
#include "base/text.h"
#include "core/run.h"
#include "host/site.h"
#include "edge/clock.h"
#include "edge/digest.h"

/* Lines of a plan with one host, its first and last included: fewer means that some are gone. */
enum { PLAN_KEYS = 18, LINE_SHOWN = 100 };

const char *command_word(enum run_command c)
{
    return c == COMMAND_ROLLBACK ? "rollback" : "deploy";
}

/* Which of the step's hosts, in the recipe's order, is the one for `once`. */
static bool is_primary(const struct recipe *r, const struct strs *roles, size_t host)
{
    for (size_t h = 0; h < r->n_hosts; h++)
        if (host_has_any(&r->hosts[h], roles))
            return h == host;
    return false;
}

bool step_job_is_for(const struct step *s, const struct recipe *r, size_t job, size_t host)
{
    const struct job *j = &s->jobs->v[job];
    const struct strs *roles = j->roles.n ? &j->roles : &s->roles;

    if (!host_has_any(&r->hosts[host], roles))
        return false;
    return !j->once || is_primary(r, roles, host);
}

static bool has_a_job(const struct step *s, const struct recipe *r, size_t host)
{
    for (size_t j = 0; j < s->jobs->n; j++)
        if (step_job_is_for(s, r, j, host))
            return true;
    return false;
}

static bool takes_part(const struct step *s, const struct recipe *r, size_t host)
{
    if (s->jobs && (s->stage->who == WHO_BUILD || s->name != s->stage->name))
        return has_a_job(s, r, host);
    switch (s->stage->who) {
    case WHO_ALL:
        return true;
    case WHO_DB:
    case WHO_MIGRATE:
        return r->migrate.run && recipe_primary(r, "db") == (long)host;
    case WHO_RERUN:
        return r->backup.rerun && r->migrate.run && recipe_primary(r, "db") == (long)host;
    case WHO_BUILD:
        return false;
    case WHO_RESTART:
        return (r->restart.touch || r->restart.run) && host_has_any(&r->hosts[host], &s->roles);
    case WHO_HEALTH:
        return r->health.run && host_has_any(&r->hosts[host], &s->roles);
    }
    return false;
}

static void add_step(struct arena *a, struct plan *p, const struct recipe *r, struct step s)
{
    s.hosts = arena_array(a, r->n_hosts, sizeof *s.hosts);
    for (size_t h = 0; h < r->n_hosts; h++)
        if (takes_part(&s, r, h))
            s.hosts[s.n_hosts++] = h;
    if (s.n_hosts)
        p->steps[p->n_steps++] = s;
}

static const struct jobs *one_job(struct arena *a, const char *run, long long timeout_ms)
{
    struct jobs *jobs = arena_alloc(a, sizeof *jobs);

    jobs->v = arena_alloc(a, sizeof *jobs->v);
    jobs->v[0] = (struct job){.run = run, .name = text_command(a, run), .timeout_ms = timeout_ms};
    jobs->n = 1;
    return jobs;
}

static const char *jobs_about(struct arena *a, const struct jobs *jobs)
{
    const char *text = jobs->v[0].name;

    for (size_t j = 1; j < jobs->n; j++)
        text = arena_printf(a, "%s; %s", text, jobs->v[j].name);
    return text;
}

static struct step step_of(struct arena *a, const struct stage *st, const struct recipe *r,
                           const struct what *what)
{
    struct step s = {.stage = st, .name = st->name, .about = st->about};

    switch (st->who) {
    case WHO_ALL:
        break;
    case WHO_DB:
    case WHO_RERUN:
        break;
    case WHO_MIGRATE:
        if (r->migrate.run) {
            s.jobs = one_job(a, r->migrate.run, r->migrate.timeout_ms);
            s.about = s.jobs->v[0].name;
        }
        break;
    case WHO_BUILD:
        s.jobs = &r->build;
        if (r->build.n)
            s.about = jobs_about(a, s.jobs);
        break;
    case WHO_RESTART:
        s.roles = r->restart.roles;
        if (r->restart.run)
            s.jobs = one_job(a, r->restart.run, 0);
        s.about = !r->restart.touch ? (s.jobs ? s.jobs->v[0].name : NULL)
                  : !s.jobs         ? arena_printf(a, "touch %s", r->restart.touch)
                            : arena_printf(a, "touch %s; %s", r->restart.touch, s.jobs->v[0].name);
        break;
    case WHO_HEALTH:
        s.roles = r->health.roles;
        if (r->health.run) {
            s.jobs = one_job(a, r->health.run, 60000);
            s.about = s.jobs->v[0].name;
        }
        break;
    }
    if (st->tell)
        s.about = st->tell(a, what);
    return s;
}

static void add_hooks(struct arena *a, struct plan *p, const struct recipe *r,
                      const struct stage *st, bool after, bool early)
{
    for (size_t i = 0; i < r->n_hooks; i++) {
        const struct hook *h = &r->hooks[i];
        if (h->after != after || strcmp(h->stage, st->name) != 0 || !h->jobs.n)
            continue;
        add_step(
            a, p, r,
            (struct step){.stage = st,
                          .name = arena_printf(a, "%s-%s", after ? "after" : "before", st->name),
                          .jobs = &h->jobs,
                          .early = early,
                          .about = jobs_about(a, &h->jobs)});
    }
}

struct plan *plan_make(struct arena *a, const struct stage *stages, const struct recipe *r,
                       const struct what *what)
{
    struct plan *p = arena_alloc(a, sizeof *p);
    bool early = what->command == COMMAND_DEPLOY;
    size_t n = 0;

    while (stages[n].name)
        n++;
    p->what = *what;
    p->steps = arena_array(a, n + r->n_hooks, sizeof *p->steps);
    for (size_t i = 0; i < n; i++) {
        if (what->command == COMMAND_ROLLBACK && !stages[i].in_rollback)
            continue;
        if ((stages[i].who == WHO_DB || stages[i].who == WHO_MIGRATE ||
             stages[i].who == WHO_RERUN) &&
            what->no_migrate)
            continue;
        struct step s = step_of(a, &stages[i], r, what);
        size_t before = p->n_steps;
        add_hooks(a, p, r, &stages[i], false, early);
        size_t at = p->n_steps;
        add_step(a, p, r, s);
        early = early && !stages[i].makes_folder;
        if (p->n_steps == at)
            p->n_steps = before; /* a stage that is nobody's has no hooks either */
        else
            add_hooks(a, p, r, &stages[i], true, early);
    }
    return p;
}

const char *plan_rolling(struct arena *a, const struct recipe *r)
{
    size_t n = recipe_batch(r);

    if (n >= r->n_hosts)
        return NULL;
    return arena_printf(a, "%s at a time%s", text_count(a, n, "host"),
                        r->rolling.wait_ms
                            ? arena_printf(a, ", %s between", text_span(a, r->rolling.wait_ms))
                            : "");
}

/* The text on the hosts: a value is the rest of its line, so line ends in it become blanks. */
static void put(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s ", key);
    for (const char *c = value; *c; c++)
        buf_add(b, (unsigned char)*c < 0x20 ? " " : c, 1);
    buf_puts(b, "\n");
}

static const char *seal_of(struct arena *a, const char *text, size_t len)
{
    struct digest *d = digest_open();
    char hex[65];

    digest_add(d, text, len);
    digest_hex(d, hex);
    digest_close(d);
    return arena_strdup(a, hex);
}

const char *plan_text(struct arena *a, const struct what *w, const struct strs *secrets)
{
    struct buf b = buf_make(1024 * 1024);

    buf_puts(&b, "crelease-plan 1\n");
    put(&b, "run", w->run);
    put(&b, "command", command_word(w->command));
    put(&b, "application", w->application);
    put(&b, "environment", w->environment);
    put(&b, "release", w->release);
    put(&b, "revision", w->revision);
    buf_printf(&b, "revision_time %lld\n", w->revision_unix);
    put(&b, "ref", w->ref);
    put(&b, "subject", w->subject);
    put(&b, "by", w->by);
    put(&b, "user", w->user);
    buf_printf(&b, "since %lld\n", w->since_unix);
    put(&b, "recipe", w->recipe_digest);
    put(&b, "migrate_digest", w->migrate_digest);
    put(&b, "migrate", w->no_migrate ? "no" : "yes");
    for (size_t i = 0; i < w->hosts.n; i++)
        put(&b, "host", w->hosts.v[i]);
    const char *text = redact(a, secrets, arena_strndup(a, b.text, b.len));
    buf_free(&b);
    return arena_printf(a, "%send plan %s", text, seal_of(a, text, strlen(text)));
}

/* False for a value that no crelease of this version writes. */
static bool read_value(struct arena *a, struct what *w, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {
        {"run", &w->run},
        {"application", &w->application},
        {"environment", &w->environment},
        {"release", &w->release},
        {"revision", &w->revision},
        {"ref", &w->ref},
        {"subject", &w->subject},
        {"by", &w->by},
        {"user", &w->user},
        {"recipe", &w->recipe_digest},
        {"migrate_digest", &w->migrate_digest},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].key, key) == 0)
            *texts[i].to = value;
    if (strcmp(key, "host") == 0)
        strs_add(a, &w->hosts, value);
    else if (strcmp(key, "command") == 0) {
        w->command = strcmp(value, "rollback") == 0 ? COMMAND_ROLLBACK : COMMAND_DEPLOY;
        return strcmp(value, command_word(w->command)) == 0;
    } else if (strcmp(key, "revision_time") == 0)
        return number_read(value, NUMBER_UNIX_MAX, &w->revision_unix);
    else if (strcmp(key, "since") == 0)
        return number_read(value, NUMBER_UNIX_MAX, &w->since_unix);
    else if (strcmp(key, "migrate") == 0) {
        w->no_migrate = strcmp(value, "no") == 0;
        return w->no_migrate || strcmp(value, "yes") == 0;
    }
    return true;
}

static bool is_digest(const char *s)
{
    size_t len = strlen(s);

    return len <= 64 && strspn(s, "0123456789abcdef") == len;
}

static const char *line_shown(struct arena *a, const char *s, size_t len)
{
    return text_shown(a, len > LINE_SHOWN ? arena_printf(a, "%.*s...", LINE_SHOWN, s)
                                          : arena_strndup(a, s, len));
}

bool plan_differs(struct arena *a, const char *x, const char *y, const char **ret_x,
                  const char **ret_y)
{
    while (*x || *y) {
        size_t x_len = strcspn(x, "\n");
        size_t y_len = strcspn(y, "\n");
        if (x_len != y_len || memcmp(x, y, x_len) != 0) {
            *ret_x = line_shown(a, x, x_len);
            *ret_y = line_shown(a, y, y_len);
            return true;
        }
        x += x_len + (x[x_len] == '\n');
        y += y_len + (y[y_len] == '\n');
    }
    return false;
}

const struct what what_none = {.run = "",
                               .application = "",
                               .environment = "",
                               .release = "",
                               .revision = "",
                               .ref = "",
                               .subject = "",
                               .by = "",
                               .user = "",
                               .recipe_digest = "",
                               .migrate_digest = ""};

bool plan_read(struct arena *a, const char *text, struct what *ret, struct err *err)
{
    struct what w = what_none;
    const char first[] = "crelease-plan 1\n";
    bool whole = false;
    bool good = true;
    size_t keys = 0;

    if (strncmp(text, first, sizeof first - 1) != 0)
        return err_set(err, ERR_FAILED,
                       "the plan of the run (the file plan in .crelease/runs) is damaged or of"
                       " another version of"
                       " crelease");
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        size_t before = (size_t)(at - text);
        char *line = arena_strndup(a, at, len);
        size_t key = strcspn(line, " ");
        at += len + (at[len] == '\n');
        keys++;
        if (!*at) /* of the last line only: a checksum of all that is before each takes hours */
            whole = strncmp(line, "end plan ", 9) == 0 &&
                    strcmp(line + 9, seal_of(a, text, before)) == 0;
        if (line[key]) {
            line[key] = '\0';
            good = read_value(a, &w, line, line + key + 1) && good;
        }
    }
    if (!whole || !good || keys < PLAN_KEYS || !is_run_id(w.run) || !*w.application ||
        !*w.environment || clock_release_time(w.release) < 0 ||
        (*w.revision && !is_revision(w.revision)) || !is_digest(w.recipe_digest) ||
        !is_digest(w.migrate_digest) || !w.hosts.n)
        return err_set(
            err, ERR_FAILED,
            "the plan of the run (the file plan in .crelease/runs) is damaged: nothing is guessed"
            " from it; put the site right by hand and remove .crelease/lock");
    *ret = w;
    return true;
}
