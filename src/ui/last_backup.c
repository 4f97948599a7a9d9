/* last_backup.c -- decides which news of a wait for a backup get a line in the log, and writes it
 * (last_backup.h). */
#include "ui/last_backup.h"

#include "base/text.h"
#include "ui/reader.h"

enum { BACKUP_EVERY_MS = 60000 };

static const char *copy(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

bool last_backup_is_news(struct last_backup *last, const struct event *e)
{
    const struct backup *b = e->backup;
    const struct backup_identity identity =
        b ? b->identity : (struct backup_identity){.transaction = NULL};
    long pid = b ? b->pid : 0;
    bool news = !last->told || last->over != ui_is_over(e) || last->pid != pid ||
                !ui_same(last->transaction, identity.transaction) ||
                !ui_same(last->start, identity.start) || !ui_same(last->detail, e->detail) ||
                !ui_same(last->host, e->host) ||
                e->waited_ms - last->waited_ms >= BACKUP_EVERY_MS || e->waited_ms < last->waited_ms;

    if (!news)
        return false;
    arena_free(&last->names);
    *last = (struct last_backup){
        .told = true, .over = ui_is_over(e), .pid = pid, .waited_ms = e->waited_ms};
    last->transaction = copy(&last->names, identity.transaction);
    last->start = copy(&last->names, identity.start);
    last->detail = copy(&last->names, e->detail);
    last->host = copy(&last->names, e->host);
    return true;
}

/* "pg_dump of my_database by postgres, pid 12345: ended by itself, waited 2 h" */
static const char *backup_end(struct arena *a, const struct event *e)
{
    struct backup b = e->backup ? *e->backup : (struct backup){0};
    const char *how = e->detail ? ui_shown(a, e->detail) : ui_state_word(e->state);

    b.running_s = -1;
    return e->backup ? arena_printf(a, "%s: %s", ui_backup_what(a, &b, 0), how) : how;
}

static const char *backup_text(struct arena *a, const struct event *e)
{
    const struct backup *b = e->backup;
    const char *text = b ? ui_backup_what(a, b, 0) : "";

    if (b && b->percent >= 0)
        text = arena_printf(a, "%s, %d %%", text, b->percent);
    struct strs left = b ? ui_backup_left(a, b, 0) : (struct strs){0};
    for (size_t i = 0; i < left.n; i++)
        text = arena_printf(a, "%s%s %s", text, i ? "" : ",", left.v[i]);
    return text;
}

const char *last_backup_line(struct arena *a, const struct event *e)
{
    const char *text = ui_is_over(e) ? backup_end(a, e) : backup_text(a, e);

    if (e->waited_ms > 0)
        text =
            arena_printf(a, "%s%swaited %s", text, *text ? ", " : "", text_span(a, e->waited_ms));
    if (e->detail && !ui_is_over(e))
        text = arena_printf(a, "%s%s%s", text, *text ? ": " : "", ui_shown(a, e->detail));
    return text;
}

void last_backup_clear(struct last_backup *last)
{
    arena_free(&last->names);
}
