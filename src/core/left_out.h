/* left_out.h -- continues a run without the hosts that failed, if the recipe says so
 * (on_host_failure).
 *
 *     left_out_begin(run);
 *     for each step:
 *         left_out_new_step(run);
 *         if (!act(run, step, &result, err) && !left_out_may_go_on(run, step, err))
 *             return false;
 *     return left_out_end(run, err);
 *
 * A host that was left out keeps its lock and its marks, so that a resume can complete it alone. */
#ifndef CRELEASE_LEFT_OUT_H
#define CRELEASE_LEFT_OUT_H

#include "core/event.h"

struct run;
struct step;

/* What went wrong on one host in the step in progress. */
struct mishap {
    enum err_code code; /* ERR_NONE: nothing */
    const char *why;
};

struct left_out {
    struct mishap *mishaps; /* by host; NULL: not collected now */
    bool *out;              /* by host; NULL: none was left out */
    size_t n;
    struct strs why;        /* "app2 was left out in stage 'build': ..." */
    struct failure failure; /* of the first of them */
    bool reached_end;       /* the run was completed without them */
};

void left_out_begin(struct run *r);
void left_out_new_step(struct run *r);

/* Whether the host was left out. */
bool left_out_has(const struct left_out *l, size_t host);

/* Keeps the first thing that went wrong on a host in this step. */
void left_out_note(struct run *r, size_t host, enum err_code code, const char *why);

/* Called after a failed step.  Returns true when every host on which it failed could be left out:
 * this has been reported, and err is clear.  Otherwise nothing has changed. */
bool left_out_may_go_on(struct run *r, const struct step *s, struct err *err);

/* False, with err set, when a host was left out. */
bool left_out_end(struct run *r, struct err *err);

#endif
