#include "stages/backup/schedule.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "forecast/cron.h"
#include "base/passwords.h"

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
    UNITS_MAX = 500,
    ZONE_BYTES_MAX = 64 * 1024,
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
        if (((name[i] | 0x20) == 'b' && len - i >= 6 && strncasecmp(name + i, "backup", 6) == 0) ||
            ((name[i] | 0x20) == 'd' && len - i >= 4 && strncasecmp(name + i, "dump", 4) == 0))
            return true;
    return false;
}

/* ---- scripts ---- */

/* The kinds of words of which a script, too, may be. */
static const char *const kinds[] = {"pg_dump", "mysqldump", "xtrabackup", "other", NULL};

/* A word that names a file, with what schedule.sh found in it; it may be of several kinds. */
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

static struct scripts scripts_of(struct arena *a, const struct strs *rows)
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

/* NULL when the word names no file. */
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

/* ---- words ---- */

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

static bool is_backup(enum adapter adapter, const char *command, const struct scripts *scripts,
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
            if (!is_one_of(name, name_len, programs[i]) && !(found && found->kinds >> i & 1))
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

bool schedule_is_backup(enum adapter adapter, const char *command, const struct strs *scripts,
                        enum blocks *ret)
{
    struct arena a = {0};
    struct scripts index = scripts_of(&a, scripts);
    bool is = is_backup(adapter, command, &index, ret);

    arena_free(&a);
    return is;
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
    bool cut;            /* of its lines not all were read */
    struct buf settings; /* shell text; full: there are more, and no command is whole without */
};

/* A service of a timer. */
struct unit {
    const char *id;
    const char *command;
    bool asked;
    bool is; /* a backup, */
    enum blocks blocks;
};

/* A zone that a crontab may name. */
struct named_zone {
    const char *row; /* "NAME HEX" */
    const struct zone *zone;
    bool asked;
};

struct reading {
    struct arena *a;
    const struct schedule_of *of;
    struct schedule *to;
    struct strs rows; /* of scripts: "KIND WORD" */
    struct scripts scripts;
    struct unit *units;
    size_t n_units;
    struct named_zone zones[NOTES_MAX];
    size_t n_zones;
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

/* What was left out may hold a backup: never in silence. */
static void leave_out(struct reading *rd, const char *where, const char *why)
{
    const char *text = arena_printf(rd->a, "%s: %s", text_shown(rd->a, where), why);

    if (rd->to->unread.n < NOTES_MAX && !strs_has(&rd->to->unread, text))
        strs_add(rd->a, &rd->to->unread, text);
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

    if (n > ZONE_BYTES_MAX)
        return NULL;
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
    if (t < 0)
        return false;
    if (rd->to->n == STARTS_MAX) {
        leave_out(rd, source, "there are more backups than can be looked at");
        return false;
    }
    rd->to->v[rd->to->n++] = (struct start){.unix_s = t,
                                            .command = schedule_shown(rd->a, command),
                                            .source = text_shown(rd->a, source),
                                            .blocks = blocks};
    return true;
}

/* Of the start that was added last. */
static void add_text(struct reading *rd, const struct buf *settings, const char *command)
{
    if (*command && !(settings && settings->full))
        rd->to->v[rd->to->n - 1].text =
            arena_printf(rd->a, "%s%s", settings ? settings->text : "", command);
}

/* What a crontab sets for the commands below it; its shell, mail and zone are cron's business. */
static void keep_setting(struct source *src, const struct cron_line *l)
{
    static const char *const not_kept[] = {"SHELL",   "MAILTO", "MAILFROM", "CRON_TZ",
                                           "LOGNAME", "USER",   NULL};
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strlen(l->name);

    if (is_one_of(l->name, len, not_kept) || !len || strspn(l->name, LETTERS) != len ||
        (*l->name >= '0' && *l->name <= '9'))
        return;
    size_t whole = src->settings.len;
    buf_puts(&src->settings, "export ");
    quote_assign(&src->settings, l->name, l->value);
    if (src->settings.full && src->settings.len > whole)
        src->settings.text[src->settings.len = whole] = '\0';
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
    for (size_t i = 0; i < rd->n_zones; i++) {
        struct named_zone *named = &rd->zones[i];
        const char *hex = *l->value ? value_of(named->row, l->value) : NULL;
        if (hex && !named->asked)
            named->zone = read_zone(rd->a, hex);
        named->asked = named->asked || hex;
        if (hex && named->zone) {
            src->zone = named->zone;
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
        keep_setting(src, &l);
        set_zone(rd, src, &l);
        return;
    case CRON_WRONG:
        if (is_backup(rd->of->adapter, text, &rd->scripts, &blocks) ||
            strstr(text, rd->of->adapter == ADAPTER_MYSQL ? "dump" : "pg_dump"))
            note(rd, arena_printf(rd->a, "%s has a line that is not understood: %s",
                                  text_shown(rd->a, src->name), schedule_shown(rd->a, text)));
        return;
    case CRON_COMMAND:
        if (!is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks))
            return;
        if (src->zone_problem)
            note(rd, src->zone_problem);
        if (add_start(rd, cron_next(&l, src->zone, rd->to->now_unix - rd->of->back_s), l.command,
                      src->name, blocks) &&
            strcmp(src->form, "own") == 0 && !l.cut)
            add_text(rd, &src->settings, l.command);
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
    long long t;
    const char *unit = text + strlen(text);

    while (unit > text && !isspace((unsigned char)unit[-1]))
        unit--;
    if (!timer_start(rd, text, &t))
        return;
    for (size_t i = 0; i < rd->n_units; i++) {
        struct unit *u = &rd->units[i];
        if (strcmp(unit, u->id) != 0)
            continue;
        if (!u->asked)
            u->is = is_backup(rd->of->adapter, u->command, &rd->scripts, &u->blocks);
        u->asked = true;
        if (!u->is)
            continue;
        add_start(rd, t, u->command, src->name, u->blocks);
        return;
    }
}

/* "ExecStart={ path=/x ; argv[]=/x --all ; ignore_errors=no ; ..."; nothing is quoted there. */
static void take_unit_line(struct reading *rd, const char *text, const char **id)
{
    const char *argv = strstr(text, "argv[]=");

    if (strncmp(text, "Id=", 3) == 0) {
        *id = text + 3;
    } else if (strncmp(text, "ExecStart=", 10) == 0 && argv && *id) {
        const char *end = strstr(argv, " ; ignore_errors=");
        argv += strlen("argv[]=");
        size_t len = end && end > argv ? (size_t)(end - argv) : strlen(argv);
        if (rd->n_units == UNITS_MAX || len > LINE_BYTES_MAX || strlen(*id) > LINE_BYTES_MAX)
            leave_out(rd, "systemd's timers", "there is more of their services than can be read");
        else
            rd->units[rd->n_units++] =
                (struct unit){.id = *id, .command = arena_strndup(rd->a, argv, len)};
    }
}

static void take_source(struct reading *rd, const char *text, struct source *src)
{
    const char *form = strchr(text, ' ');
    const char *name = form ? strchr(form + 1, ' ') : NULL;

    buf_free(&src->settings);
    *src = (struct source){
        .form = "", .name = "", .zone = rd->to->zone, .settings = buf_make(SETTINGS_MAX)};
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
        else if ((v = value_of(line, "script")) && rd->rows.n < SCRIPTS_MAX)
            strs_add(rd->a, &rd->rows, v);
        else if (v)
            leave_out(rd, "scripts", "there are more than can be looked at");
        else if ((v = value_of(line, "tz")) && rd->n_zones < NOTES_MAX)
            rd->zones[rd->n_zones++].row = v;
        else if ((v = value_of(line, "unit")))
            take_unit_line(rd, v, &id);
    }
    rd->scripts = scripts_of(rd->a, &rd->rows);
    rd->to->zone = zone_of_host(rd, hex, offset);
}

static void read_sources(struct reading *rd)
{
    struct source src = {
        .form = "", .name = "", .zone = rd->to->zone, .settings = buf_make(SETTINGS_MAX)};

    for (const char *at = rd->of->answer; *at;) {
        const char *line = cut_line(rd->a, &at);
        const char *v;
        if ((v = value_of(line, "source")))
            take_source(rd, v, &src);
        else if ((v = value_of(line, "why")) && rd->to->unread.n < NOTES_MAX)
            strs_add(
                rd->a, &rd->to->unread,
                arena_printf(rd->a, "%s: %s", text_shown(rd->a, src.name), text_shown(rd->a, v)));
        else if (!(v = value_of(line, "line")))
            continue;
        else if (++rd->lines > LINES_MAX) {
            if (!src.cut)
                leave_out(rd, src.name, "there are more lines than can be read");
            src.cut = true;
        } else if (strlen(v) > LINE_BYTES_MAX)
            leave_out(rd, src.name, "a line is longer than can be read");
        else if (strcmp(src.form, "timers") == 0)
            take_timer_line(rd, &src, v);
        else
            take_table_line(rd, &src, v);
    }
    buf_free(&src.settings);
}

static void read_given(struct reading *rd)
{
    for (size_t i = 0; rd->of->given && i < rd->of->given->n; i++) {
        struct cron_line l;
        enum blocks blocks;
        if (cron_parse(rd->a, rd->of->given->v[i], false, &l) != CRON_COMMAND)
            continue;
        /* Who wrote it there says that it is one. */
        if (!is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks) || blocks == BLOCKS_MAYBE)
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
    rd.units = arena_array(a, UNITS_MAX, sizeof *rd.units);
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
