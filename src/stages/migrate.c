/* migrate.c -- the migration, under supervision on one host, with no statement of it waiting for
 * a lock longer than lock_timeout. */
#include "stages/stages.h"

#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/jobs.h"
#include "stages/scripts.h"

enum { STATUS_MS = 5 * 60 * 1000, NAMES_SHOWN = 3, PAUSE_MAX_MS = 30000 };

static const char *first_names(struct arena *a, const struct strs *names, size_t max)
{
    const char *text = "";

    for (size_t i = 0; i < names->n && i < max; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", names->v[i]);
    return names->n > max ? arena_printf(a, "%s ...", text) : text;
}

static bool ask_status(struct run *r, size_t host, const char *where, struct strs *ret_names, long *ret_n,
                       struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    struct reply reply;

    *ret_n = PENDING_UNKNOWN;
    if (!r->recipe->migrate.status)
        return true;
    jobs_environment(r, host, &b);
    quote_assign(&b, "command", r->recipe->migrate.status);
    quote_assign(&b, "where", where);
    buf_puts(&b, "run='' epoch='' release='' step='' verb=look deploy_to=''\n");
    buf_puts(&b, r->prelude);
    buf_puts(&b, script_pending);
    struct call call = {.host = host, .script = b.text, .payload = -1, .timeout_ms = STATUS_MS};
    fleet_impatient(r->fleet, true);
    fleet_run(r->fleet, r->arena, &call, 1, &reply);
    fleet_impatient(r->fleet, false);
    buf_free(&b);
    if (reply.kind != REPLY_EXIT && reply.kind != REPLY_SIGNAL)
        return run_judge(r, host, &reply, err);
    const char *out = reply.kind == REPLY_EXIT ? pending_answer(r->arena, reply.out, reply.status) : NULL;
    if (out)
        *ret_n = pending_read(r->arena, &r->recipe->migrate.pending_when, reply.status, out, ret_names);
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

/* What a lock that was not had in time leaves in the output of the usual drivers.  Messages are
 * translated, codes and class names are not. */
static bool waited_for_a_lock(const char *output)
{
    static const char *const signs[] = {"55P03",           "40P01",       "lock timeout",
                                        "LockNotAvailable", "LockWaitTimeout", "Deadlocked",
                                        "deadlock detected"};

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(output, signs[i]))
            return true;
    return false;
}

/* PGOPTIONS reaches everything that uses libpq, and node-postgres.  A server that does not know
 * a setting refuses the connection, so each goes only where it is known. */
static const char *database_environment(struct run *r, long server_version)
{
    const char *options = "";

    if (r->recipe->database.adapter != ADAPTER_POSTGRESQL || server_version < 90300)
        return arena_printf(r->arena, "export PGAPPNAME=crelease-%s\n", r->plan->what.run);
    options = arena_printf(r->arena, "-c lock_timeout=%lld", r->recipe->migrate.lock_timeout_ms);
    if (server_version >= 140000)
        options = arena_printf(r->arena, "%s -c client_connection_check_interval=2000", options);
    return arena_printf(r->arena,
                        "export PGAPPNAME=crelease-%s PGOPTIONS=\"${PGOPTIONS:+$PGOPTIONS }%s\"\n",
                        r->plan->what.run, options);
}

/* The second belt, for drivers that PGOPTIONS does not reach and for statements left behind by a
 * client that died: beside the command one session of ours looks twice within lock_timeout, and
 * cancels exactly the migration's own sessions that have waited for a lock for so long; at the
 * end it ends what the command left in the server.  It lives on the host, without crelease. */
static const char *watch_text(struct run *r, long server_version)
{
    const char *tag = arena_printf(r->arena, "application_name = 'crelease-%s' AND pid <> pg_backend_pid()",
                                   r->plan->what.run);
    long long limit = r->recipe->migrate.lock_timeout_ms;
    long long look = limit / 2 < 200 ? 200 : limit / 2 > 2000 ? 2000 : limit / 2;
    const char *since = server_version >= 140000
                            ? "coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid"
                              " AND NOT l.granted), a.query_start)"
                            : "a.query_start";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    if (r->recipe->database.adapter != ADAPTER_POSTGRESQL)
        return NULL;
    const char *guard = guard_text(r);
    buf_puts(&b, guard ? guard : "gate go");
    if (server_version < 90600) {
        buf_puts(&b, "trap 'guard_end; exit 0' TERM\n"
                     "while job_lives; do\n"
                     "\tsleep 1 5>&- &\n"
                     "\twait $!\n"
                     "done\n"
                     "guard_end\n");
        const char *alone = arena_strndup(r->arena, b.text, b.len);
        buf_free(&b);
        return alone;
    }
    buf_puts(&b, "PGAPPNAME=crelease-watch PGCONNECT_TIMEOUT=5\nexport PGAPPNAME PGCONNECT_TIMEOUT\nunset PGOPTIONS\n");
    quote_assign(&b, "database", r->recipe->database.name ? r->recipe->database.name : "");
    quote_assign(&b, "look",
                 arena_printf(r->arena,
                              "SELECT a.pid, pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a WHERE"
                              " %s AND a.wait_event_type = 'Lock' AND clock_timestamp() - %s >= interval '%lld"
                              " ms';",
                              tag, since, limit));
    quote_assign(&b, "last",
                 arena_printf(r->arena, "SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a"
                                        " WHERE %s;", tag));
    buf_printf(&b, "ask() { %s -XAtq ${database:+-d \"$database\"} -f -; }\n", r->recipe->database.psql);
    buf_printf(&b, "feed() { while [ -f \"$crelease_job/watching\" ] && job_lives; do printf '%%s\\n' \"$look\"; sleep %lld.%03lld 2>/dev/null || sleep 1; done; }\n",
               look / 1000, look % 1000);
    /* psql ends when the feed does, also where sudo stands between us and it. */
    /* What was cancelled just now is still to be told: the feed stops, psql comes to its end. */
    buf_puts(&b, "trap 'trap \"\" TERM; rm -f \"$crelease_job/watching\";"
                 " (trap \"kill -s KILL \\$!; exit\" TERM; sleep 3 & wait $!; kill -s KILL $asking) 5>&- & limit=$!;"
                 " wait $asking; kill $limit;"
                 " printf \"%s\\n\" \"$last\" | ask 5>&- >/dev/null; guard_end; exit 0' TERM\n"
                 ": >\"$crelease_job/watching\"\n"
                 "while job_lives; do\n"
                 "\t(exec 5>&-; feed) | (exec 5>&-; ask) &\n"
                 "\tasking=$!\n"
                 "\twait $asking\n"
                 "\tsleep 1 5>&- &\n"
                 "\tasking=$!\n"
                 "\twait $asking\n"
                 "done\n"
                 "printf '%s\\n' \"$last\" | ask 5>&- >/dev/null\n"
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
    struct trip t = {.script = r->mark_script, .step = s->name, .verb = "run", .values = done_values,
                     .about = s, .hosts = s->hosts, .n_hosts = s->n_hosts, .payload = -1};

    if (!run_scripts(r, &t, NULL, err))
        return false;
    for (size_t i = 0; i < s->n_hosts; i++)
        site_set_mark(r->arena, &r->sites[s->hosts[i]], s->name, r->nothing_pending ? "skipped" : "done");
    return true;
}

static bool verify(struct run *r, size_t host, struct err *err)
{
    const char *names;
    long left;

    if (!migrate_pending(r, host, run_folder(r, host), &left, &names, err))
        return false;
    if (left == PENDING_SOME)
        return err_set(err, ERR_FAILED, "the migration ended well, but 'migrate.status' says that something is"
                       " still pending");
    if (left > 0)
        return err_set(err, ERR_FAILED, "the migration ended well, but %s still pending: %s",
                       left == 1 ? "1 is" : arena_printf(r->arena, "%ld are", left),
                       text_shown(r->arena, names));
    return true;
}

/* Of one whose end was not recorded the database may know: nothing is pending any more, or something
 * still is.  What is not known is not guessed: then it stays uncertain until a person says. */
static bool after_lost_end(struct run *r, struct job_call *c, const struct job_end *end, long *ret_left,
                           struct err *err)
{
    const char *env = r->plan->what.environment;
    struct err ignored = {.arena = r->arena};

    if (!migrate_pending(r, end->host, run_folder(r, end->host), ret_left, NULL, &ignored))
        *ret_left = -1;
    if (*ret_left == 0)
        return true;
    if (*ret_left > 0) {
        run_warn(r, r->recipe->hosts[end->host].name,
                 "the end of the migration was not recorded (was the host restarted?), it does not run any more,"
                 " and %ld %s still pending: run again", *ret_left, *ret_left == 1 ? "is" : "are");
        c->again = true;
        return r->recipe->database.adapter != ADAPTER_POSTGRESQL || backup_end_own(r, end->host, err);
    }
    jobs_fail(r, c, end, err);
    err->msg = arena_printf(r->arena,
                            "%s: whether the migration ended well is not known: its end was not recorded (was the"
                            " host restarted?), and %s; look at the database, then 'crelease resume --force %s'"
                            " runs it again, 'crelease resume --no-migrate %s' takes it as done",
                            r->recipe->hosts[end->host].name,
                            r->recipe->migrate.status ? "migrate.status could not tell what is pending"
                                                      : "the recipe has no migrate.status to ask",
                            env, env);
    strs_add(r->arena, &r->failure.next,
             arena_printf(r->arena, "one of these two when you have looked, or 'crelease abort %s'", env));
    return false;
}

/* Somebody has said that the database is as it should be; but not while it is still being changed. */
static bool pass_over(struct run *r, const struct step *s, const struct job_call *c, struct err *err)
{
    bool runs = false;

    if (site_mark(&r->sites[c->hosts[0]], s->name) && !jobs_look(r, c, &runs, err))
        return false;
    if (runs)
        return err_set(err, ERR_FAILED, "the migration still runs and cannot be passed over: resume without"
                       " --no-migrate to wait for its end, or abort to stop it");
    r->skipped = PASSED_OVER;
    return run_put_mark(r, s, "skipped", err);
}

/* After a lock wait: behind whatever holds the lock, with growing pauses. */
static bool back_off(struct run *r, const struct step *s, size_t host, long attempt, struct err *err)
{
    long long pause = 1000LL << (attempt < 5 ? attempt : 5);

    run_warn(r, r->recipe->hosts[host].name,
             "the migration did not get a lock within %s and was rolled back (attempt %ld of %ld)",
             text_span(r->arena, r->recipe->migrate.lock_timeout_ms), attempt,
             r->recipe->migrate.attempts);
    fleet_wait(r->fleet, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
    if (run_is_stopped(r, "between two attempts to migrate", err))
        return false;
    return r->recipe->database.adapter != ADAPTER_POSTGRESQL || backup_clear(r, s, host, err);
}

/* It has not begun: somebody holds the lock that it needs, or could hold it. */
static bool stand_back(struct run *r, const struct step *s, size_t host, const char *why, struct err *err)
{
    const char *name = r->recipe->hosts[host].name;

    if (strcmp(why, HOLD_BUSY) != 0)
        return err_set(err, ERR_BACKUP, "%s: could not ask the database for the lock of migrations, and the recipe"
                       " says to stop then (backup.unknown: abort)", name);
    run_warn(r, name, "the migration has not begun: another session took the lock of migrations just before");
    fleet_wait(r->fleet, 1000);
    return !run_is_stopped(r, "before the migration", err) && backup_clear(r, s, host, err);
}

bool migrate_act(struct run *r, const struct step *s, struct err *err)
{
    size_t host = s->hosts[0];
    struct job_call c = {.step = s, .job = &s->jobs->v[0], .name = "migrate.0", .hosts = s->hosts,
                         .n_hosts = 1, .alone = true, .again = r->force};
    struct backups now = {0};
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
    if (r->recipe->database.adapter == ADAPTER_POSTGRESQL && !backup_look(r, host, &now, err))
        return false;
    c.extra_env = database_environment(r, now.server_version);
    c.watch = watch_text(r, now.server_version);
    c.gate = !c.watch ? NULL : r->recipe->backup.unknown == UNKNOWN_PROCEED ? "go" : HOLD_UNKNOWN;
    for (long attempt = 1;; attempt++) {
        if (!jobs_run(r, &c, &ends, err))
            return false;
        site_set_mark(r->arena, &r->sites[host], s->name, ends[0].status ? "failed" : "begun");
        if (ends[0].status == 0)
            break;
        if (ends[0].refused) {
            if (!stand_back(r, s, host, ends[0].refused, err))
                return false;
            attempt--;
            continue;
        }
        if (ends[0].status == JOB_LOST) {
            if (!after_lost_end(r, &c, &ends[0], &left, err))
                return false;
            if (left == 0)
                break;
            /* Once: what is lost again is somebody's to look at. */
            if (!was_lost && attempt < r->recipe->migrate.attempts) {
                was_lost = true;
                continue;
            }
            return jobs_fail(r, &c, &ends[0], err);
        }
        bool lock = ends[0].watched || waited_for_a_lock(ends[0].output);
        if (!lock || attempt >= r->recipe->migrate.attempts)
            return jobs_fail(r, &c, &ends[0], err);
        if (!back_off(r, s, host, attempt, err))
            return false;
    }
    return verify(r, host, err) && put_done(r, s, err);
}

/* Of what was pending when the run began, that which is not any more: NULL when it cannot be told. */
static const char *migrated_by_now(struct run *r, size_t host)
{
    const struct strs *were = r->sites[host].to_migrate.n ? &r->sites[host].to_migrate : &r->to_migrate;
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

bool migrate_undo(struct run *r, const struct step *s, struct err *err)
{
    size_t host = s->hosts[0];
    const char *mark = site_mark(&r->sites[host], s->name);

    if (!mark || strcmp(mark, "skipped") == 0)
        return true;
    const char *names = migrated_by_now(r, host);
    if (!names)
        run_warn(r, r->recipe->hosts[host].name,
                 "the database is not turned back: what this run migrated stays (it may be ahead of the code)");
    else if (*names)
        run_warn(r, r->recipe->hosts[host].name,
                 "the database is not turned back: it stays ahead of the code by %s", names);
    return r->recipe->database.adapter != ADAPTER_POSTGRESQL || backup_end_own(r, host, err);
}
