/* left_out.h -- hosts that a run goes on without, if the recipe says so (on_host_failure).
 *
 *     left_out_begin(run);
 *     for each step:
 *         left_out_new_step(run);
 *         if (!act(run, step, &result, err) && !left_out_may_go_on(run, step, err))
 *             return false;
 *     return left_out_end(run, err);
 *
 * A host that was left out keeps its lock and its marks: a resume brings it forward, alone. */
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
    struct mishap *mishaps; /* by host; NULL: nobody collects them */
    bool *out;              /* by host; NULL: none is */
    size_t n;
    struct strs why;        /* "app2 was left out in stage 'build': ..." */
    struct failure failure; /* of the first of them */
    bool reached_end;       /* the run went to its end without them */
};

void left_out_begin(struct run *r);
void left_out_new_step(struct run *r);

/* Whether the host was left out. */
bool left_out_has(const struct left_out *l, size_t host);

/* Keeps the first thing that went wrong on a host in this step. */
void left_out_note(struct run *r, size_t host, enum err_code code, const char *why);

/* After a failed step.  True when every host on which it failed could be left out: that was
 * reported, and err is clear.  Otherwise nothing has changed. */
bool left_out_may_go_on(struct run *r, const struct step *s, struct err *err);

/* False, with what there is to say, when a host was left out. */
bool left_out_end(struct run *r, struct err *err);

#endif
