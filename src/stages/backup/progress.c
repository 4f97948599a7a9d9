/* progress.c -- follows a running backup and estimates its end (progress.h).  Called by clear.c at
 * every look and by the commands that show backups.  Relies on progress.sh for what the database's
 * host knows of the process and its output, on sampled.c, and on forecast/estimate.c. */

#include "stages/backup/progress.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "core/trip.h"
#include "db/server.h"
#include "stages/backup/running.h"
#include "stages/backup/sampled.h"

EMBED(script_backup_host, "stages/backup/progress.sh");

enum {
    ASK_EVERY_MS = 10000,
    LOOK_MS = 30000,
    EARLY_S = 10,
    PAST_MAX = 60,
    BIRTH_S = 60,
    PIPELINE_MAX = 20
};

enum { YOUNGER_S = 2, OLDER_S = 60 };

/* The number that s starts with; -1 when it starts with none. */
static long long number(const char *s, long long max)
{
    long long n = -1;

    number_part(s, strcspn(s, " "), max, &n);
    return n;
}

static const char *next_word(const char *s)
{
    s += strcspn(s, " ");
    return s + (*s == ' ');
}

/* Reads a record "1 ENDED SECONDS BYTES DB_BYTES KIND DATABASE" of the same kind and database. */
static bool past_of_record(const char *line, const struct backup *b, struct sample *ret)
{
    const char *word[7] = {line};

    for (size_t i = 1; i < 7; i++)
        word[i] = next_word(word[i - 1]);
    const char *kind = backup_kind_word(b->kind);
    size_t len = strlen(kind);
    if (number(word[0], 1) != 1 || strncmp(word[5], kind, len) != 0 || word[5][len] != ' ' ||
        strcmp(word[6], b->database) != 0)
        return false;
    *ret = (struct sample){.ended_unix = number(word[1], NUMBER_UNIX_MAX),
                           .seconds = number(word[2], NUMBER_SPAN_MAX),
                           .bytes = number(word[3], NUMBER_BYTES_MAX),
                           .db_bytes = number(word[4], NUMBER_BYTES_MAX)};
    return ret->ended_unix >= 0;
}

/* Reads "SIZE BIRTH MTIME" of an earlier output.  The backup took the time between birth and last
 * change, unless the birth time is that of an older file. */
static bool past_of_file(const char *line, struct sample *ret)
{
    long long size = number(line, NUMBER_BYTES_MAX);
    long long birth = number(next_word(line), NUMBER_UNIX_MAX);
    long long changed = number(next_word(next_word(line)), NUMBER_UNIX_MAX);

    if (size <= 0 || changed < 0)
        return false;
    *ret = (struct sample){.ended_unix = changed,
                           .seconds = birth > 0 && birth < changed ? changed - birth : -1,
                           .bytes = size,
                           .db_bytes = -1};
    return true;
}

static const char *value_of(const char *line, size_t len, const char *key)
{
    size_t n = strlen(key);

    return len > n && strncmp(line, key, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* Backups run one after the other.  A file that is overwritten keeps its old birth time, and then
 * the times of two files overlap, or the birth of the present output lies before the start of its
 * backup.  In that case no birth time is used. */
static void doubt_births(struct sample *v, size_t n, bool rewritten)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; v[i].seconds > 0 && k < n && !rewritten; k++)
            rewritten = k != i && v[k].ended_unix < v[i].ended_unix &&
                        v[k].ended_unix > v[i].ended_unix - v[i].seconds;
    for (size_t i = 0; i < n && rewritten; i++)
        v[i].seconds = -1;
}

/* The only dump process on this host may still not be the client of this session, since a client on
 * another machine is possible.  A client is slightly older than its transaction.  This cannot be
 * checked for pg_dumpall, which starts one dump after another, or for MySQL, which reports only how
 * long the statement has run. */
static bool is_anothers(const struct backup *b, long long age_s)
{
    return b->kind == BACKUP_PG_DUMP && age_s >= 0 && b->running_s >= 0 &&
           (age_s + YOUNGER_S < b->running_s || age_s > b->running_s + OLDER_S);
}

