/* crontabs.c -- finds the backups in the lines of crontabs, with the settings and time zones that
 * apply to them.  Called by schedule.c for each line.  forecast/cron.h parses a line and computes
 * its next time; commands.c decides whether it is a backup. */

#include "stages/backup/crontabs.h"

#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "forecast/cron.h"

#include <ctype.h>
#include <string.h>

enum { ZONE_BYTES_MAX = 64 * 1024 };

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

/* Reads an offset like "+0530". */
static bool read_offset(const char *s, long *ret)
{
    long long n;

    if ((*s != '+' && *s != '-') || strlen(s) != 5 || !number_read(s + 1, 9999, &n))
        return false;
    *ret = (*s == '-' ? -1 : 1) * (n / 100 * 3600 + n % 100 * 60);
    return true;
}

/* The host's time zone rules, or else its present offset.  A host without /etc/localtime uses
 * UTC. */
const struct zone *crontabs_zone(struct reading *rd, const char *hex, const char *offset)
{
    struct zone *zone = hex && *hex ? read_zone(rd->a, hex) : NULL;
    long seconds;

    if (zone)
        return zone;
    if (!offset || !read_offset(offset, &seconds)) {
        reading_note(rd, "the host's time zone is unknown: crontab times are read as UTC");
        return zone_fixed(rd->a, 0);
    }
    if (seconds || (hex && *hex))
        reading_note(
            rd, arena_printf(rd->a,
                             "cannot read the rules of the host's time zone: crontab times use its "
                             "current offset %s and may be an hour off after the clocks change",
                             offset));
    return zone_fixed(rd->a, seconds);
}

/* Keeps a crontab setting that applies to the commands below it.  Settings such as SHELL, MAILTO
 * and CRON_TZ concern only cron. */
static void keep_setting(struct source *src, const struct cron_line *l)
{
    static const char *const not_kept[] = {"SHELL",   "MAILTO", "MAILFROM", "CRON_TZ",
                                           "LOGNAME", "USER",   NULL};
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strlen(l->name);

    if (word_is_one_of(l->name, len, not_kept) || !len || strspn(l->name, LETTERS) != len ||
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
        reading_note(
            rd, arena_printf(rd->a,
                             "%s sets CRON_TZ, which the cron of this host does not support: its "
                             "times are read in the host's time zone",
                             text_shown(rd->a, src->name)));
        return;
    }
    src->zone_problem = NULL;
    for (size_t i = 0; i < rd->n_zones; i++) {
        struct named_zone *named = &rd->zones[i];
        const char *hex = *l->value ? reading_value(named->row, l->value) : NULL;
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
                     "%s: cannot read the time zone CRON_TZ=%s: its times are read in the "
                     "host's time zone",
                     text_shown(rd->a, src->name), text_shown(rd->a, l->value));
}

void crontabs_take(struct reading *rd, struct source *src, const char *text)
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
        if (command_is_backup(rd->of->adapter, text, &rd->scripts, &blocks) ||
            strstr(text, rd->of->adapter == ADAPTER_MYSQL ? "dump" : "pg_dump"))
            reading_note(rd,
                         arena_printf(rd->a, "%s has a line that cannot be parsed: %s",
                                      text_shown(rd->a, src->name), command_shown(rd->a, text)));
        return;
    case CRON_COMMAND:
        if (!command_is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks))
            return;
        if (src->zone_problem)
            reading_note(rd, src->zone_problem);
        if (reading_add_start(rd, cron_next(&l, src->zone, rd->to->now_unix - rd->of->back_s),
                              l.command, src->name, blocks) &&
            strcmp(src->form, "own") == 0 && !l.cut)
            reading_add_text(rd, &src->settings, l.command);
        return;
    }
}

void crontabs_take_given(struct reading *rd)
{
    for (size_t i = 0; rd->of->given && i < rd->of->given->n; i++) {
        struct cron_line l;
        enum blocks blocks;
        if (cron_parse(rd->a, rd->of->given->v[i], false, &l) != CRON_COMMAND)
            continue;
        /* Lines in the recipe are backups by definition. */
        if (!command_is_backup(rd->of->adapter, l.command, &rd->scripts, &blocks) ||
            blocks == BLOCKS_MAYBE)
            blocks = BLOCKS_YES;
        if (reading_add_start(rd, cron_next(&l, rd->to->zone, rd->to->now_unix - rd->of->back_s),
                              *l.command ? l.command : "a backup", "the recipe", blocks) &&
            !l.cut)
            reading_add_text(rd, NULL, l.command);
    }
}
