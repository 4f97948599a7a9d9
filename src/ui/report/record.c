/* record.c -- keeps of each event what a report needs (record.h).  Called through report.c's watcher. */
#include "ui/report/record.h"

#include "base/text.h"
#include "edge/clock.h"
#include "ui/reader.h"

enum {
    HEAD_BYTES = 64 * 1024, /* kept of the output of one job, */
    TAIL_BYTES = 192 * 1024,
    FEW_BYTES = 8 * 1024, /* once all of them have */
    LOGS_BYTES_MAX = 16 * 1024 * 1024,
};

const char *record_text(struct record *r, const char *s)
{
    return s ? arena_strdup(&r->a, s) : NULL;
}

struct record *record_open(const char *command, const char *environment)
{
    struct record *r = xcalloc(1, sizeof *r);

    r->command = record_text(r, command ? command : "");
    r->environment = record_text(r, environment ? environment : "");
    r->waits = arena_array(&r->a, RECORD_WAITS, sizeof *r->waits);
    r->blockers = arena_array(&r->a, RECORD_BLOCKERS, sizeof *r->blockers);
    r->warnings = arena_array(&r->a, RECORD_WARNINGS, sizeof *r->warnings);
    return r;
}

void record_close(struct record *r)
{
    if (!r)
        return;
    for (struct job_record *j = r->jobs; j; j = j->next) {
        buf_free(&j->log.head);
        buf_free(&j->log.tail);
    }
    arena_free(&r->a);
    free(r);
}

static struct strs copied(struct record *r, const char *const *v, size_t n)
{
    struct strs list = {0};

    for (size_t i = 0; i < n; i++)
        strs_add(&r->a, &list, record_text(r, v[i] ? v[i] : ""));
    return list;
}

/* ---- runs ---- */

static struct commits commits_copied(struct record *r, const struct commits *c)
{
    struct commits own = {.n = c->n, .more = c->more};

    own.v = arena_array(&r->a, c->n, sizeof *own.v);
    for (size_t i = 0; i < c->n; i++)
        own.v[i] = (struct commit){.sha = record_text(r, c->v[i].sha),
                                   .author = record_text(r, c->v[i].author),
                                   .subject = record_text(r, c->v[i].subject)};
    return own;
}

static void take_run_info(struct record *r, const struct run_info *is)
{
    struct strs names = copied(r, is->host_names, is->hosts);

    r->begun = true;
    r->run = (struct run_info){.id = record_text(r, is->id),
                               .command = record_text(r, is->command),
                               .application = record_text(r, is->application),
                               .environment = record_text(r, is->environment),
                               .release = record_text(r, is->release),
                               .revision = record_text(r, is->revision),
                               .ref = record_text(r, is->ref),
                               .subject = record_text(r, is->subject),
                               .by = is->by ? text_by(&r->a, is->by) : NULL,
                               .since_unix = is->since_unix,
                               .hosts = is->hosts,
                               .host_names = names.v};
}

/* A deploy that first resumes another run has two; the last one counts. */
static void take_run(struct record *r, const struct event *e)
{
    if (!e->run)
        return;
    take_run_info(r, e->run);
    r->fresh = e->fresh;
    r->changes = NULL;
    if (!e->changes)
        return;
    r->changes = arena_alloc(&r->a, sizeof *r->changes);
    *r->changes = (struct changes){.from = record_text(r, e->changes->from),
                                   .known = e->changes->known,
                                   .added = commits_copied(r, &e->changes->added),
                                   .removed = commits_copied(r, &e->changes->removed),
                                   .files = e->changes->files,
                                   .more_migrations = e->changes->more_migrations};
    for (size_t i = 0; i < e->changes->migrations.n; i++)
        strs_add(&r->a, &r->changes->migrations, record_text(r, e->changes->migrations.v[i]));
}

/* ---- stages ---- */

static struct stage_record *stage_of(struct record *r, const char *name)
{
    struct stage_record **at = &r->stages;

    while (*at && !ui_same((*at)->name, name))
        at = &(*at)->next;
    if (!*at) {
        *at = arena_alloc(&r->a, sizeof **at);
        (*at)->name = record_text(r, name);
    }
    return *at;
}

