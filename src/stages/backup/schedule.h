/* schedule.h -- when backups will start, as a host's crontabs and timers tell.
 *
 *     struct schedule s;
 *     schedule_parse(arena, &(struct schedule_of){.answer = reply.out, .given = lines}, &s, err);
 *
 * Pure: the answer is that of upcoming.sh, hostile until it was read here. */
#ifndef CRELEASE_SCHEDULE_H
#define CRELEASE_SCHEDULE_H

#include "base/err.h"
#include "recipe/recipe.h"
#include "forecast/zone.h"

/* Whether it would hold up a migration: a copy of PostgreSQL's files does not, nor does what backs
 * up another kind of server. */
enum blocks { BLOCKS_NO, BLOCKS_MAYBE, BLOCKS_YES };

struct start {
    long long unix_s;
    const char *command; /* shortened, passwords replaced */
    const char *text;    /* the same as it can be run, with its settings in front; NULL for that of
                            another user, or of a timer */
    const char *source;  /* "crontab", "/etc/cron.d/backup", "systemd's timers", "recipe" */
    enum blocks blocks;
};

struct schedule {
    struct start *v; /* the next start of each backup that was found, soonest first */
    size_t n;
    const char *why;         /* NULL, or why nothing at all could be looked up */
    struct strs unread;      /* what may hold more, each with why: "crontab: ..." */
    struct strs notes;       /* what a person should know of the times */
    struct strs sources;     /* what was read */
    const struct zone *zone; /* of the host */
    long long now_unix;      /* by the host's clock */
    long long migration_s;   /* the longest migration of earlier runs; -1: there is no record */
};

struct schedule_of {
    enum adapter adapter;
    const char *answer;
    const struct strs *given; /* cron lines of the recipe */
    bool read_all;            /* the host was asked for its crontabs and timers */
    long long back_s;         /* starts so long ago count, too */
};

/* FAILED when the answer is not whole. */
bool schedule_parse(struct arena *a, const struct schedule_of *of, struct schedule *ret,
                    struct err *err) MUST_CHECK;

/* The soonest start within `within_s` that would, or may, hold up a migration; or NULL. */
const struct start *schedule_soon(const struct schedule *s, long long within_s);

/* "02:00", by the clock of the host; from a day on "2026-11-29 02:00". */
const char *schedule_clock(struct arena *a, const struct schedule *s, long long unix_s);

/* What a command is; `scripts` as "KIND WORD" (upcoming.sh).  False when it is no backup. */
bool schedule_is_backup(enum adapter adapter, const char *command, const struct strs *scripts,
                        enum blocks *ret);

#endif
