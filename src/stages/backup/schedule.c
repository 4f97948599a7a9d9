/* schedule.c -- reads the answer of upcoming.sh as a whole: the facts about the host first, then the
 * lines of each source.  Called by upcoming.c.  The answer is untrusted: every number of lines and every
 * length has a limit, and what exceeds it is reported as unread. */

#include "stages/backup/schedule.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "stages/backup/commands.h"
#include "stages/backup/crontabs.h"
#include "stages/backup/reading.h"
#include "stages/backup/timers.h"

#include <stdlib.h>
#include <string.h>

enum { SCRIPTS_MAX = 500, LINES_MAX = 5000, DAY = 86400, SETTINGS_MAX = 8192 };

bool schedule_is_backup(enum adapter adapter, const char *command, const struct strs *scripts,
                        enum blocks *ret)
{
    struct arena a = {0};
    struct scripts index = scripts_make(&a, scripts);
    bool is = command_is_backup(adapter, command, &index, ret);

    arena_free(&a);
    return is;
}

static const char *cut_line(struct arena *a, const char **at)
{
    size_t len = strcspn(*at, "\n");
    const char *line = arena_strndup(a, *at, len);

    *at += len + ((*at)[len] == '\n');
    return line;
}

static bool read_seconds(const char *s, long long *ret)
{
    return number_read(s, NUMBER_UNIX_MAX, ret);
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

/* First pass: reads what the lines of times refer to, because it comes after them in the answer. */
static void read_first(struct reading *rd)
{
    const char *hex = NULL;
    const char *offset = NULL;
    const char *id = NULL;
    long long seconds;

    for (const char *at = rd->of->answer; *at;) {
        const char *line = cut_line(rd->a, &at);
        const char *v;
        if ((v = reading_value(line, "now")) && read_seconds(v, &seconds))
            rd->to->now_unix = seconds;
        else if ((v = reading_value(line, "offset")))
            offset = v;
        else if ((v = reading_value(line, "zone")))
            hex = v;
        else if ((v = reading_value(line, "cron_tz")))
            rd->knows_cron_tz = strcmp(v, "no") != 0;
        else if ((v = reading_value(line, "migration")) && read_seconds(v, &seconds))
            rd->to->migration_s = seconds > rd->to->migration_s ? seconds : rd->to->migration_s;
        else if ((v = reading_value(line, "script")) && rd->rows.n < SCRIPTS_MAX)
            strs_add(rd->a, &rd->rows, v);
        else if (v)
            reading_leave_out(rd, "scripts", "too many, the rest is ignored");
        else if ((v = reading_value(line, "tz")) && rd->n_zones < NOTES_MAX)
            rd->zones[rd->n_zones++].row = v;
        else if ((v = reading_value(line, "unit")))
            timers_take_unit(rd, v, &id);
    }
    rd->scripts = scripts_make(rd->a, &rd->rows);
    rd->to->zone = crontabs_zone(rd, hex, offset);
}

static void read_sources(struct reading *rd)
{
    struct source src = {
        .form = "", .name = "", .zone = rd->to->zone, .settings = buf_make(SETTINGS_MAX)};

    for (const char *at = rd->of->answer; *at;) {
        const char *line = cut_line(rd->a, &at);
        const char *v;
        if ((v = reading_value(line, "source")))
            take_source(rd, v, &src);
        else if ((v = reading_value(line, "why")) && rd->to->unread.n < NOTES_MAX)
            strs_add(
                rd->a, &rd->to->unread,
                arena_printf(rd->a, "%s: %s", text_shown(rd->a, src.name), text_shown(rd->a, v)));
        else if (!(v = reading_value(line, "line")))
            continue;
        else if (++rd->lines > LINES_MAX) {
            if (!src.cut)
                reading_leave_out(rd, src.name, "too many lines, the rest is ignored");
            src.cut = true;
        } else if (strlen(v) > LINE_BYTES_MAX)
            reading_leave_out(rd, src.name, "a line is too long and is ignored");
        else if (strcmp(src.form, "timers") == 0)
            timers_take(rd, &src, v);
        else
            crontabs_take(rd, &src, v);
    }
    buf_free(&src.settings);
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
        return err_set(err, ERR_FAILED, "the answer about upcoming backups is incomplete");
    read_sources(&rd);
    crontabs_take_given(&rd);
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
