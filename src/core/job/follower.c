/* follower.c -- shows a job's output as it arrives, and keeps what tells how the job ended
 * (follower.h).  jobs.c makes one follower for each host; fleet.c calls it with the bytes that
 * arrive, in pieces of any size. */
#include "core/job/follower.h"

#include "base/limits.h"
#include "base/number.h"
#include "core/job/failure.h"

enum {
    TAIL_BYTES = 64 * 1024,
    WHY_BYTES = 512 * 1024,
    PARTIAL_MAX = LINE_BYTES_MAX / 2,
    ATTEMPTS_MAX = 1000000,
};

#define ON_THIS_MACHINE ((size_t)-1)

struct follower follower_open(struct run *r, const struct job_call *call, size_t host,
                              size_t *going)
{
    return (struct follower){.run = r,
                             .call = call,
                             .host = host,
                             .going = going,
                             .line = buf_make(LINE_BYTES_MAX),
                             .word = buf_make(LINE_BYTES_MAX),
                             .control = buf_make(LINE_BYTES_MAX),
                             .tail = buf_make(TAIL_BYTES),
                             .why = buf_make(WHY_BYTES),
                             .say = buf_make(LINE_BYTES_MAX)};
}

void follower_close(struct follower *f)
{
    buf_free(&f->line);
    buf_free(&f->word);
    buf_free(&f->control);
    buf_free(&f->tail);
    buf_free(&f->why);
    buf_free(&f->say);
}

static const char *host_name(const struct follower *f)
{
    return f->host == ON_THIS_MACHINE ? LOCAL_NAME : f->run->recipe->hosts[f->host].name;
}

/* Shows the line except for its last `keep` bytes, which may be the beginning of a secret. */
static void show(struct follower *f, size_t keep)
{
    struct arena scratch = {0};
    const char *text = redact(&scratch, &f->run->recipe->secrets, f->line.text);
    size_t len = strlen(text);
    size_t n = len > keep ? len - keep : 0;

    if (n && !f->call->quiet)
        run_tell(f->run, (struct event){.kind = EVENT_OUTPUT,
                                        .stage = f->call->step->name,
                                        .host = host_name(f),
                                        .bytes = text,
                                        .len = n});
    struct buf rest = buf_make(LINE_BYTES_MAX);
    buf_add(&rest, text + n, len - n);
    buf_free(&f->line);
    f->line = rest;
    arena_free(&scratch);
}

/* Keeps the last bytes of the output. */
static void keep_tail(struct follower *f, const char *bytes, size_t len)
{
    while (len) {
        if (f->tail.len == TAIL_BYTES) {
            buf_drop(&f->tail, TAIL_BYTES / 2);
            f->tail_is_cut = true;
        }
        size_t n = len < TAIL_BYTES - f->tail.len ? len : TAIL_BYTES - f->tail.len;
        buf_add(&f->tail, bytes, n);
        bytes += n;
        len -= n;
    }
}

/* Shows whole lines, so that a secret is never cut in two. */
static void take_text(struct follower *f, const char *bytes, size_t len)
{
    keep_tail(f, bytes, len);
    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) + 1 : len;
        bool is_whole = end && n <= PARTIAL_MAX - f->line.len;
        if (!is_whole && n > PARTIAL_MAX - f->line.len)
            n = PARTIAL_MAX - f->line.len;
        buf_add(&f->line, bytes, n);
        if (is_whole)
            show(f, 0);
        else if (f->line.len >= PARTIAL_MAX)
            show(f, redact_carry(&f->run->recipe->secrets));
        bytes += n;
        len -= n;
    }
}

/* Drops NUL bytes, which would end a C string and cannot be displayed. */
static void take_output(struct follower *f, const char *bytes, size_t len)
{
    while (len) {
        const char *nul = memchr(bytes, '\0', len);
        size_t n = nul ? (size_t)(nul - bytes) : len;
        take_text(f, bytes, n);
        n += nul != NULL;
        bytes += n;
        len -= n;
    }
}

/* Some output is missing here. The line does not continue, and its end may be half of a secret. */
static void cut_line(struct follower *f)
{
    const struct strs *secrets = &f->run->recipe->secrets;
    struct arena scratch = {0};

    show(f, redact_carry(secrets));
    buf_clear(&f->line);
    const char *text = redact(&scratch, secrets, arena_strdup(&scratch, f->tail.text));
    size_t len = strlen(text) - redact_end(secrets, text);
    buf_clear(&f->tail);
    keep_tail(f, text, len);
    arena_free(&scratch);
}

