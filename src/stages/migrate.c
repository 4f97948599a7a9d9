/* migrate.c -- the migration, under supervision on one host, with no statement of it waiting for
 * a lock longer than lock_timeout. */
#include "stages/stages.h"

#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/jobs.h"
#include "stages/adopt.h"
#include "stages/blockers.h"
#include "stages/db.h"
#include "stages/leftovers.h"
#include "stages/partial.h"
#include "stages/scripts.h"
#include "stages/server.h"

enum { STATUS_MS = 5 * 60 * 1000, NAMES_SHOWN = 3, PAUSE_MAX_MS = 30000, LOOK_AGAIN_MS = 2000 };

/* Of the database, to the watch that is to take the lock. */
#define NO_ANSWER "no answer within 30 s"

enum lost_to { LOST_TO_LOCK, LOST_TO_DEADLOCK, LOST_TO_SQLITE };

/* The migration, from its first attempt to its end. */
struct attempts {
    const struct step *step;
    size_t host;
    long n;                      /* the one under way, from 1 */
    const struct server *server; /* NULL: the recipe names none */
    bool without_options;        /* the way to the database does not take PGOPTIONS */
    struct leftovers before;
    struct blockers seen;   /* in this attempt */
    long long deadlocks;    /* in the database before it; -1: not known */
    enum lost_to lost_to;   /* why the last one is to be tried again */
    long long locked_since; /* when a lock was not had for the first time; 0: never */
};

/* For the watch's lines. */
struct watching {
    struct run *r;
    struct attempts *t;
};

