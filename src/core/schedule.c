#include "core/schedule.h"

#include "base/buf.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/cron.h"
#include "core/passwords.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SHOWN_MAX = 160,
    STARTS_MAX = 200,
    NOTES_MAX = 20,
    SCRIPTS_MAX = 500,
    LINES_MAX = 5000,
    DAY = 86400,
    SETTINGS_MAX = 8192
};

/* What parts the words of a shell command for our purpose; schedule.sh cuts in the same places. */
static const char SEPARATORS[] = "();&|<>\"`=' \t";

/* ---- what a command is ---- */

static bool is_one_of(const char *word, size_t len, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == len && strncmp(*list, word, len) == 0)
            return true;
    return false;
}

static bool has_backup_in_it(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((len - i >= 6 && strncasecmp(name + i, "backup", 6) == 0) ||
            (len - i >= 4 && strncasecmp(name + i, "dump", 4) == 0))
            return true;
    return false;
}

/* The kind that schedule.sh gave to a word; NULL when it names no file. */
static const char *script_kind(const struct strs *scripts, const char *word, size_t len)
{
    for (size_t i = 0; i < scripts->n; i++) {
        const char *blank = strchr(scripts->v[i], ' ');
        if (blank && strlen(blank + 1) == len && strncmp(blank + 1, word, len) == 0)
            return scripts->v[i];
    }
    return NULL;
}

static bool is_kind(const char *script, const char *kind)
{
    size_t len = strlen(kind);

    return script && strncmp(script, kind, len) == 0 && script[len] == ' ';
}

/* A script may be of several kinds. */
static bool has_kind(const struct strs *scripts, const char *word, size_t len, const char *kind)
{
    for (size_t i = 0; i < scripts->n; i++) {
        const char *name = scripts->v[i] + strlen(kind) + 1;
        if (is_kind(scripts->v[i], kind) && strlen(name) == len && strncmp(name, word, len) == 0)
            return true;
    }
    return false;
}

/* Programs of the distribution are what their text says, whatever they are called. */
static bool is_of_distribution(const char *word)
{
    return strncmp(word, "/usr/local/", 11) != 0 &&
           (strncmp(word, "/usr/", 5) == 0 || strncmp(word, "/lib/", 5) == 0 ||
            strncmp(word, "/bin/", 5) == 0 || strncmp(word, "/sbin/", 6) == 0 ||
            strncmp(word, "/etc/cron.", 10) == 0);
}

/* Whether a word is the name of a command: at the beginning, or after what runs another. */
struct position {
    bool command;
    int pass; /* words that are arguments of the one before */
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
        p->pass =
            is_one_of(word, len, (const char *const[]){"-u", "-n", "-c", "-t", "-g", "-w", NULL}) &&
            word[1] != 'c';
        return;
    }
    if (p->pass) {
        p->pass--;
        return;
    }
    if (is_one_of(name, name_len, with_argument))
        p->pass = 1;
    else if (!is_one_of(name, name_len, runners))
        p->command = false;
}

/* The kinds of words of which a script, too, may be. */
static const char *const kinds[] = {"pg_dump", "mysqldump", "xtrabackup", "other", NULL};

static const char *const programs[][6] = {
    {"pg_dump", "pg_dumpall", NULL},
    {"mysqldump", "mariadb-dump", "mydumper", "mysqlpump", NULL},
    {"xtrabackup", "mariabackup", "mariadb-backup", NULL},
    {"pg_basebackup", "pgbackrest", "barman", "wal-g", NULL},
};

/* A copy of MySQL's files holds up what changes tables at its end, or all the while. */
static enum blocks blocks_of(enum adapter adapter, size_t kind)
{
    if (adapter == ADAPTER_MYSQL)
        return kind == 1 ? BLOCKS_YES : kind == 2 ? BLOCKS_MAYBE : BLOCKS_NO;
    return kind == 0 ? BLOCKS_YES : BLOCKS_NO;
}

