/* cap_statement.h -- one statement of a file of Capistrano, while it is read.  Between cap_evaluate.c, which
 * goes through the file, and those that read one kind of statement. */
#ifndef CRELEASE_CAPISTRANO_CAP_STATEMENT_H
#define CRELEASE_CAPISTRANO_CAP_STATEMENT_H

#include "cli/capistrano/cap.h"

struct cap_statement {
    struct cap_site *site;
    struct cap_mark *mark;
    struct ruby ruby; /* behind its first word */
    const char *begin;
};

/* Returns a reader with the settings of the site. */
struct ruby cap_ruby(struct cap_site *site, const char *at, const char *end);

/* Raises the state of a mark; m may be NULL. */
void cap_mark(struct cap_mark *m, enum cap_state state);

/* server 'host', options; role :app, %w[user@host ...], options.  False if it has to be left to a person. */
bool cap_read_server(struct cap_statement *s, bool is_role);

/* Counts the settings in a statement up to `end` that was not read, but for its first word, and looks for the
 * command in `task :restart`. */
void cap_read_block(struct cap_statement *s, const char *end);

/* Lists each task and hook of a namespace.  False if there is none. */
bool cap_read_tasks(struct cap_statement *s, const char *end);

#endif
