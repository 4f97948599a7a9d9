/* attempts.c -- decides what a failed attempt of the migration means: fail the run, or pause and
 * try again (attempts.h).  Called by migrate.c after each attempt.  Relies on the blockers that the
 * watchdog reported, on the client's output, and on what leftovers.c finds in the database. */
#include "stages/migrate/attempts.h"

#include "base/text.h"
#include "core/job/jobs.h"
#include "db/server.h"
#include "stages/backup/clear.h"
#include "stages/backup/partial.h"
#include "stages/migrate/blockers.h"
#include "stages/migrate/leftovers.h"
#include "stages/migrate/migrate.h"

enum { NAMES_SHOWN = 3, PAUSE_MAX_MS = 30000, LOOK_AGAIN_MS = 2000 };

/* The messages of SQLite are not translated.  It has no server that could be asked who holds the
 * file. */
static const char *const sqlite_signs[] = {"database is locked", "SQLITE_BUSY", NULL};

static bool has_sign(const char *output, const char *const *signs)
{
    for (; *signs; signs++)
        if (strstr(output, *signs))
            return true;
    return false;
}

/* The backup that the last attempt waited for, or that waited for the migration; 0 when none was
 * seen. */
static long backup_beside(const struct attempts *t)
{
    for (size_t i = 0; !t->seen.dump_behind && i < t->seen.n; i++)
        if (strcmp(t->seen.v[i].kind, "backup") == 0)
            return t->seen.v[i].pid;
    return t->seen.dump_behind;
}

/* When two sessions deadlock, the server ends one of them.  `own` says that it ended the migration;
 * if not, and a backup was involved, the backup has probably failed. */
static void tell_deadlock(struct run *r, struct attempts *t, const struct leftovers *now, bool own)
{
    long pid = backup_beside(t);
    long long was = t->deadlocks;

    if (was >= 0 && now->deadlocks >= 0)
        t->deadlocks = now->deadlocks > was + own ? now->deadlocks : was + own;
    if (was >= 0 && now->deadlocks > was && !own && pid)
        run_warn(r, r->recipe->hosts[t->host].name,
                 "a deadlock occurred during the migration, and the backup beside it (pid "
                 "%ld) was probably its victim: check the backup and run it again",
                 pid);
}

bool attempts_left_nothing(struct run *r, struct attempts *t, struct err *err)
{
    struct leftovers now;

    if (!t->server)
        return true;
    if (!leftovers_look(r, t->host, r->guard->server_version, &now, err))
        return false;
    tell_deadlock(r, t, &now, false);
    struct strs new = leftovers_new(r->arena, &t->before, &now);
    if (!new.n || t->server->keeps)
        return true;
    for (size_t i = 1; i < new.n; i++)
        run_warn(r, r->recipe->hosts[t->host].name, "the migration left behind: %s",
                 leftover_text(r->arena, new.v[i]));
    return err_set(err, ERR_FAILED,
                   "%s: the migration succeeded, but left behind: %s, 'REINDEX INDEX' "
                   "rebuilds it",
                   r->recipe->hosts[t->host].name, leftover_text(r->arena, new.v[0]));
}

/* "the migration did not get a lock within 1 s (held by ...)" */
static const char *lock_text(struct run *r, const struct attempts *t)
{
    const struct blocker *b = blockers_first(&t->seen);

    if (t->lost_to == LOST_TO_SQLITE)
        return "the migration found the SQLite database locked (by another process, "
               "perhaps a backup)";
    if (t->lost_to == LOST_TO_DEADLOCK)
        return arena_printf(r->arena, "the migration was the victim of a deadlock%s",
                            !b ? ""
                               : arena_printf(r->arena, " (with %s)", blocker_text(r->arena, b)));
    const char *text =
        t->seen.crowded
            ? arena_printf(r->arena,
                           "the migration's statement was cancelled because %ld sessions "
                           "queued behind it (migrate.max_blocked: %ld)",
                           t->seen.crowd, r->recipe->migrate.max_blocked)
            : arena_printf(r->arena, "the migration did not get a lock within %s",
                           text_span(r->arena, r->recipe->migrate.lock_timeout_ms));

    return b ? arena_printf(r->arena, "%s (held by %s)", text, blocker_text(r->arena, b)) : text;
}

/* Some of several migrations may already be applied; the next attempt continues after these. */
static const char *progress_text(struct run *r, size_t host)
{
    size_t were = site_database(&r->sites[host], r->recipe->db)->to_migrate.n;
    size_t all = were ? were : r->guard->to_migrate.n;
    const char *names = all > 1 ? migrate_applied(r, host) : NULL;

    return names && *names
               ? arena_printf(r->arena, "; of %zu pending migrations, these were applied: %s", all,
                              names)
               : "";
}

static bool fail_locked(struct run *r, const struct attempts *t, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "%s: %s; %s%s", r->recipe->hosts[t->host].name, lock_text(r, t),
                   why, progress_text(r, t->host));
}

