/* upcoming.c -- asks a host when backups will start, and whether a migration would meet one
 * (upcoming.h).  Called by detect.c, clear.c, and the commands that show backups.  Relies on
 * upcoming.sh for the answer and schedule.c to read it. */

#include "stages/backup/upcoming.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"
#include "db/server.h"
#include "stages/backup/schedule.h"

EMBED(script_schedule, "stages/backup/upcoming.sh");

enum {
    LOOK_MS = 60000,
    MIGRATION_S = 600, /* assumed while no migration has been recorded */
    MIGRATION_MIN_S = 60,
};

/* Whether the host is to be asked; *ret_given gets the recipe's own cron lines. */
static bool wants_all(struct run *r, struct strs *ret_given)
{
    const struct strs *list = &r->recipe->backup.schedule;
    bool all = list->n == 0;

    *ret_given = (struct strs){0};
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->v[i], "crontab") == 0)
            all = true;
        else if (strcmp(list->v[i], "none") != 0)
            strs_add(r->arena, ret_given, list->v[i]);
    }
    return all;
}

bool upcoming_look(struct run *r, size_t host, long long back_s, struct schedule *ret,
                   struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    struct strs given;
    bool all = wants_all(r, &given);

    *ret = (struct schedule){.now_unix = -1, .migration_s = -1};
    if (!all && !given.n) {
        ret->why = "the recipe says not to (backup.schedule: none)";
        buf_free(&b);
        return true;
    }
    quote_assign(&b, "read_all", all ? "yes" : "");
    quote_assign(&b, "migrate_step", step_for_database(r->arena, "migrate", r->recipe));
    struct reply reply = run_look(r, host, &b, script_schedule, LOOK_MS);
    if (reply.kind == REPLY_TIMEOUT) {
        ret->why = "the host did not answer within a minute";
        return true;
    }
    const struct schedule_of of = {.adapter = server_adapter(r),
                                   .answer = reply.out,
                                   .given = &given,
                                   .read_all = all,
                                   .back_s = back_s};
    struct err garbled = {.arena = r->arena};
    if (!run_judge(r, host, &reply, err))
        return false;
    if (!schedule_parse(r->arena, &of, ret, &garbled))
        ret->why = garbled.msg;
    for (size_t i = 0; i < ret->n; i++)
        ret->v[i].command = run_redact(r, ret->v[i].command);
    return true;
}

const char *upcoming_text(struct run *r, const struct schedule *s, const struct start *start)
{
    long long in_s = start->unix_s - s->now_unix;

    return arena_printf(r->arena, "%s (%s) %s at %s, %s%s",
                        start->blocks == BLOCKS_MAYBE ? "what seems to be a backup" : "a backup",
                        start->command, in_s < 0 ? "was due" : "starts",
                        schedule_clock(r->arena, s, start->unix_s), in_s < 0 ? "" : "in ",
                        in_s < 0
                            ? arena_printf(r->arena, "%s ago", text_span(r->arena, -in_s * 1000))
                            : text_span(r->arena, in_s * 1000));
}

const char *upcoming_warning(struct run *r, const struct schedule *s)
{
    long long expected = s->migration_s < 0 ? MIGRATION_S : s->migration_s;
    const struct start *soon;

    if (s->why)
        return NULL;
    soon = schedule_soon(s, expected < MIGRATION_MIN_S ? MIGRATION_MIN_S : expected);
    return soon
               ? arena_printf(r->arena, "%s: it may block the migration", upcoming_text(r, s, soon))
               : NULL;
}
