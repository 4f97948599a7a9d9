/* wording.c -- what is said about a running backup, and about a database that cannot be asked (running.h).
 * Called by the stages and commands that look at backups. */
#include "base/text.h"
#include "db/find/find.h"
#include "stages/backup/running.h"

struct backup *backups_first(const struct backups *b, size_t *ret_n)
{
    struct backup *first = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (!b->v[i].blocks_migrations)
            continue;
        first = first ? first : &b->v[i];
        ++*ret_n;
    }
    return first;
}

const char *backup_waiter(const struct backup *b)
{
    return b->partial ? "a migration of a table that it locks" : "a migration";
}

const char *backup_text(struct run *r, const struct backup *b)
{
    if (!b->pid)
        return "an upcoming backup";
    bool lock = backup_is_lock(b);
    const char *text =
        arena_printf(r->arena, "%s of %s by %s%s%s, pid %ld", backup_kind_word(b->kind),
                     b->database, b->user, lock ? " as " : "", lock ? b->application : "", b->pid);

    return b->running_s < 0 ? text
                            : arena_printf(r->arena, "%s, for %s", text,
                                           text_span(r->arena, b->running_s * 1000));
}

bool backup_in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err)
{
    return err_set(err, ERR_BACKUP, "%s blocks the migration: %s", backup_text(r, b), why);
}

bool backup_guard_off(struct run *r, size_t host, struct err *err)
{
    const char *text = database_is_off(r) ? database_problem(r) : NULL;

    if (!text || r->guard->off_told)
        return true;
    r->guard->off_told = true;
    text = arena_printf(r->arena, "the guard against backups is off: %s", text);
    if (!database_is_serverless(r))
        return backup_unknown(r, host, text,
                              "continuing, but the migration may wait for a lock, and other "
                              "sessions behind it",
                              err);
    return true;
}

bool backup_unknown(struct run *r, size_t host, const char *what, const char *then, struct err *err)
{
    const char *name = r->recipe->hosts[host].name;

    if (r->recipe->backup.unknown == UNKNOWN_ABORT) {
        if (r->begun)
            strs_add(run_kept(r), &r->failure.next,
                     arena_printf(r->arena, "fix it, check with '%s', then run '%s'",
                                  run_hint(r, "check", NULL), run_hint(r, "resume", NULL)));
        return err_set(err, ERR_BACKUP, "%s: %s (backup.unknown: abort)", name, what);
    }
    run_warn(r, name, "%s; %s", what, then);
    return true;
}
