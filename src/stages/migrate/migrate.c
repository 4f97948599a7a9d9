/* migrate.c -- the stage 'migrate': runs the migration as a supervised job on one host, so that none of
 * its statements waits for a lock longer than lock_timeout.  Called through stages/table.c.  Relies on
 * attempts.c to judge a failed attempt and on watchdog.c for the session beside it. */

#include "stages/migrate/migrate.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/script.h"
#include "core/mark.h"
#include "core/trip.h"
#include "db/client.h"
#include "db/find/find.h"
#include "db/server.h"
#include "stages/backup/clear.h"
#include "stages/backup/hold.h"
#include "stages/backup/partial.h"
#include "stages/backup/running.h"
#include "stages/migrate/attempts.h"
#include "stages/migrate/blockers.h"
#include "stages/migrate/leftovers.h"
#include "stages/migrate/orphans.h"
#include "stages/migrate/pending.h"
#include "stages/migrate/watchdog.h"

EMBED(script_pending, "stages/migrate/pending.sh");

enum { STATUS_MS = 5 * 60 * 1000, NAMES_SHOWN = 3 };

/* Why the watchdog could not take the migration lock when the database stays silent. */
#define NO_ANSWER "no answer within 30 s"

bool migrate_hosts(const struct recipe *r, const struct what *what, size_t host)
{
    return r->migrate.run && !what->no_migrate && recipe_database_host(r) == (long)host;
}

const struct jobs *migrate_jobs(struct arena *a, const struct recipe *r)
{
    return r->migrate.run ? stage_one_job(a, &(struct job){.run = r->migrate.run,
                                                           .timeout_ms = r->migrate.timeout_ms})
                          : NULL;
}

const char *migrate_idle(const struct run *r)
{
    return r->no_migrate               ? "--no-migrate was given"
           : r->guard->nothing_pending ? "nothing is pending"
                                       : NULL;
}

/* The last line of an answer that said nothing of pending migrations, which is not known otherwise. */
static const char *why_unknown(struct run *r, const struct reply *reply, const char *out)
{
    const char *line = text_last_line(r->arena, *out ? out : reply->err_out);

    return arena_printf(r->arena, "'%s' ended with status %d%s%s",
                        text_shown(r->arena, r->recipe->migrate.status), reply->status,
                        *line ? ": " : "", text_shown(r->arena, run_redact(r, line)));
}

/* ret_why: if the number is unknown, why, or NULL. */
static bool ask_status(struct run *r, size_t host, const char *where, struct strs *ret_names,
                       long *ret_n, const char **ret_why, struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    *ret_n = PENDING_UNKNOWN;
    *ret_why = NULL;
    if (!r->recipe->migrate.status) {
        buf_free(&b);
        return true;
    }
    job_command_values(r, host, r->recipe->migrate.status, NULL, &b);
    buf_puts(&b, script_command);
    quote_assign(&b, "where", where);
    struct reply reply = run_look(r, host, &b, script_pending, STATUS_MS);
    if (reply.kind != REPLY_EXIT && reply.kind != REPLY_SIGNAL)
        return run_judge(r, host, &reply, err);
    const char *out =
        reply.kind == REPLY_EXIT ? pending_answer(r->arena, reply.out, reply.status) : NULL;
    if (out)
        *ret_n =
            pending_read(r->arena, &r->recipe->migrate.pending_when, reply.status, out, ret_names);
    if (out && *ret_n < 0)
        *ret_why = why_unknown(r, &reply, out);
    return true;
}

bool migrate_pending(struct run *r, size_t host, const char *where, long *ret_pending,
                     const char **ret_names, struct err *err)
{
    bool was = r->guard->to_migrate.n > 0;
    struct strs names = {0};
    const char *why;

    if (!ask_status(r, host, where, &names, ret_pending, &why, err))
        return false;
    if (ret_names)
        *ret_names = why;
    if (*ret_pending < 0)
        return true;
    if (ret_names)
        *ret_names = strs_first(r->arena, &names, NAMES_SHOWN);
    for (size_t i = 0; i < names.n && !was; i++)
        strs_add(run_kept(r), &r->guard->to_migrate, arena_strdup(run_kept(r), names.v[i]));
    return true;
}

/* Writes the mark, and which release the database was migrated for. */
static bool put_done(struct run *r, const struct step *s, struct err *err)
{
    const struct what *w = &r->plan->what;
    bool skipped = r->guard->nothing_pending;
    struct new_mark m = {.state = skipped ? "skipped" : "done"};

    /* Without a digest only the release is recorded.  concurrently.sh compares with it to find the
     * migrations that are new. */
    if (*w->migrate_digest)
        m.migrated = arena_printf(r->arena, "digest %s\nrevision %s\nrelease %s", w->migrate_digest,
                                  w->revision, w->release);
    else if (!skipped)
        m.migrated = arena_printf(r->arena, "release %s", w->release);
    return mark_put(r, s, &m, err);
}

