/* script.c -- the texts that job.sh and command.sh need: values, and the files of an attempt
 * (script.h).  Used by jobs.c, and by everything else that runs one of the user's commands: exec,
 * migrate.status, a backup that is started again. */
#include "core/job/script.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/trip.h"

EMBED(script_command, "host/command.sh");
EMBED(job_why, "host/job/why.sh");
EMBED(job_follow, "host/job/follow.sh");
EMBED(job_main, "host/job/job.sh");
EMBED(job_process, "host/job/process.sh");
EMBED(job_supervise, "host/job/supervise.sh");
EMBED(job_child, "host/job/child.sh");
EMBED(job_shell, "host/job/command.sh");
EMBED(job_watch, "host/job/watch.sh");
EMBED(job_other, "host/job/other.sh");
/* Defined in core/script.c, which sends it before every script. */
extern const char script_identity[];

void variable_assign(struct buf *b, const struct variable *v)
{
    if (v->shell)
        buf_printf(b, "%s=%s\n", v->name, v->shell);
    else
        quote_assign(b, v->name, v->value);
}

static void export_all(const struct variable *v, size_t n, struct buf *b)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, "export ");
        variable_assign(b, &v[i]);
    }
}

static void export_own(const struct run *r, size_t host, struct buf *b)
{
    const struct what *w = &r->plan->what;
    const struct variable own[] = {
        {.name = "CRELEASE_APPLICATION", .value = w->application},
        {.name = "CRELEASE_ENVIRONMENT", .value = w->environment},
        {.name = "CRELEASE_RELEASE", .value = w->release},
        {.name = "CRELEASE_REVISION", .value = w->revision},
        {.name = "CRELEASE_RUN", .value = w->run},
        {.name = "CRELEASE_HOST", .value = r->recipe->hosts[host].name},
    };

    export_all(own, sizeof own / sizeof *own, b);
}

/* The recipe's variables, and its path in front of PATH.  "~" is the home directory on the host. */
static void export_recipe(const struct run *r, size_t host, struct buf *b)
{
    const struct host *h = &r->recipe->hosts[host];
    const struct strs *path = &r->recipe->path;

    export_all(h->env.v, h->env.n, b);
    for (size_t i = 0; i < path->n; i++) {
        bool home = path->v[i][0] == '~';
        buf_puts(b, i ? ":" : "export PATH=");
        buf_puts(b, home ? "\"$HOME\"" : "");
        quote_word(b, path->v[i] + home);
    }
    if (path->n)
        buf_puts(b, ":\"$PATH\"\n");
}

/* The recipe's shell as a command that takes shell text; "" for sh. */
static const char *shell_command(const struct recipe *r, struct arena *a)
{
    if (!r->shell || strcmp(r->shell, "plain") == 0)
        return "";
    const char *last = strrchr(r->shell, ' ');
    if (strcmp(r->shell, "login") == 0)
        return "bash -lc";
    if (last && last[1] == '-' && last[2] != '-' && strchr(last, 'c'))
        return r->shell;
    return arena_printf(a, "%s -c", r->shell);
}

void job_environment(const struct run *r, size_t host, struct buf *b)
{
    export_own(r, host, b);
    export_recipe(r, host, b);
}

/* Assigns the text that was built in `value`, and frees `value`. */
static void assign_text(struct buf *b, const char *name, struct buf *value)
{
    quote_assign(b, name, value->text);
    b->full = b->full || value->full;
    buf_free(value);
}

void job_command_values(const struct run *r, size_t host, const char *command,
                        const char *extra_env, struct buf *b)
{
    struct buf environment = buf_make(SCRIPT_BYTES_MAX);
    struct buf own = buf_make(SCRIPT_BYTES_MAX);

    export_recipe(r, host, &environment);
    buf_puts(&environment, extra_env ? extra_env : "");
    export_own(r, host, &own);
    quote_assign(b, "command", command);
    quote_assign(b, "user_shell", shell_command(r->recipe, r->arena));
    assign_text(b, "environment", &environment);
    assign_text(b, "own_environment", &own);
}

