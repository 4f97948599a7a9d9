/* ui_live.h -- what is under way, as a terminal shows it: stages, the hosts whose jobs run
 * in them, and the backup that is waited for.  Copies of what events told; for ui_tty.c. */
#ifndef CRELEASE_UI_LIVE_H
#define CRELEASE_UI_LIVE_H

#include "core/event.h"

enum { LAST_BYTES_MAX = 1024 }; /* kept of a line of output */

/* A host of a stage that runs. */
struct row {
    const char *host;
    enum event_state state;
    struct arena texts; /* of the job: */
    const char *command;
    const char *detail;
    const char *last; /* line of its output */
    long long begun_ms;
    bool job; /* one is or was under way: the host has a line */
};

struct live_backup {
    struct arena texts;
    struct backup b;
    const char *host;
    const char *stage;
    const char *detail;
    bool can_ask;
    bool can_stop;
    long long told_ms;
    long long waited_ms;
};

struct live_stage {
    struct live_stage *next;
    struct arena texts;
    const char *name;
    const char *const *hosts; /* NULL-terminated, or NULL */
    struct arena detail_text;
    const char *detail;
    const char *command;   /* of the job that began last, until a detail is told */
    struct strs commands;  /* of all its jobs */
    struct strs failed_on; /* hosts */
    bool backup_kept;      /* a line about a backup it waited for stays on the screen */
    long long begun_ms;
    struct row **rows;
    size_t n_rows;
};

struct live {
    struct live_stage *stages;  /* in the order they began */
    struct live_backup *backup; /* NULL: none */
};

/* The live stage of that name, NULL when there is none. */
struct live_stage *live_stage_find(struct live *l, const char *name);

/* The same, begun now on e's hosts when there is none. */
struct live_stage *live_stage_of(struct live *l, const struct event *e);
void live_stage_close(struct live *l, struct live_stage *s); /* accepts NULL */

/* The row of a host, made when there is none. */
struct row *live_row_of(struct live_stage *s, const char *host);

/* The host has nothing to show from now on; or has a line of its own. */
void live_row_clear(struct row *r);
void live_row_show(struct row *r);

/* The last line of output of a host. */
void live_row_output(struct row *r, const char *shown);

/* What a host, or a stage, says beside its name; NULL for nothing. */
void live_row_detail(struct row *r, const char *detail);
void live_stage_detail(struct live_stage *s, const char *detail);
void live_stage_command(struct live_stage *s, const char *command);

/* The backup waited for is now e's. */
void live_backup_keep(struct live *l, const struct event *e);
void live_backup_close(struct live *l);

/* Frees all of it, the struct itself stays. */
void live_clear(struct live *l);

#endif