/* Room for one more in a list that is doubled when it is full. */
static void *grown(struct record *r, const void *list, size_t n, size_t size)
{
    if (n & (n - 1))
        return NULL;
    void *more = arena_array(&r->a, n ? 2 * n : 1, size);
    if (n)
        memcpy(more, list, n * size);
    return more;
}

static void note_host(struct record *r, struct stage_record *s, const struct event *e)
{
    size_t i = 0;

    while (i < s->n_notes && !ui_same(s->notes[i].host, e->host))
        i++;
    if (i == s->n_notes) {
        struct host_note *notes = grown(r, s->notes, s->n_notes, sizeof *notes);
        s->notes = notes ? notes : s->notes;
        s->notes[s->n_notes++] = (struct host_note){.host = record_text(r, e->host)};
    }
    s->notes[i].state = e->state;
    s->notes[i].detail = record_text(r, e->detail);
}

static void add_hosts(struct record *r, struct stage_record *s, const struct strs *hosts)
{
    for (size_t i = 0; i < hosts->n; i++)
        if (!strs_has(&s->hosts, hosts->v[i]))
            strs_add(&r->a, &s->hosts, hosts->v[i]);
}

static struct span *open_span(struct record *r, struct stage_record *s, const struct event *e)
{
    struct span *spans = grown(r, s->spans, s->n_spans, sizeof *spans);
    size_t n = 0;

    s->spans = spans ? spans : s->spans;
    while (e->hosts && e->hosts[n])
        n++;
    struct span *span = &s->spans[s->n_spans++];
    *span = (struct span){
        .hosts = copied(r, e->hosts, n), .state = EVENT_BEGUN, .begun_ms = e->unix_ms - e->took_ms};
    add_hosts(r, s, &span->hosts);
    return span;
}

static void take_stage(struct record *r, const struct event *e)
{
    struct stage_record *s = stage_of(r, e->stage);
    struct span *last = s->n_spans ? &s->spans[s->n_spans - 1] : NULL;
    bool over = ui_is_over(e) || (e->state == EVENT_WAITING && e->took_ms > 0);

    record_migrations(r, e->stage, e->migrations);
    if (e->progress || e->state == EVENT_NONE)
        return; /* the last one only: the end says what was done */
    if (e->host) {
        note_host(r, s, e);
        return;
    }
    if (!last || last->state != EVENT_BEGUN)
        last = open_span(r, s, e);
    s->state = e->state;
    s->word = e->state == EVENT_BEGUN ? "not finished" : ui_event_word(e);
    s->stopped = e->stopped;
    s->detail = record_text(r, e->detail);
    if (!over)
        return;
    last->state = e->state;
    last->ended_ms = e->unix_ms;
}

/* ---- jobs ---- */

/* Of a host that is none of the run's: after them. */
static size_t place_of(const struct record *r, const char *host)
{
    size_t i = 0;

    while (i < r->run.hosts && !ui_same(r->run.host_names[i], host))
        i++;
    return i;
}

static struct job_record *job_of(struct record *r, const char *stage, const char *host,
                                 const char *command)
{
    struct job_record **at = &r->jobs;
    size_t group = 0;
    size_t groups = 0;

    for (; *at; at = &(*at)->next) {
        bool same = ui_same((*at)->stage, stage) && ui_same((*at)->command, command);
        if (same && ui_same((*at)->host, host))
            return *at;
        group = same ? (*at)->group : group;
        groups = (*at)->group > groups ? (*at)->group : groups;
    }
    bool few = r->log_bytes >= LOGS_BYTES_MAX;
    struct job_record *j = *at = arena_alloc(&r->a, sizeof *j);
    j->group = group ? group : groups + 1;
    j->place = place_of(r, host);
    j->stage = record_text(r, stage);
    j->host = record_text(r, host);
    j->command = record_text(r, command);
    j->log.head = buf_make(few ? FEW_BYTES / 2 : HEAD_BYTES);
    j->log.tail = buf_make(few ? FEW_BYTES : TAIL_BYTES);
    return j;
}

static void take_job(struct record *r, const struct event *e)
{
    struct job_record *j = job_of(r, e->stage, e->host, e->command ? e->command : "job");

    if (e->state == EVENT_BEGUN) {
        j->attempts++;
        j->begun_ms = j->begun_ms ? j->begun_ms : e->unix_ms;
        j->ended_ms = 0;
    }
    if (e->state == EVENT_BEGUN || ui_is_over(e)) {
        bool same = ui_same(j->detail, e->detail);
        j->state = e->state;
        j->detail = same ? j->detail : record_text(r, e->detail);
    }
    if (!ui_is_over(e))
        return;
    j->ended_ms = e->unix_ms;
    if (e->stage && e->host)
        note_host(r, stage_of(r, e->stage), e);
}

