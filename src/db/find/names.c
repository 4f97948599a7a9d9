/* names.c -- finds the names of several databases (names.h).  Called by the commands, after the survey of the hosts
 * and before the plan is made, since each database has steps of its own.  Relies on names.sh and names.rb. */
#include "db/find/names.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/job/script.h"
#include "core/trip.h"

EMBED(script_names, "db/find/names.sh");
EMBED(names_text, "db/find/names.rb");

enum { NAMES_MS = 60000 };

struct strs database_names(struct run *r, size_t host)
{
    static const char key[] = "crelease-name ";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    struct strs names = {0};

    job_command_values(r, host, "", NULL, &b);
    quote_assign(&b, "names_text", names_text);
    quote_assign(&b, "yml", r->database_yml ? r->database_yml : "");
    quote_assign(&b, "files_umask", "");
    struct reply reply = run_look(
        r, host, &b, arena_printf(r->arena, "%s%s", script_command, script_names), NAMES_MS);
    for (const char *at = reply.out; at && *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, key, sizeof key - 1) == 0 && names.n <= DATABASES_MAX)
            strs_add(
                r->arena, &names,
                arena_strndup(r->arena, at + sizeof key - 1, strcspn(at, "\n") - (sizeof key - 1)));
    return names;
}
