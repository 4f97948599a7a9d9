/* quote.h -- the only place where text is quoted for a POSIX shell. */
#ifndef CRELEASE_QUOTE_H
#define CRELEASE_QUOTE_H

#include "base/buf.h"

/* Appends s as one word in single quotes, with '\'' for a quote in it.  A shell reads any s back
 * unchanged. */
void quote_word(struct buf *b, const char *s);

/* Appends s as one word for a person to paste into a shell.  It stays bare if no character is
 * special; otherwise it is in double quotes, because commands are shown within single quotes.  A
 * word with "!" is escaped with backslashes instead, since bash expands "!" in double quotes. */
void quote_typed(struct buf *b, const char *s);

/* Appends "name='value'\n".  name is a constant of the program. */
void quote_assign(struct buf *b, const char *name, const char *value);

#endif
