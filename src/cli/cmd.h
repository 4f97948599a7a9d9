/* cmd.h -- what the commands share.
 *
 * A command is a row of the table in commands.c and a function in its cmd_*.c.  main.c reads the
 * options, opens a session and calls that function.  The rest of this header is what several
 * commands use, by file. */
#ifndef CRELEASE_CMD_H
#define CRELEASE_CMD_H

#include "cli/opt.h"
#include "core/run.h"
#include "core/survey.h"
#include "edge/json.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "ui/notify/notify.h"
#include "ui/ui.h"

/* Whether the command takes an environment. */
enum env { ENV_NONE, ENV_NEEDED, ENV_OPTIONAL };

struct session;
typedef bool command_run(struct session *s, struct err *err);

struct command {
    const char *name;
    command_run *run;
    enum env env;
    unsigned takes;   /* options: OPT_... */
    size_t words_max; /* besides its name */
    bool streams;     /* reports events; with --json, one object a line */
    const char *args; /* "ENV" */
    const char *about;
    const char *more; /* further sentences of its help page, or NULL */
};

extern const struct command commands[];
const struct command *command_find(const char *name);

/* The command that was probably meant, or NULL. */
const char *command_nearest(struct arena *a, const char *word);

/* One run of the program: its options, and what was opened for the command. */
struct session {
    struct arena *arena;
    struct options options;
    const struct command *command;
    struct recipe *recipe;
    struct loop *loop;
    struct fleet *fleet;
    struct fleet_host *reached; /* the hosts of the recipe, with what the ssh configuration says */
    size_t n_reached;
    struct ui *ui;
    struct reports *reports;   /* NULL: none were asked for */
    struct notifier *notifier; /* NULL: there is nothing to send */
    struct watcher watcher;    /* of the user interface, and of the reports */
    struct run run;
    struct repo *repo;
    struct export export;
    bool export_open;
    struct repo_notes notes; /* about the resolved revision */
    int status; /* exit status of the command that 'backups --hold' or 'console' ran; else -1 */
    bool databases_asked;          /* the database's host was asked for the names of several, */
    struct strs databases;         /* which are these */
    const struct changes *changes; /* that the run of this command makes; NULL: not known */
    bool answered; /* --json: the one document of a command without events was written */
    bool ended;    /* EVENT_END was told, so that the failure has been shown */
    long long began_ms;
    long long
        reading_told_ms; /* when it was last said that the repository is still being read; 0: never */
};

/* ---- session.c: the recipe, the hosts, the user interface ---- */

/* Reads the recipe for the environment and applies --hosts and --roles.  Prints every mistake. */
bool session_recipe(struct session *s, const char *environment, struct err *err) MUST_CHECK;

/* Opens the loop, the user interface and the fleet, which connects on first use.  Fails if the ssh
 * configuration cannot be used. */
bool session_open(struct session *s, struct err *err) MUST_CHECK;
void session_close(struct session *s);

/* Opens the reports that were asked for.  Afterwards the end of the command is told to them, unless its
 * run has told it. */
bool session_reports(struct session *s, struct err *err) MUST_CHECK;
void session_reports_end(struct session *s, const struct err *err);

/* Forgets the run of the session, so that another one can follow over the same connections. */
void session_renew(struct session *s);

/* --json, for a command without events: writes its one document. */
void session_answer(struct session *s, const struct json *o);

/* Whether a terminal shows lines that are redrawn. */
bool session_draws(const struct session *s);

/* Whether the command reports events. */
bool session_streams(const struct session *s);

/* Restricts the session to these hosts, those of a run, and connects anew. */
bool session_narrow(struct session *s, const struct strs *names, struct err *err) MUST_CHECK;

/* Surveys the hosts.  err has the first that could not be surveyed. */
bool session_survey(struct session *s, bool tools, struct survey *ret, struct err *err) MUST_CHECK;

/* Asks for a secret on the terminal, without echo.  False if there is no terminal or no answer;
 * arg is the session. */
bool session_ask_secret(void *arg, const char *prompt, char *ret, size_t size);

/* "ann@laptop", in a CI job "ann@runner, https://..."; and "ann". */
const char *session_by(struct arena *a);
const char *session_user(struct arena *a);

/* A fresh run id: random letters and digits that are hard to confuse. */
const char *session_run_id(struct arena *a);

