/* text.h -- small questions about text that have nothing to do with deploys. */
#ifndef CRELEASE_TEXT_H
#define CRELEASE_TEXT_H

#include "base/buf.h"

/* Appends bytes that nobody vouches for so that they can be shown: control
 * characters (also DEL and the C1 set in UTF-8) and bytes that are no UTF-8 come out as
 * \xNN, a tab as a blank.  A newline does too unless `lines`. */
void text_visible(struct buf *b, const char *s, size_t len, bool lines);

/* The same, as a copy in the arena, for one line. */
const char *text_shown(struct arena *a, const char *s);

/* A command for people, in one line: of one that has several the first that does something, and how
 * many more there are: "bundle install ... (+2 lines)".  Not harmless yet. */
const char *text_command(struct arena *a, const char *command);

/* All of it in one line: every stretch of blanks and line ends becomes one blank. */
const char *text_joined(struct arena *a, const char *s);

/* Whether the bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(const char *s, size_t len);

/* The member of names (NULL-terminated) that `word` was probably meant to be, or NULL: the nearest
 * by edits (a swap counts one, case and '_' for '-' nothing), at most a third of the word's length
 * and one; or one that begins or ends with the word, or that the word begins or ends with. */
const char *text_nearest(const char *word, const char *const *names);

/* What other programs call it, ends with a row of NULL.  A word may have several rows. */
struct synonym {
    const char *word;
    const char *means;
};

/* The same, but first what the word means in another program, when that is among the names. */
const char *text_meant(const char *word, const char *const *names, const struct synonym *synonyms);

/* "90s", "5m", "6h", "1d", "500ms", "1h30m", or a bare number of seconds, in
 * milliseconds.  False when it is none or larger than ten years. */
bool text_duration(const char *s, long long *ret_ms);

/* A duration for people: "0.4 s", "41 s", "2 min 05 s", "1 h 02 min", "3 d 4 h". */
const char *text_span(struct arena *a, long long ms);

/* A size for people: "812 B", "0.4 MB", "20 MB", "1.2 GB" (powers of ten). */
const char *text_size(struct arena *a, unsigned long long bytes);

/* "1 host", "3 hosts", "2,004 files". */
const char *text_count(struct arena *a, unsigned long long n, const char *noun);

/* A text as one word of a file whose fields are parted by blanks: bytes up to the blank, DEL and
 * '%' become %HH, and back.  A word without a '%' is the text itself. */
const char *text_word(struct arena *a, const char *s);
const char *text_of_word(struct arena *a, const char *s);

#endif