/* Checks the blockers during the pause, so that it ends as soon as they have. */
static bool pause_behind(struct run *r, const struct attempts *t, long long pause, struct err *err)
{
    long long until = loop_now() + pause;

    while (loop_now() < until) {
        long long left = until - loop_now();
        bool there = true;
        fleet_wait(r->fleet, left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS);
        if (run_is_stopped(r, "between two attempts to migrate", err))
            return false;
        struct turn turn;
        run_turn_begin(r, &turn);
        bool ok =
            !t->seen.n || loop_now() >= until || blockers_look(r, t->host, &t->seen, &there, err);
        run_turn_end(r, &turn, !ok);
        if (!ok)
            return false;
        if (!there) {
            run_tell(r, (struct event){.kind = EVENT_BLOCKER,
                                       .state = EVENT_DONE,
                                       .stage = t->step->name,
                                       .host = r->recipe->hosts[t->host].name,
                                       .blocker = blockers_first(&t->seen),
                                       .detail = "the migration is no longer blocked"});
            return true;
        }
    }
    return true;
}

/* Decides what follows a lock wait: report the blocker, give up at a limit, or pause and try again.
 * The pauses grow with each attempt. */
static bool back_off(struct run *r, const struct attempts *t, struct err *err)
{
    long long pause = 1000LL << (t->n < 5 ? t->n : 5);
    long long limit = r->recipe->backup.wait_limit_ms;
    const struct blocker *b = blockers_first(&t->seen);

    partial_meet(r, &t->seen);
    bool somebody = b && strcmp(b->kind, "backup") != 0;
    size_t ended = 0;

    if (somebody && r->recipe->migrate.blockers == BLOCKERS_REPORT)
        return fail_locked(r, t, "resume when that session has ended (migrate.blockers: report)",
                           err);
    if (limit && loop_now() - t->locked_since >= limit)
        return fail_locked(
            r, t, arena_printf(r->arena, "waited for %s, the limit", text_span(r->arena, limit)),
            err);
    run_warn(r, r->recipe->hosts[t->host].name, "%s%s%s (attempt %ld of %ld)%s", lock_text(r, t),
             t->server ? " and " : "", t->server ? t->server->undone : "", t->n,
             r->recipe->migrate.attempts, progress_text(r, t->host));
    if (somebody && r->recipe->migrate.blockers == BLOCKERS_TERMINATE &&
        !blockers_end(r, t->host, &t->seen, &ended, err))
        return false;
    if (!ended && !pause_behind(r, t, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS, err))
        return false;
    return !t->server || backup_clear(r, t->step, t->host, err);
}

/* Completes `left` for a message: each row becomes text, followed by the migrations that were
 * applied. */
static void note_applied(struct run *r, size_t host, const struct leftovers *before,
                         const struct leftovers *now, struct strs *left)
{
    const char *applied = migrate_applied(r, host);

    for (size_t i = 0; i < left->n; i++)
        left->v[i] = leftover_text(r->arena, left->v[i]);
    if (applied && *applied)
        strs_add(r->arena, left, arena_printf(r->arena, "applied: %s", applied));
    if (!before->known || !now->known)
        strs_add(r->arena, left, "changes to the schema could not be determined");
}

/* The error for a server that does not roll back DDL.  A second attempt would run the same
 * statements again, so none is made. */
static const char *changed_text(struct run *r, const struct attempts *t, const char *what,
                                const struct strs *left, const char *then)
{
    return arena_printf(r->arena,
                        "%s: %s; it is not retried, because %s does not roll back what it "
                        "already did (%s); inspect the database, finish or undo the migration by "
                        "hand, then %s",
                        r->recipe->hosts[t->host].name, what, t->server->name,
                        strs_first(r->arena, left, NAMES_SHOWN), then);
}

/* Names the blocker when a statement_timeout of the role or the tool ended the statement before our
 * lock_timeout did.  Such a failure is not retried: a statement that is merely slow fails the same
 * way. */
static const char *cut_short(struct run *r, const struct attempts *t, const char *output)
{
    const struct blocker *b = blockers_first(&t->seen);

    return b && strstr(output, "canceling statement due to statement timeout")
               ? arena_printf(
                     r->arena,
                     "; statement_timeout cancelled it while it waited for a lock (held by %s)",
                     blocker_text(r->arena, b))
               : "";
}

/* What the failed attempt has changed, and what to do if an earlier one did. */
static void tell_what_remains(struct run *r, const struct attempts *t, bool exists)
{
    const char *host = r->recipe->hosts[t->host].name;
    const char *applied = migrate_applied(r, t->host);

    if (applied && *applied)
        run_warn(r, host, "the database has changed: %s %s applied", applied,
                 strchr(applied, ',') ? "were" : "was");
    if (!t->server || !t->server->keeps)
        run_warn(r, host,
                 "what the failed migration did before its error is still in the database, unless "
                 "it ran in a transaction");
    if (exists)
        strs_add(r->arena, &r->failure.next,
                 arena_printf(r->arena,
                              "remove from the database what the earlier attempt created, then run "
                              "'%s'; or commit a migration that skips it, then run '%s && %s'",
                              run_hint(r, "resume", NULL), run_hint(r, "abort", NULL),
                              run_hint(r, "deploy", NULL)));
}

