/* ssh_program.h -- fetches over the ssh program instead of libgit2's own SSH, so that the user's
 * configuration, keys and jump hosts apply.
 *
 *     struct ssh_program ssh = {.arguments = options->ssh, .url = &url, .arena = arena};
 *     callbacks.transport = ssh_program_transport; callbacks.payload = ... (see fetch.c)
 *
 * Blocks; for the child process of fetch_child.h. */
#ifndef CRELEASE_GIT_SSH_PROGRAM_H
#define CRELEASE_GIT_SSH_PROGRAM_H

#include "git/internal.h"

struct ssh_program {
    const struct strs *arguments; /* before the destination */
    bool no_agent;                /* that of SSH_AUTH_SOCK is not used */
    const struct url *url;
    struct arena *arena; /* for `said` */
    const char *said;    /* what ssh and the server printed, when the transfer failed; else NULL */
};

/* Sets *ret to a transport of libgit2 over this program, which must outlive the remote.  Returns
 * libgit2's values. */
int ssh_program_transport(git_transport **ret, git_remote *remote, struct ssh_program *ssh);

#endif
