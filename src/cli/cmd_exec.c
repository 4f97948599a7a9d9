/* cmd_exec.c -- 'crelease exec', a command given on the command line, and 'crelease run', a task of the
 * recipe.  Unlike the jobs of a deploy they end with their connection. */
#include "cli/cmd.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/exec_input.h"
#include "core/job/script.h"
#include "core/script.h"

EMBED(script_exec, "host/exec.sh");

/* The output of one host, shown line by line with the host in front. */
struct stream {
    struct session *s;
    const char *host;
    struct buf line;
    struct json *lines; /* --json: collected */
};

static void show_line(struct stream *st, const char *text)
{
    if (st->lines)
        json_put_text(st->lines, NULL, text);
    else if (st->s->recipe->n_hosts > 1)
        printf("%s | %s\n", st->host, text_shown(st->s->arena, text));
    else
        printf("%s\n", text_shown(st->s->arena, text));
    fflush(stdout);
}

static void flush_line(struct stream *st)
{
    show_line(st, run_redact(&st->s->run, st->line.text));
    buf_clear(&st->line);
}

/* Shows a long line in parts, and holds back the end of each, which may be the start of a secret. */
static void flush_part(struct stream *st)
{
    const char *text = run_redact(&st->s->run, st->line.text);
    size_t len = strlen(text);
    size_t carry = redact_carry(&st->s->recipe->secrets);

    carry = carry < len ? carry : len;
    show_line(st, arena_strndup(st->s->arena, text, len - carry));
    buf_clear(&st->line);
    buf_add(&st->line, text + len - carry, carry);
}

static void take(void *arg, const char *bytes, size_t len)
{
    struct stream *st = arg;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            flush_line(st);
        else if (st->line.len >= LINE_BYTES_MAX - 1)
            flush_part(st);
        if (bytes[i] != '\n' && bytes[i])
            buf_add(&st->line, bytes + i, 1);
    }
}

static const char *exec_script(struct session *s, size_t host, const char *command, bool input)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    job_command_values(&s->run, host, command, NULL, &b);
    quote_assign(&b, "where",
                 arena_printf(s->arena, "%s/current", s->recipe->hosts[host].deploy_to));
    quote_assign(&b, "input", input ? "yes" : "");
    const struct script script = {.verb = "look",
                                  .umask = s->recipe->umask,
                                  .values = b.text,
                                  .parts = {script_command, script_exec}};
    const char *text = b.full ? NULL : script_text(s->arena, &script);
    buf_free(&b);
    return text;
}

bool exec_judge(struct session *s, size_t host, const struct reply *r, struct err *err)
{
    const char *name = s->recipe->hosts[host].name;

    switch (r->kind) {
    case REPLY_EXIT:
        return r->status == 0 ||
               err_set(err, ERR_FAILED, "%s: ended with exit status %d", name, r->status);
    case REPLY_SIGNAL:
        return err_set(err, ERR_FAILED, "%s: was ended by signal %s", name, r->signal);
    case REPLY_UNREACHED:
        return !run_is_stopped(&s->run, "before a host was reached", err) &&
               err_set(err, ERR_UNREACHABLE, "%s: %s", name, r->why);
    case REPLY_STOPPED:
        if (run_is_stopped(&s->run, "while a command ran", err))
            return false;
        break;
    case REPLY_LOST:
    case REPLY_TIMEOUT:
        break;
    }
    return err_set(err, ERR_UNCERTAIN, "%s: %s; the command may have run", name, r->why);
}

