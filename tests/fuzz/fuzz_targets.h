/* fuzz_targets.h -- the names of all targets, by the file that has them. */
#ifndef CRELEASE_FUZZ_TARGETS_H
#define CRELEASE_FUZZ_TARGETS_H

#include "fuzz.h"

/* recipe.c and command.c, ssh.c, git.c, host.c, time.c, database.c, text.c */
#define OF_RECIPE(X) X(recipe) X(yaml) X(capistrano) X(options) X(ci) X(command)
#define OF_SSH(X)                                                                                  \
    X(known_hosts) X(key) X(host_key) X(ssh_config) X(ssh_target) X(login_data) X(agent)
#define OF_GIT(X)  X(url) X(gitmodules) X(attributes) X(lfs) X(subst) X(tar)
#define OF_HOST(X) X(site) X(plan) X(job) X(session) X(greeting) X(chain) X(trip)
#define OF_TIME(X) X(cron) X(zone) X(window) X(schedule) X(estimate)
#define OF_DATABASE(X)                                                                             \
    X(look)                                                                                        \
    X(found) X(blockers) X(leftovers) X(orphans) X(pending) X(progress) X(sampled) X(stopped)
#define OF_TEXT(X) X(text) X(json) X(excerpt) X(output) X(report) X(notice)
#define TARGETS(X) OF_RECIPE(X) OF_SSH(X) OF_GIT(X) OF_HOST(X) OF_TIME(X) OF_DATABASE(X) OF_TEXT(X)

#define X(name) void fuzz_##name(const struct input *in);
TARGETS(X)
#undef X

#endif
