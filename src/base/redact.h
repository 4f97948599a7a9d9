/* redact.h -- text without the secrets that are known.  What only looks like one: passwords.h. */
#ifndef CRELEASE_REDACT_H
#define CRELEASE_REDACT_H

#include "base/arena.h"

/* Text with [secret] in the place of each of these; the text itself when none is in it. */
const char *redact(struct arena *a, const struct strs *secrets, const char *text);

/* Of text that goes on, how many bytes at its end may be the beginning of a secret: whoever cuts
 * it keeps as many back, for the next part. */
size_t redact_carry(const struct strs *secrets);

/* Of text that was cut and then redacted: how many of its first or last bytes may be what is left
 * of a secret. */
size_t redact_begin(const struct strs *secrets, const char *text);
size_t redact_end(const struct strs *secrets, const char *text);

#endif
