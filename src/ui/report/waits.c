/* waits.c -- keeps what a run waited for: backups with their estimates, sessions that blocked the
 * migration; and what it migrated (record.h). */
#include "ui/report/record.h"

#include "base/text.h"
#include "ui/reader.h"

#include <ctype.h>

enum { FIRST_EVERY_MS = 1000, NUMBER_DIGITS = 6, WORD_MIN = 4 };

/* Backups that cannot be identified are told apart by their pid. */
static bool is_same_wait(const struct wait_record *w, const struct event *e)
{
    long pid = e->backup ? e->backup->pid : 0;
    const char *start = e->backup ? e->backup->identity.start : NULL;

    return w->state != EVENT_DONE && ui_same(w->host, e->host) && w->backup.pid == pid &&
           ui_same(w->backup.identity.start, start);
}

static struct wait_record *open_wait(struct record *r, const struct event *e)
{
    static const struct backup unknown = {.eta_s = -1, .percent = -1};
    struct wait_record *w = &r->waits[r->n_waits++];
    struct backup b = e->backup ? *e->backup : unknown;

    w->host = record_text(r, e->host);
    w->stage = record_text(r, e->stage);
    w->begun_ms = e->unix_ms - (e->waited_ms > 0 ? e->waited_ms : 0);
    w->every_ms = FIRST_EVERY_MS;
    b.database = record_text(r, b.database);
    b.user = record_text(r, b.user);
    b.application = record_text(r, b.application);
    b.identity.start = record_text(r, b.identity.start);
    b.identity.transaction = b.query = b.eta_from = b.output = NULL;
    b.pipeline = (struct strs){0};
    w->backup = b;
    b.running_s = -1;
    w->what = ui_backup_what(&r->a, &b, 0);
    return w;
}

/* Every second one, so that the wait can go on for twice as long with as many. */
static void thin_out(struct wait_record *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_samples; i += 2)
        w->samples[n++] = w->samples[i];
    w->n_samples = n;
    w->every_ms *= 2;
}

/* A copy, or the text before it if it is the same: texts of samples that are thinned out stay. */
static const char *kept(struct record *r, const char *before, const char *s)
{
    return ui_same(before, s) ? before : record_text(r, s);
}

static void take_sample(struct record *r, struct wait_record *w, const struct event *e)
{
    const struct sample *last = w->n_samples ? &w->samples[w->n_samples - 1] : NULL;

    if (!e->backup || (last && e->unix_ms - last->unix_ms < w->every_ms))
        return;
    if (w->n_samples == RECORD_SAMPLES) {
        thin_out(w);
        last = &w->samples[w->n_samples - 1];
        if (e->unix_ms - last->unix_ms < w->every_ms)
            return;
    }
    const struct backup *b = e->backup;
    struct sample s = {.unix_ms = e->unix_ms,
                       .detail = kept(r, last ? last->detail : NULL, e->detail),
                       .estimate = {.kind = b->kind,
                                    .pid = b->pid,
                                    .percent = b->percent,
                                    .eta_s = b->eta_s,
                                    .eta_low_s = b->eta_low_s,
                                    .eta_high_s = b->eta_high_s,
                                    .overdue_s = b->overdue_s,
                                    .stuck_s = b->stuck_s}};
    s.estimate.eta_from = kept(r, last ? last->estimate.eta_from : NULL, b->eta_from);
    w->samples[w->n_samples++] = s;
}

void record_wait(struct record *r, const struct event *e)
{
    struct wait_record *w = r->n_waits ? &r->waits[r->n_waits - 1] : NULL;

    /* The end may not name the backup any more. */
    if (!w || !(is_same_wait(w, e) || (ui_is_over(e) && w->state != EVENT_DONE))) {
        if (r->n_waits == RECORD_WAITS) {
            r->more_waits++;
            return;
        }
        w = open_wait(r, e);
    }
    w->state = e->state;
    w->ended_ms = e->unix_ms;
    w->waited_ms = e->waited_ms;
    if (ui_is_over(e))
        w->detail = record_text(r, e->detail);
    else
        take_sample(r, w, e);
}

