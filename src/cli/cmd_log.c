/* cmd_log.c -- 'crelease log': the output of a run's jobs, from the hosts (host/log.sh), whoever began the
 * run.  A host's answer is untrusted: only text goes on, with control characters made visible. */
#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/script.h"
#include "core/trip.h"

EMBED(script_log, "host/log.sh");

enum { LOG_MS = 10 * 60 * 1000, NAME_BYTES = 200, OUT_BYTES_MAX = 1024 * 1024, OTHER_MAX = 100 };

/* What one host answers, as it comes. */
struct reading {
    struct session *s;
    const char *host;
    struct buf word; /* an incomplete line of the answer */
    struct buf line; /* an incomplete line of a job's output */
    size_t raw_left; /* bytes of output still to come */
    char run[NAME_BYTES];
    char job[NAME_BYTES];
    long long attempt;
    size_t jobs;        /* that were shown */
    struct strs *other; /* names of jobs that were not asked for; shared by all hosts */
};

static struct json *json_of(const struct reading *rd, const char *event)
{
    struct json *o = json_open_object();

    json_put_text(o, "event", event);
    json_put_text(o, "run", rd->run);
    json_put_text(o, "host", rd->host);
    json_put_text(o, "job", rd->job);
    json_put_int(o, "attempt", rd->attempt);
    return o;
}

static void put(struct reading *rd, struct json *o)
{
    json_write(o, stdout, false);
    rd->s->answered = true;
    json_close(o);
}

static void show_line(struct reading *rd, const char *text)
{
    struct arena a = {0};
    const char *clean = redact(&a, &rd->s->recipe->secrets, text);

    if (rd->s->options.json) {
        struct json *o = json_of(rd, "output");
        json_put_text(o, "text", clean);
        put(rd, o);
    } else if (rd->s->recipe->n_hosts > 1) {
        printf("%s %s | %s\n", rd->host, rd->job, text_shown(&a, clean));
    } else {
        printf("%s | %s\n", rd->job, text_shown(&a, clean));
    }
    arena_free(&a);
}

static void flush_line(struct reading *rd)
{
    /* What a progress bar has overwritten is not repeated. */
    const char *text = rd->line.text;
    size_t len = rd->line.len;

    while (len && text[len - 1] == '\r')
        len--;
    struct arena a = {0};
    char *line = arena_strndup(&a, text, len);
    const char *last = strrchr(line, '\r');
    show_line(rd, last && !rd->s->options.json ? last + 1 : line);
    arena_free(&a);
    buf_clear(&rd->line);
}

static void take_output(struct reading *rd, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' || rd->line.len >= LINE_BYTES_MAX - 1)
            flush_line(rd);
        if (bytes[i] != '\n' && bytes[i])
            buf_add(&rd->line, bytes + i, 1);
    }
}

/* "running -", "ended 0", "ended timeout", "lost -" */
static void take_end(struct reading *rd, const char *said)
{
    struct arena a = {0};
    size_t len = strcspn(said, " ");
    const char *state = arena_strndup(&a, said, len);
    const char *status = said[len] ? said + len + 1 : "";
    long long n = number_or(status, 255, -1);

    if (rd->line.len)
        flush_line(rd);
    if (rd->s->options.json) {
        struct json *o = json_of(rd, "job");
        json_put_text(o, "state", strcmp(status, "timeout") == 0 ? "timeout" : state);
        if (n >= 0)
            json_put_int(o, "status", n);
        else
            json_put_null(o, "status");
        put(rd, o);
    } else if (!rd->s->options.quiet) {
        const char *how = n >= 0 ? arena_printf(&a, "ended with exit status %lld", n)
                          : strcmp(status, "timeout") == 0 ? "was stopped after its time limit"
                          : strcmp(state, "running") == 0  ? "is still running"
                                                           : "was lost: its end was not recorded";
        const char *attempt =
            rd->attempt > 1 ? arena_printf(&a, " (attempt %lld)", rd->attempt) : "";
        printf("%s %s%s: %s\n", rd->host, rd->job, attempt, how);
    }
    fflush(stdout);
    arena_free(&a);
}

static void take_name(char ret[NAME_BYTES], const char *name)
{
    struct arena a = {0};

    snprintf(ret, NAME_BYTES, "%s", text_shown(&a, name));
    arena_free(&a);
}

static void take_job(struct reading *rd, char *said)
{
    char *space = strrchr(said, ' ');

    rd->attempt = space ? number_or(space + 1, 1000000, 1) : 1;
    if (space)
        *space = '\0';
    take_name(rd->job, said);
    rd->jobs++;
}

/* One line of the answer. */
static void take_word(struct reading *rd, char *word)
{
    char *said = strchr(word, ' ');

    if (!said)
        return;
    *said++ = '\0';
    if (strcmp(word, "out") == 0)
        rd->raw_left = (size_t)number_or(said, OUT_BYTES_MAX, 0);
    else if (strcmp(word, "run") == 0)
        take_name(rd->run, said);
    else if (strcmp(word, "job") == 0)
        take_job(rd, said);
    else if (strcmp(word, "job_is") == 0)
        take_end(rd, said);
    else if (strcmp(word, "cut") == 0)
        show_line(rd, "[output is missing here: the log has its beginning and its end only]");
    else if (strcmp(word, "other") == 0 && rd->other->n < OTHER_MAX && !strs_has(rd->other, said))
        strs_add(rd->s->arena, rd->other, arena_strdup(rd->s->arena, said));
    else if (strcmp(word, "error") == 0)
        rd->raw_left = 0; /* run_judge says it */
}

