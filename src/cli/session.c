/* session.c -- what every command needs: the recipe with --hosts and --roles applied, the user
 * interface, the loop, the connections to the hosts, and questions to the person at the terminal. */
#include "base/die.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/script.h"
#include "core/engine.h"
#include "core/survey.h"
#include "recipe/keys.h"
#include "fleet/sudo.h"
#include "ssh/carrier.h"
#include "ssh/program.h"
#include "ssh/home.h"
#include "stages/table.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

extern char **environ;

enum { TICK_MS = 100, LOG_TICK_MS = 250, RUN_ID = 6 };

const char *session_user(struct arena *a)
{
    static const char *const names[] = {"USER", "LOGNAME", "USERNAME"};
    const char *name = login_user(a);

    if (ci_user(a)) /* the runner's own account tells nobody anything */
        return ci_user(a);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]) && *getenv(names[i]))
            return text_shown(a, getenv(names[i]));
    /* Without an entry in passwd: the number, as ps and ls show it. */
    return name ? text_shown(a, name) : arena_printf(a, "%lld", (long long)getuid());
}

const char *session_by(struct arena *a)
{
    char machine[256] = "";

    if (gethostname(machine, sizeof machine - 1) != 0)
        machine[0] = '\0';
    machine[strcspn(machine, ".")] = '\0';
    const char *by = *machine ? arena_printf(a, "%s@%s", session_user(a), text_shown(a, machine))
                              : session_user(a);
    return ci_url(a) ? arena_printf(a, "%s, %s", by, ci_url(a)) : by;
}

const char *session_run_id(struct arena *a)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none that look alike */
    unsigned char bytes[RUN_ID];
    char *id = arena_alloc(a, RUN_ID + 1);

    if (getrandom(bytes, sizeof bytes, 0) != RUN_ID)
        die_errno("cannot get random bytes", errno);
    for (size_t i = 0; i < RUN_ID; i++)
        id[i] = letters[bytes[i] % 32];
    return id;
}

/* Whether --hosts names the host, and --roles one of its roles. */
static bool is_chosen(const struct host *h, const struct strs *hosts, const struct strs *roles)
{
    return (!hosts->n || strs_has(hosts, h->name)) && host_has_any(h, roles);
}

static struct strs split(struct arena *a, const char *list)
{
    struct strs names = {0};

    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (len)
            strs_add(a, &names, arena_strndup(a, list, len));
        list += len + (list[len] == ',');
    }
    return names;
}

