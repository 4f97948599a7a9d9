/* commands.c -- decides whether the command line of a crontab or a timer is a backup, and whether that
 * backup would block a migration.  Called while the answer of upcoming.sh is read (schedule.c,
 * crontabs.c, timers.c).  The scripts that a command names were examined on the host. */

#include "stages/backup/commands.h"

#include "base/passwords.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHOWN_MAX = 160 };

/* Separates the words of a shell command, well enough for this purpose; upcoming.sh splits in the
 * same places. */
static const char SEPARATORS[] = "();&|<>\"`=' \t";

bool word_is_one_of(const char *word, size_t len, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == len && strncmp(*list, word, len) == 0)
            return true;
    return false;
}

static bool has_backup_in_it(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((name[i] | 0x20) == 'b' && len - i >= 6 && strncasecmp(name + i, "backup", 6) == 0) ||
            ((name[i] | 0x20) == 'd' && len - i >= 4 && strncasecmp(name + i, "dump", 4) == 0))
            return true;
    return false;
}

/* The kinds of backup that a script may contain. */
static const char *const kinds[] = {"pg_dump", "mysqldump", "xtrabackup", "other", NULL};

static int compare_words(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int by_word(const void *a, const void *b)
{
    const struct script *x = a;
    const struct script *y = b;
    int order = compare_words(x->word, x->len, y->word, y->len);

    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static bool is_kind(const char *row, const char *kind)
{
    size_t len = strlen(kind);

    return row && strncmp(row, kind, len) == 0 && row[len] == ' ';
}

struct scripts scripts_make(struct arena *a, const struct strs *rows)
{
    struct scripts s = {.v = arena_array(a, rows->n + 1, sizeof *s.v)};
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const char *row = rows->v[i];
        const char *blank = strchr(row, ' ');
        if (!blank)
            continue;
        s.v[s.n] = (struct script){row, blank + 1, strlen(blank + 1), i, 0};
        for (size_t k = 0; kinds[k]; k++)
            s.v[s.n].kinds |= is_kind(row, kinds[k]) ? 1u << k : 0;
        s.n++;
    }
    if (s.n)
        qsort(s.v, s.n, sizeof *s.v, by_word);
    for (size_t i = 0; i < s.n; i++) {
        struct script *last = n ? &s.v[n - 1] : NULL;
        if (last && compare_words(last->word, last->len, s.v[i].word, s.v[i].len) == 0)
            last->kinds |= s.v[i].kinds;
        else
            s.v[n++] = s.v[i];
    }
    s.n = n;
    return s;
}

/* NULL when the word names no known file. */
static const struct script *find_script(const struct scripts *s, const char *word, size_t len)
{
    size_t low = 0;
    size_t high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_words(s->v[middle].word, s->v[middle].len, word, len);
        if (!order)
            return &s->v[middle];
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}

/* A program of the distribution is judged by its contents, not by its name. */
static bool is_of_distribution(const char *word)
{
    return strncmp(word, "/usr/local/", 11) != 0 &&
           (strncmp(word, "/usr/", 5) == 0 || strncmp(word, "/lib/", 5) == 0 ||
            strncmp(word, "/bin/", 5) == 0 || strncmp(word, "/sbin/", 6) == 0 ||
            strncmp(word, "/etc/cron.", 10) == 0);
}

/* Tracks whether the next word is a command name: the first one, or one after a word like
 * 'sudo'. */
struct position {
    bool command;
    int pass; /* how many words to skip, as arguments of the last one */
};

static void step(struct position *p, const char *word, size_t len, const char *name,
                 size_t name_len)
{
    static const char *const runners[] = {
        "sudo", "nice", "ionice",  "env", "nohup",  "exec",   "time", "chronic", "sh",   "bash",
        "dash", "ksh",  "runuser", "su",  "setsid", "cronic", "ruby", "python3", "perl", NULL};
    static const char *const with_argument[] = {"flock", "timeout", "systemd-cat", "chpst", NULL};

    if (!p->command)
        return;
    if (*word == '-') {
        p->pass = word_is_one_of(word, len,
                                 (const char *const[]){"-u", "-n", "-c", "-t", "-g", "-w", NULL}) &&
                  word[1] != 'c';
        return;
    }
    if (p->pass) {
        p->pass--;
        return;
    }
    if (word_is_one_of(name, name_len, with_argument))
        p->pass = 1;
    else if (!word_is_one_of(name, name_len, runners))
        p->command = false;
}

static const char *const programs[][6] = {
    {"pg_dump", "pg_dumpall", NULL},
    {"mysqldump", "mariadb-dump", "mydumper", "mysqlpump", NULL},
    {"xtrabackup", "mariabackup", "mariadb-backup", NULL},
    {"pg_basebackup", "pgbackrest", "barman", "wal-g", NULL},
};

/* A copy of MySQL's files blocks DDL either at its end or all the time. */
static enum blocks blocks_of(enum adapter adapter, size_t kind)
{
    if (adapter == ADAPTER_MYSQL)
        return kind == 1 ? BLOCKS_YES : kind == 2 ? BLOCKS_MAYBE : BLOCKS_NO;
    return kind == 0 ? BLOCKS_YES : BLOCKS_NO;
}

bool command_is_backup(enum adapter adapter, const char *command, const struct scripts *scripts,
                       enum blocks *ret)
{
    struct position at = {.command = true};
    bool other = false;
    bool maybe = false;
    bool named = false;

    for (const char *s = command; *s;) {
        size_t gap = strspn(s, SEPARATORS);
        for (size_t i = 0; i < gap; i++)
            if (strchr(";&|(`", s[i]))
                at = (struct position){.command = true};
        s += gap;
        size_t len = strcspn(s, SEPARATORS);
        const char *name = s + len;
        while (name > s && name[-1] != '/')
            name--;
        size_t name_len = (size_t)(s + len - name);
        const struct script *found = find_script(scripts, s, len);
        const char *script = found ? found->row : NULL;
        bool is_assigned = s[len] == '='; /* NAME=value before a command */
        bool was_command = at.command && !at.pass && *s != '-' && !is_assigned;
        for (size_t i = 0; kinds[i]; i++) {
            if (!word_is_one_of(name, name_len, programs[i]) && !(found && found->kinds >> i & 1))
                continue;
            *ret = blocks_of(adapter, i);
            if (*ret == BLOCKS_YES)
                return true;
            maybe = maybe || *ret == BLOCKS_MAYBE;
            other = true;
        }
        named = named || is_kind(script, "named") ||
                (has_backup_in_it(name, name_len) && (script || was_command) &&
                 !(is_kind(script, "none") && is_of_distribution(s)));
        if (is_assigned) {
            at.pass += at.command; /* its value is not a command either */
            at.pass = at.pass > 1 ? 1 : at.pass;
        } else {
            step(&at, s, len, name, name_len);
        }
        s += len;
    }
    *ret = other && !maybe ? BLOCKS_NO : BLOCKS_MAYBE;
    return other || named;
}

const char *command_shown(struct arena *a, const char *command)
{
    const char *text = passwords_hidden(a, command);
    size_t len = SHOWN_MAX;

    if (strlen(text) <= SHOWN_MAX)
        return text_shown(a, text);
    /* Do not cut a multi-byte character in two. */
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(a, "%s...", text_shown(a, arena_strndup(a, text, len)));
}
