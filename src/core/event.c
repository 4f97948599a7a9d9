/* event.c -- the words of the enums in event.h.  Used by the terminal, the JSON output and the
 * marks. */
#include "core/event.h"

const char *const event_kind_words[EVENT_KINDS] = {
    [EVENT_RUN] = "run",       [EVENT_STAGE] = "stage",     [EVENT_JOB] = "job",
    [EVENT_BACKUP] = "backup", [EVENT_OUTPUT] = "output",   [EVENT_WARNING] = "warning",
    [EVENT_END] = "end",       [EVENT_BLOCKER] = "blocker",
};

const char *const event_state_words[EVENT_STATES] = {
    [EVENT_NONE] = NULL,         [EVENT_BEGUN] = "begun",     [EVENT_DONE] = "done",
    [EVENT_SKIPPED] = "skipped", [EVENT_WAITING] = "waiting", [EVENT_FAILED] = "failed",
    [EVENT_UNDONE] = "undone",
};
