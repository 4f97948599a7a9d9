/* checkout.h -- the stage 'checkout', which puts a revision into a new release folder. */
#ifndef CRELEASE_CHECKOUT_H
#define CRELEASE_CHECKOUT_H

#include "core/run.h"

extern const char script_checkout[];

bool checkout_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
const char *checkout_describe(struct arena *a, const struct recipe *r, const struct what *what);

/* Compares a release on one host with its manifest; returns the paths that differ, at most a
 * hundred.  *ret_known is false when there is no manifest. */
bool checkout_verify(struct run *r, size_t host, const char *release, bool *ret_known,
                     struct strs *ret_differs, struct err *err) MUST_CHECK;

#endif
