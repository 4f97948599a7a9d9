/* commands.h -- what a command line is taken for: a backup or not.  Private to the files that read
 * the answer of upcoming.sh. */
#ifndef CRELEASE_BACKUP_COMMANDS_H
#define CRELEASE_BACKUP_COMMANDS_H

#include "stages/backup/schedule.h"

/* A word that names a file, with what upcoming.sh found in it; it may be of several kinds. */
struct script {
    const char *row; /* "KIND WORD", the first of that word */
    const char *word;
    size_t len;
    size_t order;
    unsigned kinds; /* a bit for each of `kinds` */
};

/* By word, so that each word of a line is looked up by halving. */
struct scripts {
    struct script *v;
    size_t n;
};

/* Of rows "KIND WORD" (upcoming.sh). */
struct scripts scripts_make(struct arena *a, const struct strs *rows);

/* *ret, whether it would block a migration, is set also when it is no backup. */
bool command_is_backup(enum adapter adapter, const char *command, const struct scripts *scripts,
                       enum blocks *ret);

/* A command for people: shortened, passwords replaced. */
const char *command_shown(struct arena *a, const char *command);

/* The list ends with NULL. */
bool word_is_one_of(const char *word, size_t len, const char *const *list);

#endif