static const char *first_names(struct arena *a, const struct strs *names, size_t max)
{
    const char *text = "";

    for (size_t i = 0; i < names->n && i < max; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", names->v[i]);
    return names->n > max ? arena_printf(a, "%s ...", text) : text;
}

static bool ask_status(struct run *r, size_t host, const char *where, struct strs *ret_names,
                       long *ret_n, struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    *ret_n = PENDING_UNKNOWN;
    if (!r->recipe->migrate.status) {
        buf_free(&b);
        return true;
    }
    jobs_environment(r, host, &b);
    quote_assign(&b, "command", r->recipe->migrate.status);
    quote_assign(&b, "where", where);
    struct reply reply = run_look(r, host, &b, script_pending, STATUS_MS);
    if (reply.kind != REPLY_EXIT && reply.kind != REPLY_SIGNAL)
        return run_judge(r, host, &reply, err);
    const char *out =
        reply.kind == REPLY_EXIT ? pending_answer(r->arena, reply.out, reply.status) : NULL;
    if (out)
        *ret_n =
            pending_read(r->arena, &r->recipe->migrate.pending_when, reply.status, out, ret_names);
    return true;
}

bool migrate_pending(struct run *r, size_t host, const char *where, long *ret_pending,
                     const char **ret_names, struct err *err)
{
    struct strs names = {0};

    if (ret_names)
        *ret_names = NULL;
    if (!ask_status(r, host, where, &names, ret_pending, err))
        return false;
    if (*ret_pending < 0)
        return true;
    if (ret_names)
        *ret_names = first_names(r->arena, &names, NAMES_SHOWN);
    if (!r->to_migrate.n)
        r->to_migrate = names;
    return true;
}

/* SQLite has no translations, and no session to be asked who holds the file. */
static const char *const sqlite_signs[] = {"database is locked", "SQLITE_BUSY", NULL};

static bool has_sign(const char *output, const char *const *signs)
{
    for (; *signs; signs++)
        if (strstr(output, *signs))
            return true;
    return false;
}

/* The second belt, for drivers that PGOPTIONS does not reach and for statements left behind by a
 * client that died: beside the command one session of ours looks three times within lock_timeout,
 * tells whom the migration's own sessions wait for, and cancels exactly those that have waited for
 * a lock for so long; at the end it ends what the command left in the server.  It lives on the
 * host, without crelease. */
static const char *watch_text(struct run *r)
{
    const struct server *server = server_of(r->recipe);
    const char *own = server_own(r);
    long long limit = r->recipe->migrate.lock_timeout_ms;
    long max_blocked = r->recipe->migrate.max_blocked;
    /* Twice at least within the limit, so that a wait that the driver ends itself is seen. */
    long long most = max_blocked ? 250 : 1000;
    long long look = limit / 3 < 150 ? 150 : limit / 3 > most ? most : limit / 3;
    const struct waits waits = {.own = own,
                                .version = r->server_version,
                                .limit_ms = limit,
                                .max_blocked = max_blocked ? max_blocked : -1};
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    if (!server)
        return NULL;
    const char *guard = guard_text(r);
    const char *last = server->end_own ? server->end_own(r->arena, r->server_version, own) : "";
    const char *look_sql = server->waits(r->arena, &waits);
    buf_puts(&b, guard ? guard : "gate go\n");
    if (!look_sql) {
        buf_puts(&b, "trap 'guard_end; exit 0' TERM\n"
                     "while job_lives; do\n"
                     "\tguard_beat\n"
                     "\tsleep 1 5>&- &\n"
                     "\twait $!\n"
                     "done\n"
                     "guard_end\n");
        const char *alone = arena_strndup(r->arena, b.text, b.len);
        buf_free(&b);
        return alone;
    }
    buf_puts(&b, "PGAPPNAME=crelease-watch PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=UTF8\n"
                 "export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING\nunset PGOPTIONS\n"
                 "separator=$(printf '\\037')\n");
    quote_assign(&b, "database", r->recipe->database.name ? r->recipe->database.name : "");
    quote_assign(&b, "look", look_sql);
    quote_assign(&b, "last", last);
    buf_puts(&b, server->clients);
    buf_printf(&b, "ask() { %s%s; }\n", server_command(r->recipe), server->feed);
    buf_printf(&b,
               "feed() { exec 6<\"$crelease_job/watched\"; while [ -f \"$crelease_job/watching\""
               " ] && job_lives; do guard_beat; tell_clients;"
               " printf '%%s\\n' \"$look\"; sleep %lld.%03lld 2>/dev/null || sleep 1; done; }\n",
               look / 1000, look % 1000);
    /* psql ends when the feed does, also where sudo stands between us and it. */
    /* What was cancelled just now is still to be told: the feed stops, psql comes to its end. */
    buf_puts(&b, "trap 'trap \"\" TERM; rm -f \"$crelease_job/watching\";"
                 " (trap \"kill -s KILL \\$!; exit\" TERM; sleep 3 & wait $!; kill -s KILL"
                 " $asking) 5>&- & limit=$!;"
                 " wait $asking; kill $limit;"
                 " end_rest; guard_end; exit 0' TERM\n"
                 ": >\"$crelease_job/watching\"\n"
                 "while job_lives; do\n"
                 "\t(exec 5>&-; feed) | (exec 5>&-; ask) &\n"
                 "\tasking=$!\n"
                 "\twait $asking\n"
                 "\tsleep 1 5>&- &\n"
                 "\tasking=$!\n"
                 "\twait $asking\n"
                 "done\n"
                 "end_rest\n"
                 "guard_end\n");
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

/* Nothing may be pending afterwards; then the mark, and what the database has been brought to. */
static void done_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    const struct what *w = &r->plan->what;

    (void)s;
    (void)host;
    buf_printf(b, "to=%s error='' pending=''\n", r->nothing_pending ? "skipped" : "done");
    quote_assign(b, "migrated",
                 *w->migrate_digest ? arena_printf(r->arena, "digest %s\nrevision %s\nrelease %s",
                                                   w->migrate_digest, w->revision, w->release)
                                    : "");
}

static bool put_done(struct run *r, const struct step *s, struct err *err)
{
    struct trip t = {.script = r->mark_script,
                     .step = s->name,
                     .verb = "run",
                     .values = done_values,
                     .about = s,
                     .hosts = s->hosts,
                     .n_hosts = s->n_hosts,
                     .payload = -1};

    if (!run_scripts(r, &t, NULL, err))
        return false;
    for (size_t i = 0; i < s->n_hosts; i++)
        site_set_mark(r->arena, &r->sites[s->hosts[i]], s->name,
                      r->nothing_pending ? "skipped" : "done");
    return true;
}

/* The backup that the last attempt waited for, or that waited for it; 0: none was seen. */
static long backup_beside(const struct attempts *t)
{
    for (size_t i = 0; !t->seen.dump_behind && i < t->seen.n; i++)
        if (strcmp(t->seen.v[i].kind, "backup") == 0)
            return t->seen.v[i].pid;
    return t->seen.dump_behind;
}

/* Of two that deadlock one is ended by the server; `own`: it was the migration. */
static void tell_deadlock(struct run *r, struct attempts *t, const struct leftovers *now, bool own)
{
    long pid = backup_beside(t);
    long long was = t->deadlocks;

    if (was >= 0 && now->deadlocks >= 0)
        t->deadlocks = now->deadlocks > was + own ? now->deadlocks : was + own;
    if (was >= 0 && now->deadlocks > was && !own && pid)
        run_warn(r, r->recipe->hosts[t->host].name,
                 "a deadlock happened in the database meanwhile, "
                 "and the migration did not lose it: the backup beside"
                 " it (pid %ld) has probably failed: look after it, and run it again",
                 pid);
}

/* What the migration has left: an index that is not valid passes for one that is there. */
static bool verify_leftovers(struct run *r, struct attempts *t, const struct leftovers *now,
                             struct err *err)
{
    struct strs new = leftovers_new(r->arena, &t->before, now);

    tell_deadlock(r, t, now, false);
    if (!new.n || t->server->keeps)
        return true;
    for (size_t i = 1; i < new.n; i++)
        run_warn(r, r->recipe->hosts[t->host].name, "the migration left this: %s",
                 leftover_text(r->arena, new.v[i]));
    return err_set(err, ERR_FAILED,
                   "%s: the migration ended well, but left this: %s, 'REINDEX INDEX' mends it",
                   r->recipe->hosts[t->host].name, leftover_text(r->arena, new.v[0]));
}

static bool verify(struct run *r, struct attempts *t, struct err *err)
{
    size_t host = t->host;
    struct leftovers now;
    const char *names;
    long left;

    if (t->server && (!leftovers_look(r, host, r->server_version, &now, err) ||
                      !verify_leftovers(r, t, &now, err)))
        return false;
    if (!migrate_pending(r, host, run_folder(r, host), &left, &names, err))
        return false;
    if (left == PENDING_SOME)
        return err_set(err, ERR_FAILED,
                       "the migration ended well, but 'migrate.status' says that something is"
                       " still pending");
    if (left > 0)
        return err_set(err, ERR_FAILED, "the migration ended well, but %s still pending: %s",
                       left == 1 ? "1 is" : arena_printf(r->arena, "%ld are", left),
                       text_shown(r->arena, names));
    return true;
}

/* Of one whose end was not recorded the database may know: nothing is pending any more, or
 * something still is.  What is not known is not guessed: then it stays uncertain until a person
 * says. */
static bool after_lost_end(struct run *r, struct job_call *c, const struct job_end *end,
                           long *ret_left, struct err *err)
{
    const char *env = r->plan->what.environment;
    struct err ignored = {.arena = r->arena};

    if (!migrate_pending(r, end->host, run_folder(r, end->host), ret_left, NULL, &ignored))
        *ret_left = -1;
    if (*ret_left == 0) {
        run_warn(r, r->recipe->hosts[end->host].name,
                 "the migration does not run any more and its end was not recorded (was the host"
                 " restarted?), but"
                 " nothing is pending any more: taken as done");
        return true;
    }
    if (*ret_left > 0) {
        run_warn(r, r->recipe->hosts[end->host].name,
                 "the end of the migration was not recorded (was the host restarted?), "
                 "it does not run any more,"
                 " and %ld %s still pending: run again",
                 *ret_left, *ret_left == 1 ? "is" : "are");
        c->again = true;
        return !server_of(r->recipe) || backup_end_own(r, end->host, err);
    }
    jobs_fail(r, c, end, err);
    err->msg = arena_printf(
        r->arena,
        "%s: whether the migration ended well is not known: its end was not recorded (was the"
        " host restarted?), and %s; look at the database, then 'crelease resume --force %s'"
        " runs it again, 'crelease resume --no-migrate %s' takes it as done",
        r->recipe->hosts[end->host].name,
        r->recipe->migrate.status ? "migrate.status could not tell what is pending"
                                  : "the recipe has no migrate.status to ask",
        env, env);
    strs_add(r->arena, &r->failure.next,
             arena_printf(r->arena, "one of these two when you have looked, or 'crelease abort %s'",
                          env));
    return false;
}

/* Somebody has said that the database is as it should be; but not while it is still being changed.
 */
static bool pass_over(struct run *r, const struct step *s, const struct job_call *c,
                      struct err *err)
{
    bool runs = false;

    if (site_mark(&r->sites[c->hosts[0]], s->name) && !jobs_look(r, c, &runs, err))
        return false;
    if (runs)
        return err_set(err, ERR_FAILED,
                       "the migration still runs and cannot be passed over: resume without"
                       " --no-migrate to wait for its end, or abort to stop it");
    r->skipped = PASSED_OVER;
    return run_put_mark(r, s, "skipped", err);
}

/* It has not begun: somebody holds the lock that it needs, or could hold it. */
static bool stand_back(struct run *r, const struct step *s, size_t host, const char *why,
                       struct err *err)
{
    const char *name = r->recipe->hosts[host].name;

    if (strcmp(why, HOLD_BUSY) != 0) {
        why += strncmp(why, HOLD_UNKNOWN " ", sizeof HOLD_UNKNOWN) == 0 ? sizeof HOLD_UNKNOWN
                                                                        : strlen(why);
        const char *what = "could not ask the database for the lock of migrations";
        if (*why)
            what = arena_printf(r->arena, "%s: %s", what, db_shown(r, why));
        return backup_unknown(r, host, what, "trying again", err);
    }
    run_warn(
        r, name,
        "the migration has not begun: another session took the lock of migrations just before");
    fleet_wait(r->fleet, 1000);
    return !run_is_stopped(r, "before the migration", err) && backup_clear(r, s, host, err);
}

/* Of what was pending when the run began, that which is not any more: NULL when it cannot be told.
 */
static const char *migrated_by_now(struct run *r, size_t host)
{
    const struct strs *were =
        r->sites[host].to_migrate.n ? &r->sites[host].to_migrate : &r->to_migrate;
    struct err ignored = {.arena = r->arena};
    struct strs still = {0};
    struct strs gone = {0};
    long n;

    if (!were->n || !ask_status(r, host, run_folder(r, host), &still, &n, &ignored) || n < 0)
        return NULL;
    for (size_t i = 0; i < were->n; i++)
        if (!strs_has(&still, were->v[i]))
            strs_add(r->arena, &gone, were->v[i]);
    return first_names(r->arena, &gone, PENDING_NAMES_MAX);
}

/* Of the session that holds the lock of migrations; what its client said is the last field. */
static bool take_lock(const struct watching *w, const char *line)
{
    const char *host = w->r->recipe->hosts[w->t->host].name;
    const char *what = db_field(w->r->arena, line, 1);

    if (strcmp(db_field(w->r->arena, line, 0), "lock") != 0)
        return false;
    if (strcmp(what, "lost") == 0)
        run_warn(w->r, host,
                 "the session that holds the lock of migrations was lost (%s): taking it again",
                 db_shown(w->r, db_field(w->r->arena, line, 2)));
    else if (strcmp(what, "again") == 0)
        run_warn(w->r, host, "the migration has the lock of migrations again");
    else if (strcmp(what, "taken") == 0)
        run_warn(w->r, host,
                 "another session has the lock of migrations by now, so that a backup under"
                 " 'backups --hold' or another migration may run beside this one: trying to take it"
                 " again until this ends");
    return true;
}

static void take_watched(void *arg, const char *line)
{
    const struct watching *w = arg;

    if (take_lock(w, line))
        return;
    if (strncmp(line, "gated ", 6) == 0) {
        run_warn(w->r, w->r->recipe->hosts[w->t->host].name,
                 "the migration runs without the lock of migrations, "
                 "so that a backup under 'backups --hold' or another"
                 " migration may begin beside it: %s (backup.unknown: proceed)",
                 db_shown(w->r, line + 6));
        return;
    }
    blockers_take(w->r, w->t->step, w->t->host, &w->t->seen, line);
}

/* "the migration did not get a lock within 1 s (held by ...)" */
static const char *lock_text(struct run *r, const struct attempts *t)
{
    const struct blocker *b = blockers_first(&t->seen);

    if (t->lost_to == LOST_TO_SQLITE)
        return "the migration found the database locked (SQLite: somebody reads or writes it, a "
               "backup perhaps)";
    if (t->lost_to == LOST_TO_DEADLOCK)
        return arena_printf(r->arena, "the migration was the victim of a deadlock%s",
                            !b ? ""
                               : arena_printf(r->arena, " (with %s)", blocker_text(r->arena, b)));
    const char *text = t->seen.crowded
                           ? arena_printf(r->arena,
                                          "the migration gave way: %ld sessions queued behind it, "
                                          "and migrate.max_blocked is %ld",
                                          t->seen.crowd, r->recipe->migrate.max_blocked)
                           : arena_printf(r->arena, "the migration did not get a lock within %s",
                                          text_span(r->arena, r->recipe->migrate.lock_timeout_ms));

    return b ? arena_printf(r->arena, "%s (held by %s)", text, blocker_text(r->arena, b)) : text;
}

/* Of several migrations some may be through: the next attempt begins behind them. */
static const char *progress_text(struct run *r, size_t host)
{
    size_t all = r->sites[host].to_migrate.n ? r->sites[host].to_migrate.n : r->to_migrate.n;
    const char *names = all > 1 ? migrated_by_now(r, host) : NULL;

    return names && *names
               ? arena_printf(r->arena, "; of %zu pending these are applied: %s", all, names)
               : "";
}

static bool fail_locked(struct run *r, const struct attempts *t, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "%s: %s; %s%s", r->recipe->hosts[t->host].name, lock_text(r, t),
                   why, progress_text(r, t->host));
}