static void take(void *arg, const char *bytes, size_t len)
{
    struct reading *rd = arg;

    while (len) {
        if (rd->raw_left) {
            size_t n = len < rd->raw_left ? len : rd->raw_left;
            take_output(rd, bytes, n);
            rd->raw_left -= n;
            bytes += n;
            len -= n;
            continue;
        }
        if (*bytes == '\n') {
            take_word(rd, rd->word.text);
            buf_clear(&rd->word);
        } else if (rd->word.len < NAME_BYTES) {
            buf_add(&rd->word, bytes, 1);
        }
        bytes++;
        len--;
    }
    fflush(stdout);
}

static struct call call_of(struct session *s, size_t host, const char *job, struct reading *rd)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "wanted", s->options.run ? s->options.run : "");
    quote_assign(&b, "job", job ? job : "");
    quote_assign(&b, "follow", s->options.follow ? "yes" : "");
    const struct script script = {.deploy_to = s->recipe->hosts[host].deploy_to,
                                  .verb = "look",
                                  .values = b.text,
                                  .parts = {script_log}};
    const struct call call = {.host = host,
                              .script = script_text(s->arena, &script),
                              .payload = -1,
                              .timeout_ms = s->options.follow ? 0 : LOG_MS,
                              .output = take,
                              .arg = rd};
    buf_free(&b);
    return call;
}

/* The end of a script whose output was taken as it came: its own last line is not in the reply. */
static bool judge(struct session *s, size_t host, const struct reply *r, struct err *err)
{
    const char *name = s->recipe->hosts[host].name;

    if (r->kind == REPLY_EXIT && r->status == 0)
        return true;
    if (run_is_stopped(&s->run, "while showing the output", err))
        return false;
    if (r->kind == REPLY_EXIT)
        return err_set(err, ERR_FAILED, "%s: the output of its jobs cannot be read", name);
    return err_set(err, ERR_UNREACHABLE, "%s: %s", name,
                   r->kind == REPLY_SIGNAL ? "the script was ended by a signal" : r->why);
}

static bool conclude(struct session *s, const struct reading *all, const char *job, struct err *err)
{
    const struct strs *other = all[0].other;
    bool known = false;
    size_t jobs = 0;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        known = known || (*all[h].run && strcmp(all[h].run, "-") != 0);
        jobs += all[h].jobs;
    }
    if (!known && s->options.run)
        return err_set(err, ERR_FAILED,
                       "no host knows run '%s'; 'history' lists runs, whose output is kept for the"
                       " last ten",
                       s->options.run);
    if (!jobs && job)
        return err_set(err, ERR_FAILED, "the run has no job '%s'%s%s", text_shown(s->arena, job),
                       other->n ? "; it has: " : "",
                       other->n ? text_shown(s->arena, strs_joined(s->arena, other, ", ")) : "");
    if (!jobs && !s->options.json && !s->options.quiet)
        printf(known ? "the run had no jobs on the hosts\n" : "no run is known yet\n");
    return true;
}

/* Host by host, or with --follow all at once. */
static bool show(struct session *s, const char *job, struct reading *all, struct err *err)
{
    size_t n = s->recipe->n_hosts;
    struct call *calls = arena_array(s->arena, n, sizeof *calls);
    struct reply *replies = arena_array(s->arena, n, sizeof *replies);
    size_t group = s->options.follow ? n : 1;
    bool ok = true;

    for (size_t h = 0; h < n; h++)
        calls[h] = call_of(s, h, job, &all[h]);
    fleet_impatient(s->fleet, true);
    for (size_t h = 0; h < n; h += group) {
        fleet_run(s->fleet, s->arena, &calls[h], group, &replies[h]);
        for (size_t i = h; i < h + group; i++) {
            struct err one = {.arena = s->arena};
            if (all[i].line.len)
                flush_line(&all[i]);
            if (judge(s, i, &replies[i], &one))
                continue;
            if (ok)
                *err = one;
            else if (!s->options.quiet)
                fprintf(stderr, "crelease: %s\n", one.msg);
            ok = false;
            if (one.code == ERR_INTERRUPTED || one.code == ERR_TERMINATED)
                return false;
        }
    }
    fleet_impatient(s->fleet, false);
    return ok;
}

bool cmd_log(struct session *s, struct err *err)
{
    const char *job = s->options.words.n > 2 ? s->options.words.v[2] : NULL;
    size_t n = s->recipe->n_hosts;
    struct reading *all = arena_array(s->arena, n, sizeof *all);
    struct strs other = {0};

    if (s->options.run && !is_run_id(s->options.run))
        return err_set(err, ERR_USAGE,
                       "--run is '%s', expected the id of a run, as 'history' lists it",
                       text_shown(s->arena, s->options.run));
    for (size_t h = 0; h < n; h++)
        all[h] = (struct reading){.s = s,
                                  .host = s->recipe->hosts[h].name,
                                  .word = buf_make(NAME_BYTES + 1),
                                  .line = buf_make(LINE_BYTES_MAX),
                                  .other = &other};
    bool ok = show(s, job, all, err) && conclude(s, all, job, err);
    for (size_t h = 0; h < n; h++) {
        buf_free(&all[h].word);
        buf_free(&all[h].line);
    }
    return ok;
}