/* ---- ci.c: the job of a CI system that runs this program ---- */

/* Who started it, one word, and the address of its log; NULL: not known. */
const char *ci_user(struct arena *a);
const char *ci_url(struct arena *a);

/* The time of the loop at which it has to end, with something to spare; 0: not known. */
long long ci_deadline_ms(void);

/* The CI system, if the log is written in a way of its own for it. */
enum ui_ci ci_kind(void);

/* On GitHub, to standard error: hides secrets in everything that is printed afterwards; and shows a
 * mistake, "crelease.yml:12:3: unknown key ...", beside its line.  Elsewhere nothing. */
void ci_mask(const struct strs *secrets);
void ci_mistake(const char *mistake);

/* Whether there is a summary to write; and appends how the command ended to the files of GITHUB_OUTPUT
 * and GITHUB_STEP_SUMMARY, if set. */
bool ci_has_summary(void);
void ci_report(struct session *s, const struct err *err);

/* ---- reach.c: the way to the hosts ---- */

/* Returns the recipe's hosts with what the ssh configuration adds: address, login user, keys, jump
 * hosts.  Also sets the login users in the recipe.  Warns of options that have no effect. */
bool reach_hosts(struct session *s, struct fleet_host **ret, struct err *err) MUST_CHECK;

/* Returns the arguments with which the ssh program reaches a Git server; NULL if there is no ssh program, or it
 * cannot be given the key of CRELEASE_SSH_KEY. */
const struct strs *reach_repository(struct session *s);

/* ---- scan.c ---- */

/* Prints the host keys that the hosts present.  ERR_UNREACHABLE if one presents none. */
bool scan_hosts(struct session *s, struct err *err) MUST_CHECK;

/* ---- source.c: the repository ---- */

/* Opens the repository and resolves a ref; nothing is sent yet. */
bool session_resolve(struct session *s, const char *ref, struct revision *ret,
                     struct err *err) MUST_CHECK;
bool session_export(struct session *s, const struct revision *rev, struct err *err) MUST_CHECK;

/* The digest of migrate.paths in the revision, "" if there are none or the files are not the revision's; and the
 * digest of the exported files, "" unless they come from a folder. */
bool session_digest(struct session *s, const struct revision *rev, const char **ret,
                    struct err *err) MUST_CHECK;
bool session_files_digest(struct session *s, const struct revision *rev, const char **ret,
                          struct err *err) MUST_CHECK;

/* Adds to s->notes what there is to say about the ref; and about the contents of the revision,
 * which reads its tree unless it was exported. */
void session_note(struct session *s, const char *about, const char *text);
void session_note_ref(struct session *s, const struct revision *rev);
bool session_note_contents(struct session *s, const struct revision *rev,
                           struct err *err) MUST_CHECK;

/* ---- holder.c: the run that holds the lock ---- */

/* A host that the run holds, or -1.  Different runs on different hosts are an error. */
bool holder_find(struct session *s, const struct survey *sv, long *ret_host,
                 struct err *err) MUST_CHECK;

/* The stage that the run is in: of all hosts' marks the newest; NULL: there is no mark. */
const char *holder_stage(const struct session *s, const struct survey *sv);

/* How a run that nobody is working on ended: "failed", or "stopped" by a person, a backup or a crash. */
const char *holder_ended(const struct session *s, const struct survey *sv);

/* LOCKED or UNFINISHED, depending on whether the run that holds the host is alive. */
bool holder_refuse(struct session *s, const struct survey *sv, long holder, struct err *err);

/* Surveys, and waits for a live run as long as --wait-lock says.  *ret_holder as from holder_find. */
bool holder_wait(struct session *s, struct survey *sv, long *ret_holder,
                 struct err *err) MUST_CHECK;

/* The same, and an error if two hosts are the same folder; and also if a run still holds the lock. */
bool holder_any(struct session *s, struct survey *sv, long *ret_holder, struct err *err) MUST_CHECK;
bool holder_none(struct session *s, struct survey *sv, struct err *err) MUST_CHECK;

/* ---- takeover.c, unfinished.c: the unfinished run of the hosts ---- */

/* Makes the plan of the unfinished run the session's, for resume or (back) abort.  *ret_nothing: why there
 * is nothing to do; NULL: there is. */