void record_blocker(struct record *r, const struct event *e)
{
    const struct blocker *b = e->blocker;

    for (size_t i = 0; i < r->n_blockers; i++) {
        struct blocker_record *is = &r->blockers[i];
        bool same = !b || (is->pid == b->pid && ui_same(is->start, b->start));
        if (!is->over && same && ui_same(is->host, e->host)) {
            is->last_ms = e->unix_ms;
            is->over = ui_is_over(e);
            if (b)
                return;
        }
    }
    if (!b || ui_is_over(e))
        return;
    if (r->n_blockers == RECORD_BLOCKERS) {
        r->more_blockers++;
        return;
    }
    r->blockers[r->n_blockers++] = (struct blocker_record){.host = record_text(r, e->host),
                                                           .text = record_text(r, e->detail),
                                                           .kind = record_text(r, b->kind),
                                                           .pid = b->pid,
                                                           .start = record_text(r, b->start),
                                                           .first_ms = e->unix_ms,
                                                           .last_ms = e->unix_ms};
}

/* A number at the beginning of a name is what every tool prints; words may be spelt in several ways. */
static const char *word_of(struct record *r, const char *name)
{
    size_t digits = strspn(name, "0123456789_.");

    return arena_strndup(&r->a, name, digits >= NUMBER_DIGITS ? digits : strcspn(name, " "));
}

/* What follows the stage's own name: "-orders" for the database 'orders', "" if there is only one. */
static const char *database_of(const char *stage)
{
    static const char *const names[] = {"backup-detect", "migrate"};

    for (size_t i = 0; stage && i < sizeof names / sizeof *names; i++)
        if (strncmp(stage, names[i], strlen(names[i])) == 0)
            return stage + strlen(names[i]);
    return NULL;
}

/* A list counts once for each database; what is told later is what remains. */
void record_migrations(struct record *r, const char *stage, const struct strs *names)
{
    const char *database = database_of(stage);

    if (!names || !database)
        return;
    for (size_t i = 0; i < r->n_migrations; i++)
        if (ui_same(r->migrations[i].database, database))
            return;
    struct migration_record *all =
        arena_array(&r->a, r->n_migrations + names->n, sizeof *r->migrations);
    if (r->n_migrations)
        memcpy(all, r->migrations, r->n_migrations * sizeof *all);
    r->migrations = all;
    for (size_t i = 0; i < names->n; i++)
        all[r->n_migrations++] = (struct migration_record){.database = record_text(r, database),
                                                           .name = record_text(r, names->v[i]),
                                                           .word = word_of(r, names->v[i])};
}

static bool is_number(const char *word)
{
    return word[strspn(word, "0123456789_.")] == 0;
}

/* Whether the word stands there, and not the beginning of a longer one.  A number may be followed by the
 * rest of a file's name. */
static bool mentions(const char *bytes, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = bytes; n >= WORD_MIN && len >= n;) {
        const char *at = memchr(p, word[0], len - n + 1);
        if (!at)
            return false;
        len -= (size_t)(at - p);
        unsigned char next = len > n ? (unsigned char)at[n] : ' ';
        if (memcmp(at, word, n) == 0 && !isalnum(next) && (next != '_' || is_number(word)))
            return true;
        len--;
        p = at + 1;
    }
    return false;
}

void record_mentions(struct record *r, const struct event *e)
{
    const char *database = database_of(e->stage);

    for (size_t i = 0; e->bytes && database && i < r->n_migrations; i++) {
        struct migration_record *m = &r->migrations[i];
        if (!ui_same(m->database, database) || !mentions(e->bytes, e->len, m->word))
            continue;
        m->first_ms = m->first_ms ? m->first_ms : e->unix_ms;
        m->last_ms = e->unix_ms;
    }
}