static void assign_parts(struct buf *b, const char *name, const char *first, const char *second)
{
    struct buf text = buf_make(SCRIPT_BYTES_MAX);

    buf_puts(&text, first);
    buf_puts(&text, second);
    assign_text(b, name, &text);
}

void job_file_values(const char *watch, struct buf *b)
{
    assign_parts(b, "process_text", script_identity, job_process);
    quote_assign(b, "supervise_text", job_supervise);
    quote_assign(b, "child_text", job_child);
    quote_assign(b, "command_text", job_shell);
    if (watch)
        assign_parts(b, "watch", job_watch, watch);
    else
        quote_assign(b, "watch", "");
}

void job_put(struct buf *b)
{
    buf_puts(b, job_why);
    buf_puts(b, job_follow);
    buf_puts(b, job_main);
}

static const char *folder_of(struct run *r, const struct job_call *c, size_t host)
{
    const char *deploy_to = r->recipe->hosts[host].deploy_to;

    if (c->where)
        return c->where;
    if (c->in_current)
        return arena_printf(r->arena, "%s/current", deploy_to);
    return c->step->early ? deploy_to : run_folder(r, host);
}

/* Assigns what job.sh needs for a job with `become`.  The other user can read no file of the attempt, so it
 * gets one text with everything. */
static void other_values(const struct run *r, const struct job_call *c, size_t host, struct buf *b)
{
    const struct sudo *sudo = r->job_sudo;
    struct buf text = buf_make(SCRIPT_BYTES_MAX);
    struct buf environment = buf_make(SCRIPT_BYTES_MAX);

    if (c->job->become) {
        export_own(r, host, &environment);
        export_recipe(r, host, &environment);
        buf_puts(&environment, c->extra_env ? c->extra_env : "");
        quote_assign(&text, "crelease_shell", shell_command(r->recipe, r->arena));
        quote_assign(&text, "crelease_command", c->job->run);
        assign_text(&text, "crelease_environment", &environment);
        buf_puts(&text, job_other);
    }
    quote_assign(b, "become_user", c->job->become ? c->job->become : "");
    assign_text(b, "become_text", &text);
    char password[SUDO_PASSWORD_MAX] = "";
    if (sudo && sudo->given)
        memcpy(password, sudo->password, strlen(sudo->password) - 1);
    quote_assign(b, "become_login", password);
    explicit_bzero(password, sizeof password);
}

const char *job_script(struct run *r, const struct job_call *c, size_t i, const char *verb,
                       struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    size_t host = c->hosts[i];
    char timeout[32];

    snprintf(timeout, sizeof timeout, "%lld", (c->job->timeout_ms + 999) / 1000);
    quote_assign(&b, "job_dir", "");
    quote_assign(&b, "job", c->name);
    quote_assign(&b, "where", folder_of(r, c, host));
    quote_assign(&b, "timeout", timeout);
    quote_assign(&b, "last", c->last && c->last[i] ? "yes" : "");
    quote_assign(&b, "alone", c->alone ? "yes" : "");
    quote_assign(&b, "again", c->again ? "yes" : "");
    quote_assign(&b, "watch_values", c->watchdog_values ? c->watchdog_values : "");
    quote_assign(&b, "gate", c->gate ? c->gate : "");
    job_command_values(r, host, c->job->run, c->extra_env, &b);
    job_file_values(c->watchdog, &b);
    other_values(r, c, host, &b);
    buf_puts(&b, c->watchdog_prepare ? c->watchdog_prepare : "");
    job_put(&b);
    struct trip t = {.script = b.text, .step = c->step->name, .verb = verb, .payload = -1};
    const char *text = b.full ? NULL : run_script_text(r, &t, host);
    buf_free(&b);
    if (!text)
        err_set(err, ERR_FAILED, "'%.60s...' is too long to send together with its environment",
                run_redact(r, c->job->name));
    return text;
}