static bool verify(struct run *r, struct attempts *t, struct err *err)
{
    size_t host = t->host;
    const char *names;
    long left;

    if (!attempts_left_nothing(r, t, err))
        return false;
    if (!migrate_pending(r, host, run_folder(r, host), &left, &names, err))
        return false;
    if (left == PENDING_SOME)
        return err_set(err, ERR_FAILED,
                       "the migration succeeded, but 'migrate.status' still reports pending "
                       "migrations");
    if (left > 0)
        return err_set(err, ERR_FAILED, "the migration succeeded, but %s still pending: %s",
                       left == 1 ? "1 is" : arena_printf(r->arena, "%ld are", left),
                       text_shown(r->arena, names));
    return true;
}

/* The exit status was not recorded, but migrate.status may tell whether anything is still pending.  If
 * it cannot, the outcome stays unknown until a person decides. */
static bool after_lost_end(struct run *r, struct job_call *c, const struct job_end *end,
                           long *ret_left, struct err *err)
{
    struct err ignored = {.arena = r->arena};

    if (!migrate_pending(r, end->host, run_folder(r, end->host), ret_left, NULL, &ignored))
        *ret_left = -1;
    if (*ret_left == 0) {
        run_warn(r, r->recipe->hosts[end->host].name,
                 "the migration is no longer running and its exit status was not recorded "
                 "(was the host restarted?), but nothing is pending: continuing as if it "
                 "succeeded");
        return true;
    }
    if (*ret_left > 0) {
        run_warn(r, r->recipe->hosts[end->host].name,
                 "the migration is no longer running, its exit status was not recorded "
                 "(was the host restarted?), and %ld %s still pending: starting it again",
                 *ret_left, *ret_left == 1 ? "is" : "are");
        c->again = true;
        return !server_of(r) || backup_end_own(r, end->host, err);
    }
    jobs_fail(r, c, end, err);
    err->msg = arena_printf(
        r->arena,
        "%s: it is unknown whether the migration succeeded: its exit status was "
        "not recorded (was the host restarted?), and %s; inspect the database, "
        "then run '%s' to start it again or '%s' to skip it",
        r->recipe->hosts[end->host].name,
        r->recipe->migrate.status ? "'migrate.status' could not determine what is pending"
                                  : "the recipe has no 'migrate.status'",
        run_hint(r, "resume", "--force"), run_hint(r, "resume", "--no-migrate"));
    strs_add(r->arena, &r->failure.next,
             arena_printf(r->arena, "inspect the database, then run one of these two, or '%s'",
                          run_hint(r, "abort", NULL)));
    return false;
}

/* --no-migrate: a person has checked the database.  Refused while the migration is still running. */
static bool pass_over(struct run *r, const struct step *s, const struct job_call *c,
                      struct step_result *ret, struct err *err)
{
    bool runs = false;

    if (site_mark(&r->sites[c->hosts[0]], s->name) && !jobs_look(r, c, &runs, err))
        return false;
    if (runs)
        return err_set(err, ERR_FAILED,
                       "the migration is still running and cannot be skipped: resume without "
                       "--no-migrate to wait for it, or abort to stop it");
    ret->skipped = migrate_idle(r);
    return mark_put(r, s, &(struct new_mark){.state = "skipped"}, err);
}

/* The job refused to start, because another session holds the migration lock or that is unknown. */
static bool stand_back(struct run *r, const struct step *s, size_t host, const char *why,
                       struct err *err)
{
    const char *name = r->recipe->hosts[host].name;

    if (strcmp(why, HOLD_BUSY) != 0) {
        why += strncmp(why, HOLD_UNKNOWN " ", sizeof HOLD_UNKNOWN) == 0 ? sizeof HOLD_UNKNOWN
                                                                        : strlen(why);
        const char *what = "could not request the migration lock";
        if (*why)
            what = arena_printf(r->arena, "%s: %s", what, db_shown(r, why));
        return backup_unknown(r, host, what, "retrying", err);
    }
    run_warn(r, name,
             "the migration has not started: another session just took the migration "
             "lock");
    fleet_wait(r->fleet, 1000);
    return !run_is_stopped(r, "before the migration", err) && backup_clear(r, s, host, err);
}

/* What was pending when the run first looked, which may have been another command. */
static const struct strs *was_pending(const struct run *r, size_t host)
{
    const struct strs *were = &site_database(&r->sites[host], r->recipe->db)->to_migrate;

    return were->n ? were : &r->guard->to_migrate;
}

const char *migrate_applied(struct run *r, size_t host)
{
    const struct strs *were = was_pending(r, host);
    struct err ignored = {.arena = r->arena};
    struct strs still = {0};
    struct strs gone = {0};
    const char *why;
    long n;

    if (!were->n || !ask_status(r, host, run_folder(r, host), &still, &n, &why, &ignored) || n < 0)
        return NULL;
    for (size_t i = 0; i < were->n; i++)
        if (!strs_has(&still, were->v[i]))
            strs_add(r->arena, &gone, were->v[i]);
    return strs_first(r->arena, &gone, PENDING_NAMES_MAX);
}

