/* run.h -- a run under way: its plan, its hosts, who watches, and the trips to the hosts.
 *
 * Everything that changes a host goes through run_scripts: values, prelude and script in one
 * trip to each host, all at once, and one verdict on the answers. */
#ifndef CRELEASE_RUN_H
#define CRELEASE_RUN_H

#include "base/redact.h"
#include "core/event.h"
#include "core/guard.h"
#include "core/hint.h"
#include "core/plan.h"
#include "host/site.h"
#include "fleet/fleet.h"
#include "git/repo.h"

/* What went wrong on one host in the step under way. */
struct mishap {
    enum err_code code; /* NONE: nothing */
    const char *why;
};

struct run {
    struct arena *arena; /* lives as long as the command, or as the turn that is under way; */
    struct arena *kept;  /* then the one that lives as long as the command, else NULL */
    const struct recipe *recipe;
    struct plan *plan;
    struct loop *loop;
    struct fleet *fleet;
    const struct watcher *watcher;
    const struct stage *stages;
    const struct called *called; /* for hints; NULL: without options */
    const char *mark_script;
    const char *unlock_script;
    struct site *sites; /* by host */
    struct guard *guard;
    long epoch;
    bool resumed;
    bool takeover;         /* the lock may be taken from a run with this id */
    bool begun;            /* an EVENT_RUN was told */
    enum policy on_backup; /* the recipe's, or what the command line said */
    bool force;
    bool no_migrate;             /* resume: what is left of the migration is passed over */
    const struct export *export; /* for checkout; NULL when no host needs it */
    /* told by a stage's act while it runs, for the event of its end */
    const char *detail;
    const char *skipped; /* why there was nothing to do; else NULL */
    const char *outcome; /* for history: "done", "aborted" */
    bool turned_back;    /* after a failure, to the end: the run is over */
    bool quit;           /* a person did not want to wait any longer: nothing has failed */
    bool interactive;    /* a person can be asked, by keys */
    const char *mark_to; /* for run_put_mark */
    struct strs untidy;  /* what failed after the release was live */
    struct failure failure;
    size_t batch_begin;     /* the hosts that a rolling stage is at; */
    size_t batch_end;       /* 0: all of them */
    struct mishap *mishaps; /* by host; NULL: nobody wants to know */
    size_t jobs_passed;     /* so many jobs of the step are done on every host still in it */
    bool *out;              /* by host: left out of the run; NULL: none is */
    size_t n_out;
    struct strs out_why;        /* "app2 was left out in stage 'build': ..." */
    struct failure out_failure; /* of the first of them */
    bool partly;                /* it went to its end without them */
};

/* A wait looks again and again, maybe for a day: what one turn of it builds is gone at its end.
 *
 *     struct turn turn;
 *     run_turn_begin(r, &turn);
 *     ... r->arena is the turn's; what the run, or the next turn, is to have is copied ...
 *     run_turn_end(r, &turn, is_the_last);
 *
 * Of the last turn all is kept: an error and what it names outlive it. */
struct turn {
    struct arena arena;
    struct arena *outer;
};
void run_turn_begin(struct run *r, struct turn *turn);
void run_turn_end(struct run *r, struct turn *turn, bool keep);

/* Where to make what lives as long as the command, in a turn or not. */
struct arena *run_kept(const struct run *r);

/* Whether the host was left out of the run. */
bool run_is_out(const struct run *r, size_t host);

/* Whether the run has no more business with the host: it was left out, or has ended there. */
bool run_is_through(const struct run *r, size_t host);

/* Whether the step under way is the host's business: not left out, and of the batch. */
bool run_takes_part(const struct run *r, size_t host);

/* Keeps the first thing that went wrong on a host in this step. */
void run_note(struct run *r, size_t host, enum err_code code, const char *why);

/* Tells the watcher; fills time and run. */
void run_tell(struct run *r, struct event e);
void run_warn(struct run *r, const char *host, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The run as an event shows it: its texts are the plan's. */
struct run_info run_info(const struct run *r);

/* The folder of the run's release on that host. */
const char *run_folder(struct run *r, size_t host);

/* Text with every secret of the recipe replaced by [secret]. */
const char *run_redact(const struct run *r, const char *text);

/* "crelease resume --force production", as it is to be typed (hint.h); more may be NULL. */
const char *run_hint(const struct run *r, const char *command, const char *more);

/* One script on some hosts. */
struct trip {
    const char *script;
    const char *step;         /* name of the marks */
    const char *verb;         /* "run", "undo", ... */
    stage_values *values;     /* may be NULL */
    const struct step *about; /* handed to values; may be NULL */
    const size_t *hosts;
    size_t n_hosts;
    int head; /* as in struct call */
    off_t head_size;
    int payload; /* -1 for none: in a zeroed trip it must be set */
    off_t payload_size;
    long long timeout_ms; /* 0: a quarter of an hour */
    bool hold;
};

/* True when every host's script ended with 0.  Replies (one for each of trip's hosts, in
 * the arena) are filled in any case but when a script is too large to be sent.  The first failure
 * is in err with its host in front; further ones are told as warnings. */
bool run_scripts(struct run *r, const struct trip *trip, struct reply **ret,
                 struct err *err) MUST_CHECK;

/* The script with its values, as it is sent to one host. */
const char *run_script_text(struct run *r, const struct trip *trip, size_t host);

/* One call that changes nothing: a first signal ends it. */
struct reply run_ask(struct run *r, const struct call *call);

/* A script that only looks, on one host, behind the prelude and these values, which are freed. */
struct reply run_look(struct run *r, size_t host, struct buf *values, const char *script,
                      long long timeout_ms);

/* What one reply means: true, or err with the host in front. */
bool run_judge(struct run *r, size_t host, const struct reply *reply, struct err *err);

/* The hosts of a step that take part and whose mark is not "done" yet; the number, and in ret their
 * indexes. */
size_t run_hosts_left(struct run *r, const struct step *s, size_t **ret);

/* Writes the step's mark on its hosts, but those left out, without doing anything else. */
bool run_put_mark(struct run *r, const struct step *s, const char *state,
                  struct err *err) MUST_CHECK;

/* Whether a signal asks to stop: then err is INTERRUPTED or TERMINATED, with what was told. */
bool run_is_stopped(struct run *r, const char *where, struct err *err);

/* Common acts. */
bool stage_script_act(struct run *r, const struct step *s, struct err *err);
bool stage_script_undo(struct run *r, const struct step *s, struct err *err);
bool stage_undo_nothing(struct run *r, const struct step *s, struct err *err);

/* "app1 app2 db1", for people. */
const char *run_host_names(struct run *r, const size_t *hosts, size_t n);

#endif
