/* host.c -- targets: what the scripts on a host answer, and the streams that they arrive in. */
#include "host/site.h"

#include "base/text.h"
#include "core/chain.h"
#include "core/job/jobs.h"
#include "core/plan.h"
#include "core/trip.h"
#include "edge/clock.h"
#include "edge/digest.h"
#include "fleet/session.h"
#include "fuzz_targets.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

/* Releases, runs and steps become parts of paths. */
void fuzz_site(const struct input *in)
{
    struct site s;
    struct err err = {.arena = in->arena};

    if (!site_parse(in->arena, in->text, &s, &err)) {
        holds_err(&err);
        return;
    }
    for (size_t i = 0; i < s.n_releases; i++)
        HOLDS(clock_release_time(s.releases[i].name) >= 0);
    for (size_t i = 0; i < s.n_marks; i++)
        HOLDS(*s.marks[i].step && !strpbrk(s.marks[i].step, "/. \t\n"));
    HOLDS(!s.live || clock_release_time(s.live) >= 0);
    HOLDS(!s.lock.run || is_run_id(s.lock.run));
    HOLDS(!s.lock.held || (s.lock.run && s.lock.epoch > 0));
    HOLDS(s.free_kb >= -1 && s.trash_kb >= 0);
    site_set_mark(in->arena, &s, "build", "done");
    HOLDS(site_is_marked(&s, "build", "done"));
    site_outcome(in->arena, &s, "abc123");
    site_record(in->arena, &s, "abc123");
    HOLDS(site_database(&s, NULL) != NULL);
    answer_value(in->arena, in->text, "error");
    site_forget_run(&s, "20261122153012");
}

/* The body of a plan; its checksum is put behind it.  What is read is written again as it was. */
void fuzz_plan(const struct input *in)
{
    struct err err = {.arena = in->arena};
    struct what w;
    struct what again;
    char hex[65];
    const char *x;
    const char *y;
    struct digest *d = digest_open();

    digest_add(d, in->text, strlen(in->text));
    digest_hex(d, hex);
    digest_close(d);
    const char *text = arena_printf(in->arena, "%send plan %s", in->text, hex);
    if (!plan_read(in->arena, text, &w, &err)) {
        holds_err(&err);
        return;
    }
    HOLDS(is_run_id(w.run) && clock_release_time(w.release) >= 0 && w.hosts.n);
    HOLDS(!*w.revision || is_revision(w.revision));
    const char *written = plan_text(in->arena, &w, &(struct strs){0});
    if (!plan_read(in->arena, written, &again, &err))
        HOLDS(false);
    HOLDS(
        !plan_differs(in->arena, written, plan_text(in->arena, &again, &(struct strs){0}), &x, &y));
    if (plan_differs(in->arena, text, written, &x, &y))
        HOLDS(is_shown(x) && is_shown(y));
}

/* ---- the output of jobs ---- */

static struct job_end run_job(const struct input *in, size_t piece, const char **ret_events)
{
    static const struct stage stage = {.name = "build"};
    static const size_t host = 0;
    static const struct job job = {.run = "make", .name = "make", .timeout_ms = 60000};
    static const struct step step = {.stage = &stage, .name = "build", .n_hosts = 1};
    struct run *r = run_of(in, in->text + 1);
    const struct job_call call = {
        .step = &step, .job = &job, .name = "build-1", .hosts = &host, .n_hosts = 1};
    struct err err = {.arena = in->arena};
    struct job_end *ends = NULL;
    struct job_end none = {.status = JOB_UNKNOWN, .output = "", .why = ""};

    fleet_piece = piece;
    bool ok = jobs_run(r, &call, &ends, &err);
    fleet_piece = 0;
    if (!ok)
        holds_err(&err);
    *ret_events = arena_strndup(in->arena, events.text, events.len);
    return ok ? ends[0] : none;
}

/* The first byte is the size of the pieces in which it arrives, which makes no difference to how the
 * job ended. */
void fuzz_job(const struct input *in)
{
    const char *one;
    const char *two;

    if (strlen(in->text) < 2)
        return;
    struct job_end a = run_job(in, 0, &one);
    struct job_end b = run_job(in, 1 + (unsigned char)in->text[0] % 64, &two);
    HOLDS(a.status == b.status && a.attempt == b.attempt && a.attached == b.attached);
    HOLDS(strcmp(a.output, b.output) == 0 && strcmp(a.why, b.why) == 0);
    HOLDS(a.status >= JOB_UNKNOWN && a.status <= 255);
}

/* ---- sessions ---- */

static struct exchange *shell; /* of the session */

static void start(struct link *link, struct exchange *x)
{
    (void)link;
    shell = x;
    x->sent = true;
}

static void ignore(struct link *link, struct exchange *x)
{
    (void)link;
    (void)x;
}

static const struct carrier carrier = {.start = start, .wake = ignore, .cut = ignore};

/* The text with the words of the two greetings in place of <S>, <s> (the shell's) and <T>, <t> (the
 * script's), since both are random. */
static struct buf with_words(const char *text, const struct greeting *s, const struct greeting *t)
{
    const struct {
        const char *name;
        const char *word;
    } words[] = {{"<S>", s->tag}, {"<s>", s->token}, {"<T>", t->tag}, {"<t>", t->token}};
    struct buf b = buf_make(1 << 24);