bool unfinished_open(struct session *s, bool back, const char **ret_nothing,
                     struct err *err) MUST_CHECK;

/* Its second half: makes the plan that was read the session's, whose hosts are those of the run by
 * then. */
bool unfinished_take(struct session *s, const struct survey *sv, bool back, const struct what *what,
                     struct err *err) MUST_CHECK;

/* Reads its plan.  FAILED if the hosts' plans differ. */
bool unfinished_plan(struct session *s, const struct survey *sv, struct what *ret,
                     struct err *err) MUST_CHECK;

/* USAGE if the run was started with another recipe, with the differences and what to type to resume
 * it, or (back) to abort it, unless --new-recipe was given. */
bool unfinished_recipe(struct session *s, const struct survey *sv, const struct what *w, bool back,
                       struct err *err) MUST_CHECK;

/* Names of its hosts.  A run that is aborted with --new-recipe may lack hosts that are no longer in
 * the recipe. */
bool unfinished_hosts(struct session *s, const struct survey *sv, const struct what *w,
                      struct strs *ret, struct err *err) MUST_CHECK;

/* The next epoch of the lock: above that of every host.  An error if one is far ahead. */
bool unfinished_epoch(struct session *s, const struct survey *sv, const char *run, long *ret,
                      struct err *err) MUST_CHECK;

/* Whether to continue with the revision of the run, whose plan is the session's by now.  needed: a
 * host still lacks it. */
bool unfinished_revision(struct session *s, const struct survey *sv, bool needed,
                         struct err *err) MUST_CHECK;

/* "crelease deploy production": starts another run like the session's, of that ref; and with "crelease
 * abort production && " before it. */
const char *unfinished_again(struct session *s, const char *ref);
const char *unfinished_instead(struct session *s, const char *ref);

/* ---- replace.c: a dead, unfinished run that deploy finds ---- */

/* Does what the key 'unfinished' says about the run that holds the lock: aborts or resumes it, so that
 * afterwards nobody holds it and sv is up to date; or fails, with UNFINISHED if a person has to
 * decide.  With --dry-run only a note says what would be done. */
bool replace_unfinished(struct session *s, struct survey *sv, long holder,
                        struct err *err) MUST_CHECK;

/* Whether the next deploy would replace the session's run, which has failed, by itself. */
bool replace_is_sure(struct session *s);

/* ---- frozen.c: freezes of the hosts and of the CI system, and windows of the recipe ---- */

/* What forbids deploys now, apart from the hosts; NULL: nothing.  USAGE if a time zone of the recipe is
 * not known on this machine. */
bool frozen_here(struct session *s, const char **ret, struct err *err) MUST_CHECK;

/* "frozen by ann@laptop since ... until ...: REASON (on app1 app2)"; NULL: no host is frozen. */
const char *frozen_hosts(struct session *s, const struct survey *sv);

/* FROZEN if there is such a reason, unless --force was given, which makes it a warning; with --dry-run
 * a note. */
bool frozen_check(struct session *s, const char *why, struct err *err) MUST_CHECK;

/* Both reasons, as far as they are there. */
struct strs frozen_reasons(struct session *s, const struct survey *sv);

/* Warns: of a command that is allowed nevertheless. */
void frozen_warn(struct session *s, const struct survey *sv);

/* The freeze as member "freeze". */
void frozen_put_json(struct session *s, struct json *o, const struct survey *sv);

/* ---- databases.c: the databases of an application that the recipe does not name ---- */

/* Takes note of config/database.yml in the revision, before the hosts are surveyed. */
void databases_of_revision(struct session *s, const struct revision *rev);

/* Completes the recipe with them.  sv: what the hosts are known to be; NULL: they were not surveyed. */
void databases_learn(struct session *s, const struct survey *sv);

/* ---- report.c: carrying out the plan, and how it ended ---- */

/* What the session's plan changes, compared with the live commit; NULL if it has no repository, as a
 * rollback. */
const struct changes *session_changes(struct session *s);

/* upcoming.c: lines about the backups that start next, if the changes have migrations. */
struct strs session_upcoming(struct session *s, const struct changes *changes);

/* Tells EVENT_RUN about the session's plan. */
void session_begin(struct session *s, bool fresh);
bool session_forward(struct session *s, bool fresh, struct err *err);
bool session_back(struct session *s, struct err *err);

