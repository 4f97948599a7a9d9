/* fetch_child.h -- runs a fetch in a child process.
 *
 * libgit2 blocks without a limit in calls of the network and of the agent, and does not notice
 * signals meanwhile.  The child does that waiting and is killed if the fetch has to end.  Questions
 * to the user and progress go through the parent.  The next fetch removes what a killed one leaves
 * in a mirror, as after any crash. */
#ifndef CRELEASE_REPO_CHILD_H
#define CRELEASE_REPO_CHILD_H

#include "git/internal.h"

/* The work.  It runs in the child; the functions in its options are relayed to the parent's. */
typedef bool repo_work(void *arg, const struct repo_options *options, struct err *err);

/* Runs the work and waits for it.  On failure err has the child's error, or ERR_INTERRUPTED if
 * options->stop returned true. */
bool repo_in_child(repo_work *work, void *arg, const struct repo_options *options,
                   struct err *err) MUST_CHECK;

#endif
