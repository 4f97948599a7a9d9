/* site.c -- parses the answer of survey.sh about one host (site.h).  Called by core/survey.c; the
 * last functions are used by all who ask what a run has done there.  The answer is untrusted, so
 * every list and every length has a limit. */
#include "host/site.h"

#include "base/limits.h"

#include "base/buf.h"
#include "base/number.h"
#include "edge/clock.h"

enum {
    RELEASES_MAX = 100000,
    MARKS_MAX = RELEASES_MAX,
    PLAN_BYTES_MAX = 256 * 1024,
    OWN_RECIPE_MAX = 128 * 1024,
    TO_MIGRATE_MAX = 100,
    LEFT_MAX = 200
};

/* One line of the answer: key and value. */
struct line {
    const char *key;
    const char *value;
};

static bool next_line(struct arena *a, const char **at, struct line *ret)
{
    size_t len = strcspn(*at, "\n");

    if (!(*at)[len])
        return false;
    char *copy = arena_strndup(a, *at, len);
    *at += len + 1;
    size_t key = strcspn(copy, " ");
    ret->key = copy;
    ret->value = copy[key] ? copy + key + 1 : "";
    copy[key] = '\0';
    return true;
}

/* Called often for long answers, so only the value is copied. */
const char *answer_value(struct arena *a, const char *answer, const char *key)
{
    size_t n = strlen(key);

    for (size_t len; answer[len = strcspn(answer, "\n")]; answer += len + 1) {
        if (strncmp(answer, key, n) != 0)
            continue;
        if (answer[n] == ' ')
            return arena_strndup(a, answer + n + 1, len - n - 1);
        if (len == n)
            return "";
    }
    return NULL;
}

/* Cuts the first word off *s. */
static const char *word(struct arena *a, const char **s)
{
    size_t len = strcspn(*s, " ");
    const char *w = arena_strndup(a, *s, len);

    *s += len;
    *s += strspn(*s, " ");
    return w;
}

static const char *known(const char *s)
{
    return *s && strcmp(s, "-") != 0 ? s : NULL;
}

/* The name becomes part of paths, so it must be 14 digits, whatever the host says. */
static bool add_release(struct arena *a, struct site *s, const char *value)
{
    const char *name = word(a, &value);
    const char *revision = word(a, &value);
    const char *finished = word(a, &value);

    if (clock_release_time(name) < 0)
        return true;
    if (s->n_releases == RELEASES_MAX)
        return false;
    if ((s->n_releases & (s->n_releases + 1)) == 0) {
        struct release *more = arena_array(a, (s->n_releases + 1) * 2, sizeof *more);
        if (s->n_releases)
            memcpy(more, s->releases, s->n_releases * sizeof *more);
        s->releases = more;
    }
    s->releases[s->n_releases++] = (struct release){
        .name = name,
        .revision = known(revision),
        .finished = strcmp(finished, "finished") == 0,
        .manifest = strcmp(value, "manifest") == 0 || strcmp(value, "indexed") == 0,
        .indexed = strcmp(value, "indexed") == 0,
    };
    return true;
}

/* Reads a line of revisions.log, oldest first; each one makes another release the live one.  Whether it was
 * deployed. */
static bool read_went(struct arena *a, struct strs *left, const char **live, const char *value)
{
    const char *how = word(a, &value);

    if (clock_release_time(value) < 0)
        return false;
    if (strcmp(how, "back") == 0 && *live && strcmp(value, *live) < 0 && left->n < LEFT_MAX)
        strs_add(a, left, *live);
    for (size_t i = 0; i < left->n; i++)
        if (strcmp(left->v[i], value) == 0)
            left->v[i] = ""; /* someone went back to it: it is as good as any other */
    *live = value;
    return strcmp(how, "deployed") == 0;
}

static void add_mark(struct arena *a, struct site *s, const char *step, const char *state,
                     long long unix_s)
{
    if (s->n_marks == MARKS_MAX)
        return;
    if ((s->n_marks & (s->n_marks + 1)) == 0) {
        struct mark *more = arena_array(a, (s->n_marks + 1) * 2, sizeof *more);
        if (s->n_marks)
            memcpy(more, s->marks, s->n_marks * sizeof *more);
        s->marks = more;
    }
    s->marks[s->n_marks++] = (struct mark){step, state, unix_s};
}

/* Reads step, state and time as put_mark of prelude.sh writes them.  The first line is the
 * version. */
