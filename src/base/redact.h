/* redact.h -- replaces known secrets in text.  passwords.h hides values that look like secrets. */
#ifndef CRELEASE_REDACT_H
#define CRELEASE_REDACT_H

#include "base/arena.h"

/* Returns the text with [secret] in place of each secret, or the text itself when it has none. */
const char *redact(struct arena *a, const struct strs *secrets, const char *text);

/* For text that arrives in pieces: the number of bytes at the end of a piece that may be the
 * beginning of a secret.  The caller keeps that many back and puts them in front of the next
 * piece. */
size_t redact_carry(const struct strs *secrets);

/* For text that was cut before it was redacted: the number of bytes at its beginning, or at its
 * end, that may be the remainder of a secret. */
size_t redact_begin(const struct strs *secrets, const char *text);
size_t redact_end(const struct strs *secrets, const char *text);

#endif