/* The job that is running there, else the last one that did. */
static struct job_record *printing(struct record *r, const struct event *e)
{
    struct job_record *found = NULL;

    for (struct job_record *j = r->jobs; j; j = j->next)
        if (ui_same(j->stage, e->stage) && ui_same(j->host, e->host) &&
            (!found || !j->ended_ms || found->ended_ms))
            found = j;
    return found ? found : job_of(r, e->stage, e->host, "job");
}

static void keep_tail(struct log *log, const char *bytes, size_t len)
{
    size_t half = log->tail.max / 2;

    while (len) {
        size_t n = len < half ? len : half;
        if (log->tail.len + n > log->tail.max) {
            size_t drop = log->tail.len < half ? log->tail.len : half;
            log->left_out += drop;
            buf_drop(&log->tail, drop);
        }
        buf_add(&log->tail, bytes, n);
        bytes += n;
        len -= n;
    }
}

/* The beginning ends with a whole line. */
static void take_output(struct record *r, const struct event *e)
{
    struct log *log = &printing(r, e)->log;
    size_t len = e->bytes ? e->len : 0;
    size_t before = log->head.len + log->tail.len;
    size_t room = log->head.max - log->head.len;
    size_t n = log->tail.len ? 0 : len;

    if (n > room)
        n = room;
    while (n && n < len && e->bytes[n - 1] != '\n')
        n--;
    if (n)
        buf_add(&log->head, e->bytes, n);
    keep_tail(log, e->bytes ? e->bytes + n : "", len - n);
    r->log_bytes += log->head.len + log->tail.len - before;
    record_mentions(r, e);
}

/* ---- the rest ---- */

static void take_warning(struct record *r, const struct event *e)
{
    if (r->n_warnings == RECORD_WARNINGS) {
        r->more_warnings++;
        return;
    }
    r->warnings[r->n_warnings++] =
        (struct warning_record){.unix_ms = e->unix_ms,
                                .host = record_text(r, e->host),
                                .text = record_text(r, e->detail ? e->detail : "")};
}

static void take_end(struct record *r, const struct event *e)
{
    const struct failure *f = e->failure;

    if (e->run)
        take_run_info(r, e->run);
    r->ended = true;
    r->code = e->code;
    r->message = record_text(r, e->message);
    r->took_ms = e->took_ms;
    r->behind_backup_ms = e->behind_backup_ms;
    if (f)
        r->failure = (struct failure){.stage = record_text(r, f->stage),
                                      .host = record_text(r, f->host),
                                      .command = record_text(r, f->command),
                                      .how = record_text(r, f->how),
                                      .lines = copied(r, f->lines.v, f->lines.n),
                                      .log = record_text(r, f->log),
                                      .now = copied(r, f->now.v, f->now.n),
                                      .next = copied(r, f->next.v, f->next.n)};
}

void record_tell(struct record *r, const struct event *told)
{
    struct event e = *told;

    if (r->ended)
        return;
    if (!e.unix_ms)
        e.unix_ms = clock_now_ms();
    if (!r->begun_ms)
        r->begun_ms = e.kind == EVENT_END ? e.unix_ms - e.took_ms : e.unix_ms;
    r->last_ms = e.unix_ms > r->last_ms ? e.unix_ms : r->last_ms;
    switch (e.kind) {
    case EVENT_RUN:
        take_run(r, &e);
        break;
    case EVENT_STAGE:
        take_stage(r, &e);
        break;
    case EVENT_JOB:
        take_job(r, &e);
        break;
    case EVENT_BACKUP:
        record_wait(r, &e);
        break;
    case EVENT_BLOCKER:
        record_blocker(r, &e);
        break;
    case EVENT_OUTPUT:
        take_output(r, &e);
        break;
    case EVENT_WARNING:
        take_warning(r, &e);
        break;
    case EVENT_END:
        take_end(r, &e);
        break;
    case EVENT_KINDS:
        break;
    }
}
