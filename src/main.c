/* main.c -- from the command line to the exit status: reads the options, opens the session, calls the
 * function of the command.  The only place where the program exits. */
#include "base/die.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "edge/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/resource.h>
#include <unistd.h>

/* The usual soft limit.  A local job inherits it, and programs that use select(2) cannot handle more. */
enum { OPEN_FILES = 1024 };

/* Otherwise the next file to be opened would get the number of a closed standard stream. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            die_errno("cannot open '/dev/null' in place of a closed standard stream", errno);
}

/* Each host takes a descriptor, so a lower soft limit is raised as far as the hard one allows. */
static void allow_open_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= OPEN_FILES)
        return;
    limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool find_command(struct session *s, struct err *err)
{
    const char *help = hint(s->arena, &s->options.called, "help", NULL);

    if (!s->options.words.n) {
        s->command = command_find("help");
        if (!s->options.help)
            return err_set(err, ERR_USAGE, "no command given; '%s' lists them", help);
        return true;
    }
    s->command = command_find(s->options.words.v[0]);
    if (s->command)
        return true;
    const char *word = s->options.words.v[0];
    const char *near = command_nearest(s->arena, word);
    if (s->options.words.n > 1 && command_find(s->options.words.v[1]))
        return err_set(err, ERR_USAGE, "unknown command '%s'; did you mean 'crelease %s %s'?",
                       text_shown(s->arena, word), s->options.words.v[1],
                       text_shown(s->arena, word));
    return err_set(err, ERR_USAGE, "unknown command '%s'; %s'%s'%s", text_shown(s->arena, word),
                   near ? "did you mean " : "", near ? near : help, near ? "?" : " lists them");
}

static bool words_fit(struct session *s, struct err *err)
{
    const struct command *c = s->command;
    size_t n = s->options.words.n - 1;

    if (n > c->words_max)
        return err_set(err, ERR_USAGE, "unexpected argument '%s'; usage: crelease %s %s%s",
                       text_shown(s->arena, s->options.words.v[c->words_max + 1]), c->name, c->args,
                       c->run == cmd_deploy || c->run == cmd_plan
                           ? "; --ref names a branch, tag or commit"
                           : "");
    if (s->options.rest.n && c->run != cmd_exec && c->run != cmd_console &&
        c->run != cmd_completion && !s->options.hold)
        return err_set(err, ERR_USAGE, "'%s' takes no arguments after --", c->name);
    if (c->env == ENV_NEEDED && !n) {
        struct err ignored = {.arena = s->arena};
        const char *list = "";
        bool has = session_recipe(s, NULL, &ignored);
        for (size_t i = 0; has && i < s->recipe->environments.n; i++)
            list = arena_printf(s->arena, "%s%s%s", list,
                                i ? ", " : "; the recipe has: ", s->recipe->environments.v[i]);
        if (!has) {
            *err = ignored;
            return false;
        }
        return err_set(err, ERR_USAGE, "no environment given; usage: crelease %s %s%s", c->name,
                       c->args, list);
    }
    return options_check(&s->options, c->name, c->takes, err);
}

static void warn_of_variables(struct session *s)
{
    struct strs found = s->options.quiet ? (struct strs){0} : variables_misspelt(s->arena);

    for (size_t i = 0; i < found.n; i++)
        fprintf(stderr, "crelease: warning: %s\n", found.v[i]);
}

static bool run_command(struct session *s, struct err *err)
{
    const char *env = s->options.words.n > 1 ? s->options.words.v[1] : NULL;

    if (s->command->env == ENV_NONE)
        return s->command->run(s, err);
    warn_of_variables(s);
    if (!session_recipe(s, env, err))
        return false;
    if (!env && s->command->env == ENV_OPTIONAL && !s->recipe->environments.n)
        return err_set(err, ERR_USAGE, "the recipe has no environments");
    if (!env) /* the command goes through all of them */
        return s->command->run(s, err);
    return session_open(s, err) && s->command->run(s, err);
}

/* Looks at argv, too: after a mistake the options have been read only in part. */
static bool wants_json(const struct session *s, char **argv)
{
    bool json = s->options.json;

    for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++)
        json = json || strcmp(argv[i], "--json") == 0;
    return json;
}

/* The object that also ends a run, so that programs find errors in one form only. */
static void tell_end(struct session *s, const struct err *err)
{
    const struct ui_options o = {.mode = UI_JSON, .quiet = true, .out = stdout, .err = stderr};
    const struct failure nothing = {0};
    struct ui *ui = ui_open(&o);
    struct watcher w = ui_watcher(ui);

    w.tell(w.self, &(struct event){.kind = EVENT_END,
                                   .code = err->code,
                                   .message = err->msg,
                                   .failure = &nothing,
                                   .took_ms = loop_now() - s->began_ms});
    ui_close(ui);
}

/* Prints the error, unless the end of a run has shown it already. */
static void complain(struct session *s, char **argv, struct err *err)
{
    if (s->ended)
        return;
    if (s->ui && s->command && session_streams(s)) {
        session_end(s, NULL, err);
        return;
    }
    if (wants_json(s, argv) && !s->answered) {
        tell_end(s, err);
        return;
    }
    fflush(stdout);
    fprintf(stderr, "crelease: %s\n", err->msg);
}

int main(int argc, char **argv)
{
    struct arena arena = {0};
    struct err err = {.arena = &arena};
    struct session s = {.arena = &arena, .export = {.tar = -1}, .status = -1};

    die_on_abort();
    digest_begin();
    open_standard_streams();
    allow_open_files();
    setlocale(LC_CTYPE, "");
    s.began_ms = loop_now();
    bool ok = options_read(&arena, argc, argv, &s.options, &err);
    if (ok && s.options.version) {
        int status = version_print(&arena, &s.options);
        arena_free(&arena);
        return status;
    }
    ok = ok && find_command(&s, &err);
    if (ok && s.options.help && s.options.words.n) {
        const char *topic = s.options.words.v[0];
        s.options.words = (struct strs){0};
        strs_add(&arena, &s.options.words, "help");
        strs_add(&arena, &s.options.words, topic);
        s.command = command_find("help");
    }
    if (ok && s.options.words.n)
        ok = words_fit(&s, &err);
    ok = ok && session_reports(&s, &err) && run_command(&s, &err);
    if (!ok)
        complain(&s, argv, &err);
    session_reports_end(&s, &err);
    if (s.command && s.command->streams && !s.options.dry_run)
        ci_report(&s, &err);
    /* A run that succeeded has succeeded, even if this could not be printed. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (ok && !s.run.begun)
            err_set(&err, ERR_FAILED, "cannot write to standard output");
        fprintf(stderr, "crelease: cannot write to standard output\n");
    }
    session_close(&s);
    reports_close(s.reports);
    int status = s.status >= 0 ? s.status : err_status(err.code);
    arena_free(&arena);
    if (loop_is_left_behind()) {
        fflush(NULL);
        _exit(status);
    }
    return status;
}
