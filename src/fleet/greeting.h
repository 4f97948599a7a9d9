/* greeting.h -- separates a script's output from what the login shell prints before it, and tells
 * whether the script started at all.
 *
 * Between sshd and the script runs a login shell with arbitrary start-up files, or a forced
 * command. The script's shell therefore begins its output with a line on each stream that nothing
 * else can print.  Everything before that line is noise of the login.
 *
 *     struct greeting g = greeting_make();
 *     char *command = greeting_command(&g, script_len);   (for the login shell)
 *     greeting_lead(&g, command, &input);                 (the input; the script follows)
 *     if (greeting_hear(&g, stream, &bytes, &len))        (what remains of bytes is the script's)
 *     greeting_free(&g); */
#ifndef CRELEASE_GREETING_H
#define CRELEASE_GREETING_H

#include "base/buf.h"

enum { GREETING_WORD = 16, SCRIPT_BLOCK = 512 };

/* One of the two output streams. */
struct heard {
    bool greeted;
    struct buf noise;        /* the end of what the login printed */
    unsigned long long size; /* of everything that it printed */
};

struct greeting {
    char tag[GREETING_WORD + 1];   /* in the command, and at the beginning of the greeting's line */
    char token[GREETING_WORD + 1]; /* at the end of that line, and nowhere else */
    struct heard heard[2];         /* standard output, standard error */
};

/* Exit status of the command if start-up files consumed the input that was meant for the script. */
enum { GREETING_INPUT_LOST = 96 };

/* Creates a greeting with random words.  greeting_free frees it. */
struct greeting greeting_make(void);
void greeting_free(struct greeting *g);

/* What the command is for. */
struct greeting_of {
    size_t script_len; /* a multiple of SCRIPT_BLOCK */
    bool reads;        /* the shell reads what follows as its commands, whatever its length */
    const char
        *account; /* NULL, or a name of letters, digits, '.', '_' and '-': the script runs as that
                            user, through sudo */
    bool asks; /* sudo may ask for a password: its input must stay empty until greeting_prompts or
                      greeting_is_ready, and what follows a prompt is the password */
    bool terminal; /* it runs in a terminal: its input must stay empty until greeting_is_ready */
};

/* Returns the command for the login shell; the caller frees it. */
char *greeting_command(const struct greeting *g, const struct greeting_of *of);

/* With `asks` or `terminal`: how often sudo has asked for the password, and whether it has started the shell, which
 * now waits for its input. */
int greeting_prompts(const struct greeting *g);
bool greeting_is_ready(const struct greeting *g);

/* Appends what has to precede the script in standard input. */
void greeting_lead(const struct greeting *g, const char *command, struct buf *input);

/* Removes the login's output from the front of bytes.  False if nothing is left.  stream is 1 or
 * 2. */
bool greeting_hear(struct greeting *g, int stream, const char **bytes, size_t *len);

/* Whether the script's shell has started. */
bool greeting_is_over(const struct greeting *g);

/* Returns the last lines that the login printed, safe to show, in one line; "" if none. */
const char *greeting_words(const struct greeting *g, struct arena *a);

#endif
