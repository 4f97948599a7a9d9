/* reading.c -- adds to the schedule that is being read: starts, notes, and what could not be read.
 * Called by schedule.c, crontabs.c and timers.c.  Keeps every list within its limit. */

#include "stages/backup/reading.h"

#include "base/text.h"

#include <string.h>

const char *reading_value(const char *line, const char *key)
{
    size_t len = strlen(key);

    return strncmp(line, key, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

void reading_leave_out(struct reading *rd, const char *where, const char *why)
{
    const char *text = arena_printf(rd->a, "%s: %s", text_shown(rd->a, where), why);

    if (rd->to->unread.n < NOTES_MAX && !strs_has(&rd->to->unread, text))
        strs_add(rd->a, &rd->to->unread, text);
}

void reading_note(struct reading *rd, const char *text)
{
    if (rd->to->notes.n < NOTES_MAX && !strs_has(&rd->to->notes, text))
        strs_add(rd->a, &rd->to->notes, text);
}

bool reading_add_start(struct reading *rd, long long t, const char *command, const char *source,
                       enum blocks blocks)
{
    if (t < 0)
        return false;
    if (rd->to->n == STARTS_MAX) {
        reading_leave_out(rd, source, "too many backups, the rest is ignored");
        return false;
    }
    rd->to->v[rd->to->n++] = (struct start){.unix_s = t,
                                            .command = command_shown(rd->a, command),
                                            .source = text_shown(rd->a, source),
                                            .blocks = blocks};
    return true;
}

void reading_add_text(struct reading *rd, const struct buf *settings, const char *command)
{
    if (*command && !(settings && settings->full))
        rd->to->v[rd->to->n - 1].text =
            arena_printf(rd->a, "%s%s", settings ? settings->text : "", command);
}
