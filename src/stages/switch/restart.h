/* restart.h -- the stage 'restart', which makes the application load the new release. */
#ifndef CRELEASE_RESTART_H
#define CRELEASE_RESTART_H

#include "core/stage.h"

extern const char script_restart[];

bool restart_hosts(const struct recipe *r, const struct what *what, size_t host);
const struct jobs *restart_jobs(struct arena *a, const struct recipe *r);
const char *restart_describe(struct arena *a, const struct recipe *r, const struct what *what);
bool restart_trip(struct run *r, const struct step *s, struct trip *ret);
bool restart_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);

#endif
