/* linked.h -- linked files that are copied from this machine into shared on the hosts.
 *
 *     struct source_file list[...];        linked_open each
 *     linked_look(s, list, n, err);        what each host has
 *     linked_put(s, &list[i], hosts, n, replies);  stores it there
 *     linked_close(list, n);
 *
 * Contents are secrets: they travel only on the standard input of a script that has a channel of its
 * own, never in an argument list, a log, a mark or an event. */
#ifndef CRELEASE_CLI_LINKED_H
#define CRELEASE_CLI_LINKED_H

#include "cli/cmd.h"

enum linked_state { LINKED_MISSING, LINKED_SAME, LINKED_DIFFERS, LINKED_UNREADABLE, LINKED_OTHER };

/* One file on one host. */
struct linked_there {
    enum linked_state state;
    const char *digest; /* SHA-256; NULL: not known */
};

struct source_file {
    const char *path; /* below shared */
    const char *from; /* as the recipe has it */
    int fd;           /* -1: not open */
    off_t size;
    char digest[65];
    struct linked_there *there; /* by host */
};

/* Opens the source of a linked file and reads its digest.  FAILED with the reason if it cannot be read. */
bool linked_open(struct session *s, const char *path, const char *from, struct source_file *ret,
                 struct err *err) MUST_CHECK;
void linked_close(struct source_file *list, size_t n);

/* Asks every host what it has of these files. */
bool linked_look(struct session *s, struct source_file *list, size_t n, struct err *err) MUST_CHECK;

/* Stores the file on n hosts where it is missing or, as it was seen there, differs, on all at once.  ret gets
 * a reply of each, for run_judge. */
void linked_put(struct session *s, const struct source_file *file, const size_t *hosts, size_t n,
                struct reply *ret);

/* Whether this machine has the source of a linked file. */
bool linked_is_here(struct session *s, const char *from);

/* "crelease upload production config/master.key" */
const char *linked_hint(struct session *s, const char *path, const char *from);

/* For a deploy: stores the linked files that the survey did not find and that have a source, notes
 * it, and corrects the survey.  With --dry-run it only notes it. */
bool linked_fill(struct session *s, const struct survey *sv, struct err *err) MUST_CHECK;

#endif
