/* rerun.c -- the stage 'backup-rerun': starts a backup that this run stopped again, once, and
 * does not wait for it (rerun.h).  Called through stages/table.c, after a deploy and when one is
 * aborted.  Relies on the record that stop.c wrote and on the crontab line that schedule.c
 * found. */

#include "stages/backup/rerun.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/script.h"
#include "core/trip.h"
#include "db/find/find.h"
#include "db/server.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "stages/backup/upcoming.h"
#include "stages/migrate/migrate.h"

EMBED(script_rerun, "stages/backup/rerun.sh");

enum { START_MS = 90000 };

#define RERUN "backup-rerun"

/* The last backup that the run stopped or was about to stop; database: only one of it, unless NULL. */
static const struct stopped *stopped_by(const struct stops *all, const char *run,
                                        const char *database)
{
    for (size_t i = all->n; i-- > 0;)
        if (strcmp(all->v[i].run, run) == 0 && strcmp(all->v[i].how, "ended") != 0 &&
            (!database || strcmp(all->v[i].database, database) == 0))
            return &all->v[i];
    return NULL;
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Matches whole words: 'shop' does not match 'shop_test'. */
static bool names(const char *text, const char *database)
{
    size_t len = strlen(database);

    for (const char *at = len ? strstr(text, database) : NULL; at; at = strstr(at + 1, database)) {
        bool option = at - text >= 3 && strncmp(at - 3, " -d", 3) == 0;
        if ((at == text || option || !is_of_name(at[-1])) && !is_of_name(at[len]))
            return true;
    }
    return false;
}

/* The command may concern any database: a script, a dump of all databases, or an unexpanded
 * variable. */
static bool may_be_of_any(const char *text)
{
    return !strstr(text, "pg_dump") || strstr(text, "pg_dumpall") || strchr(text, '$') ||
           strchr(text, '`');
}

const char *rerun_line(const struct schedule *next, const char *database, const char **ret_why)
{
    const char *any = NULL;
    const char *named = NULL;
    size_t n = 0;
    size_t n_named = 0;

    for (size_t i = 0; !next->why && i < next->n; i++) {
        const char *text = next->v[i].text;
        if (!text || next->v[i].blocks != BLOCKS_YES)
            continue;
        if (names(text, database)) {
            named = text;
            n_named++;
        } else if (may_be_of_any(text)) {
            any = text;
            n++;
        }
    }
    *ret_why = next->why     ? next->why
               : n + n_named ? "several crontab lines may have started it"
                             : "no line of the login user's crontab starts it";
    return n_named == 1 ? named : !n_named && n == 1 ? any : NULL;
}

static bool crontab_line(struct run *r, size_t host, const struct stopped *s, const char **ret,
                         const char **ret_why, struct err *err)
{
    struct schedule next;

    *ret = NULL;
    if (!upcoming_look(r, host, 0, &next, err))
        return false;
    *ret = rerun_line(&next, s->database, ret_why);
    return true;
}

static bool start(struct run *r, size_t host, const char *command, bool *ret_attached,
                  struct err *err)
{
    const char *step = step_for_database(r->arena, RERUN, r->recipe);
    static const char *const unused[] = {"last", "alone", "again", "gate", "watch_values"};
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    struct reply *replies = NULL;

    quote_assign(&b, "job", RERUN);
    quote_assign(&b, "of", r->recipe->db ? arena_printf(r->arena, "-%s", r->recipe->db) : "");
    quote_assign(&b, "timeout", "0");
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        quote_assign(&b, unused[i], "");
    job_command_values(r, host, command, NULL, &b);
    job_file_values(NULL, &b);
    buf_puts(&b, script_rerun);
    job_put(&b);
    struct trip trip = {.script = arena_strndup(r->arena, b.text, b.len),
                        .step = step,
                        .verb = "detach",
                        .hosts = &host,
                        .n_hosts = 1,
                        .timeout_ms = START_MS,
                        .payload = -1};
    bool full = b.full;
    buf_free(&b);
    if (full)
        return err_set(err, ERR_FAILED, "the backup command is too long");
    if (!run_scripts(r, &trip, &replies, err))
        return false;
    *ret_attached = answer_value(r->arena, replies[0].out, "attached") != NULL;
    run_set_mark(r, host, step, "done");
    return true;
}

/* ret_detail: the text for the report; NULL when nothing was stopped. */
static bool rerun(struct run *r, size_t host, const char **ret_detail, struct err *err)
{
    const char *name = r->recipe->hosts[host].name;
    const char *command = r->recipe->backup.command;
    const char *why = NULL;
    struct stops all;
    bool attached;

    *ret_detail = NULL;
    if (r->recipe->db && !database_find(r, host, err))
        return false;
    if (!stop_told(r, host, &all, err))
        return false;
    const struct stopped *s =
        stopped_by(&all, r->plan->what.run, r->recipe->db ? server_database(r) : NULL);
    if (!s)
        return true;
    const char *what = arena_printf(r->arena, "%s of %s", text_shown(r->arena, s->kind),
                                    text_shown(r->arena, s->database));
    if (!command && !s->again && !crontab_line(r, host, s, &command, &why, err))
        return false;
    if (!command && !s->again) {
        run_warn(r, name,
                 "%s was stopped and is not started again: %s; start it by hand, and set "
                 "'backup.command' in the recipe",
                 what, why);
        *ret_detail = "not started: its command is unknown; start it by hand";
        return true;
    }
    if (!start(r, host, command ? command : ":", &attached, err))
        return false;
    *ret_detail =
        arena_printf(r->arena, "%s %s (log: %s/.crelease/rerun/%s%s%s/1/log)", what,
                     attached ? "was already started again" : "was started again in the background",
                     r->recipe->hosts[host].deploy_to, r->plan->what.run, r->recipe->db ? "-" : "",
                     r->recipe->db ? r->recipe->db : "");
    return true;
}

bool rerun_hosts(const struct recipe *r, const struct what *what, size_t host)
{
    return r->backup.rerun && migrate_hosts(r, what, host);
}

bool rerun_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    const char *detail;

    if (!r->resumed && !r->guard->backup_stopped) {
        ret->skipped = "no backup was stopped";
        return true;
    }
    if (!rerun(r, s->hosts[0], &detail, err))
        return false;
    if (!detail)
        ret->skipped = "no backup was stopped";
    else
        ret->detail = detail;
    return true;
}

/* An aborted run no longer blocks the backup. */
bool rerun_undo(struct run *r, const struct step *s, struct err *err)
{
    const char *detail;

    if (!r->recipe->backup.rerun)
        return true;
    if (!rerun(r, s->hosts[0], &detail, err))
        return false;
    if (detail)
        run_warn(r, r->recipe->hosts[s->hosts[0]].name, "%s", detail);
    return true;
}
