/* cmd_abort.c -- 'crelease abort': gives up the unfinished run. */
#include "cli/cmd.h"

bool cmd_abort(struct session *s, struct err *err)
{
    const char *nothing;

    if (!unfinished_open(s, true, &nothing, err))
        return false;
    if (nothing)
        return session_end(s, nothing, err);
    return session_back(s, err);
}