/* USAGE for the first name that is asked for and not known. */
static bool are_known(struct session *s, const struct strs *asked, const struct strs *known,
                      const char *what, struct err *err)
{
    struct strs names = {0};

    for (size_t i = 0; i < known->n; i++)
        strs_add(s->arena, &names, known->v[i]);
    strs_add(s->arena, &names, NULL);
    for (size_t i = 0; i < asked->n; i++) {
        if (strs_has(known, asked->v[i]))
            continue;
        const char *near = text_nearest(asked->v[i], names.v);
        return err_set(err, ERR_USAGE, "environment '%s' has no %s '%s'%s%s%s",
                       s->recipe->environment, what, text_shown(s->arena, asked->v[i]),
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return true;
}

static bool choose_hosts(struct session *s, const struct strs *hosts, const struct strs *roles,
                         struct err *err)
{
    struct recipe *r = s->recipe;
    struct strs names = {0};
    size_t n = 0;

    for (size_t h = 0; h < r->n_hosts; h++)
        strs_add(s->arena, &names, r->hosts[h].name);
    /* A host without roles has every role, so a misspelt one would match it. */
    struct strs known = recipe_roles(s->arena, r);
    if (!are_known(s, hosts, &names, "host", err) || !are_known(s, roles, &known, "role", err))
        return false;
    for (size_t h = 0; h < r->n_hosts; h++)
        if (is_chosen(&r->hosts[h], hosts, roles))
            r->hosts[n++] = r->hosts[h];
    if (!n)
        return err_set(err, ERR_USAGE, "no host of '%s'%s has the role '%s'%s", r->environment,
                       hosts->n ? " among --hosts" : "", text_shown(s->arena, roles->v[0]),
                       roles->n > 1 ? " or any other of --roles" : "");
    r->n_hosts = n;
    return true;
}

static void report_mistakes(const struct session *s, const struct strs *mistakes)
{
    for (size_t i = 0; i < mistakes->n; i++)
        reports_tell(s->reports, &(struct event){.kind = EVENT_WARNING, .detail = mistakes->v[i]});
}

/* All of them, so that they can be fixed in one go. */
static void print_mistakes(const struct session *s, const struct strs *mistakes)
{
    if (s->reports)
        report_mistakes(s, mistakes);
    if (s->options.quiet)
        return;
    for (size_t i = 0; i < mistakes->n; i++) {
        const char *shown = text_shown(s->arena, mistakes->v[i]);
        fprintf(stderr, "%s\n", shown);
        ci_mistake(shown);
    }
}

bool session_recipe(struct session *s, const char *environment, struct err *err)
{
    struct strs mistakes = {0};
    struct recipe_where where = {.file = s->options.recipe,
                                 .environment = environment,
                                 .environ = (const char *const *)environ};
    struct strs hosts = split(s->arena, s->options.hosts);
    struct strs roles = split(s->arena, s->options.roles);

    s->recipe = recipe_read(s->arena, &where, &mistakes, err);
    if (!s->recipe) {
        print_mistakes(s, &mistakes);
        return false;
    }
    ci_mask(&s->recipe->secrets);
    s->options.called.environment = s->recipe->environment;
    if (s->options.wait_limit_ms >= 0)
        s->recipe->backup.wait_limit_ms = s->options.wait_limit_ms;
    for (size_t i = 0; s->options.wait_limit_ms >= 0 && i < s->recipe->n_databases; i++)
        s->recipe->databases[i].backup.wait_limit_ms = s->options.wait_limit_ms;
    return !environment || choose_hosts(s, &hosts, &roles, err);
}

static bool can_ask(void *arg)
{
    struct session *s = arg;

    if (!isatty(STDIN_FILENO))
        return false;
    if (s->ui)
        ui_pause(s->ui);
    return true;
}

/* The answer to a question, while the loop turns until there is one. */
struct asked {
    char *ret;
    size_t size;
    bool over;
    bool given;
};

static void on_answer(void *arg, const char *answer)
{
    struct asked *asked = arg;

    asked->over = true;
    asked->given = answer != NULL;
    snprintf(asked->ret, asked->size, "%s", answer ? answer : "");
}

bool session_ask_secret(void *arg, const char *prompt, char *ret, size_t size)
{
    struct session *s = arg;
    struct asked asked = {ret, size, false, false};

    if (!can_ask(s) || !loop_ask(s->loop, prompt, on_answer, &asked))
        return false;
    while (!asked.over)
        loop_turn(s->loop, loop_now() + TICK_MS);
    return asked.given;
}

static void tell_line(void *arg, const char *line)
{
    struct session *s = arg;

    if (s->options.quiet)
        return;
    if (s->ui)
        ui_pause(s->ui);
    fprintf(stderr, "crelease: %s\n", text_shown(s->arena, line));
}

/* Says that the signal was noticed, or people would send it again. */
static void tell_interrupted(void *arg)
{
    struct session *s = arg;
    int signal = loop_signal(s->loop);

    run_warn(&s->run, NULL, "interrupted; stopping after the current step (%s stops at once)",
             signal == SIGINT ? "Ctrl-C again" : "a second signal");
}

static void log_line(void *arg, const char *host, const char *line)
{
    struct session *s = arg;

    ui_pause(s->ui);
    fprintf(stderr, "%s: %s\n", host, text_shown(s->arena, line));
}

/* The fleet has the recipe's hosts, which may be fewer than those that were resolved. */
static void fleet_begin(struct session *s)
{
    struct recipe *r = s->recipe;
    struct fleet_host *hosts = arena_array(s->arena, r->n_hosts, sizeof *hosts);
    struct fleet_options options = {.carriers = {[TRANSPORT_LIBSSH2] = &carrier_libssh2,
                                                 [TRANSPORT_OPENSSH] = &carrier_openssh,
                                                 [TRANSPORT_LOCAL] = &carrier_local},
                                    .ask = isatty(STDIN_FILENO) ? can_ask : NULL,
                                    .ask_arg = s,
                                    .interrupted = tell_interrupted,
                                    .interrupted_arg = s,
                                    .tell = tell_line,
                                    .tell_arg = s,
                                    .alive_interval_ms = (long)r->connection.alive_ms,
                                    .session = script_session(s->arena)};

    for (size_t h = 0; h < r->n_hosts; h++)
        for (size_t i = 0; i < s->n_reached; i++)
            if (strcmp(s->reached[i].name, r->hosts[h].name) == 0)
                hosts[h] = s->reached[i];
    if (s->options.verbose > 0) {
        options.log = log_line;
        options.log_arg = s;
    }
    s->fleet = fleet_open(s->loop, hosts, r->n_hosts, &options);
    s->run.fleet = s->fleet;
}

static bool use_color(const struct options *o, bool tty)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (strcmp(o->color, "auto") != 0)
        return strcmp(o->color, "always") == 0;
    return tty && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

/* Whether the command has to know the databases of an application that its recipe does not name. */
static bool asks_several(const struct command *c)
{
    static command_run *const all[] = {cmd_deploy, cmd_plan,  cmd_check,  cmd_status,
                                       cmd_resume, cmd_abort, cmd_backups};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (c->run == all[i])
            return true;
    return false;
}

static void run_prepare(struct session *s)
{
    struct run *r = &s->run;

    *r = (struct run){
        .arena = s->arena,
        .recipe = s->recipe,
        .loop = s->loop,
        .fleet = s->fleet,
        .watcher = &s->watcher,
        .called = &s->options.called,
        .on_backup = (enum policy)recipe_word("backup.policy", s->options.on_backup,
                                              (int)s->recipe->backup.policy),
        .on_backup_given = s->options.on_backup != NULL,
        .force = s->options.force,
        .no_migrate = s->options.no_migrate,
        .wait_auto = s->options.wait_limit_ms == WAIT_LIMIT_AUTO,
        .wait_until_ms = s->options.wait_limit_ms == WAIT_LIMIT_AUTO ? ci_deadline_ms() : 0,
        .asks_several = asks_several(s->command),
        .database_yml = r->database_yml,
        .ask = isatty(STDIN_FILENO) ? can_ask : NULL,
        .ask_arg = s,
        .job_sudo = r->job_sudo ? r->job_sudo : arena_alloc(s->arena, sizeof *r->job_sudo),
        .interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !s->options.json};
    run_init(r);
    struct what none = what_none;
    none.application = s->recipe->application;
    none.environment = s->recipe->environment;
    /* Until there is a run, for scripts that only read, and for exec and run. */
    r->plan = plan_make(s->arena, r->stages, s->recipe, &none);
}

void session_renew(struct session *s)
{
    run_prepare(s);
}

bool session_streams(const struct session *s)
{
    bool plans = s->options.dry_run; /* then it only prints the plan */

    return (s->command->streams && !plans) || s->options.wait || s->options.hold;
}

void session_answer(struct session *s, const struct json *o)
{
    json_write(o, stdout, true);
    s->answered = true;
}

static bool is_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

/* Whether the terminal shows progress in its tab or task bar.  Others take the sequence for a notification
 * or, some, for text.  GNU screen and tmux have names of their own here. */
static bool has_progress(void)
{
    const char *program = getenv("TERM_PROGRAM"), *features = getenv("TERM_FEATURES");
    const char *conemu = getenv("ConEmuANSI");

    if (!program)
        return getenv("WT_SESSION") || (conemu && strcmp(conemu, "ON") == 0);
    return strcmp(program, "ghostty") == 0 || strcmp(program, "WezTerm") == 0 ||
           (strcmp(program, "iTerm.app") == 0 && features && strchr(features, 'P'));
}

bool session_draws(const struct session *s)
{
    return is_terminal() && session_streams(s) && !s->options.json && !s->options.hold &&
           !s->options.quiet;
}

/* Only about commands that change what is live. */
static void notifier_begin(struct session *s)
{
    static const char *const told[] = {"deploy", "resume", "rollback", "abort", NULL};
    const struct notify_about about = {
        .recipe = s->recipe, .command = s->command->name, .user = session_by(s->arena)};

    notifier_close(s->notifier);
    s->notifier = NULL;
    for (size_t i = 0; told[i] && s->recipe->n_notify && !s->options.dry_run; i++) {
        if (strcmp(s->command->name, told[i]) != 0)
            continue;
        s->notifier = notifier_open(&about, s->loop);
        s->watcher = notifier_watcher(s->notifier, &s->watcher);
    }
}

bool session_open(struct session *s, struct err *err)
{
    bool tty = is_terminal();
    struct ui_options ui = {
        .mode = s->options.json           ? UI_JSON
                : tty && !s->options.hold ? UI_TTY
                                          : UI_PLAIN,
        .ci = ci_kind(),
        .color = use_color(&s->options, tty),
        .progress = has_progress(),
        .quiet = s->options.quiet,
        .document = !session_streams(s),
        .verbose = s->options.verbose,
        .out = s->options.hold ? stderr : stdout, /* standard output belongs to the command */
        .err = stderr};

    s->loop = loop_open();
    s->ui = ui_open(&ui);
    s->watcher = ui_watcher(s->ui);
    if (s->reports)
        s->watcher = reports_watcher(s->reports, &s->watcher);
    notifier_begin(s);
    run_prepare(s);
    if (!reach_hosts(s, &s->reached, err))
        return false;
    s->n_reached = s->recipe->n_hosts;
    fleet_begin(s);
    if (session_streams(s) && !s->options.hold && !s->options.json)
        loop_on_tick(s->loop, tty ? TICK_MS : LOG_TICK_MS, ui_tick, s->ui);
    loop_quiet(s->loop, session_draws(s));
    return true;
}

bool session_reports(struct session *s, struct err *err)
{
    const struct options *o = &s->options;
    const char *env = o->words.n > 1 ? o->words.v[1] : "";

    if (!o->n_reports && !(s->command->streams && ci_has_summary()))
        return true;
    return reports_open(&s->reports, o->reports, o->n_reports, s->command->name, env, err);
}

void session_reports_end(struct session *s, const struct err *err)
{
    const char *message = err->msg;

    if (!s->reports || reports_have_ended(s->reports))
        return;
    if (message && s->recipe)
        message = redact(s->arena, &s->recipe->secrets, message);
    reports_tell(s->reports, &(struct event){.kind = EVENT_END,
                                             .code = err->code,
                                             .message = message,
                                             .took_ms = loop_now() - s->began_ms});
}

void session_close(struct session *s)
{
    /* The loop turns, and would draw, while connections are closed. */
    if (s->loop)
        loop_on_tick(s->loop, 0, NULL, NULL);
    notifier_close(s->notifier);
    s->notifier = NULL;
    fleet_close(s->fleet);
    for (size_t i = 0; i < s->n_reached; i++)
        sudo_forget(s->reached[i].sudo);
    sudo_forget(s->run.job_sudo);
    if (s->ui)
        ui_close(s->ui);
    if (s->export_open)
        export_close(&s->export);
    repo_close(s->repo);
    loop_close(s->loop);
}

bool session_narrow(struct session *s, const struct strs *names, struct err *err)
{
    struct strs none = {0};

    if (!names->n)
        return err_set(err, ERR_FAILED, "the recipe has none of the run's hosts");
    if (!choose_hosts(s, names, &none, err))
        return false;
    fleet_close(s->fleet);
    fleet_begin(s);
    return true;
}

bool session_survey(struct session *s, bool tools, struct survey *ret, struct err *err)
{
    bool ok = survey_hosts(&s->run, tools, ret, err);

    s->run.sites = ret->sites;
    databases_learn(s, ret);
    return ok;
}