/* Whoever holds the lock may end before the pause does. */
static bool pause_behind(struct run *r, const struct attempts *t, long long pause, struct err *err)
{
    long long until = loop_now() + pause;

    while (loop_now() < until) {
        long long left = until - loop_now();
        bool there = true;
        fleet_wait(r->fleet, left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS);
        if (run_is_stopped(r, "between two attempts to migrate", err))
            return false;
        if (t->seen.n && loop_now() < until && !blockers_look(r, t->host, &t->seen, &there, err))
            return false;
        if (!there) {
            run_tell(r, (struct event){.kind = EVENT_BLOCKER,
                                       .state = EVENT_DONE,
                                       .stage = t->step->name,
                                       .host = r->recipe->hosts[t->host].name,
                                       .blocker = blockers_first(&t->seen),
                                       .detail = "what the migration waited for has ended"});
            return true;
        }
    }
    return true;
}

/* After a lock wait: behind whatever holds the lock, with growing pauses. */
static bool back_off(struct run *r, const struct attempts *t, struct err *err)
{
    long long pause = 1000LL << (t->n < 5 ? t->n : 5);
    long long limit = r->recipe->backup.wait_limit_ms;
    const struct blocker *b = blockers_first(&t->seen);

    partial_meet(r, &t->seen);
    bool somebody = b && strcmp(b->kind, "backup") != 0;
    size_t ended = 0;

    if (somebody && r->recipe->migrate.blockers == BLOCKERS_REPORT)
        return fail_locked(r, t, "migrate.blockers says to stop then: resume when that has ended",
                           err);
    if (limit && loop_now() - t->locked_since >= limit)
        return fail_locked(
            r, t,
            arena_printf(r->arena, "waited for %s, which is the limit", text_span(r->arena, limit)),
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

/* What can be told of an attempt besides what it left in the schema, as a row more. */
static void note_applied(struct run *r, size_t host, const struct leftovers *before,
                         const struct leftovers *now, struct strs *left)
{
    const char *applied = migrated_by_now(r, host);

    for (size_t i = 0; i < left->n; i++)
        left->v[i] = leftover_text(r->arena, left->v[i]);
    if (applied && *applied)
        strs_add(r->arena, left, arena_printf(r->arena, "applied: %s", applied));
    if (!before->known || !now->known)
        strs_add(r->arena, left, "what has changed in the schema could not be looked up");
}

/* What there is to know before the first attempt. */
static bool prepare(struct run *r, struct attempts *t, struct err *err)
{
    const char *mark = site_mark(&r->sites[t->host], t->step->name);
    bool may_run = mark && strcmp(mark, "begun") == 0;
    const struct backup *passed;
    struct backups now = {0};
    size_t n;

    if (!t->server)
        return true;
    if (!backup_look(r, t->host, &now, err) || !partial_pass(r, t->host, &now, &passed, err))
        return false;
    if (now.why)
        return true;
    /* One that has begun since it was clear; a migration that runs already is taken up. */
    if (!may_run && backups_first(&now, &n) && !backup_clear(r, t->step, t->host, err))
        return false;
    if (r->server_version < server_of(r->recipe)->watched_since)
        run_warn(r, r->recipe->hosts[t->host].name,
                 "%s does not tell which of its sessions are the migration's: if that waits for"
                 " a lock, nothing ends the wait",
                 server_text(r));
    if (!leftovers_end_ghosts(r, t->step, t->host, err) ||
        !leftovers_before(r, t->step, t->host, r->server_version, &t->before, err))
        return false;
    t->deadlocks = t->before.deadlocks;
    return true;
}

/* What the statements before have done is done; never is it done twice. */
static const char *changed_text(struct run *r, const struct attempts *t, const char *what,
                                const struct strs *left, const char *then)
{
    return arena_printf(
        r->arena,
        "%s: %s, and it is not tried again: %s does not take back what it has done already"
        " (%s); look at the database, bring the migration to its end or take that back by hand, "
        "then %s",
        r->recipe->hosts[t->host].name, what, t->server->name,
        first_names(r->arena, left, NAMES_SHOWN), then);
}

/* It failed, and not for want of a lock: with what can be said besides. */
static bool fail(struct run *r, const struct attempts *t, struct job_call *c,
                 const struct job_end *end, const struct strs *left, bool lock, struct err *err)
{
    const struct server *server = t->server ? t->server : &server_postgresql;
    const char *exists = leftovers_exists_line(r->arena, server, end->output);
    const char *env = r->plan->what.environment;

    jobs_fail(r, c, end, err);
    if (server->keeps && lock) {
        const char *then = arena_printf(r->arena, "'crelease resume %s'", env);
        err->msg = changed_text(r, t, lock_text(r, t), left, then);
        return false;
    }
    struct strs done = {0};
    for (size_t i = 0; server->keeps && i < left->n; i++)
        strs_add(r->arena, &done, leftover_text(r->arena, left->v[i]));
    if (done.n)
        err->msg = arena_printf(r->arena, "%s; what it had done stays: %s", err->msg,
                                first_names(r->arena, &done, NAMES_SHOWN));
    for (size_t i = 0; !server->keeps && i < left->n; i++)
        err->msg = arena_printf(r->arena, "%s; it left this: %s", err->msg,
                                leftover_text(r->arena, left->v[i]));
    if (exists && !left->n)
        err->msg = arena_printf(
            r->arena,
            "%s: what it was to make is there already (%s), though the tool does not know"
            " of it: an earlier statement was probably carried out after its client had died; look"
            " at the database, and take that away or tell the tool",
            err->msg, text_shown(r->arena, exists));
    return false;
}

/* After a status other than 0: whether to try again. */
static bool after_failure(struct run *r, struct attempts *t, struct job_call *c,
                          const struct job_end *end, struct err *err)
{
    const struct server *server = t->server ? t->server : &server_postgresql;
    bool taken = has_sign(end->output, server->taken_signs);
    bool deadlock = has_sign(end->output, server->deadlock_signs);
    bool sqlite = !t->server && has_sign(end->output, sqlite_signs);
    bool lock = t->seen.cancelled || taken || deadlock || sqlite ||
                has_sign(end->output, server->lock_signs);
    struct leftovers now = {.deadlocks = -1};

    if (t->server && !t->without_options && has_sign(end->output, server->options_signs)) {
        run_warn(
            r, r->recipe->hosts[t->host].name,
            "the way to the database does not take PGOPTIONS (PgBouncer?): trying"
            " again without; the watch beside the migration still ends a wait after lock_timeout");
        t->without_options = true;
        t->n--;
        return true;
    }
    if (t->server && !leftovers_look(r, t->host, r->server_version, &now, err))
        return false;
    struct strs left = leftovers_new(r->arena, &t->before, &now);
    /* Whatever the language of the message is. */
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
        err->msg = arena_printf(r->arena, "%s: %s; it was tried %s%s",
                                r->recipe->hosts[t->host].name, lock_text(r, t),
                                t->n == 1 ? "once" : arena_printf(r->arena, "%ld times", t->n),
                                progress_text(r, t->host));
        return false;
    }
    return back_off(r, t, err);
}

/* Where what was done stays, one whose end was not seen may have done half of it. */
static bool is_as_before(struct run *r, const struct attempts *t, struct err *err)
{
    struct leftovers now = {0};

    if (!t->server || !t->server->keeps)
        return true;
    if (!leftovers_look(r, t->host, r->server_version, &now, err))
        return false;
    struct strs left = leftovers_new(r->arena, &t->before, &now);
    note_applied(r, t->host, &t->before, &now, &left);
    if (!left.n)
        return true;
    const char *env = r->plan->what.environment;
    const char *then = arena_printf(r->arena,
                                    "'crelease resume --force %s' runs it again, "
                                    "'crelease resume --no-migrate %s' takes it as done",
                                    env, env);
    return err_set(err, ERR_FAILED, "%s",
                   changed_text(r, t, "the end of the migration was not recorded", &left, then));
}

bool migrate_act(struct run *r, const struct step *s, struct err *err)
{
    size_t host = s->hosts[0];
    struct attempts t = {.step = s, .host = host, .server = server_of(r->recipe), .deadlocks = -1};
    struct watching w = {r, &t};
    struct job_call c = {.step = s,
                         .job = &s->jobs->v[0],
                         .name = "migrate.0",
                         .hosts = s->hosts,
                         .n_hosts = 1,
                         .alone = true,
                         .again = r->force,
                         .watched = take_watched,
                         .watched_arg = &w};
    struct job_end *ends;
    bool was_lost = false;
    long left;

    if (r->no_migrate)
        return pass_over(r, s, &c, err);

    if (r->nothing_pending) {
        /* What the tool was asked is kept; what the paths tell can be told again. */
        const char *was = r->sites[host].migrated_digest;
        const char *digest = r->plan->what.migrate_digest;
        r->skipped = "nothing is pending";
        return (was && strcmp(was, digest) == 0) || put_done(r, s, err);
    }
    if (!prepare(r, &t, err))
        return false;
    c.watch = watch_text(r);
    c.gate = !c.watch                                       ? NULL
             : r->recipe->backup.unknown == UNKNOWN_PROCEED ? "go " NO_ANSWER
                                                            : HOLD_UNKNOWN " " NO_ANSWER;
    for (;;) {
        t.n++;
        t.seen = (struct blockers){0};
        c.extra_env =
            t.server ? t.server->environment(r->arena, server_own(r), r->server_version,
                                             r->recipe->migrate.lock_timeout_ms, !t.without_options)
                     : NULL;
        if (!jobs_run(r, &c, &ends, err))
            return false;
        site_set_mark(r->arena, &r->sites[host], s->name, ends[0].status ? "failed" : "begun");
        if (ends[0].status == 0)
            break;
        if (ends[0].refused) {
            if (!stand_back(r, s, host, ends[0].refused, err))
                return false;
            t.n--;
            continue;
        }
        if (ends[0].status == JOB_LOST) {
            if (!after_lost_end(r, &c, &ends[0], &left, err))
                return false;
            if (left == 0)
                break;
            if (!is_as_before(r, &t, err))
                return false;
            /* Once: what is lost again is somebody's to look at. */
            if (was_lost || t.n >= r->recipe->migrate.attempts)
                return jobs_fail(r, &c, &ends[0], err);
            was_lost = true;
            continue;
        }
        if (!after_failure(r, &t, &c, &ends[0], err))
            return false;
    }
    return verify(r, &t, err) && put_done(r, s, err);
}

bool migrate_undo(struct run *r, const struct step *s, struct err *err)
{
    size_t host = s->hosts[0];
    const char *mark = site_mark(&r->sites[host], s->name);

    if (!mark || strcmp(mark, "skipped") == 0)
        return true;
    const char *names = migrated_by_now(r, host);
    if (!names)
        run_warn(r, r->recipe->hosts[host].name,
                 "the database is not turned back: what this run migrated stays (it may be ahead"
                 " of the code)");
    else if (*names)
        run_warn(r, r->recipe->hosts[host].name,
                 "the database is not turned back: it stays ahead of the code by %s", names);
    return !server_of(r->recipe) || backup_end_own(r, host, err);
}
