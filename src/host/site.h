/* site.h -- what one host was seen to hold: the answer of survey.sh, parsed with bounds.
 *
 *     struct site site;
 *     site_parse(arena, reply.out, &site, err);
 *
 * Everything here is the host's word at one moment.  Texts are untrusted. */
#ifndef CRELEASE_SITE_H
#define CRELEASE_SITE_H

#include "base/err.h"

enum current_kind { CURRENT_NONE, CURRENT_LINK, CURRENT_DANGLING, CURRENT_FOLDER };

struct release {
    const char *name;
    const char *revision; /* NULL: its REVISION is missing */
    bool finished;        /* revisions.log names it as deployed */
    bool manifest;        /* crelease knows what it must hold */
    bool left;            /* it was rolled back from, and nobody has gone back to it since */
};

struct mark {
    const char *step;
    const char *state;
    long long unix_s;
};

struct site {
    bool there;    /* deploy_to exists */
    bool writable; /* deploy_to, or the nearest folder above that exists */
    const char *writable_at;
    enum current_kind current_kind;
    const char *current;       /* where the link points, NULL for none */
    const char *live;          /* the live release's name, NULL for none */
    const char *live_revision; /* NULL: not known */
    struct release *releases;  /* by name, oldest first */
    size_t n_releases;
    struct strs taken; /* names of releases that other things bear: files, links */
    const char *place; /* the same for two names of one folder of one machine; NULL: not known */
    bool has_log;      /* revisions.log has something in it */
    struct {
        bool held;
        bool alive;
        bool kept; /* it names its keeper */
        long version;
        const char *run;
        long epoch;
        const char *by;
        long long since_unix;
        const char *sum; /* as it says itself */
    } lock;
    const char *plan;       /* of the run that holds the lock, as written; NULL: none */
    const char *recipe;     /* a copy of that run's own, for people, when it is another than the one
                               at hand; else NULL */
    struct strs to_migrate; /* what was pending when that run looked */
    struct mark *marks;
    size_t n_marks;
    const char *last_error; /* of that run */
    const char *last_run;   /* the last line of history */
    const char *migrated_digest;
    const char *migrated_revision;
    const char *migrated_release;
    struct strs missing;    /* linked files that are not in shared */
    struct strs unlinkable; /* why the stage link would fail otherwise, a sentence each */
    struct strs unreadable; /* linked files that whoever logs in cannot read */
    struct strs unfit;      /* what else a run would fail at, a sentence each */
    struct strs no_tools;
    const char *path_lacks; /* programs that jobs do not find, with the recipe's PATH; NULL: none */
    const char *system;
    const char *user;
    const char *trash;  /* a folder of removed releases that are not deleted yet; NULL: none */
    long long trash_kb; /* all of them */
    long long free_kb;  /* -1: not asked or not known */
    long long free_inodes;
    const char *leftover; /* a link that an interrupted Capistrano left */
    long long now_unix;   /* of the host's clock */
};

/* Whether the text is what run ids look like: it is used in paths. */
bool is_run_id(const char *s);

/* The same for commits: 40 digits. */
bool is_revision(const char *s);

/* FAILED when the answer is not whole. */
bool site_parse(struct arena *a, const char *answer, struct site *ret, struct err *err) MUST_CHECK;

/* The last state of a step, NULL when it has none. */
const char *site_mark(const struct site *s, const char *step);
bool site_is_marked(const struct site *s, const char *step, const char *state);

/* Adds to what was seen what a script has done since. */
void site_set_mark(struct arena *a, struct site *s, const char *step, const char *state);

const struct release *site_release(const struct site *s, const char *name);

/* Whether the last run that ended there is this one: the host is through with it. */
bool site_has_ended(const struct site *s, const char *run);

/* How it ended there: "done", "aborted"; NULL when it has not. */
const char *site_outcome(struct arena *a, const struct site *s, const char *run);

/* Of the run that ended there last, if it is this one: "COMMAND RELEASE REVISION"; else NULL. */
const char *site_record(struct arena *a, const struct site *s, const char *run);

/* The value of the first line "key value" of an answer, NULL when there is none. */
const char *answer_value(struct arena *a, const char *answer, const char *key);

#endif