/* Tells EVENT_END with all that belongs to a failure.  Returns whether there was none. */
bool session_end(struct session *s, const char *message, struct err *err);

/* One more line of "next:", for the failure that is about to be told. */
void session_next(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- outcome.c: run the recipe's hooks for how a run ended; what fails in them is a warning ---- */
void outcome_of_deploy(struct session *s, const struct err *err);
void outcome_of_abort(struct session *s, const struct err *err);
/* ---- completion: for the shells ---- */

/* Prints candidates for the last of the words, one a line, with a tab and a sentence if there is one;
 * ":files" where a file is expected.  A recipe with mistakes counts as none. */
void complete(struct session *s, const struct strs *words);

extern const char *const completion_shells[]; /* NULL-terminated */

/* ---- variables.c ---- */

/* Variables that look like a misspelt CRELEASE_LONG_OPTION, a sentence each. */
struct strs variables_misspelt(struct arena *a);

/* ---- version.c ---- */

/* Answers --version.  Returns the exit status. */
int version_print(struct arena *a, const struct options *options);

/* ---- cmd_*.c ---- */

bool cmd_deploy(struct session *s, struct err *err);
bool cmd_plan(struct session *s, struct err *err);
bool cmd_resume(struct session *s, struct err *err);
bool cmd_abort(struct session *s, struct err *err);
bool cmd_rollback(struct session *s, struct err *err);
bool cmd_status(struct session *s, struct err *err);
bool cmd_backups(struct session *s, struct err *err);
bool cmd_check(struct session *s, struct err *err);
bool cmd_history(struct session *s, struct err *err);
bool cmd_freeze(struct session *s, struct err *err);
bool cmd_thaw(struct session *s, struct err *err);
bool cmd_exec(struct session *s, struct err *err);
bool cmd_console(struct session *s, struct err *err);
bool cmd_log(struct session *s, struct err *err);
bool cmd_upload(struct session *s, struct err *err);
bool cmd_run(struct session *s, struct err *err);
bool cmd_init(struct session *s, struct err *err);
bool cmd_completion(struct session *s, struct err *err);
bool cmd_help(struct session *s, struct err *err);

/* cmd_exec.c: the words after --, as text for a shell; and what the reply to a user's command means, for
 * err. */
const char *exec_command(struct session *s);
bool exec_judge(struct session *s, size_t host, const struct reply *r, struct err *err) MUST_CHECK;

/* cmd_plan.c: prints the plan. */
bool plan_print(struct session *s, const struct plan *p, const struct survey *sv, struct err *err);

/* cmd_rollback.c: the last finished release before the live one that every host has and that none
 * was rolled back from; NULL: there is none. */
const char *release_before(struct session *s, const struct survey *sv);

/* cmd_backups.c: running backups, stopped ones and whether they were started again, upcoming ones;
 * for people, and as the JSON members "backups", "stopped_backups", "next_backups". */
void backups_put_json(struct json *at, const struct backups *b);
void backups_print(struct session *s, const char *host, const struct backups *b);
void stops_put_json(struct json *o, const struct stops *all);
void stops_print(struct session *s, size_t host, const struct stops *all);
void next_backups_put_json(struct json *at, const struct schedule *next);
void next_backups_print(struct session *s, const char *host, const struct schedule *next);

/* ---- fit.c: what a deploy would fail at, found before the lock is taken ---- */

/* About the exported revision and the recipe, a sentence each; about a host's linked files and
 * folders; and both, FAILED with the first. */
struct strs fit_revision(struct session *s);
struct strs fit_links(struct session *s, size_t host, const struct site *site);
bool fit_hosts(struct session *s, const struct survey *sv, struct err *err) MUST_CHECK;

/* Two hosts that are the same folder of the same machine under two names, which would make a run
 * block itself; NULL: none were found. */
const char *fit_places(struct session *s, const struct survey *sv);

/* Free disk space beside the size of the exported revision; NULL: not known. */
const char *fit_room(struct session *s, const struct site *site, bool *ret_enough);

/* What the PATH of jobs lacks; only if site->path_lacks. */
const char *fit_path(struct session *s, const struct site *site);

/* What a deploy may fail at. */
struct strs fit_notes(struct session *s, const struct survey *sv);

#endif
