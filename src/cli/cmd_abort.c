/* cmd_abort.c -- 'crelease abort': gives up the unfinished run. */
#include "cli/cmd.h"

bool cmd_abort(struct session *s, struct err *err)
{
    bool none;

    if (!unfinished_open(s, true, &none, err))
        return false;
    if (none)
        return session_nothing(s, err);
    return session_back(s, err);
}
