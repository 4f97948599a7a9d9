/* notes.c -- what a person should know before a revision goes live: how the branch compares with
 * its upstream, uncommitted changes in the work tree, and files that will arrive without their
 * content (submodules, Git LFS pointers).  Called by the commands; nothing here can make a deploy
 * fail.
 *
 * A work tree may be huge, on a slow disk, or hostile, and libgit2 cannot be interrupted while it
 * examines one.  A child process does that and is killed at a deadline.  libgit2 runs no hook,
 * filter program or file system monitor, whatever the configuration says. */
#include "git/internal.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 3000, POLL_MS = 50, SHOWN = 3, NAME_BYTES = 200, TIPS_MAX = 10000 };

static void note(struct arena *a, struct repo_notes *list, const char *about, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void note(struct arena *a, struct repo_notes *list, const char *about, const char *fmt, ...)
{
    struct repo_note *more = arena_array(a, list->n + 1, sizeof *more);
    va_list ap;

    if (list->n)
        memcpy(more, list->v, list->n * sizeof *more);
    va_start(ap, fmt);
    more[list->n] = (struct repo_note){about, arena_vprintf(a, fmt, ap)};
    va_end(ap);
    list->v = more;
    list->n++;
}

void repo_note_add(struct arena *a, struct repo_notes *ret, const char *about, const char *text)
{
    note(a, ret, about, "%s", text);
}

/* ---- in the child ---- */

/* What the child finds out, as it is sent through the pipe. */
struct finding {
    bool knows_graph; /* ahead and behind are valid */
    bool is_remote;   /* a remote branch contains the commit, or that is unknown */
    bool looked;      /* the work tree was examined completely */
    size_t ahead;
    size_t behind;
    size_t changed;
    size_t untracked;
    char names[SHOWN][NAME_BYTES]; /* the first changed or untracked files */
    char why[NAME_BYTES];          /* the work tree could not be examined */
};

struct question {
    struct repo *repo;
    git_oid commit;
    git_oid upstream;
    bool has_upstream;
    const char *recipe; /* its path in the work tree, which does not count as changed; or NULL */
    bool has_tree;
};

/* Whether a remote branch contains the commit.  True also if that is unknown: in a shallow clone,
 * or without remote branches. */
static bool is_remote(const struct question *q)
{
    git_repository *git = q->repo->git;
    git_oid *tips = NULL;
    git_strarray all = {0};
    size_t n = 0;

    if (git_repository_is_shallow(git) || git_reference_list(&all, git) < 0)
        return true;
    if (all.count)
        tips = xcalloc(all.count, sizeof *tips);
    for (size_t i = 0; i < all.count && n < TIPS_MAX; i++)
        n += strncmp(all.strings[i], "refs/remotes/", 13) == 0 &&
             git_reference_name_to_id(&tips[n], git, all.strings[i]) == 0;
    bool found = !n || n == TIPS_MAX || git_graph_reachable_from_any(git, &q->commit, tips, n) != 0;
    git_strarray_dispose(&all);
    free(tips);
    return found;
}

/* Without running its filter program, a file's content cannot be compared.  Only a size that
 * differs from the one in the index tells that the file has changed. */
static bool may_be_same(const struct question *q, const git_diff_delta *d)
{
    const char *filter = NULL;

    return d->status == GIT_DELTA_MODIFIED && d->old_file.size == d->new_file.size &&
           d->old_file.mode == d->new_file.mode &&
           git_attr_get(&filter, q->repo->git, GIT_ATTR_CHECK_FILE_THEN_INDEX, d->new_file.path,
                        "filter") == 0 &&
           git_attr_value(filter) == GIT_ATTR_VALUE_STRING;
}

/* A file that a sparse checkout leaves out was not deleted. */
static bool is_left_out(git_index *index, const git_diff_delta *d)
{
    const git_index_entry *e = d->status == GIT_DELTA_DELETED && index
                                   ? git_index_get_bypath(index, d->old_file.path, 0)
                                   : NULL;

    return e && (e->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE);
}

static bool is_recipe(const struct question *q, const char *path)
{
    size_t len = strlen(path);

    return q->recipe && (strcmp(path, q->recipe) == 0 ||
                         (len && path[len - 1] == '/' && strncmp(path, q->recipe, len) == 0));
}

static void count_entry(const struct question *q, git_index *index, const git_status_entry *e,
                        struct finding *f)
{
    const git_diff_delta *d = e->index_to_workdir ? e->index_to_workdir : e->head_to_index;
    const char *path = d->new_file.path ? d->new_file.path : d->old_file.path;
    bool untracked = e->status == GIT_STATUS_WT_NEW;

    if (is_recipe(q, path))
        return;
    if (!e->head_to_index && (may_be_same(q, d) || is_left_out(index, d)))
        return;
    if (f->changed + f->untracked < SHOWN)
        snprintf(f->names[f->changed + f->untracked], NAME_BYTES, "%s", path);
    f->untracked += untracked;
    f->changed += !untracked;
}

static void look_at_tree(const struct question *q, struct finding *f)
{
    git_status_options o;
    git_status_list *list = NULL;
    git_index *index = NULL;

    git_status_options_init(&o, GIT_STATUS_OPTIONS_VERSION);
    o.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    if (git_status_list_new(&list, q->repo->git, &o) < 0) {
        snprintf(f->why, sizeof f->why, "%s", repo_git_why());
        return;
    }
    if (git_repository_index(&index, q->repo->git) < 0)
        index = NULL;
    for (size_t i = 0; i < git_status_list_entrycount(list); i++)
        count_entry(q, index, git_status_byindex(list, i), f);
    f->looked = true;
    git_index_free(index);
    git_status_list_free(list);
}

static void look(const struct question *q, struct finding *f)
{
    f->is_remote = is_remote(q);
    if (q->has_upstream)
        f->knows_graph = git_graph_ahead_behind(&f->ahead, &f->behind, q->repo->git, &q->commit,
                                                &q->upstream) == 0;
}

/* Sends two answers, so that a slow work tree does not delay the first. */
static _Noreturn void child(const struct question *q, int out)
{
    struct finding f = {.is_remote = true};

    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    alarm(LOOK_MS / 1000 + 1); /* in case the parent was killed */
    look(q, &f);
    bool ok = write(out, &f, sizeof f) == (ssize_t)sizeof f;
    if (ok && q->has_tree) {
        look_at_tree(q, &f);
        ok = write(out, &f, sizeof f) == (ssize_t)sizeof f;
    }
    _exit(ok ? 0 : 1);
}

/* ---- in the parent ---- */

static long long now_ms(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Reads the child's answers until the deadline.  *f is unchanged if none arrives. */
static void read_findings(const struct repo *r, int in, size_t answers, struct finding *f)
{
    const long long deadline = now_ms() + LOOK_MS;
    struct finding next;
    size_t len = 0;

    while (answers && !repo_is_stopped(r)) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        if (now_ms() >= deadline)
            return;
        if (poll(&p, 1, POLL_MS) <= 0)
            continue;
        ssize_t n = read(in, (char *)&next + len, sizeof next - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        len += (size_t)n;
        if (len == sizeof next) {
            *f = next;
            len = 0;
            answers--;
        }
    }
}

static struct finding ask_child(const struct question *q)
{
    struct finding f = {.is_remote = true};
    int ends[2];

    if (pipe(ends) < 0) {
        snprintf(f.why, sizeof f.why, "%s", strerror(errno));
        return f;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0)
        child(q, ends[1]);
    close(ends[1]);
    if (pid < 0)
        snprintf(f.why, sizeof f.why, "%s", strerror(errno));
    else
        read_findings(q->repo, ends[0], q->has_tree ? 2 : 1, &f);
    close(ends[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return f;
}

/* Shortens "refs/remotes/origin/main" to "origin/main". */
static const char *short_ref(const char *full)
{
    static const char *const begins[] = {"refs/remotes/", "refs/heads/"};

    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(full, begins[i], strlen(begins[i])) == 0)
            return full + strlen(begins[i]);
    return full;
}

/* Returns the local branch that the ref names, "refs/heads/main", or NULL if it names anything
 * else. */
static const char *branch_of(struct repo *r, struct arena *a, const char *ref)
{
    git_reference *named = NULL;
    git_reference *last = NULL;
    const char *name = NULL;

    if (git_reference_dwim(&named, r->git, ref) == 0 && git_reference_resolve(&last, named) == 0 &&
        git_reference_is_branch(last))
        name = arena_strdup(a, git_reference_name(last));
    git_reference_free(last);
    git_reference_free(named);
    return name;
}

/* Returns the remote branch to compare with: the upstream, or else the branch of that name at
 * origin. *ret_gone: an upstream is configured, but does not exist. */
static const char *upstream_of(struct repo *r, struct arena *a, const char *branch, git_oid *ret,
                               bool *ret_gone)
{
    git_buf name = {0};
    bool configured = git_branch_upstream_name(&name, r->git, branch) == 0;
    const char *full = configured ? arena_strdup(a, name.ptr)
                                  : arena_printf(a, "refs/remotes/origin/%s", short_ref(branch));

    git_buf_dispose(&name);
    if (git_reference_name_to_id(ret, r->git, full) == 0)
        return full;
    *ret_gone = configured;
    return configured ? full : NULL;
}

/* `shallow`: it is not known whether another remote branch has the commits that are ahead.  libgit2
 * counts commits in a shallow clone since 1.7. */
static void note_branch(struct arena *a, const struct finding *f, bool shallow, const char *branch,
                        const char *upstream, struct repo_notes *ret)
{
    const char *to = short_ref(upstream);
    const char *is = short_ref(branch);

    if (!f->knows_graph)
        note(a, ret, "branch",
             "branch '%s' differs from its upstream '%s', as last fetched; the local branch is"
             " deployed",
             is, to);
    else if (f->behind && f->ahead)
        note(a, ret, "branch",
             "branch '%s' and its upstream '%s' have diverged: it is %s ahead and %zu behind, as"
             " last fetched; the local branch is deployed (deploy the other one with --ref %s)",
             is, to, text_count(a, f->ahead, "commit"), f->behind, to);
    else if (f->behind)
        note(a, ret, "branch",
             "branch '%s' is %s behind its upstream '%s', as last fetched; the local branch is"
             " deployed (update it, or deploy the other one with --ref %s)",
             is, text_count(a, f->behind, "commit"), to, to);
    else if (!f->is_remote || shallow)
        note(a, ret, "branch",
             "branch '%s' is %s ahead of its upstream '%s': unpushed commits cannot be resumed from"
             " another machine",
             is, text_count(a, f->ahead, "commit"), to);
}

static void note_tree(struct arena *a, const struct question *q, const struct finding *f,
                      const struct revision *rev, struct repo_notes *ret)
{
    const char *dir = git_repository_workdir(q->repo->git);
    const char *names = "";
    size_t n = f->changed + f->untracked;

    dir = arena_strndup(a, dir, strlen(dir) - 1); /* without the trailing slash */
    for (size_t i = 0; i < n && i < SHOWN; i++)
        names = arena_printf(a, "%s%s%s", names, i ? ", " : "", f->names[i]);
    if (!f->looked)
        note(a, ret, "work tree", "could not determine whether '%s' has uncommitted changes: %s",
             dir, *f->why ? f->why : arena_printf(a, "it took more than %d s", LOOK_MS / 1000));
    else if (n)
        note(a, ret, "work tree",
             "'%s' has uncommitted changes (%s%s%s: %s%s); commit %s is deployed without them", dir,
             f->changed ? text_count(a, f->changed, "changed file") : "",
             f->changed && f->untracked ? ", " : "",
             f->untracked ? text_count(a, f->untracked, "untracked file") : "", names,
             n > SHOWN ? ", ..." : "", rev->short_sha);
}

/* Returns the path of the recipe inside the work tree, or NULL if it is elsewhere. */
static const char *path_inside(struct arena *a, const char *dir, const char *file)
{
    char *full = file ? realpath(file, NULL) : NULL;
    size_t len = strlen(dir);
    const char *inside = full && strncmp(full, dir, len) == 0 ? arena_strdup(a, full + len) : NULL;

    free(full);
    return inside;
}

/* A clone made without a checkout has a folder for the work tree, but no index. */
static bool has_work_tree(struct repo *r, struct arena *a)
{
    return !git_repository_is_bare(r->git) && git_repository_workdir(r->git) &&
           access(arena_printf(a, "%sindex", git_repository_path(r->git)), F_OK) == 0;
}

/* What was committed in the recipe's own clone and not pushed to the URL that is deployed from, if its branch has the
 * name of the ref. */
static void note_unpushed(struct repo *r, struct arena *a, const struct revision *rev,
                          struct repo_notes *ret)
{
    git_repository *git = NULL;
    git_reference *head = NULL;
    git_oid deployed;
    size_t ahead = 0;
    size_t behind = 0;

    if (r->options.base_dir && repo_open_as(&git, r->options.base_dir, 0) == 0 &&
        git_repository_head_detached(git) == 0 && git_repository_head(&head, git) == 0 &&
        strcmp(git_reference_shorthand(head), rev->ref) == 0 &&
        git_oid_fromstr(&deployed, rev->sha) == 0 &&
        git_graph_ahead_behind(&ahead, &behind, git, git_reference_target(head), &deployed) == 0 &&
        ahead && !behind)
        note(a, ret, "branch",
             "branch '%s' of this clone has %s that the repository does not have, so they are not"
             " deployed; 'git push' sends them there",
             rev->ref, text_count(a, ahead, "commit"));
    git_reference_free(head);
    git_repository_free(git);
}

void repo_ref_notes(struct repo *r, struct arena *a, const struct revision *rev, const char *recipe,
                    struct repo_notes *ret)
{
    struct question q = {.repo = r, .has_tree = has_work_tree(r, a)};
    bool gone = false;

    if (r->is_mirror)
        note_unpushed(r, a, rev, ret);
    if (r->is_mirror || git_oid_fromstr(&q.commit, rev->sha) < 0)
        return;
    const char *branch = branch_of(r, a, rev->ref);
    const char *upstream = branch ? upstream_of(r, a, branch, &q.upstream, &gone) : NULL;
    q.has_upstream = upstream && !gone && !git_oid_equal(&q.commit, &q.upstream);
    if (q.has_tree)
        q.recipe = path_inside(a, git_repository_workdir(r->git), recipe);
    struct finding f = ask_child(&q);
    if (repo_is_stopped(r))
        return;
    if (gone)
        note(a, ret, "branch",
             "the upstream of branch '%s', '%s', is gone, or was never pushed; the local branch is"
             " deployed",
             short_ref(branch), short_ref(upstream));
    else if (q.has_upstream)
        note_branch(a, &f, git_repository_is_shallow(r->git) != 0, branch, upstream, ret);
    else if (!f.is_remote)
        note(a, ret, "branch",
             "commit %s is in no remote branch, as last fetched: unpushed commits cannot be resumed"
             " from another machine",
             rev->short_sha);
    if (q.has_tree)
        note_tree(a, &q, &f, rev, ret);
}

/* ---- what is in the revision ---- */

static const char *some(struct arena *a, const struct strs *names, size_t n)
{
    const char *text = "";

    for (size_t i = 0; i < names->n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", names->v[i]);
    return n > names->n ? arena_printf(a, "%s, ...", text) : text;
}

const char *export_text(struct arena *a, const struct export *x)
{
    const char *text =
        arena_printf(a, "%s, %s", text_count(a, x->n, "file"), text_size(a, x->bytes));

    return x->contents.n_lfs ? arena_printf(a, "%s (%zu from Git LFS)", text, x->contents.n_lfs)
                             : text;
}

void repo_content_notes(struct arena *a, const struct contents *c, struct repo_notes *ret)
{
    if (c->n_submodules)
        note(a, ret, "submodules", "%s will be empty on the hosts: %s (%s)",
             text_count(a, c->n_submodules, "submodule"), some(a, &c->submodules, c->n_submodules),
             c->has_modules ? ".gitmodules has 'update = none' for it"
                            : "submodules are not fetched without 'submodules: true'");
    if (c->n_pointers)
        note(a, ret, "lfs",
             "%s will be on the hosts as Git LFS pointers, without their content: %s (%s)",
             text_count(a, c->n_pointers, "file"), some(a, &c->pointers, c->n_pointers),
             c->of_folder ? "that is what the folder contains"
             : c->has_lfs ? "these pointers name no object"
                          : "without 'lfs: fetch'");
    if (!c->files)
        note(a, ret, "files", "the revision has no files%s: the release will be empty",
             c->n_ignored ? " except those that export-ignore excludes" : "");
}
