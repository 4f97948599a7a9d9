/* repo_child.h -- a fetch in a process of its own.
 *
 * libgit2 waits in its own calls of the network and of the agent, without a limit, and hears no
 * signal meanwhile.  So it waits in a child, which is killed when the fetch is to end; what is
 * asked of a person or told to one goes through the parent.  What a killed fetch leaves in a mirror
 * is removed by the next one, as after any crash. */
#ifndef CRELEASE_REPO_CHILD_H
#define CRELEASE_REPO_CHILD_H

#include "git/internal.h"

/* Runs in the child, with the options' functions leading to the parent's. */
typedef bool repo_work(void *arg, const struct repo_options *options, struct err *err);

/* True when the work is done; its error becomes err's.  INTERRUPTED when options->stop said so. */
bool repo_in_child(repo_work *work, void *arg, const struct repo_options *options,
                   struct err *err) MUST_CHECK;

#endif
