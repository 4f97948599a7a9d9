/* greeting.h -- getting past a login: what its start-up files print, and whether it runs the
 * script.
 *
 * Between sshd and the script stands a login shell with start-up files of anybody's making, or a
 * forced command.  The script's shell therefore begins with a line of its own on each stream, which
 * nobody else can have printed: all before it is the login's.
 *
 *     struct greeting g = greeting_make();
 *     char *command = greeting_command(&g, script_len);   (for the login shell)
 *     greeting_lead(&g, command, &input);                 (then the script, in the same stream)
 *     if (greeting_hear(&g, stream, &bytes, &len))        (what is left of bytes is the script's)
 *     greeting_free(&g); */
#ifndef CRELEASE_GREETING_H
#define CRELEASE_GREETING_H

#include "base/buf.h"

enum { GREETING_WORD = 16, SCRIPT_BLOCK = 512 };

/* One of the two streams that come back. */
struct heard {
    bool greeted;
    struct buf noise;        /* the last of what the login printed */
    unsigned long long size; /* all of it */
};

struct greeting {
    char tag[GREETING_WORD + 1]; /* stands in the command, and begins the line before the script */
    char token[GREETING_WORD + 1]; /* ends that line, and stands nowhere else */
    struct heard heard[2];         /* standard output, standard error */
};

/* The exit status of a login whose start-up files have read what was meant for the script. */
enum { GREETING_INPUT_LOST = 96 };

struct greeting greeting_make(void);
void greeting_free(struct greeting *g);

/* The line for the login shell; script_len is a multiple of SCRIPT_BLOCK.  The caller frees it. */
char *greeting_command(const struct greeting *g, size_t script_len);

/* What standard input begins with, in front of the script. */
void greeting_lead(const struct greeting *g, const char *command, struct buf *input);

/* Takes from bytes what is the login's; false when that is all of them.  stream is 1 or 2. */
bool greeting_hear(struct greeting *g, int stream, const char **bytes, size_t *len);

/* Whether the script's shell has begun. */
bool greeting_is_over(const struct greeting *g);

/* The last lines that the login printed, fit to be shown in one; "" for none. */
const char *greeting_words(const struct greeting *g, struct arena *a);

#endif
