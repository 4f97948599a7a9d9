/* site.h -- the state of one host: the answer of survey.sh, parsed with limits.
 *
 *     struct site site;
 *     site_parse(arena, reply.out, &site, err);
 *
 * Everything here is what the host reported at one moment.  Texts are untrusted. */
#ifndef CRELEASE_SITE_H
#define CRELEASE_SITE_H

#include "base/err.h"

enum current_kind { CURRENT_NONE, CURRENT_LINK, CURRENT_DANGLING, CURRENT_FOLDER };

struct release {
    const char *name;
    const char *revision; /* NULL: its REVISION is missing */
    bool finished;        /* revisions.log names it as deployed */
    bool manifest;        /* there is a manifest of its contents, */
    bool indexed;         /* and an index of its files */
    bool left;            /* it was rolled back from, and has not been live since */
};

struct mark {
    const char *step;
    const char *state;
    long long unix_s;
};

/* What the host has recorded about the migrations of one database. */
struct site_database {
    const char *name;       /* "" for the only one of a recipe without `databases` */
    struct strs to_migrate; /* what was pending when the run that holds the lock began */
    /* What it was last migrated for; NULL: unknown. */
    const char *digest;
    const char *revision;
    const char *release;
};

enum { UPLOAD_NAME = 16 };

struct site {
    bool there;    /* deploy_to exists */
    bool writable; /* deploy_to, or the nearest existing folder above it */
    const char *writable_at;
    enum current_kind current_kind;
    const char *current;       /* where the link points; NULL: there is none */
    const char *live;          /* name of the live release; NULL: none */
    const char *live_revision; /* NULL: unknown */
    struct release *releases;  /* by name, oldest first */
    size_t n_releases;
    struct strs taken; /* names of releases that are taken by other things: files, links */
    /* Equal for two names of the same folder on the same machine; NULL: unknown. */
    const char *place;
    bool has_log;    /* revisions.log is not empty, */
    bool has_deploy; /* and names a release that was deployed */
    bool has_base64; /* these programs */
    bool has_awk;
    bool has_gzip;
    bool has_zstd;
    struct {
        const char *name; /* UPLOAD_NAME hex digits; NULL: there is none */
        unsigned long long size;
    } upload; /* what the run that holds the lock has sent of its release, if that was interrupted */
    struct {
        bool held;
        bool alive;
        bool kept; /* it names its keeper */
        long version;
        const char *run;
        long epoch;
        const char *by;
        long long since_unix;
        const char *sum; /* the checksum that it states */
    } lock;
    struct {
        bool there;      /* deploys are frozen */
        bool good;       /* and the file says by whom and why */
        const char *by;  /* NULL: unknown */
        const char *why; /* NULL: unknown */
        long long since_unix;
        long long until_unix; /* 0: without end */
    } freeze;
    const char *plan; /* of the run that holds the lock, as stored; NULL: none */
    /* The recipe of that run, for people, if it differs from the one at hand; else NULL. */
    const char *recipe;
    struct mark *marks;
    size_t n_marks;
    const char *last_error; /* of that run */
    struct strs living;     /* its jobs that are still running, although nobody holds the lock */
    const char *last_run;   /* the last line of the history */
    struct site_database *databases; /* (site_database) */
    size_t n_databases;
    bool several;           /* the application may have several databases (struct run) */
    struct strs missing;    /* linked files that are missing in shared */
    struct strs unlinkable; /* other reasons why the stage link would fail, as sentences */
    struct strs unreadable; /* linked files that the login user cannot read */
    struct strs unfit;      /* other reasons why a run would fail, as sentences */
    struct strs no_tools;
    /* Programs that jobs would not find with the recipe's PATH; NULL: none. */
    const char *path_lacks;
    const char *system;
    const char *user;
    const char *trash;  /* a removed release that has not been deleted yet; NULL: none */
    long long trash_kb; /* size of all of them */
    long long free_kb;  /* -1: not asked, or unknown */
    long long free_inodes;
    const char *leftover; /* a link that an interrupted Capistrano left */
    long long now_unix;   /* of the host's clock */
};

/* Whether the text has the form of a run id; it is used in paths. */
bool is_run_id(const char *s);

/* The same for a commit: 40 digits. */
bool is_revision(const char *s);

/* Fails with ERR_FAILED when the answer is incomplete. */
bool site_parse(struct arena *a, const char *answer, struct site *ret, struct err *err) MUST_CHECK;

/* The last state of a step; NULL when it has none. */
const char *site_mark(const struct site *s, const char *step);
bool site_is_marked(const struct site *s, const char *step, const char *state);

/* What is recorded about that database, NULL for the only one.  Never NULL. */
const struct site_database *site_database(const struct site *s, const char *name);

/* Adds what a script has done since the host was surveyed. */
void site_set_mark(struct arena *a, struct site *s, const char *step, const char *state);

/* Forgets the run that held the lock, and its release, after it was aborted. */
void site_forget_run(struct site *s, const char *release);

const struct release *site_release(const struct site *s, const char *name);

/* Whether the last run that ended on the host is this one. */
bool site_has_ended(const struct site *s, const char *run);

/* How it ended there: "done" or "aborted"; NULL when it has not. */
const char *site_outcome(struct arena *a, const struct site *s, const char *run);

/* "COMMAND RELEASE REVISION" of the last run that ended there, if it is this one; else NULL. */
const char *site_record(struct arena *a, const struct site *s, const char *run);

/* The value of the first line "KEY VALUE" of an answer; NULL when there is none. */
const char *answer_value(struct arena *a, const char *answer, const char *key);

#endif
