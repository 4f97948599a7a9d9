/* cmd.h -- a command: a row of the table in commands.c, and one function in a cmd_*.c. */
#ifndef CRELEASE_CMD_H
#define CRELEASE_CMD_H

#include "cli/opt.h"
#include "core/run.h"
#include "core/survey.h"
#include "edge/json.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "ui/ui.h"

/* Whether the command names an environment. */
enum env { ENV_NONE, ENV_NEEDED, ENV_OPTIONAL };

struct session;
typedef bool command_run(struct session *s, struct err *err);

struct command {
    const char *name;
    command_run *run;
    enum env env;
    unsigned takes;   /* options: OPT_... */
    size_t words_max; /* besides its name */
    bool streams;     /* tells events, also as JSON lines */
    const char *args; /* "ENV" */
    const char *about;
};

extern const struct command commands[];
const struct command *command_find(const char *name);

/* The command that was probably meant, NULL: none. */
const char *command_nearest(struct arena *a, const char *word);

/* One run of the program: options, and what was opened for the command. */
struct session {
    struct arena *arena;
    struct options options;
    const struct command *command;
    struct recipe *recipe;
    struct loop *loop;
    struct fleet *fleet;
    struct ui *ui;
    struct watcher watcher;
    struct run run;
    struct repo *repo;
    struct export export;
    bool export_open;
    struct repo_notes notes; /* on the revision that was resolved */
    int status;              /* of a command that was run in the place of this one; -1: none was */
    bool answered; /* --json: the one document of a command that tells no events was written */
    bool ended;    /* EVENT_END was told: the failure has been shown */
    long long began_ms;
};

/* Reads the recipe for the environment, applies --hosts and --roles; prints each mistake. */
bool session_recipe(struct session *s, const char *environment, struct err *err) MUST_CHECK;

/* The loop, the user interface and the fleet (no connection yet). */
void session_open(struct session *s);
void session_close(struct session *s);

/* --json, for a command that tells no events: writes the one document it has. */
void session_answer(struct session *s, const struct json *o);

/* Whether lines are drawn that live, on a terminal. */
bool session_draws(const struct session *s);

/* Whether the command tells events. */
bool session_streams(const struct session *s);

/* Another set of hosts, by name: those of a run.  Connections are made anew. */
bool session_narrow(struct session *s, const struct strs *names, struct err *err) MUST_CHECK;

/* Looks at the hosts.  False with the first that could not be seen. */
bool session_survey(struct session *s, bool tools, struct survey *ret, struct err *err) MUST_CHECK;

/* The run that holds the lock somewhere: its host, or -1.  Different runs on different hosts
 * are an error. */
bool session_holder(struct session *s, const struct survey *sv, long *ret_host,
                    struct err *err) MUST_CHECK;

/* The step of the unfinished run that was begun last: of all hosts the newest mark; NULL: none. */
const char *session_stage(const struct session *s, const struct survey *sv);

/* The last finished release before the live one that every host has and that none was rolled back
 * from; NULL: there is none. */
const char *release_before(struct session *s, const struct survey *sv);

/* unfinished.c: the run that the hosts hold. */

/* Its plan: FAILED when the hosts do not agree on it. */
bool unfinished_plan(struct session *s, const struct survey *sv, struct what *ret,
                     struct err *err) MUST_CHECK;

/* USAGE, with what differs and the ways on, when it was started with another recipe than the one at
 * hand, unless --new-recipe says to continue with that. */
bool unfinished_recipe(struct session *s, const struct survey *sv, const struct what *w,
                       struct err *err) MUST_CHECK;

/* Names of its hosts.  back: to give it up, which with --new-recipe is possible without those that
 * the recipe does not have any more. */
bool unfinished_hosts(struct session *s, const struct survey *sv, const struct what *w, bool back,
                      struct strs *ret, struct err *err) MUST_CHECK;