static bool on_hosts(struct session *s, const struct job *job, const size_t *hosts, size_t n,
                     struct err *err)
{
    struct exec_input *in = exec_input_open(s->arena, s->loop, s->fleet);
    struct call *calls = arena_array(s->arena, n, sizeof *calls);
    struct reply *replies = arena_array(s->arena, n, sizeof *replies);
    struct stream *streams = arena_array(s->arena, n, sizeof *streams);
    struct json *o = s->options.json ? json_open_object() : NULL;
    struct json *list = o ? json_put_array(o, "hosts") : NULL;
    struct json **each = arena_array(s->arena, n, sizeof *each);
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        streams[i] = (struct stream){
            .s = s, .host = s->recipe->hosts[hosts[i]].name, .line = buf_make(LINE_BYTES_MAX)};
        if (o) {
            each[i] = json_put_object(list, NULL);
            json_put_text(each[i], "host", streams[i].host);
            streams[i].lines = json_put_array(each[i], "output");
        }
        calls[i] = (struct call){.host = hosts[i],
                                 .script = exec_script(s, hosts[i], job->run, in != NULL),
                                 .payload = -1,
                                 .say = in ? exec_input_for(in, hosts[i]) : NULL,
                                 .said_all = in ? exec_input_end(in) : NULL,
                                 .timeout_ms = job->timeout_ms,
                                 .output = take,
                                 .arg = &streams[i]};
        if (!calls[i].script)
            return err_set(err, ERR_USAGE, "the command is too long to be sent");
    }
    fleet_impatient(s->fleet, true);
    fleet_run(s->fleet, s->arena, calls, n, replies);
    exec_input_close(in);
    for (size_t i = 0; i < n; i++) {
        struct err one = {.arena = s->arena};
        if (streams[i].line.len)
            flush_line(&streams[i]);
        buf_free(&streams[i].line);
        bool good = exec_judge(s, hosts[i], &replies[i], &one);
        if (o) {
            if (replies[i].kind == REPLY_EXIT)
                json_put_int(each[i], "status", replies[i].status);
            else
                json_put_null(each[i], "status");
            json_put_text(each[i], "error", one.msg);
        }
        if (!good && ok)
            *err = one;
        else if (!good && !s->options.quiet)
            fprintf(stderr, "crelease: %s\n", one.msg);
        ok = ok && good;
    }
    if (o)
        session_answer(s, o);
    json_close(o);
    return ok;
}

static const char *words_quoted(struct session *s)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    for (size_t i = 0; i < s->options.rest.n; i++) {
        buf_puts(&b, i ? " " : "");
        quote_word(&b, s->options.rest.v[i]);
    }
    const char *text = arena_strndup(s->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

/* One word is a command line for the host's shell; several are quoted for it. */
const char *exec_command(struct session *s)
{
    return s->options.rest.n == 1 ? s->options.rest.v[0] : words_quoted(s);
}

bool cmd_exec(struct session *s, struct err *err)
{
    size_t n = s->recipe->n_hosts;
    size_t *hosts = arena_array(s->arena, n, sizeof *hosts);

    if (!s->options.rest.n)
        return err_set(err, ERR_USAGE, "no command given; usage: crelease exec %s -- CMD",
                       s->recipe->environment);
    const char *command = exec_command(s);
    for (size_t h = 0; h < n; h++)
        hosts[h] = h;
    return on_hosts(s, &(struct job){.run = command, .name = command}, hosts, n, err);
}

bool cmd_run(struct session *s, struct err *err)
{
    const char *name = s->options.words.n > 2 ? s->options.words.v[2] : NULL;
    const char **names = arena_array(s->arena, s->recipe->n_tasks + 1, sizeof *names);
    const struct job *job = NULL;
    size_t *hosts = arena_array(s->arena, s->recipe->n_hosts, sizeof *hosts);
    const char *list = "";
    size_t n = 0;

    for (size_t i = 0; i < s->recipe->n_tasks; i++) {
        names[i] = s->recipe->tasks[i].name;
        list = arena_printf(s->arena, "%s%s%s", list, i ? ", " : "", names[i]);
        if (name && strcmp(names[i], name) == 0)
            job = &s->recipe->tasks[i].job;
    }
    if (!job) {
        const char *near = name ? text_nearest(name, names) : NULL;
        if (!name)
            return err_set(err, ERR_USAGE, "no task given; the recipe has: %s",
                           *list ? list : "none");
        return err_set(err, ERR_USAGE, "the recipe has no task '%s'%s%s%s",
                       text_shown(s->arena, name),
                       near    ? "; did you mean '"
                       : *list ? "; it has: "
                               : "",
                       near ? near : list, near ? "'?" : "");
    }
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (host_has_any(&s->recipe->hosts[h], &job->roles) && (!job->once || n == 0))
            hosts[n++] = h;
    return on_hosts(s, job, hosts, n, err);
}