bool schedule_is_backup(enum adapter adapter, const char *command, const struct strs *scripts,
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
        const char *script = script_kind(scripts, s, len);
        bool is_assigned = s[len] == '='; /* NAME=value before a command */
        bool was_command = at.command && !at.pass && *s != '-' && !is_assigned;
        for (size_t i = 0; kinds[i]; i++) {
            if (!is_one_of(name, name_len, programs[i]) && !has_kind(scripts, s, len, kinds[i]))
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
            at.pass += at.command; /* its value is no command either */
            at.pass = at.pass > 1 ? 1 : at.pass;
        } else {
            step(&at, s, len, name, name_len);
        }
        s += len;
    }
    *ret = other && !maybe ? BLOCKS_NO : BLOCKS_MAYBE;
    return other || named;
}

const char *schedule_shown(struct arena *a, const char *command)
{
    const char *text = passwords_hidden(a, command);
    size_t len = SHOWN_MAX;

    if (strlen(text) <= SHOWN_MAX)
        return text_shown(a, text);
    /* Not through the middle of a character. */
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(a, "%s...", text_shown(a, arena_strndup(a, text, len)));
}

/* ---- the answer ---- */

/* One source while its lines are read. */
struct source {
    const char *form;
    const char *name;
    const struct zone *zone;
    const char *zone_problem;
    const char *settings; /* shell text; NULL: none so far */
};

struct reading {
    struct arena *a;
    const struct schedule_of *of;
    struct schedule *to;
    struct strs scripts;
    struct strs units; /* "SERVICE\037command" */
    struct strs zones; /* "NAME HEX" */
    bool knows_cron_tz;
    size_t lines; /* of times, so far */
};

static const char *cut_line(struct arena *a, const char **at)
{
    size_t len = strcspn(*at, "\n");
    const char *line = arena_strndup(a, *at, len);

    *at += len + ((*at)[len] == '\n');
    return line;
}

