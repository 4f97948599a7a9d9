/* schedule.h -- when backups will start, according to a host's crontabs and timers.
 *
 *     struct schedule s;
 *     schedule_parse(arena, &(struct schedule_of){.answer = reply.out, .given = lines}, &s, err);
 *
 * Pure functions.  The answer comes from upcoming.sh and is untrusted until it has been parsed
 * here. */
#ifndef CRELEASE_SCHEDULE_H
#define CRELEASE_SCHEDULE_H

#include "base/err.h"
#include "recipe/recipe.h"
#include "forecast/zone.h"

/* Whether it would block a migration.  A copy of PostgreSQL's files does not, and neither does a
 * backup of another kind of server. */
enum blocks { BLOCKS_NO, BLOCKS_MAYBE, BLOCKS_YES };

struct start {
    long long unix_s;
    const char *command; /* shortened, passwords replaced */
    /* The full command with its settings, as it can be run; NULL for another user's, or a timer's,
     * command. */
    const char *text;
    const char *source; /* "crontab", "/etc/cron.d/backup", "systemd's timers", "recipe" */
    enum blocks blocks;
};

struct schedule {
    struct start *v; /* the next start of each backup, soonest first */
    size_t n;
    const char *why;         /* NULL, or why nothing at all could be read */
    struct strs unread;      /* sources that could not be read, with the reason: "crontab: ..." */
    struct strs notes;       /* remarks on the times, for people */
    struct strs sources;     /* what was read */
    const struct zone *zone; /* of the host */
    long long now_unix;      /* by the host's clock */
    long long migration_s;   /* the longest recorded migration; -1: there is no record */
};

struct schedule_of {
    enum adapter adapter;
    const char *answer;
    const struct strs *given; /* cron lines from the recipe */
    bool read_all;            /* the host was asked for its crontabs and timers */
    long long back_s;         /* starts up to this long ago count, too */
};

/* Fails with ERR_FAILED when the answer is incomplete. */
bool schedule_parse(struct arena *a, const struct schedule_of *of, struct schedule *ret,
                    struct err *err) MUST_CHECK;

/* The soonest start within `within_s` that blocks a migration or may do so; NULL when there is
 * none. */
const struct start *schedule_soon(const struct schedule *s, long long within_s);

/* "02:00" by the host's clock; with the date if it is a day or more away: "2026-11-29 02:00". */
const char *schedule_clock(struct arena *a, const struct schedule *s, long long unix_s);

/* What kind of backup a command is; `scripts` are rows "KIND WORD" from upcoming.sh.  False when it
 * is none. */
bool schedule_is_backup(enum adapter adapter, const char *command, const struct strs *scripts,
                        enum blocks *ret);

#endif