/* The next number of the lock: more than any host has, and none is far ahead of the others. */
bool unfinished_epoch(struct session *s, const struct survey *sv, const char *run, long *ret,
                      struct err *err) MUST_CHECK;

/* Once the plan of the run is the session's: whether to continue with its revision.  needed: some
 * host has not got it yet. */
bool unfinished_revision(struct session *s, const struct survey *sv, bool needed,
                         struct err *err) MUST_CHECK;

/* "crelease abort production && crelease deploy production": another run like the session's in its
 * place, of that ref. */
const char *unfinished_instead(struct session *s, const char *ref);

/* The repository and the revision of a ref; nothing is sent yet. */
bool session_resolve(struct session *s, const char *ref, struct revision *ret,
                     struct err *err) MUST_CHECK;
bool session_export(struct session *s, const struct revision *rev, struct err *err) MUST_CHECK;

/* Adds to s->notes what there is to say of the ref; and of what is in the revision, which reads its
 * tree unless it was exported. */
void session_note_ref(struct session *s, const struct revision *rev);
bool session_note_contents(struct session *s, const struct revision *rev,
                           struct err *err) MUST_CHECK;

/* "ann@laptop"; and "ann". */
const char *session_by(struct arena *a);
const char *session_user(struct arena *a);

/* Tells the end, with everything about a failure, and gives false when there is one. */
bool session_end(struct session *s, const char *message, struct err *err);

/* cmd_*.c */
bool cmd_deploy(struct session *s, struct err *err);
bool cmd_plan(struct session *s, struct err *err);
bool cmd_resume(struct session *s, struct err *err);
bool cmd_abort(struct session *s, struct err *err);
bool cmd_rollback(struct session *s, struct err *err);
bool cmd_status(struct session *s, struct err *err);
bool cmd_backups(struct session *s, struct err *err);
bool cmd_check(struct session *s, struct err *err);
bool cmd_history(struct session *s, struct err *err);
bool cmd_exec(struct session *s, struct err *err);
bool cmd_run(struct session *s, struct err *err);
bool cmd_init(struct session *s, struct err *err);
bool cmd_help(struct session *s, struct err *err);

/* Backups as people and as JSON see them (cmd_backups.c). */
void backups_put_json(struct json *at, const struct backups *b);
void backups_print(struct session *s, const char *host, const struct backups *b);

/* The last ones that were stopped, and whether they were started again (cmd_backups.c); at
 * "stopped_backups" of an object. */
void stops_put_json(struct json *o, const struct stops *all);
void stops_print(struct session *s, size_t host, const struct stops *all);

/* When the next ones start (cmd_backups.c); at "next_backups" of an object. */
void next_backups_put_json(struct json *at, const struct schedule *next);
void next_backups_print(struct session *s, const char *host, const struct schedule *next);

/* What a deploy would fail at (fit.c): of the exported revision and the recipe, a sentence each; of
 * the host's linked files and folders; and all of it, FAILED with the first. */
struct strs fit_revision(struct session *s);
struct strs fit_links(struct session *s, size_t host, const struct site *site);
bool fit_hosts(struct session *s, const struct survey *sv, struct err *err) MUST_CHECK;

/* Of two hosts that are one folder of one machine, by two names or addresses: a run would be
 * blocked by itself.  NULL: there are none, as far as that can be seen. */
const char *fit_places(struct session *s, const struct survey *sv);

/* The room on a host's disk beside what the exported revision takes; NULL: not known. */
const char *fit_room(struct session *s, const struct site *site, bool *ret_enough);

/* What jobs do not find; only where site->path_lacks. */
const char *fit_path(struct session *s, const struct site *site);

/* What it may fail at. */
struct strs fit_notes(struct session *s, const struct survey *sv);

/* Prints the plan (cmd_plan.c). */
bool plan_print(struct session *s, const struct plan *p, const struct survey *sv, struct err *err);

#endif