static const char *value_of(const char *line, const char *key)
{
    size_t len = strlen(key);

    return strncmp(line, key, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

static bool read_seconds(const char *s, long long *ret)
{
    return number_read(s, NUMBER_UNIX_MAX, ret);
}

static void note(struct reading *rd, const char *text)
{
    if (rd->to->notes.n < NOTES_MAX && !strs_has(&rd->to->notes, text))
        strs_add(rd->a, &rd->to->notes, text);
}

static struct zone *read_zone(struct arena *a, const char *hex)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t n = strlen(hex) / 2;
    unsigned char *bytes = arena_alloc(a, n + 1);

    for (size_t i = 0; i < n; i++) {
        const char *high = strchr(DIGITS, tolower((unsigned char)hex[2 * i]));
        const char *low = strchr(DIGITS, tolower((unsigned char)hex[2 * i + 1]));
        if (!high || !low)
            return NULL;
        bytes[i] = (unsigned char)((high - DIGITS) * 16 + (low - DIGITS));
    }
    return zone_read(a, bytes, n);
}

/* "+0530" */
static bool read_offset(const char *s, long *ret)
{
    long long n;

    if ((*s != '+' && *s != '-') || strlen(s) != 5 || !number_read(s + 1, 9999, &n))
        return false;
    *ret = (*s == '-' ? -1 : 1) * (n / 100 * 3600 + n % 100 * 60);
    return true;
}

/* Its rules; else its present offset.  A host without /etc/localtime has UTC. */
static const struct zone *zone_of_host(struct reading *rd, const char *hex, const char *offset)
{
    struct zone *zone = hex && *hex ? read_zone(rd->a, hex) : NULL;
    long seconds;

    if (zone)
        return zone;
    if (!offset || !read_offset(offset, &seconds)) {
        note(rd, "the zone of the host's clock is not known: times of crontabs are taken for UTC");
        return zone_fixed(rd->a, 0);
    }
    if (seconds || (hex && *hex))
        note(rd, arena_printf(
                     rd->a,
                     "the rules of the host's time zone could not be read: times of crontabs are by"
                     " its present offset %s, and may be an hour off after the clocks change",
                     offset));
    return zone_fixed(rd->a, seconds);
}

static bool add_start(struct reading *rd, long long t, const char *command, const char *source,
                      enum blocks blocks)
{
    if (t < 0 || rd->to->n == STARTS_MAX)
        return false;
    rd->to->v[rd->to->n++] = (struct start){.unix_s = t,
                                            .command = schedule_shown(rd->a, command),
                                            .source = text_shown(rd->a, source),
                                            .blocks = blocks};
    return true;
}

/* Of the start that was added last. */
static void add_text(struct reading *rd, const char *settings, const char *command)
{
    if (*command)
        rd->to->v[rd->to->n - 1].text =
            arena_printf(rd->a, "%s%s", settings ? settings : "", command);
}

/* What a crontab sets for the commands below it; its shell, mail and zone are cron's business. */
static void keep_setting(struct reading *rd, struct source *src, const struct cron_line *l)
{
    static const char *const not_kept[] = {"SHELL",   "MAILTO", "MAILFROM", "CRON_TZ",
                                           "LOGNAME", "USER",   NULL};
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strlen(l->name);

    if (is_one_of(l->name, len, not_kept) || !len || strspn(l->name, LETTERS) != len ||
        (*l->name >= '0' && *l->name <= '9'))
        return;
    struct buf b = buf_make(SETTINGS_MAX);
    if (src->settings)
        buf_puts(&b, src->settings);
    buf_puts(&b, "export ");
    quote_assign(&b, l->name, l->value);
    if (!b.full)
        src->settings = arena_strndup(rd->a, b.text, b.len);
    buf_free(&b);
}

static void set_zone(struct reading *rd, struct source *src, const struct cron_line *l)
{
    if (strcmp(l->name, "CRON_TZ") != 0)
        return;
    if (!rd->knows_cron_tz) {
        note(rd, arena_printf(
                     rd->a,
                     "%s sets CRON_TZ, which the cron of this host does not know: its times are"
                     " the host's",
                     text_shown(rd->a, src->name)));
        return;
    }
    src->zone_problem = NULL;
    for (size_t i = 0; i < rd->zones.n; i++) {
        const char *hex = value_of(rd->zones.v[i], l->value);
        const struct zone *zone = hex && *l->value ? read_zone(rd->a, hex) : NULL;
        if (zone) {
            src->zone = zone;
            return;
        }
    }
    src->zone = rd->to->zone;
    src->zone_problem =
        arena_printf(rd->a,
                     "%s: CRON_TZ=%s is a zone that could not be read: its times are taken for"
                     " the host's",
                     text_shown(rd->a, src->name), text_shown(rd->a, l->value));
}

static void take_table_line(struct reading *rd, struct source *src, const char *text)
{
    struct cron_line l;
    enum blocks blocks;

    switch (cron_parse(rd->a, text, strcmp(src->form, "system") == 0, &l)) {
    case CRON_NOTHING:
        return;
    case CRON_SETTING:
        keep_setting(rd, src, &l);
        set_zone(rd, src, &l);
        return;
    case CRON_WRONG:
        if (schedule_is_backup(rd->of->adapter, text, &rd->scripts, &blocks) ||
            strstr(text, rd->of->adapter == ADAPTER_MYSQL ? "dump" : "pg_dump"))
            note(rd, arena_printf(rd->a, "%s has a line that is not understood: %s",
                                  text_shown(rd->a, src->name), schedule_shown(rd->a, text)));
        return;
    case CRON_COMMAND:
        if (!schedule_is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks))
            return;
        if (src->zone_problem)
            note(rd, src->zone_problem);
        if (add_start(rd, cron_next(&l, src->zone, rd->to->now_unix - rd->of->back_s), l.command,
                      src->name, blocks) &&
            strcmp(src->form, "own") == 0 && !l.cut)
            add_text(rd, src->settings, l.command);
        return;
    }
}

/* "Mon 2026-11-23 00:00:00 UTC ..." */
static bool read_time(const char *s, long long *ret)
{
    static const struct {
        size_t at;
        size_t len;
        long long max;
    } parts[] = {{4, 4, 9999}, {9, 2, 12}, {12, 2, 31}, {15, 2, 23}, {18, 2, 59}, {21, 2, 59}};
    static const char form[] = "aaa 0000-00-00 00:00:00 UTC";
    long long v[6];

    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'a'   ? !isalpha((unsigned char)s[i])
            : form[i] == '0' ? !isdigit((unsigned char)s[i])
                             : s[i] != form[i])
            return false;
    for (size_t i = 0; i < 6; i++)
        if (!number_part(s + parts[i].at, parts[i].len, parts[i].max, &v[i]))
            return false;
    if ((s[27] && s[27] != ' ') || v[0] < 1970 || v[1] < 1 || v[2] < 1)
        return false;
    *ret = zone_days(v[0], (int)v[1], (int)v[2]) * DAY + v[3] * 3600 + v[4] * 60 + v[5];
    return true;
}