/* Fails the run with everything that is known about the attempt: its output, what it left in the
 * database, and what that means for the next run. */
static bool fail(struct run *r, const struct attempts *t, struct job_call *c,
                 const struct job_end *end, const struct strs *left, bool lock, struct err *err)
{
    const struct server *server = t->server ? t->server : &server_postgresql;
    const char *exists = leftovers_exists_line(r->arena, server, end->output);

    jobs_fail(r, c, end, err);
    if (server->keeps && lock) {
        const char *then = arena_printf(r->arena, "'%s'", run_hint(r, "resume", NULL));
        err->msg = changed_text(r, t, lock_text(r, t), left, then);
        return false;
    }
    err->msg = arena_printf(r->arena, "%s%s", err->msg, cut_short(r, t, end->output));
    struct strs done = {0};
    for (size_t i = 0; server->keeps && i < left->n; i++)
        strs_add(r->arena, &done, leftover_text(r->arena, left->v[i]));
    if (server->keeps && !t->before.known)
        err->msg = arena_printf(
            r->arena, "%s; its changes are not rolled back and could not be determined (%s)",
            err->msg, t->before.why ? t->before.why : "the database did not answer");
    else if (done.n)
        err->msg = arena_printf(r->arena, "%s; its changes are not rolled back: %s", err->msg,
                                strs_first(r->arena, &done, NAMES_SHOWN));
    for (size_t i = 0; !server->keeps && i < left->n; i++)
        err->msg = arena_printf(r->arena, "%s; it left behind: %s", err->msg,
                                leftover_text(r->arena, left->v[i]));
    if (exists && !left->n)
        err->msg = arena_printf(
            r->arena,
            "%s: what it creates already exists (%s), but the migration tool has not "
            "recorded it: an earlier attempt probably stopped after this statement, or "
            "completed it after its client had died",
            err->msg, text_shown(r->arena, exists));
    tell_what_remains(r, t, exists && !left->n);
    return false;
}

bool attempts_after_failure(struct run *r, struct attempts *t, struct job_call *c,
                            const struct job_end *end, struct err *err)
{
    const struct server *server = t->server ? t->server : &server_postgresql;
    bool taken = has_sign(end->output, server->taken_signs);
    bool deadlock = has_sign(end->output, server->deadlock_signs);
    bool sqlite = !t->server && has_sign(end->output, sqlite_signs);
    bool lock = t->seen.cancelled || taken || deadlock || sqlite ||
                has_sign(end->output, server->lock_signs);
    struct leftovers now = {.deadlocks = -1};

    if (!t->without_options && has_sign(end->output, server->options_signs)) {
        run_warn(r, r->recipe->hosts[t->host].name,
                 "the connection to the database rejects PGOPTIONS (PgBouncer?): retrying without "
                 "it; %s",
                 t->server ? "the watchdog still cancels a wait after lock_timeout"
                           : "nothing limits how long it waits for a lock");
        t->without_options = true;
        t->n--;
        return true;
    }
    if (t->server && !leftovers_look(r, t->host, r->guard->server_version, &now, err))
        return false;
    struct strs left = leftovers_new(r->arena, &t->before, &now);
    /* The deadlock counter shows a deadlock even if the server's message is in another language. */
    if (!lock && t->deadlocks >= 0 && now.deadlocks > t->deadlocks &&
        (t->seen.n || t->seen.dump_behind))
        lock = deadlock = true;
    tell_deadlock(r, t, &now, deadlock);
    t->lost_to = deadlock ? LOST_TO_DEADLOCK : sqlite ? LOST_TO_SQLITE : LOST_TO_LOCK;
    if (lock && server->keeps)
        note_applied(r, t->host, &t->before, &now, &left);
    if (!lock || left.n)
        return fail(r, t, c, end, &left, lock, err);
    if (taken && t->server && !blockers_advisory(r, t->step, t->host, &t->seen, err))
        return false;
    t->locked_since = t->locked_since ? t->locked_since : loop_now();
    if (t->n >= r->recipe->migrate.attempts) {
        jobs_fail(r, c, end, err);
        err->msg = arena_printf(
            r->arena, "%s: %s; gave up after %s%s", r->recipe->hosts[t->host].name, lock_text(r, t),
            t->n == 1 ? "1 attempt" : arena_printf(r->arena, "%ld attempts", t->n),
            progress_text(r, t->host));
        return false;
    }
    return back_off(r, t, err);
}

bool attempts_are_undone(struct run *r, const struct attempts *t, struct err *err)
{
    struct leftovers now = {0};

    if (!t->server || !t->server->keeps)
        return true;
    if (!leftovers_look(r, t->host, r->guard->server_version, &now, err))
        return false;
    struct strs left = leftovers_new(r->arena, &t->before, &now);
    note_applied(r, t->host, &t->before, &now, &left);
    if (!left.n)
        return true;
    const char *then =
        arena_printf(r->arena, "run '%s' to start it again or '%s' to skip it",
                     run_hint(r, "resume", "--force"), run_hint(r, "resume", "--no-migrate"));
    return err_set(err, ERR_FAILED, "%s",
                   changed_text(r, t, "the end of the migration was not recorded", &left, then));
}
