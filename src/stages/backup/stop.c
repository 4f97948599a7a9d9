/* stop.c -- stops a backup: checks whether it may be stopped, ends its client and sessions, judges
 * its output, and keeps the record (stop.h).  Called by clear.c, and by the command that stops a
 * backup.  Relies on stop.sh for what happens on the host and on running.c for the database. */

#include "stages/backup/stop.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/script.h"
#include "core/trip.h"
#include "db/server.h"
#include "edge/clock.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"

EMBED(script_stop, "stages/backup/stop.sh");

/* One attempt to stop what blocks. */
struct stop {
    const struct wait *wait; /* that it ends */
    const struct backups *backups;
    const char *how;     /* client, cancel, terminate, or ended (by itself); "": not known yet */
    const char *record;  /* the fixed fields of its line in the record */
    const char *outputs; /* lines "INODE PATH" */
    size_t n_termed;     /* how many processes were sent TERM */
};

enum {
    CLIENT_MS = 3000, /* how long a client may take to end after TERM */
    CANCEL_MS = 2000, /* how long a cancel may take before the session is terminated */
    END_MS = 10000,
};

enum { STOP_MS = 120000, FIND_MS = 30000, STOPS_MAX = 50, RECORD_FIELDS = 12 };

/* Whether the database permits our role to end that session. */
static bool may_end(const struct backup *b)
{
    return backup_is_identified(b) && b->right == BACKUP_RIGHT_YES;
}

static const char *right_missing(struct run *r, const struct backup *b)
{
    return server_of(r)->right_missing(
        r->arena, r->guard->server_version, b->right == BACKUP_RIGHT_SUPER,
        *b->user ? text_shown(r->arena, b->user) : "the dump's role");
}

/* A field of the record must not contain tabs or line breaks. */
static const char *one_field(struct arena *a, const char *text)
{
    char *s = arena_strdup(a, *text ? text : "-");

    for (char *c = s; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    return s;
}

static const char *sessions_text(struct run *r, const struct backups *b)
{
    struct strs lines = {0};

    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        if (!one->blocks_migrations || !server_is_dump(server_of(r), one->kind))
            continue;
        strs_add(r->arena, &lines,
                 arena_printf(
                     r->arena, "%s %s %s\n", backup_kind_word(one->kind),
                     one->client_port ? arena_printf(r->arena, "%ld", one->client_port) : "-",
                     one->since_unix < 0 ? "-" : arena_printf(r->arena, "%lld", one->since_unix)));
    }
    return strs_joined(r->arena, &lines, "");
}

static const struct backup *first_of(const struct backups *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].blocks_migrations)
            return &b->v[i];
    return &b->v[0];
}

static void values(struct run *r, struct buf *text, const struct backups *b,
                   const struct stop *stop)
{
    quote_assign(text, "database", server_database(r) ? server_database(r) : "");
    quote_assign(text, "programs", server_of(r) ? server_of(r)->programs : "");
    quote_assign(text, "sessions", b ? sessions_text(r, b) : "");
    quote_assign(text, "record", stop ? stop->record : "");
    quote_assign(text, "outputs", stop && stop->outputs ? stop->outputs : "");
    quote_assign(text, "aside", r->recipe->backup.set_aside ? "yes" : "");
    buf_puts(text, "name='' path='' least=''\n");
}

/* Runs a verb that only reads, which needs neither a run nor its lock. */
static bool look(struct run *r, size_t host, const char *verb, const struct backups *b,
                 const char **ret_out, struct err *err)
{
    struct buf text = buf_make(SCRIPT_BYTES_MAX);
    struct reply reply;

    quote_assign(&text, "how", "");
    values(r, &text, b, NULL);
    const struct script s = {.deploy_to = r->recipe->hosts[host].deploy_to,
                             .verb = verb,
                             .values = text.text,
                             .parts = {script_backup_host, script_stop}};
    struct call call = {.host = host,
                        .script = text.full ? NULL : script_text(r->arena, &s),
                        .payload = -1,
                        .timeout_ms = FIND_MS};
    buf_free(&text);
    if (!call.script)
        return err_set(err, ERR_FAILED, "the list of backups is too long to send");
    fleet_run(r->fleet, r->arena, &call, 1, &reply);
    *ret_out = reply.out;
    return run_judge(r, host, &reply, err);
}