/* Of a line of list-timers: the last start if it was back_s ago at most, else the next one. */
static bool timer_start(const struct reading *rd, const char *text, long long *ret)
{
    long long now = rd->to->now_unix;
    long long last;

    for (const char *s = strchr(text, ' '); s; s = strchr(s, ' ')) {
        s += strspn(s, " ");
        if (read_time(s, &last) && last <= now && now - last <= rd->of->back_s) {
            *ret = last;
            return rd->of->back_s > 0;
        }
    }
    if (!read_time(text, ret))
        return false;
    /* Due, and not begun: its AccuracySec, by default a minute, has not run out. */
    if (*ret <= now)
        *ret = now + 1;
    return true;
}

/* NEXT, LEFT, LAST, PASSED, UNIT, ACTIVATES; what there is not is "-", of older ones "n/a":
 * "Mon 2026-11-23 00:00:00 UTC 5h 3min left Sun 2026-11-22 00:00:00 UTC 18h ago x.timer x.service"
 */
static void take_timer_line(struct reading *rd, const struct source *src, const char *text)
{
    enum blocks blocks;
    long long t;
    const char *unit = text + strlen(text);

    while (unit > text && !isspace((unsigned char)unit[-1]))
        unit--;
    if (!timer_start(rd, text, &t))
        return;
    for (size_t i = 0; i < rd->units.n; i++) {
        const char *command = strchr(rd->units.v[i], '\037');
        size_t len = (size_t)(command - rd->units.v[i]);
        if (strlen(unit) != len || strncmp(unit, rd->units.v[i], len) != 0 ||
            !schedule_is_backup(rd->of->adapter, command + 1, &rd->scripts, &blocks))
            continue;
        add_start(rd, t, command + 1, src->name, blocks);
        return;
    }
}

/* "ExecStart={ path=/x ; argv[]=/x --all ; ignore_errors=no ; ..."; nothing is quoted there. */
static void take_unit_line(struct reading *rd, const char *text, const char **id)
{
    const char *argv = strstr(text, "argv[]=");

    if (strncmp(text, "Id=", 3) == 0) {
        *id = text + 3;
    } else if (strncmp(text, "ExecStart=", 10) == 0 && argv && *id && rd->units.n < SCRIPTS_MAX) {
        const char *end = strstr(argv, " ; ignore_errors=");
        argv += strlen("argv[]=");
        strs_add(rd->a, &rd->units,
                 arena_printf(rd->a, "%s\037%.*s", *id, end ? (int)(end - argv) : (int)strlen(argv),
                              argv));
    }
}

static void take_source(struct reading *rd, const char *text, struct source *src)
{
    const char *form = strchr(text, ' ');
    const char *name = form ? strchr(form + 1, ' ') : NULL;

    *src = (struct source){.form = "", .name = "", .zone = rd->to->zone};
    if (!name)
        return;
    src->form = arena_strndup(rd->a, form + 1, (size_t)(name - form - 1));
    src->name = name + 1;
    if (strncmp(text, "read ", 5) == 0)
        strs_add(rd->a, &rd->to->sources, text_shown(rd->a, src->name));
}

