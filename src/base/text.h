/* text.h -- formats text for people and compares words; nothing here is specific to deploys. */
#ifndef CRELEASE_TEXT_H
#define CRELEASE_TEXT_H

#include "base/buf.h"

/* Appends untrusted bytes so that they are safe to show on a terminal: control characters (also DEL
 * and the C1 set in UTF-8) and bytes that are not UTF-8 become \xNN, a tab becomes a blank.  A
 * newline is kept if `lines`, else it becomes \xNN too. */
void text_visible(struct buf *b, const char *s, size_t len, bool lines);

/* Returns such a copy for use in one line. */
const char *text_shown(struct arena *a, const char *s);

/* Returns a command in one line: the first line that does something, and how many lines more there
 * are, as in "bundle install ... (+2 lines)".  The result is not yet safe to show: text_shown. */
const char *text_command(struct arena *a, const char *command);

/* Returns the text in one line: each run of blanks and line ends becomes one blank. */
const char *text_joined(struct arena *a, const char *s);

/* The last line that is not empty, or "".  Not yet safe to show. */
const char *text_last_line(struct arena *a, const char *s);

/* Whether the bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(const char *s, size_t len);

/* Returns the member of names (NULL-terminated) that `word` is most likely a misspelling of, or
 * NULL.  A name qualifies if its edit distance is at most a third of the word's length plus one (a
 * swap counts one; case and '_' for '-' count nothing), or if one of the two begins or ends with
 * the other. */
const char *text_nearest(const char *word, const char *const *names);

/* The name of something in another program.  The table ends with a row of NULL; a word may have
 * several rows. */
struct synonym {
    const char *word;
    const char *means;
};

/* Like text_nearest, but a synonym whose meaning is among the names wins. */
const char *text_meant(const char *word, const char *const *names, const struct synonym *synonyms);

/* Parses "90s", "5m", "6h", "1d", "500ms", "1h30m", or a bare number of seconds into milliseconds.
 * False when it is not a duration or longer than ten years. */
bool text_duration(const char *s, long long *ret_ms);

/* Formats a duration: "0.4 s", "41 s", "2 min 05 s", "1 h 02 min", "3 d 4 h". */
const char *text_span(struct arena *a, long long ms);

/* Formats a size in powers of ten: "812 B", "0.4 MB", "20 MB", "1.2 GB". */
const char *text_size(struct arena *a, unsigned long long bytes);

/* Formats a count: "1 host", "3 hosts", "2,004 files". */
const char *text_count(struct arena *a, unsigned long long n, const char *noun);

/* Encodes text as one word of a file with blank-separated fields, and decodes it: bytes up to the
 * blank, DEL and '%' become %HH.  A word without '%' is the text itself. */
const char *text_word(struct arena *a, const char *s);
const char *text_of_word(struct arena *a, const char *s);

/* Who started a run, as it is recorded ("Anna%20A@ci, https://..."), for people; NULL: "somebody". */
const char *text_by(struct arena *a, const char *by);

#endif
