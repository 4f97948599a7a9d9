/* script.h -- the values and files that a host is sent to run one of the user's commands.
 *
 * Every value is sent as a quoted assignment.  The recipe's variables may have any name, so they
 * are sent as one text that only the command's own shell evaluates; crelease's own variables are a
 * second text. */
#ifndef CRELEASE_JOB_SCRIPT_H
#define CRELEASE_JOB_SCRIPT_H

#include "core/job/jobs.h"

/* The function run_command, for scripts that set the values of job_command_values.  The command
 * ends with its connection. */
extern const char script_command[];

/* "NAME=VALUE\n" as shell text. */
void variable_assign(struct buf *b, const struct variable *v);

/* Exports crelease's own variables and the recipe's, for a script that runs a client itself.  What
 * the script assigns must come after them, because they may have any name. */
void job_environment(const struct run *r, size_t host, struct buf *b);

/* Assigns command, environment and own_environment.  extra_env, or NULL, is shell text that is
 * added after the recipe's variables. */
void job_command_values(const struct run *r, size_t host, const char *command,
                        const char *extra_env, struct buf *b);

/* Assigns the texts of the files that job.sh writes into the folder of an attempt; watch is the
 * call's, or NULL. */
void job_file_values(const char *watch, struct buf *b);

/* Appends job.sh after its values. */
void job_put(struct buf *b);

/* The whole script for the host at `i` of the call; NULL, with err set, when it is too long to be
 * sent. */
const char *job_script(struct run *r, const struct job_call *call, size_t i, const char *verb,
                       struct err *err);

#endif
