/* quote.h -- the one place where text becomes a word of the POSIX shell. */
#ifndef CRELEASE_QUOTE_H
#define CRELEASE_QUOTE_H

#include "base/buf.h"

/* Appends s as one word: in single quotes, a quote inside as '\''.  Whatever s
 * holds, a shell reads it back unchanged; s has no NUL since it is a C string. */
void quote_word(struct buf *b, const char *s);

/* Appends s as one word that a person pastes into a shell: bare where nothing in it means something
 * to a shell, else in double quotes, since commands are shown in single quotes.  A word with "!",
 * which bash expands inside double quotes too, gets backslashes instead. */
void quote_typed(struct buf *b, const char *s);

/* Appends "name='value'\n".  name is a constant of ours. */
void quote_assign(struct buf *b, const char *name, const char *value);

#endif