/* Checks the database before the first attempt, and records its state. */
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
    /* Wait for a backup that started since backup-clear, but not before reattaching to a running
     * migration. */
    if (!may_run && backups_first(&now, &n) && !backup_clear(r, t->step, t->host, err))
        return false;
    if (r->guard->server_version < server_of(r)->watched_since)
        run_warn(r, r->recipe->hosts[t->host].name,
                 "%s does not show which sessions belong to the migration: nothing limits "
                 "how long it waits for a lock",
                 server_text(r));
    if (!orphans_end(r, t->step, t->host, err) ||
        !leftovers_before(r, t->step, t->host, r->guard->server_version, &t->before, err))
        return false;
    t->deadlocks = t->before.deadlocks;
    return true;
}

static bool skip_idle(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    /* Record what migrate.status said.  An unchanged digest is recorded already. */
    const char *was = site_database(&r->sites[s->hosts[0]], r->recipe->db)->digest;
    const char *digest = r->plan->what.migrate_digest;

    ret->skipped = migrate_idle(r);
    return (was && strcmp(was, digest) == 0) || put_done(r, s, err);
}

/* What the job assumes when the watchdog does not answer in time; NULL: there is no watchdog. */
static const char *gate_of(const struct run *r, const struct attempts *t)
{
    return !t->server                                     ? NULL
           : r->recipe->backup.unknown == UNKNOWN_PROCEED ? "go " NO_ANSWER
                                                          : HOLD_UNKNOWN " " NO_ANSWER;
}

/* NULL when the recipe has no database, or there is nothing to set.  A database that was not found may
 * be a PostgreSQL nevertheless; other clients ignore these variables. */
static const char *environment_of(struct run *r, const struct attempts *t)
{
    const struct server *server = t->server            ? t->server
                                  : database_is_off(r) ? &server_postgresql
                                                       : NULL;

    return server ? server->environment(r->arena, server_own(r), r->guard->server_version,
                                        r->recipe->migrate.lock_timeout_ms, !t->without_options)
                  : NULL;
}

static bool find_and_prepare(struct run *r, struct attempts *t, struct step_result *ret,
                             struct err *err)
{
    if (!database_find(r, t->host, err) || !backup_guard_off(r, t->host, err))
        return false;
    ret->migrations = was_pending(r, t->host);
    t->server = server_of(r);
    return prepare(r, t, err);
}

bool migrate_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    size_t host = s->hosts[0];
    struct attempts t = {.step = s, .host = host, .deadlocks = -1};
    struct watching w = {r, &t};
    struct job_call c = {.step = s,
                         .job = &s->jobs->v[0],
                         .name = arena_printf(r->arena, "%s.0", s->name),
                         .hosts = s->hosts,
                         .n_hosts = 1,
                         .alone = true,
                         .again = r->force,
                         .watched = watchdog_take,
                         .watched_arg = &w};
    struct job_end *ends;
    bool was_lost = false;
    long left;

    if (r->no_migrate)
        return pass_over(r, s, &c, ret, err);
    if (r->guard->nothing_pending)
        return skip_idle(r, s, ret, err);
    if (!find_and_prepare(r, &t, ret, err))
        return false;
    watchdog_set(r, host, &c);
    c.gate = gate_of(r, &t);
    for (;;) {
        t.n++;
        t.seen = (struct blockers){0};
        c.extra_env = environment_of(r, &t);
        if (!jobs_run(r, &c, &ends, err))
            return false;
        run_set_mark(r, host, s->name, ends[0].status ? "failed" : "begun");
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
            if (!attempts_are_undone(r, &t, err))
                return false;
            /* Retry once.  If the migration is lost again, a person has to look. */
            if (was_lost || t.n >= r->recipe->migrate.attempts)
                return jobs_fail(r, &c, &ends[0], err);
            was_lost = true;
            continue;
        }
        if (!attempts_after_failure(r, &t, &c, &ends[0], err))
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
    const char *names = migrate_applied(r, host);
    if (!names)
        run_warn(r, r->recipe->hosts[host].name,
                 "migrations are not rolled back: the database may stay ahead of the code");
    else if (*names)
        run_warn(r, r->recipe->hosts[host].name,
                 "migrations are not rolled back: the database stays ahead of the code by %s",
                 names);
    else if (r->sites[host].last_error)
        run_warn(
            r, r->recipe->hosts[host].name,
            "what the failed migration did before its error is still in the database, unless it "
            "ran in a transaction");
    if (!database_find(r, host, err))
        return false;
    return !server_of(r) || backup_end_own(r, host, err);
}
