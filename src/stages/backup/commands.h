/* commands.h -- decides whether a command line is a backup.  Private to the files that read the
 * answer of upcoming.sh. */
#ifndef CRELEASE_BACKUP_COMMANDS_H
#define CRELEASE_BACKUP_COMMANDS_H

#include "stages/backup/schedule.h"

/* A word that names a file, with what upcoming.sh found in it; a script may be of several kinds. */
struct script {
    const char *row; /* the first row "KIND WORD" with that word */
    const char *word;
    size_t len;
    size_t order;
    unsigned kinds; /* one bit for each of `kinds` */
};

/* Sorted by word, for a binary search. */
struct scripts {
    struct script *v;
    size_t n;
};

/* Takes rows "KIND WORD" from upcoming.sh. */
struct scripts scripts_make(struct arena *a, const struct strs *rows);

/* Whether the command is a backup. *ret, whether it would block a migration, is set in any case. */
bool command_is_backup(enum adapter adapter, const char *command, const struct scripts *scripts,
                       enum blocks *ret);

/* A command for people: shortened, passwords replaced. */
const char *command_shown(struct arena *a, const char *command);

/* The list ends with NULL. */
bool word_is_one_of(const char *word, size_t len, const char *const *list);

#endif
