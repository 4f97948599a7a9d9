/* live.h -- what is in progress, as a terminal shows it: stages, their hosts with running jobs, and the
 * backup that is waited for.  Copies of what events said; for tty.c and draw.c. */
#ifndef CRELEASE_UI_LIVE_H
#define CRELEASE_UI_LIVE_H

#include "core/event.h"

enum { LAST_BYTES_MAX = 1024 }; /* of a line of output that is kept */

/* A host of a running stage. */
struct row {
    const char *host;
    enum event_state state;
    struct arena texts; /* of the job: */
    const char *command;
    const char *detail;
    const char *last; /* line of its output */
    long long begun_ms;
    bool job; /* a job was started, so the host has a line */
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
    const char *command;   /* of the job started last, until there is a detail */
    struct strs commands;  /* of all its jobs */
    struct strs failed_on; /* hosts */
    bool backup_kept;      /* a line about a backup that it waited for is on the screen */
    long long begun_ms;
    struct row **rows;
    size_t n_rows;
};

struct live {
    struct live_stage *stages;  /* in the order in which they started */
    struct live_backup *backup; /* NULL: none */
};

/* The live stage of that name, NULL when there is none. */
struct live_stage *live_stage_find(struct live *l, const char *name);

/* The same, added with the hosts of e if there is none. */
struct live_stage *live_stage_of(struct live *l, const struct event *e);
void live_stage_close(struct live *l, struct live_stage *s); /* accepts NULL */

/* The row of a host, added if there is none. */
struct row *live_row_of(struct live_stage *s, const char *host);

/* Empties the row; gives the host a line of its own. */
void live_row_clear(struct row *r);
void live_row_show(struct row *r);

/* The last line of output of a host. */
void live_row_output(struct row *r, const char *shown);

/* Sets what is shown beside the name of a host or stage; NULL: nothing. */
void live_row_detail(struct row *r, const char *detail);
void live_stage_detail(struct live_stage *s, const char *detail);
void live_stage_command(struct live_stage *s, const char *command);

/* Makes the backup of e the one that is waited for. */
void live_backup_keep(struct live *l, const struct event *e);
void live_backup_close(struct live *l);

/* Frees all of it, the struct itself stays. */
void live_clear(struct live *l);

#endif