    while (*text) {
        size_t i = 0;
        while (i < N(words) && strncmp(text, words[i].name, 3) != 0)
            i++;
        if (i < N(words))
            buf_puts(&b, words[i].word);
        else
            buf_add(&b, text, 1);
        text += i < N(words) ? 3 : 1;
    }
    return b;
}

static void hear_pieces(int stream, const struct buf *b, size_t piece)
{
    for (size_t at = 0; at < b->len; at += piece) {
        size_t n = b->len - at < piece ? b->len - at : piece;
        char *copy = xcalloc(n, 1);
        memcpy(copy, b->text + at, n);
        exchange_output(shell, stream, copy, n);
        free(copy);
    }
}

/* The parts of the input are what arrives on both streams. */
static struct reply run_session(const struct input *in, size_t piece)
{
    static const struct fleet_host host = {.name = "app1", .address = "app1"};
    const struct call call = {.script = "x", .frame = "true\n", .payload = -1};
    struct session_shell *s = session_start(&carrier, NULL, &host, 0, "text\n");
    struct exchange *x = exchange_make_frame(&host, &call);
    const char *at = in->text + 1;

    session_run(s, x);
    for (int stream = 1; stream <= 2; stream++) {
        const char *part = next_part(in, &at);
        struct buf b = with_words(part ? part : "", &shell->greeting, &x->greeting);
        hear_pieces(stream, &b, piece);
        buf_free(&b);
    }
    if (!x->over && in->len % 2)
        session_abandon(s);
    else if (!x->over)
        exchange_exit(shell, 1, NULL);
    session_look(s, 0);
    HOLDS(session_is_free(s) || session_is_over(s) || in->len % 2);
    if (!x->over)
        exchange_fail(x, "abandoned");
    struct reply reply = exchange_reply(in->arena, x);
    exchange_free(x);
    session_drop(s);
    return reply;
}

/* The first byte is the size of the pieces, which makes no difference to the reply. */
void fuzz_session(const struct input *in)
{
    if (strlen(in->text) < 2)
        return;
    struct reply a = run_session(in, 1 << 20);
    struct reply b = run_session(in, 1 + (unsigned char)in->text[0] % 64);
    HOLDS(a.kind == b.kind && a.status == b.status);
    HOLDS(a.out_len == b.out_len && memcmp(a.out, b.out, a.out_len) == 0);
    HOLDS(strcmp(a.err_out, b.err_out) == 0);
}

/* What follows the greeting is the script's, byte for byte. */
void fuzz_greeting(const struct input *in)
{
    struct greeting g = greeting_make();
    const char *own = strstr(in->text, "<g>");

    if (strstr(in->text, g.token)) { /* the words are the same in each run (fleet.c) */
        greeting_free(&g);
        return;
    }
    struct buf all = buf_make(1 << 24);
    struct buf heard = buf_make(1 << 24);

    buf_add(&all, in->text, own ? (size_t)(own - in->text) : strlen(in->text));
    if (own) {
        buf_printf(&all, "%s %s\n", g.token, g.tag);
        buf_puts(&all, own + 3);
    }
    const size_t piece = 1 + in->len % 60;
    for (size_t at = 0; at < all.len; at += piece) {
        size_t n = all.len - at < piece ? all.len - at : piece;
        const char *bytes = all.text + at;
        if (greeting_hear(&g, 1, &bytes, &n))
            buf_add(&heard, bytes, n);
    }
    HOLDS(g.heard[0].greeted == (own != NULL));
    HOLDS(strcmp(heard.text, own ? own + 3 : "") == 0);
    HOLDS(is_shown(greeting_words(&g, in->arena)));
    greeting_prompts(&g);
    greeting_free(&g);
    buf_free(&all);
    buf_free(&heard);
}

/* Each part is the answer of one host. */
void fuzz_trip(const struct input *in)
{
    static const size_t hosts[] = {0, 1};
    struct run *r = run_of(in, in->text);
    struct err err = {.arena = in->arena};
    struct reply *replies;
    struct trip t = {.script = "#\n",
                     .step = "link",
                     .verb = "run",
                     .hosts = hosts,
                     .n_hosts = 2,
                     .payload = -1,
                     .passes = in->len % 2 ? SCRIPT_ASKS : 0};

    if (!run_scripts(r, &t, &replies, &err)) {
        holds_err(&err);
        HOLDS(is_shown(err.msg));
        return;
    }
    for (size_t i = 0; i < 2; i++)
        HOLDS(replies[i].kind == REPLY_EXIT &&
              (strstr(replies[i].out, "ended") || strstr(replies[i].out, "held") || t.passes));
}

/* Nothing of an answer is lost or invented, however it is cut. */
void fuzz_chain(const struct input *in)
{
    static const char *const steps[] = {"cleanup", "unlock", "link"};
    struct run *r = run_of(in, "");
    struct chain c = {.n = in->len % (N(steps) + 1)};
    struct reply one = {.kind = in->len % 2 ? REPLY_LOST : REPLY_EXIT,
                        .out = in->text,
                        .out_len = strlen(in->text),
                        .err_out = in->text,
                        .why = "lost"};
    size_t bytes = 0;

    for (size_t i = 0; i < c.n; i++)
        c.trips[i].step = steps[i];
    chain_split(r, &c, 0, &one);
    bytes += one.out_len;
    for (size_t i = 0; i < c.n; i++)
        if (chain_take(r, steps[i], 0, &one))
            bytes += one.out_len;
    HOLDS(bytes <= strlen(in->text) && !chain_has(r, "cleanup"));
}