/* What the lines of times refer to comes after them in the answer. */
static void read_first(struct reading *rd)
{
    const char *hex = NULL;
    const char *offset = NULL;
    const char *id = NULL;
    long long seconds;

    for (const char *at = rd->of->answer; *at;) {
        const char *line = cut_line(rd->a, &at);
        const char *v;
        if ((v = value_of(line, "now")) && read_seconds(v, &seconds))
            rd->to->now_unix = seconds;
        else if ((v = value_of(line, "offset")))
            offset = v;
        else if ((v = value_of(line, "zone")))
            hex = v;
        else if ((v = value_of(line, "cron_tz")))
            rd->knows_cron_tz = strcmp(v, "no") != 0;
        else if ((v = value_of(line, "migration")) && read_seconds(v, &seconds))
            rd->to->migration_s = seconds > rd->to->migration_s ? seconds : rd->to->migration_s;
        else if ((v = value_of(line, "script")) && rd->scripts.n < SCRIPTS_MAX)
            strs_add(rd->a, &rd->scripts, v);
        else if ((v = value_of(line, "tz")) && rd->zones.n < NOTES_MAX)
            strs_add(rd->a, &rd->zones, v);
        else if ((v = value_of(line, "unit")))
            take_unit_line(rd, v, &id);
    }
    rd->to->zone = zone_of_host(rd, hex, offset);
}

static void read_sources(struct reading *rd)
{
    struct source src = {.form = "", .name = "", .zone = rd->to->zone};

    for (const char *at = rd->of->answer; *at;) {
        const char *line = cut_line(rd->a, &at);
        const char *v;
        if ((v = value_of(line, "source")))
            take_source(rd, v, &src);
        else if ((v = value_of(line, "why")) && rd->to->unread.n < NOTES_MAX)
            strs_add(
                rd->a, &rd->to->unread,
                arena_printf(rd->a, "%s: %s", text_shown(rd->a, src.name), text_shown(rd->a, v)));
        else if (!(v = value_of(line, "line")) || ++rd->lines > LINES_MAX)
            continue;
        else if (strcmp(src.form, "timers") == 0)
            take_timer_line(rd, &src, v);
        else
            take_table_line(rd, &src, v);
    }
}

static void read_given(struct reading *rd)
{
    for (size_t i = 0; rd->of->given && i < rd->of->given->n; i++) {
        struct cron_line l;
        enum blocks blocks;
        if (cron_parse(rd->a, rd->of->given->v[i], false, &l) != CRON_COMMAND)
            continue;
        /* Who wrote it there says that it is one. */
        if (!schedule_is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks) ||
            blocks == BLOCKS_MAYBE)
            blocks = BLOCKS_YES;
        if (add_start(rd, cron_next(&l, rd->to->zone, rd->to->now_unix - rd->of->back_s),
                      *l.command ? l.command : "a backup", "the recipe", blocks) &&
            !l.cut)
            add_text(rd, NULL, l.command);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct start *x = a;
    const struct start *y = b;

    if (x->unix_s != y->unix_s)
        return x->unix_s < y->unix_s ? -1 : 1;
    return strcmp(x->command, y->command);
}

bool schedule_parse(struct arena *a, const struct schedule_of *of, struct schedule *ret,
                    struct err *err)
{
    struct reading rd = {.a = a, .of = of, .to = ret, .knows_cron_tz = true};

    *ret = (struct schedule){.migration_s = -1, .now_unix = -1};
    ret->v = arena_array(a, STARTS_MAX, sizeof *ret->v);
    read_first(&rd);
    if (ret->now_unix < 0 || !strstr(of->answer, "\nend schedule\n"))
        return err_set(err, ERR_FAILED, "the answer about the next backups is not whole");
    read_sources(&rd);
    read_given(&rd);
    bool looked = ret->sources.n || (of->given && of->given->n) || (of->read_all && !ret->unread.n);
    if (!looked)
        ret->why = ret->unread.n ? ret->unread.v[0] : "the recipe says not to (backup.schedule)";
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, by_time);
    return true;
}

const struct start *schedule_soon(const struct schedule *s, long long within_s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].blocks != BLOCKS_NO && s->v[i].unix_s - s->now_unix <= within_s)
            return &s->v[i];
    return NULL;
}

const char *schedule_clock(struct arena *a, const struct schedule *s, long long t)
{
    long long local = t + zone_offset(s->zone, t);
    long long year;
    int month;
    int day;

    zone_date(local / DAY, &year, &month, &day);
    const char *clock =
        arena_printf(a, "%02d:%02d", (int)(local % DAY / 3600), (int)(local % 3600 / 60));
    return t - s->now_unix < DAY ? clock
                                 : arena_printf(a, "%04lld-%02d-%02d %s", year, month, day, clock);
}