static bool act(const struct stop *stop, const char *verb, const char **ret_out, struct err *err)
{
    const struct wait *w = stop->wait;
    struct run *r = w->run;
    struct buf text = buf_make(SCRIPT_BYTES_MAX);
    struct reply *replies = NULL;

    quote_assign(&text, "how", stop->how);
    values(r, &text, stop->backups, stop);
    buf_puts(&text, script_backup_host);
    buf_puts(&text, script_stop);
    struct trip trip = {.script = arena_strdup(r->arena, text.text),
                        .step = w->step->name,
                        .verb = verb,
                        .hosts = &w->host,
                        .n_hosts = 1,
                        .timeout_ms = STOP_MS,
                        .payload = -1};
    buf_free(&text);
    if (!run_scripts(r, &trip, &replies, err))
        return false;
    *ret_out = replies[0].out;
    return true;
}

static const char *value_of(const char *line, const char *key)
{
    size_t n = strlen(key);

    return strncmp(line, key, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* The next line of an answer; *at moves behind it. */
static const char *next_line(struct run *r, const char **at)
{
    size_t len = strcspn(*at, "\n");
    const char *line = arena_strndup(r->arena, *at, len);

    *at += len + ((*at)[len] == '\n');
    return line;
}

bool stop_refusal(const struct wait *w, const struct backups *b, bool by_person, const char **ret,
                  struct err *err)
{
    struct run *r = w->run;
    const struct server *server = server_of(r);
    const struct backup *without = NULL; /* the first that the role is not permitted to end */
    const struct backup *all = NULL;
    bool dump = false;
    const char *out;

    *ret = NULL;
    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        if (!one->blocks_migrations)
            continue;
        if (one->kind == BACKUP_DUMP_LIKE && !by_person)
            *ret = "it only looks like a dump, so crelease stops it only when a person "
                   "confirms (--on-backup=ask, then k)";
        else if (backup_is_lock(one))
            *ret =
                arena_printf(r->arena,
                             "it is a '%s', and crelease does not stop the command inside it: wait "
                             "until it ends, or stop it where it runs",
                             backup_kind_word(one->kind));
        else if (one->kind != BACKUP_DUMP_LIKE && !server_is_dump(server, one->kind))
            *ret = arena_printf(r->arena, "it is a '%s', which crelease does not stop",
                                backup_kind_word(one->kind));
        dump = dump || one->kind == server->dump;
        if (server->dump_all && one->kind == server->dump_all)
            all = one;
        else if (!may_end(one) && !without)
            without = one;
    }
    /* A pg_dumpall ends together with its pg_dump.  Between two dumps there is only its client to
     * signal. */
    if (*ret || (!without && (!all || dump)))
        return true;
    if (!look(r, w->host, "stop-find", b, &out, err))
        return false;
    if (!answer_value(r->arena, out, "client"))
        *ret = without ? right_missing(r, without)
                       : "the pg_dumpall is between two databases, and its process is on another "
                         "host or belongs to another user: stop it where it runs";
    return true;
}

static const char *record_of(struct run *r, const struct backup *b, const char *why)
{
    struct arena *a = r->arena;

    return arena_printf(a, "%s\t%ld\t%s\t%s\t%s\t%s", backup_kind_word(b->kind), b->pid,
                        one_field(a, b->database), one_field(a, b->user), why,
                        one_field(a, r->plan->what.by));
}

/* Records that the backup is about to be stopped, then sends TERM to its client if the client is
 * ours. */
static bool begin(struct stop *stop, struct err *err)
{
    struct run *r = stop->wait->run;
    const char *out;

    stop->record = record_of(r, first_of(stop->backups), stop->wait->why_stop);
    struct strs outputs = {0};
    if (!act(stop, "stop-begin", &out, err))
        return false;
    while (*out) {
        const char *v;
        const char *line = next_line(r, &out);
        if ((v = value_of(line, "output")))
            strs_add(r->arena, &outputs, arena_printf(r->arena, "%s\n", v));
        else if (value_of(line, "termed"))
            stop->n_termed++;
    }
    stop->outputs = strs_joined(r->arena, &outputs, "");
    return true;
}

/* The output's "VERDICT MOVED PATH" in words. */
static const char *output_text(struct run *r, const char *v)
{
    const char *moved = v + strcspn(v, " ") + 1;
    const char *deceived = server_of(r)->deceived;
    const char *path = text_shown(r->arena, moved + strcspn(moved, " ") + 1);

    if (strncmp(v, "complete ", 9) == 0)
        return arena_printf(
            r->arena, "its output %s is complete: it had already been written to its end", path);
    if (strncmp(moved, "gone ", 5) == 0)
        return arena_printf(r->arena,
                            "its output %s is gone; wherever its script moved it, the file is "
                            "incomplete even if %s accepts it",
                            path, deceived);
    const char *text =
        arena_printf(r->arena, "its output %s is incomplete even if %s accepts it", path, deceived);
    long long at = 0;
    number_part(moved, strcspn(moved, " "), NUMBER_ID_MAX, &at);
    if (strncmp(moved, "no ", 3) == 0)
        return arena_printf(r->arena, "%s; it could not be renamed", text);
    if (at == 0)
        return text;
    return arena_printf(r->arena, "%s; renamed to %s.incomplete%s", text, path,
                        at > 1 ? arena_printf(r->arena, ".%lld", at) : "");
}

/* Judges the output and sets it aside, records how the backup ended, and reports it. */
static bool finish(const struct stop *stop, struct err *err)
{
    struct run *r = stop->wait->run;
    const char *name = r->recipe->hosts[stop->wait->host].name;
    const struct backup *b = first_of(stop->backups);
    bool ended = strcmp(stop->how, "ended") == 0;
    struct stop last = *stop;
    const char *out;
    bool named = false;

    last.backups = NULL;
    if (ended)
        last.outputs = ""; /* the output of a backup that ended by itself is not touched */
    if (!act(&last, "stop-end", &out, err))
        return false;
    if (ended) {
        run_warn(r, name, "%s had already ended; nothing was stopped", backup_text(r, b));
        return true;
    }
    r->guard->backup_stopped = true;
    while (*out) {
        const char *v = value_of(next_line(r, &out), "output");
        if (v && strchr(v, ' ') && strchr(strchr(v, ' ') + 1, ' ')) {
            run_warn(r, name, "stopped %s; %s", backup_text(r, b), output_text(r, v));
            named = true;
        }
    }
    if (!named)
        run_warn(r, name,
                 "stopped %s; its output file is incomplete even if gzip -t accepts it; "
                 "its location could not be determined",
                 backup_text(r, b));
    if (!r->recipe->backup.rerun)
        run_warn(r, name,
                 "the backup is not started again: start it after the deploy, or set "
                 "'backup.rerun: true'");
    return true;
}

/* ---- signals: their answers prove nothing, so the locks are checked after each step ---- */

/* At least one of those that blocked still does. */
static bool is_one_left(const struct backups *was, const struct backups *now)
{
    for (size_t i = 0; i < was->n; i++)
        for (size_t k = 0; was->v[i].blocks_migrations && k < now->n; k++)
            if (now->v[k].blocks_migrations && backup_is_same(&was->v[i], &now->v[k]))
                return true;
    return false;
}

/* Polls until none of them is left, for at most `ms`. */
static bool gone_within(const struct stop *stop, long long ms, bool *ret_gone, struct err *err)
{
    struct run *r = stop->wait->run;
    long long deadline = loop_now() + ms;
    struct backups now;

    for (;;) {
        if (!backup_look(r, stop->wait->host, &now, err))
            return false;
        *ret_gone = !now.why && !is_one_left(stop->backups, &now);
        if (*ret_gone || loop_now() >= deadline)
            return true;
        loop_turn(r->loop, loop_now() + 200);
    }
}

static bool is_of_all(struct run *r, const struct backup *b)
{
    return b->kind == server_of(r)->dump_all;
}

/* Starts with the client, so that whatever started the backup sees it fail.  Then come its
 * sessions, all members of a parallel dump, because workers keep their locks.  An idle pg_dumpall
 * that lost its session would go on with the next dump. */
bool stop_backups(const struct wait *wait, const struct backups *b, struct err *err)
{
    static const struct {
        enum way way; /* the first step signals the client instead */
        const char *how;
        long long wait_ms;
    } ways[] = {{WAY_CANCEL, "client", CLIENT_MS},
                {WAY_CANCEL, "cancel", CANCEL_MS},
                {WAY_END, "terminate", END_MS}};
    struct run *r = wait->run;
    struct stop stop = {.wait = wait, .backups = b, .how = ""};
    bool gone = false;

    if (!begin(&stop, err))
        return false;
    stop.how = "ended";
    for (size_t w = stop.n_termed ? 0 : 1; w < 3 && !gone; w++) {
        size_t signalled = w ? 0 : stop.n_termed;
        for (size_t i = 0; w && i < b->n; i++)
            if (b->v[i].blocks_migrations && !is_of_all(r, &b->v[i]) && may_end(&b->v[i]) &&
                !backup_signal(r, wait->host, &b->v[i], ways[w].way, &signalled, err))
                return false;
        stop.how = signalled ? ways[w].how : stop.how;
        if (!gone_within(&stop, signalled ? ways[w].wait_ms : 0, &gone, err))
            return false;
    }
    if (!gone)
        return backup_in_the_way(
            r, first_of(b), "it is still running after crelease tried to stop it; stop it by hand",
            err);
    return finish(&stop, err);
}

/* ---- the record ---- */

bool stop_read(struct arena *a, const char *line, struct stopped *ret)
{
    const char *f[RECORD_FIELDS];
    size_t n = 0;

    while (n < RECORD_FIELDS) {
        bool last = n == RECORD_FIELDS - 1; /* the last field is a path and may contain anything */
        size_t len = last ? strlen(line) : strcspn(line, "\t");
        f[n++] = arena_strndup(a, line, len);
        if (last || line[len] != '\t')
            break;
        line += len + 1;
    }
    long long unix_s;
    long long pid;
    if (n < RECORD_FIELDS || strcmp(f[0], "1") != 0 ||
        !number_read(f[1], NUMBER_UNIX_MAX, &unix_s) || !number_read(f[5], NUMBER_PID_MAX, &pid))
        return false;
    *ret = (struct stopped){.unix_s = unix_s,
                            .how = f[2],
                            .run = f[3],
                            .kind = f[4],
                            .pid = (long)pid,
                            .database = f[6],
                            .user = f[7],
                            .why = f[8],
                            .by = f[9],
                            .judged = f[10],
                            .output = strcmp(f[11], "-") == 0 ? NULL : f[11],
                            .again_status = -1};
    return true;
}

void stop_read_rerun(struct arena *a, const char *text, struct stops *to)
{
    const char *word[4];
    long long since;

    for (size_t i = 0; i < 4; i++) {
        size_t len = strcspn(text, " ");
        word[i] = arena_strndup(a, text, len);
        text += len + (text[len] == ' ');
    }
    if (*text || !number_read(word[3], NUMBER_UNIX_MAX, &since))
        return;
    /* For one of several databases its name follows: RUN-NAME. */
    const char *run = arena_strndup(a, word[0], strcspn(word[0], "-"));
    for (size_t i = to->n; i-- > 0;) {
        if (strcmp(to->v[i].run, run) != 0)
            continue;
        to->v[i].again = word[1];
        to->v[i].again_status = (int)number_or(word[2], 999, -1);
        to->v[i].again_unix = since;
        return;
    }
}

bool stop_told(struct run *r, size_t host, struct stops *ret, struct err *err)
{
    const char *out;

    *ret = (struct stops){.v = arena_array(r->arena, STOPS_MAX, sizeof *ret->v)};
    if (!look(r, host, "stop-told", NULL, &out, err))
        return false;
    while (*out) {
        const char *v;
        const char *line = next_line(r, &out);
        if ((v = value_of(line, "stopped")) && ret->n < STOPS_MAX)
            ret->n += stop_read(r->arena, v, &ret->v[ret->n]);
        else if ((v = value_of(line, "rerun")))
            stop_read_rerun(r->arena, v, ret);
    }
    return true;
}

static const char *why_text(struct run *r, const struct stopped *s)
{
    if (strcmp(s->why, "policy") == 0)
        return "backup.policy: kill";
    if (strcmp(s->why, "option") == 0)
        return "--on-backup=kill";
    if (strcmp(s->why, "limit") == 0)
        return "backup.after_limit: kill";
    return strcmp(s->why, "key") == 0 ? "by key" : text_shown(r->arena, s->why);
}

const char *stop_text(struct run *r, size_t host, const struct stopped *s)
{
    struct arena *a = r->arena;
    bool ended = strcmp(s->how, "ended") == 0;
    const char *text = arena_printf(
        a, "%s of %s by %s (pid %ld) %s %s in run %s by %s (%s)", text_shown(a, s->kind),
        text_shown(a, s->database), text_shown(a, s->user), s->pid,
        ended                             ? "ended on its own before it could be stopped,"
        : strcmp(s->how, "stopping") == 0 ? "was being stopped"
                                          : "was stopped",
        clock_date(a, s->unix_s * 1000), text_shown(a, s->run), text_by(a, s->by), why_text(r, s));

    if (s->output)
        text = arena_printf(a, "%s; its output %s is %s", text, text_shown(a, s->output),
                            text_shown(a, s->judged));
    if (!s->again)
        return text;
    text = arena_printf(a, "%s; started again %s", text, clock_date(a, s->again_unix * 1000));
    const char *log = arena_printf(a, "%s/.crelease/rerun/%s/1/log",
                                   r->recipe->hosts[host].deploy_to, text_shown(a, s->run));
    if (strcmp(s->again, "running") == 0)
        return arena_printf(a, "%s, still running (log: %s)", text, log);
    if (strcmp(s->again, "ended") == 0 && s->again_status >= 0)
        return arena_printf(a, "%s, ended with status %d%s", text, s->again_status,
                            s->again_status ? arena_printf(a, " (log: %s)", log) : "");
    return arena_printf(a, "%s, and its end was not recorded (log: %s)", text, log);
}