static void take_word(struct follower *f)
{
    const char *word = f->word.text;
    bool attached = strncmp(word, "attached ", 9) == 0;

    if (strncmp(word, "out ", 4) == 0) {
        size_t len = strcspn(word + 4, " ");
        /* If the count is not a number, nothing after it is read as the protocol. */
        long long bytes = NUMBER_BYTES_MAX;
        number_part(word + 4, len, NUMBER_BYTES_MAX, &bytes);
        f->raw_left = (size_t)bytes;
        snprintf(f->place, sizeof f->place, "%s", word[4 + len] ? word + 4 + len + 1 : "");
    } else if (strncmp(word, "cut ", 4) == 0)
        cut_line(f);
    else if (strncmp(word, "watch ", 6) == 0) {
        if (f->call->watched)
            f->call->watched(f->call->watched_arg, word + 6);
    } else if (strncmp(word, "why ", 4) == 0)
        buf_printf(&f->why, "%s\n", word + 4);
    else
        buf_printf(&f->control, "%s\n", word);
    if (attached || strncmp(word, "attempt ", 8) == 0)
        run_tell(f->run,
                 (struct event){.kind = EVENT_JOB,
                                .state = EVENT_BEGUN,
                                .stage = f->call->step->name,
                                .host = host_name(f),
                                .command = f->call->job->name,
                                .detail = attached ? "reattached to the running job" : NULL});
    if (!f->ended && strncmp(word, "ended ", 6) == 0) {
        f->ended = true;
        --*f->going;
    }
    buf_clear(&f->word);
}

void follower_take(void *follower, const char *bytes, size_t len)
{
    struct follower *f = follower;

    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = f->raw_left ? (len < f->raw_left ? len : f->raw_left)
                   : end       ? (size_t)(end - bytes)
                               : len;
        if (f->raw_left) {
            take_output(f, bytes, n);
            f->raw_left -= n;
            if (!f->raw_left) {
                buf_clear(&f->say);
                buf_printf(&f->say, "%s\n", f->place);
            }
        } else {
            buf_add(&f->word, bytes, n);
            if (end) {
                take_word(f);
                n++;
            }
        }
        bytes += n;
        len -= n;
    }
}

/* Reported at once, because the job may run for hours on the other hosts. */
void follower_lost(void *follower, const char *why)
{
    struct follower *f = follower;

    if (f->ended)
        return;
    f->ended = true;
    if (--*f->going == 0)
        return;
    run_warn(f->run, NULL, "%s: %s; '%s' may still be running there; the other hosts continue",
             host_name(f), why, f->call->job->name);
}

/* Anything that is not a status counts as unknown. */
static int status_of(struct run *r, const char *control)
{
    const char *exit = answer_value(r->arena, control, "exit");

    if (!exit)
        return JOB_UNKNOWN;
    if (strcmp(exit, "lost") == 0)
        return JOB_LOST;
    if (strcmp(exit, "timeout") == 0)
        return JOB_TIMEOUT;
    return (int)number_or(exit, 255, JOB_UNKNOWN);
}

/* If its beginning was dropped, the first line may start inside a secret. */
static const char *tail_of(const struct follower *f)
{
    struct run *r = f->run;
    const char *text = run_redact(r, arena_strdup(r->arena, f->tail.text));
    const char *newline = strchr(text, '\n');

    if (f->tail_is_cut)
        text = newline ? newline + 1 : text + redact_begin(&r->recipe->secrets, text);
    return text;
}

/* The number of the attempt that was followed; 0 when the host did not say. */
static long attempt_of(struct run *r, const char *control)
{
    const char *n = answer_value(r->arena, control, "attempt");

    if (!n)
        n = answer_value(r->arena, control, "attached");
    return n ? (long)number_or(n, ATTEMPTS_MAX, 0) : 0;
}

void follower_end(struct follower *f, struct reply *reply, struct job_end *end)
{
    struct run *r = f->run;

    reply->out = arena_strndup(r->arena, f->control.text, f->control.len);
    /* Otherwise the line may continue, and resume shows all of it. */
    if (reply->kind == REPLY_EXIT)
        show(f, 0);
    *end = (struct job_end){
        .host = f->host,
        .status = status_of(r, f->control.text),
        .output = tail_of(f),
        .why = arena_strndup(r->arena, f->why.text, f->why.len),
        .attempt = attempt_of(r, f->control.text),
        .refused = answer_value(r->arena, f->control.text, "refused"),
        .attached = answer_value(r->arena, f->control.text, "attached") != NULL,
    };
    if (reply->kind == REPLY_EXIT && reply->status == 0 && end->status != JOB_UNKNOWN)
        run_tell(r, (struct event){.kind = EVENT_JOB,
                                   .state = end->status == 0 ? EVENT_DONE : EVENT_FAILED,
                                   .stage = f->call->step->name,
                                   .host = host_name(f),
                                   .command = f->call->job->name,
                                   .detail = end->status == 0 ? NULL
                                             : end->refused
                                                 ? "was not started"
                                                 : job_how_ended(r, f->call->job, end->status)});
}

struct follower follower_open_locally(struct run *r, const struct job_call *call)
{
    return follower_open(r, call, ON_THIS_MACHINE, NULL);
}

void follower_text(void *follower, const char *bytes, size_t len)
{
    take_output(follower, bytes, len);
}

const char *follower_end_locally(struct follower *f)
{
    show(f, 0);
    return tail_of(f);
}