static bool read_mark(struct arena *a, struct site *s, const char *value, bool is_first)
{
    static const char *const states[] = {"begun", "done", "failed", "skipped", "undone"};
    const char *line = value;
    const char *step = word(a, &value);
    const char *state = word(a, &value);
    long long unix_s;
    bool known = false;

    if (is_first)
        return strcmp(line, "crelease-marks 1") == 0;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        known = known || strcmp(states[i], state) == 0;
    if (!known || !number_read(value, NUMBER_UNIX_MAX, &unix_s) || !*step ||
        step[strspn(step, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return false;
    add_mark(a, s, step, state, unix_s);
    return true;
}

bool is_run_id(const char *s)
{
    size_t len = strlen(s);

    return len > 0 && len <= 16 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") == len;
}

bool is_revision(const char *s)
{
    return strlen(s) == 40 && strspn(s, "0123456789abcdef") == 40;
}

static void read_lock(struct arena *a, struct site *s, const char *value)
{
    const char *key = word(a, &value);

    s->lock.held = true;
    if (strcmp(key, "crelease-lock") == 0)
        s->lock.version = (long)number_or(value, 999, 0);
    else if (strcmp(key, "keeper") == 0)
        s->lock.kept = *value != '\0';
    else if (strcmp(key, "run") == 0 && is_run_id(value))
        s->lock.run = value;
    else if (strcmp(key, "epoch") == 0)
        s->lock.epoch = (long)number_or(value, 999999999, 0);
    else if (strcmp(key, "by") == 0)
        s->lock.by = value;
    else if (strcmp(key, "since") == 0)
        s->lock.since_unix = number_or(value, NUMBER_UNIX_MAX, 0);
    else if (strcmp(key, "end") == 0)
        s->lock.sum = value;
}

static void read_freeze(struct arena *a, struct site *s, const char *value)
{
    const char *key = word(a, &value);

    s->freeze.there = true;
    if (strcmp(key, "crelease-freeze") == 0)
        s->freeze.good = strcmp(value, "1") == 0;
    else if (strcmp(key, "by") == 0)
        s->freeze.by = value;
    else if (strcmp(key, "reason") == 0)
        s->freeze.why = value;
    else if (strcmp(key, "since") == 0)
        s->freeze.since_unix = number_or(value, NUMBER_UNIX_MAX, 0);
    else if (strcmp(key, "until") == 0)
        s->freeze.until_unix = number_or(value, NUMBER_UNIX_MAX, 0);
}

/* NULL when the host names more of them than a recipe can have. */
static struct site_database *database_named(struct arena *a, struct site *s, const char *name)
{
    if (!s->databases)
        s->databases = arena_array(a, DATABASES_MAX, sizeof *s->databases);
    for (size_t i = 0; i < s->n_databases; i++)
        if (strcmp(s->databases[i].name, name) == 0)
            return &s->databases[i];
    if (s->n_databases == DATABASES_MAX)
        return NULL;
    s->databases[s->n_databases].name = name;
    return &s->databases[s->n_databases++];
}

static void read_migrated(struct site_database *d, struct arena *a, const char *value)
{
    const char *key = word(a, &value);

    if (strcmp(key, "digest") == 0)
        d->digest = value;
    else if (strcmp(key, "revision") == 0)
        d->revision = value;
    else if (strcmp(key, "release") == 0 && clock_release_time(value) >= 0)
        d->release = value;
}

/* "migrated LINE", "to_migrate LINE", and for one of several databases "migrated_of NAME LINE",
 * "to_migrate_of NAME LINE".  False for any other line. */
static bool read_database(struct arena *a, struct site *s, const struct line *l)
{
    bool was = strncmp(l->key, "migrated", 8) == 0;
    const char *rest = was                                      ? l->key + 8
                       : strncmp(l->key, "to_migrate", 10) == 0 ? l->key + 10
                                                                : "-";
    const char *value = l->value;

    if (*rest && strcmp(rest, "_of") != 0)
        return false;
    struct site_database *d = database_named(a, s, *rest ? word(a, &value) : "");
    if (d && was)
        read_migrated(d, a, value);
    else if (d && d->to_migrate.n < TO_MIGRATE_MAX)
        strs_add(a, &d->to_migrate, value);
    return true;
}

static void read_live(struct arena *a, struct site *s, const char *value)
{
    const char *name = word(a, &value);

    if (clock_release_time(name) < 0)
        return;
    s->live = name;
    s->live_revision = known(value);
}

static void read_trash(struct arena *a, struct site *s, const char *value)
{
    s->trash_kb = number_or(word(a, &value), NUMBER_BYTES_MAX / 1024, 0);
    s->trash = value;
}

/* Lines whose value is kept as it is: as a text, as one more of a list, or as whether it is "yes". */
enum keep { KEEP_TEXT, KEEP_ONE_MORE, KEEP_YES };
static const struct {
    const char *key;
    enum keep keep;
    size_t at;
} kept_lines[] = {
    {"current", KEEP_TEXT, offsetof(struct site, current)},
    {"writable", KEEP_YES, offsetof(struct site, writable)},
    {"writable_at", KEEP_TEXT, offsetof(struct site, writable_at)},
    {"place", KEEP_TEXT, offsetof(struct site, place)},
    {"log", KEEP_YES, offsetof(struct site, has_log)},
    {"base64", KEEP_YES, offsetof(struct site, has_base64)},
    {"several", KEEP_YES, offsetof(struct site, several)},
    {"awk", KEEP_YES, offsetof(struct site, has_awk)},
    {"gzip", KEEP_YES, offsetof(struct site, has_gzip)},
    {"zstd", KEEP_YES, offsetof(struct site, has_zstd)},
    {"missing", KEEP_ONE_MORE, offsetof(struct site, missing)},
    {"unlinkable", KEEP_ONE_MORE, offsetof(struct site, unlinkable)},
    {"unreadable", KEEP_ONE_MORE, offsetof(struct site, unreadable)},
    {"path_lacks", KEEP_TEXT, offsetof(struct site, path_lacks)},
    {"living", KEEP_ONE_MORE, offsetof(struct site, living)},
    {"unfit", KEEP_ONE_MORE, offsetof(struct site, unfit)},
    {"no_tool", KEEP_ONE_MORE, offsetof(struct site, no_tools)},
    {"last_error", KEEP_TEXT, offsetof(struct site, last_error)},
    {"last_run", KEEP_TEXT, offsetof(struct site, last_run)},
    {"system", KEEP_TEXT, offsetof(struct site, system)},
    {"user", KEEP_TEXT, offsetof(struct site, user)},
    {"leftover", KEEP_TEXT, offsetof(struct site, leftover)},
};

/* False if the line is not one of these. */
static bool keep_line(struct arena *a, struct site *s, const struct line *l)
{
    for (size_t i = 0; i < sizeof kept_lines / sizeof *kept_lines; i++) {
        void *into = (char *)s + kept_lines[i].at;
        if (strcmp(l->key, kept_lines[i].key) != 0)
            continue;
        switch (kept_lines[i].keep) {
        case KEEP_TEXT:
            *(const char **)into = l->value;
            break;
        case KEEP_ONE_MORE:
            strs_add(a, into, l->value);
            break;
        case KEEP_YES:
            *(bool *)into = strcmp(l->value, "yes") == 0;
            break;
        }
        return true;
    }
    return false;
}

static enum current_kind current_kind(const char *word)
{
    return strcmp(word, "there") == 0      ? CURRENT_LINK
           : strcmp(word, "dangling") == 0 ? CURRENT_DANGLING
           : strcmp(word, "folder") == 0   ? CURRENT_FOLDER
                                           : CURRENT_NONE;
}

static void read_upload(struct arena *a, struct site *s, const char *value)
{
    const char *name = word(a, &value);
    long long size = number_or(value, NUMBER_BYTES_MAX, 0);

    if (strlen(name) != UPLOAD_NAME || strspn(name, "0123456789abcdef") != UPLOAD_NAME)
        return;
    s->upload.name = name;
    s->upload.size = (unsigned long long)size;
}

static void read_line(struct arena *a, struct site *s, const struct line *l)
{
    const char *k = l->key;
    const char *v = l->value;

    if (keep_line(a, s, l) || read_database(a, s, l))
        return;
    if (strcmp(k, "lock") == 0)
        read_lock(a, s, v);
    else if (strcmp(k, "lock_is") == 0)
        s->lock.held = true;
    else if (strcmp(k, "freeze") == 0)
        read_freeze(a, s, v);
    else if (strcmp(k, "alive") == 0)
        s->lock.alive = strcmp(v, "yes") == 0;
    else if (strcmp(k, "live") == 0)
        read_live(a, s, v);
    else if (strcmp(k, "current_is") == 0)
        s->current_kind = current_kind(v);
    else if (strcmp(k, "deploy_to") == 0)
        s->there = strcmp(v, "there") == 0;
    else if (strcmp(k, "taken") == 0 && s->taken.n < RELEASES_MAX && clock_release_time(v) >= 0)
        strs_add(a, &s->taken, v);
    else if (strcmp(k, "free_kb") == 0 && *v)
        s->free_kb = number_or(v, NUMBER_BYTES_MAX, -1);
    else if (strcmp(k, "free_inodes") == 0 && *v)
        s->free_inodes = number_or(v, NUMBER_BYTES_MAX, -1);
    else if (strcmp(k, "upload") == 0)
        read_upload(a, s, v);
    else if (strcmp(k, "trash") == 0)
        read_trash(a, s, v);
    else if (strcmp(k, "now") == 0)
        s->now_unix = number_or(v, NUMBER_UNIX_MAX, 0);
}

/* Reports damage that a crash cannot explain before anything is done with the rest. */
static bool check(const struct site *s, const char *lock_sum, bool good_marks, struct err *err)
{
    if (s->lock.held &&
        (s->lock.version != 1 || !s->lock.run || s->lock.epoch < 1 || !s->lock.kept ||
         !s->lock.sum || !lock_sum || strcmp(s->lock.sum, lock_sum) != 0))
        return err_set(
            err, ERR_FAILED,
            "'.crelease/lock' is damaged or from another version of crelease; if no deploy is"
            " running, remove it");
    if (!good_marks)
        return err_set(
            err, ERR_FAILED,
            "'.crelease/runs/%s/marks' is damaged or from another version of crelease, so it is"
            " unknown which steps are done; fix it (one line per mark: STEP STATE TIME), or"
            " repair the site by hand and remove .crelease/lock",
            s->lock.run ? s->lock.run : "RUN");
    return true;
}

static const char *kept(struct arena *a, struct buf *b)
{
    const char *text = b->len && !b->full ? arena_strndup(a, b->text, b->len) : NULL;

    buf_free(b);
    return text;
}

bool site_parse(struct arena *a, const char *answer, struct site *ret, struct err *err)
{
    struct site s = {.free_kb = -1, .free_inodes = -1};
    struct line line = {"", ""};
    struct buf plan = buf_make(PLAN_BYTES_MAX);
    struct buf recipe = buf_make(OWN_RECIPE_MAX);
    struct strs left = {0};
    const char *went = NULL;
    const char *lock_sum = NULL;
    const char *too_many = NULL;
    bool whole = false;
    bool good_marks = true;
    size_t marks = 0;

    while (next_line(a, &answer, &line)) {
        if (strcmp(line.key, "plan") == 0)
            buf_printf(&plan, "%s\n", line.value);
        else if (strcmp(line.key, "recipe") == 0)
            buf_printf(&recipe, "%s\n", line.value);
        else if (strcmp(line.key, "mark") == 0)
            good_marks = read_mark(a, &s, line.value, marks++ == 0) && good_marks;
        else if (strcmp(line.key, "lock_sum") == 0)
            lock_sum = line.value;
        else if (strcmp(line.key, "release") == 0 && !add_release(a, &s, line.value))
            too_many = "releases";
        else if (strcmp(line.key, "went") == 0)
            s.has_deploy = read_went(a, &left, &went, line.value) || s.has_deploy;
        if (marks > MARKS_MAX)
            too_many = "marks";
        read_line(a, &s, &line);
        whole = whole || strcmp(line.key, "end") == 0;
    }
    /* A link points somewhere, also if the host does not say where. */
    if (!s.current && (s.current_kind == CURRENT_LINK || s.current_kind == CURRENT_DANGLING))
        s.current = "?";
    for (size_t i = 0; i < s.n_releases; i++)
        s.releases[i].left = strs_has(&left, s.releases[i].name);
    bool long_plan = plan.full;
    if (long_plan)
        too_many = "bytes in the plan of its run";
    s.plan = kept(a, &plan);
    s.recipe = kept(a, &recipe);
    if (!s.lock.held) /* then there is no run that they could be of */
        s.plan = s.recipe = NULL;
    if (!whole)
        return err_set(err, ERR_FAILED, "the host's answer is incomplete");
    /* With a part missing, the newest releases might be the missing ones. */
    if (too_many)
        return err_set(err, ERR_FAILED, "the host reported too many %s; the limit is %d", too_many,
                       long_plan ? PLAN_BYTES_MAX : RELEASES_MAX);
    if (!check(&s, lock_sum, good_marks, err))
        return false;
    *ret = s;
    return true;
}

void site_set_mark(struct arena *a, struct site *s, const char *step, const char *state)
{
    add_mark(a, s, step, state, s->now_unix);
}

const char *site_outcome(struct arena *a, const struct site *s, const char *run)
{
    const char *line = s->last_run;

    if (!site_has_ended(s, run))
        return NULL;
    word(a, &line);
    word(a, &line);
    return word(a, &line);
}

const char *site_record(struct arena *a, const struct site *s, const char *run)
{
    const char *line = s->last_run;
    const char *text = NULL;

    if (!site_has_ended(s, run))
        return NULL;
    for (size_t i = 0; i < 3; i++)
        word(a, &line); /* the run, when it ended, its outcome */
    for (size_t i = 0; i < 3; i++)
        text = arena_printf(a, "%s%s%s", text ? text : "", text ? " " : "", word(a, &line));
    return text;
}
