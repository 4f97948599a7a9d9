/* backup.c -- the words of the kinds of backup, and whether two looks saw the same one. */
#include "core/backup.h"

static const char *const words[BACKUP_KINDS] = {
    [BACKUP_PG_DUMP] = "pg_dump",
    [BACKUP_PG_DUMPALL] = "pg_dumpall",
    [BACKUP_MYSQLDUMP] = "mysqldump",
    [BACKUP_DUMP_LIKE] = "dump-like",
    [BACKUP_COPY] = "copy",
    [BACKUP_HOLD] = "hold",
    [BACKUP_MIGRATION] = "migration",
    [BACKUP_MAYBE] = "maybe",
    [BACKUP_OWN] = "own",
    [BACKUP_UPCOMING] = "a backup",
};

const char *backup_kind_word(enum backup_kind kind)
{
    return words[kind];
}

enum backup_kind backup_kind_of(const char *word)
{
    for (int kind = BACKUP_NONE + 1; kind < BACKUP_KINDS; kind++)
        if (strcmp(words[kind], word) == 0)
            return (enum backup_kind)kind;
    return BACKUP_NONE;
}

static const char *given(const char *text)
{
    return text ? text : "";
}

bool backup_is_identified(const struct backup *b)
{
    return *given(b->identity.transaction) || *given(b->identity.start);
}

bool backup_looks_same(const struct backup *a, const struct backup *b)
{
    return a->pid == b->pid &&
           strcmp(given(a->identity.transaction), given(b->identity.transaction)) == 0 &&
           strcmp(given(a->identity.start), given(b->identity.start)) == 0;
}

bool backup_is_same(const struct backup *a, const struct backup *b)
{
    return backup_is_identified(a) && backup_looks_same(a, b);
}

bool backup_is_lock(const struct backup *b)
{
    return b->kind == BACKUP_HOLD || b->kind == BACKUP_MIGRATION;
}
