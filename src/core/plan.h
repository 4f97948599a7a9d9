/* plan.h -- a run as a value: what it makes live, and every step of it on every host.
 *
 *     struct plan *plan = plan_make(arena, stages, recipe, &what);
 *
 * `plan` prints the same array of steps that the engine walks.  What a resume needs is written to
 * the hosts as text and read back (plan_text.c). */
#ifndef CRELEASE_PLAN_H
#define CRELEASE_PLAN_H

#include "recipe/recipe.h"
#include "core/stage.h"

enum run_command { COMMAND_DEPLOY, COMMAND_ROLLBACK };

/* What a run is about. All of it is stored on the hosts. */
struct what {
    enum run_command command;
    const char *run; /* its id */
    const char *application;
    const char *environment;
    const char *release;
    const char *revision;    /* 40 digits; "" when a rollback's release has none */
    long long revision_unix; /* the commit's time */
    const char *ref;         /* "" for a rollback */
    const char *subject;     /* of the commit */
    const char *by;          /* user@machine */
    const char *user;        /* as revisions.log names it */
    long long since_unix;
    const char *recipe_digest;
    const char
        *files_digest; /* of the manifest, if the files are those of a folder; "" otherwise */
    const char *migrate_digest; /* of migrate.paths at that revision; "" when there are none */
    bool no_migrate;
    struct strs hosts;     /* names of those that take part */
    struct strs databases; /* those that were found (recipe_take_several); none: the recipe says */
};

/* All texts empty: there is no run yet. */
extern const struct what what_none;

struct step {
    const struct stage *stage;
    const char *name; /* of its marks: "build", "before-switch", "migrate-orders" */
    bool hook;        /* it is a hook of its stage, not the stage itself */
    const struct recipe
        *recipe;             /* for the database that it is about (run_use); NULL: no single one */
    const struct jobs *jobs; /* the user's commands; NULL for none */
    bool early;              /* there is no release folder yet: jobs run in deploy_to */
    size_t *hosts;           /* indexes into the recipe's hosts */
    size_t n_hosts;
    const char *about; /* for people: what it will do */
};

struct plan {
    struct what what;
    const char *text; /* as stored on the run's hosts; NULL: not stored yet */
    struct step *steps;
    size_t n_steps;
};

const char *command_word(enum run_command c);

/* Makes the plan. stages ends with a row without a name. */
struct plan *plan_make(struct arena *a, const struct stage *stages, const struct recipe *r,
                       const struct what *what);

/* Whether the step is a hook of its stage, not the stage itself. */
bool step_is_hook(const struct step *s);

/* The name of the step of that stage for one of several databases: "migrate-orders"; without
 * several, the stage's own name. */
const char *step_for_database(struct arena *a, const char *stage, const struct recipe *r);

/* Whether that job of the step runs on that host. */
bool step_job_is_for(const struct step *s, const struct recipe *r, size_t job, size_t host);

/* "2 hosts at a time, 30 s between"; NULL for all at once. */
const char *plan_rolling(struct arena *a, const struct recipe *r);

/* Lines "key value", without the last newline, from "crelease-plan 1" to "end plan SHA256": the
 * checksum of all lines before it.  Secrets in it are replaced. */
const char *plan_text(struct arena *a, const struct what *what, const struct strs *secrets);

/* The first lines in which two such texts differ, without control characters and shortened to the
 * width of a screen; "" for a text that has ended.  False when the texts are the same. */
bool plan_differs(struct arena *a, const char *x, const char *y, const char **ret_x,
                  const char **ret_y);

/* Fails with ERR_FAILED when the text is damaged or of another version. */
bool plan_read(struct arena *a, const char *text, struct what *ret, struct err *err) MUST_CHECK;

#endif
