/* detect.c -- the stages backup-detect and backup-clear: is anything pending, does a backup block the
 * migration, and then the wait until none does.  Both run on the database's host, before migrate. */

#include "stages/backup/detect.h"

#include "base/text.h"
#include "core/mark.h"
#include "db/find/find.h"
#include "db/server.h"
#include "stages/backup/clear.h"
#include "stages/backup/partial.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/upcoming.h"
#include "stages/migrate/migrate.h"
#include "stages/migrate/pending.h"

static const char *const look_texts[] = {
    [LOOK_NO_DATABASE] = "the recipe names no database",
    [LOOK_OFF] = "no database was found that can be asked",
    [LOOK_FAILED] = "could not check for backups",
    [LOOK_ALREADY_MIGRATED] = "the migration has already started",
    [LOOK_ANOTHER_MIGRATES] = "the migration of an earlier database may be running",
};

/* Warns when a migration that starts now would probably meet a backup that starts soon. */
static bool warn_of_next(struct run *r, size_t host, struct err *err)
{
    struct schedule next;

    if (!upcoming_look(r, host, 0, &next, err))
        return false;
    const char *warning = upcoming_warning(r, &next);
    if (warning)
        run_warn(r, r->recipe->hosts[host].name, "%s", warning);
    return true;
}

bool backup_clear_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    long long before = r->guard->behind_backup_ms;

    /* A resumed run has not looked yet, since backup-detect is done. */
    if (!migrate_idle(r) && !database_find(r, s->hosts[0], err))
        return false;
    if (!server_of(r))
        r->guard->look = database_is_off(r) ? LOOK_OFF : LOOK_NO_DATABASE;
    if (r->guard->nothing_pending || r->guard->look != LOOK_FOR_BACKUPS) {
        /* No mark is written, so that a resume checks again. */
        ret->skipped = migrate_idle(r) ? migrate_idle(r) : look_texts[r->guard->look];
        return true;
    }
    if (!wait_until_clear(r, s, s->hosts[0], r->recipe->backup.clearance_ms > 0, err) ||
        !warn_of_next(r, s->hosts[0], err))
        return false;
    ret->detail = r->guard->behind_backup_ms > before
                      ? arena_printf(r->arena, "clear after %s",
                                     text_span(r->arena, r->guard->behind_backup_ms - before))
                  : r->guard->backup_stopped ? "clear: the blocking backup was stopped"
                                             : "no backup blocks the migration";
    return mark_put(r, s, &(struct new_mark){.state = "done"}, err);
}

/* Nothing under migrate.paths has changed since the last run that migrated. */
static bool is_unchanged(const struct run *r, size_t host)
{
    const char *digest = r->plan->what.migrate_digest;
    const char *was = site_database(&r->sites[host], r->recipe->db)->digest;

    /* The digest is over the paths of all databases; one without paths is always asked. */
    return !r->force && r->recipe->migrate.paths.n && *digest && was && strcmp(digest, was) == 0;
}

static bool ask_pending(struct run *r, size_t host, struct step_result *ret, struct err *err)
{
    const char *names = NULL;
    long pending = 0;

    if (is_unchanged(r, host)) {
        ret->detail = "nothing pending: unchanged since the last migration";
    } else {
        if (!migrate_pending(r, host, run_folder(r, host), &pending, &names, err))
            return false;
        ret->detail = pending_text(r->arena, pending, names);
    }
    r->guard->nothing_pending = pending == 0;
    ret->migrations = &r->guard->to_migrate;
    return true;
}

/* Keeps the list of pending migrations with the mark; a resume compares with it. */
static bool put_done(struct run *r, const struct step *s, struct err *err)
{
    const struct new_mark m = {.state = "done", .pending = &r->guard->to_migrate};

    return mark_put(r, s, &m, err);
}

/* The migration of an earlier database may be running at this moment. */
static bool another_may_run(const struct run *r)
{
    for (size_t i = 0; r->recipe->db && i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        if (s->recipe && s->recipe->db_at < r->recipe->db_at && s->stage->migrates &&
            s->stage->jobs && site_is_marked(&r->sites[s->hosts[0]], s->name, "begun"))
            return true;
    }
    return false;
}

bool backup_detect_act(struct run *r, const struct step *s, struct step_result *ret,
                       struct err *err)
{
    size_t host = s->hosts[0];
    const char *mark =
        site_mark(&r->sites[host], step_for_database(r->arena, "migrate", r->recipe));
    const struct backup *passed;
    struct backups now;
    size_t n;

    ret->skipped = migrate_idle(r);
    if (ret->skipped)
        return true;
    if (mark && strcmp(mark, "begun") == 0) {
        /* The migration may be running at this moment.  It is reattached to, so it must not wait
         * here. */
        r->guard->look = LOOK_ALREADY_MIGRATED;
        ret->skipped = look_texts[r->guard->look];
        return true;
    }
    if (another_may_run(r)) {
        /* It is reattached to first; this one looks again before its own migration. */
        r->guard->look = LOOK_ANOTHER_MIGRATES;
        ret->skipped = look_texts[r->guard->look];
        return true;
    }
    if (!ask_pending(r, host, ret, err))
        return false;
    if (r->guard->nothing_pending)
        return true;
    if (!database_find(r, host, err))
        return false;
    if (!server_of(r)) {
        r->guard->look = database_is_off(r) ? LOOK_OFF : LOOK_NO_DATABASE;
        if (database_is_off(r))
            ret->detail = arena_printf(r->arena, "%s; the guard is off", ret->detail);
        return backup_guard_off(r, host, err) && put_done(r, s, err);
    }
    if (mark && !backup_end_own(r, host, err))
        return false;
    if (!backup_look(r, host, &now, err) || !partial_pass(r, host, &now, &passed, err))
        return false;
    const struct backup *b = backups_first(&now, &n);
    if (now.why) {
        if (!backup_unknown(r, host,
                            arena_printf(r->arena, "could not check for backups: %s", now.why),
                            server_of(r)->unguarded, err))
            return false;
        r->guard->look = LOOK_FAILED;
    }
    ret->detail = arena_printf(r->arena, "%s; %s", ret->detail,
                               now.why  ? "could not check for backups"
                               : b      ? backup_text(r, b)
                               : passed ? partial_passed(r, passed)
                                        : "no backup blocks the migration");
    return put_done(r, s, err);
}