static const char *copy_of(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

struct trace trace_copy(struct arena *a, const struct trace *t)
{
    struct trace copy = *t;

    copy.of.identity.transaction = copy_of(a, t->of.identity.transaction);
    copy.of.identity.start = copy_of(a, t->of.identity.start);
    copy.path = copy_of(a, t->path);
    copy.query = copy_of(a, t->query);
    copy.pipeline = (struct strs){0};
    for (size_t i = 0; i < t->pipeline.n; i++)
        strs_add(a, &copy.pipeline, arena_strdup(a, t->pipeline.v[i]));
    copy.past = arena_array(a, t->n_past + 1, sizeof *copy.past);
    if (t->n_past)
        memcpy(copy.past, t->past, t->n_past * sizeof *copy.past);
    copy.sampled = t->sampled ? sampled_copy(a, t->sampled) : NULL;
    return copy;
}

void trace_read(struct arena *a, struct trace *t, const struct backup *b, const char *out)
{
    struct sample *past = arena_array(a, PAST_MAX, sizeof *past);
    struct sample *files = arena_array(a, PAST_MAX, sizeof *files);
    size_t n = 0;
    size_t n_files = 0;
    bool rewritten = false;
    long long running_s = b->running_s;
    const char *age = answer_value(a, out, "age");
    bool anothers = age && is_anothers(b, number(age, NUMBER_SPAN_MAX));

    /* When the process has just ended, the answer lacks these fields and the previous values stay. */
    while (*out) {
        size_t len = strcspn(out, "\n");
        const char *line = arena_strndup(a, out, len);
        const char *v;
        if ((v = value_of(line, len, "client"))) {
            if (anothers)
                break; /* the other fields are about that process */
            long long pid = number(v, NUMBER_ID_MAX);
            t->client_pid = pid > 0 ? (long)pid : 0;
            t->pipeline = (struct strs){0};
        } else if ((v = value_of(line, len, "through")) && t->pipeline.n < PIPELINE_MAX) {
            strs_add(a, &t->pipeline, v);
        } else if ((v = value_of(line, len, "output"))) {
            t->bytes = number(v, NUMBER_BYTES_MAX);
            t->bytes_s = running_s;
            t->path = next_word(v);
        } else if ((v = value_of(line, len, "birth"))) {
            rewritten = b->since_unix > 0 && number(v, NUMBER_UNIX_MAX) < b->since_unix - BIRTH_S;
        } else if ((v = value_of(line, len, "age"))) {
            t->age_s = number(v, NUMBER_SPAN_MAX);
            t->age_ms = loop_now();
            running_s = running_s < 0 ? t->age_s : running_s;
        } else if ((v = value_of(line, len, "past")) && n < PAST_MAX) {
            n += past_of_record(v, b, &past[n]);
        } else if ((v = value_of(line, len, "earlier")) && n_files < PAST_MAX) {
            n_files += past_of_file(v, &files[n_files]);
        }
        out += len + (out[len] == '\n');
    }
    doubt_births(files, n_files, rewritten);
    for (size_t i = 0; i < n_files && n < PAST_MAX; i++)
        past[n++] = files[i];
    t->past = past;
    t->n_past = n;
}

static void values(struct run *r, struct buf *b, const char *verb, const struct backup *of)
{
    quote_assign(b, "verb", verb);
    quote_assign(b, "database", of->database);
    quote_assign(b, "name", server_programs(server_of(r), of->kind));
}

/* The host's answer about b; NULL when the host does not answer. */
static const char *ask_host(struct run *r, size_t host, const struct backup *b)
{
    struct buf text = buf_make(SCRIPT_BYTES_MAX);

    buf_puts(&text, "path='' record=''\n");
    values(r, &text, "look", b);
    struct reply reply = run_look(r, host, &text, script_backup_host, LOOK_MS);
    bool said = reply.kind == REPLY_EXIT && reply.status == 0;
    return said && answer_value(r->arena, reply.out, "end") ? reply.out : NULL;
}

static void ask_about(struct run *r, size_t host, struct trace *t, const struct backup *b)
{
    const char *out = ask_host(r, host, b);

    if (out)
        trace_read(r->arena, t, b, out);
    t->asked_ms = loop_now();
}

bool trace_has_client(struct run *r, size_t host, enum backup_kind kind)
{
    const char *name = server_database(r);
    const struct backup b = {.kind = kind, .database = name ? name : ""};
    const char *out = ask_host(r, host, &b);
    const char *n = out ? answer_value(r->arena, out, "clients") : NULL;

    return n && number(n, NUMBER_ID_MAX) > 0;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void begin(struct run *r, size_t host, struct trace *t, const struct backup *b)
{
    *t = (struct trace){.of = {.pid = b->pid, .identity = b->identity},
                        .bytes = -1,
                        .age_s = -1,
                        .copied = b->copied,
                        .query = b->query,
                        .moved_ms = loop_now(),
                        .db_bytes = backup_database_size(r, host)};
    ask_about(r, host, t, b);
}

/* There is no earlier backup to compare with, so the progress is estimated from a sample of the
 * tables. */
static struct estimate by_sample(struct run *r, size_t host, struct trace *t,
                                 const struct backup *b, struct estimate_of of)
{
    struct err ignored = {.arena = r->arena};
    bool known = b->query && b->running_s >= 0 && b->kind == BACKUP_PG_DUMP && !b->partial;

    if (known && !t->sampled_asked && !sampled_look(r, host, &t->sampled, &ignored))
        t->sampled = NULL; /* the next look finds out that the host is lost */
    t->sampled_asked = t->sampled_asked || known;
    of.text = known && t->sampled ? sampled_done(t->sampled, b->query, b->copied) : 0;
    of.text_all = of.text > 0 ? t->sampled->all : 0;
    return estimate_make(r->arena, &of);
}

void trace_follow(struct run *r, size_t host, struct trace *t, struct backup *b)
{
    if (!backup_looks_same(&t->of, b)) {
        begin(r, host, t, b);
    } else {
        long long was = t->bytes;
        /* Close to the end the host is asked at every look, because a guess from an old size runs
         * out there. */
        bool ends_soon = t->eta_s > 0 && t->eta_s * 1000 < ASK_EVERY_MS;
        if (ends_soon || loop_now() - t->asked_ms >= ASK_EVERY_MS)
            ask_about(r, host, t, b);
        if (t->bytes != was || t->copied != b->copied || !is_same(t->query, b->query))
            t->moved_ms = loop_now();
        t->copied = b->copied;
        t->query = b->query;
    }
    /* Without privileges, the database does not show when the session started; the host does. */
    if (b->running_s < 0 && t->age_s >= 0)
        b->running_s = t->age_s + (loop_now() - t->age_ms) / 1000;
    /* A single statement may run for hours, so only the byte count can show that a dump makes no
     * progress. */
    bool has_bytes = t->bytes >= 0 || b->copied >= 0;
    const struct estimate_of of = {.past = t->past,
                                   .n = t->n_past,
                                   .running_s = b->running_s,
                                   .bytes = t->bytes,
                                   .bytes_s = t->bytes_s,
                                   .db_bytes = t->db_bytes,
                                   .still_s = has_bytes ? (loop_now() - t->moved_ms) / 1000 : -1};
    struct estimate e = estimate_make(r->arena, &of);
    if (!e.from && !e.stuck_s)
        e = by_sample(r, host, t, b, of);
    b->percent = e.percent;
    b->eta_s = t->eta_s = e.eta_s;
    b->eta_low_s = e.low_s;
    b->eta_high_s = e.high_s;
    b->overdue_s = e.overdue_s;
    b->stuck_s = e.stuck_s;
    b->eta_from = e.from;
    b->client_pid = t->client_pid;
    b->pipeline = t->pipeline;
    b->output = t->path ? run_redact(r, t->path) : NULL;
    b->output_bytes = t->bytes;
}

/* The size that the output must have to count as complete.  A backup that ended far too early was
 * probably stopped, so its output must be about as large as earlier ones.  "" when any size will
 * do, NULL when that cannot be decided. */
static const char *least_size(struct run *r, const struct trace *t, const struct backup *b,
                              long long seconds)
{
    long long largest = 0;

    if (b->eta_s <= 0 || (seconds + EARLY_S) * 2 >= b->running_s + b->eta_s)
        return "";
    for (size_t i = 0; i < t->n_past; i++)
        largest = t->past[i].bytes > largest ? t->past[i].bytes : largest;
    return largest ? arena_printf(r->arena, "%lld", largest / 2) : NULL;
}

void trace_record(struct run *r, const struct step *s, const struct trace *t,
                  const struct backup *b, long long seconds)
{
    const char *least = least_size(r, t, b, seconds);

    if (!least)
        return;
    size_t host = s->hosts[0];
    struct buf text = buf_make(SCRIPT_BYTES_MAX);
    struct buf known = buf_make(64);
    struct err ignored = {.arena = r->arena};
    const char *failed_host = r->failure.host;

    quote_assign(&text, "least", least);
    if (t->db_bytes >= 0)
        buf_printf(&known, "%lld", t->db_bytes);
    quote_assign(&text, "path", t->path ? t->path : "");
    quote_assign(&text, "record",
                 arena_printf(r->arena, "%lld %s %s %s", seconds, known.len ? known.text : "-",
                              backup_kind_word(b->kind), b->database));
    values(r, &text, "note", b);
    buf_puts(&text, script_backup_host);
    struct trip trip = {.script = arena_strdup(r->arena, text.text),
                        .step = s->name,
                        .verb = "note",
                        .hosts = &host,
                        .n_hosts = 1,
                        .timeout_ms = LOOK_MS,
                        .payload = -1};
    buf_free(&text);
    buf_free(&known);
    /* A missing record only makes the next estimate worse, so an error is ignored. */
    if (run_scripts(r, &trip, NULL, &ignored))
        return;
    r->failure.host = failed_host;
    run_warn(r, r->recipe->hosts[host].name, "could not record how long the backup took: %s",
             ignored.msg);
}

void backup_expect(struct run *r, size_t host, struct backups *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].blocks_migrations && !backup_is_lock(&b->v[i])) {
            struct trace t = {0};
            trace_follow(r, host, &t, &b->v[i]);
            return;
        }
}
