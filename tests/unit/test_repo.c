#include "git/repo.h"

#include "base/buf.h"
#include "edge/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* libgit2 1.5 lets go of what PCRE gave it for each regular expression on a configuration, and of
 * two names for each connection over SSH. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2";
}

/* One folder for all: $T in the scripts; each test has its own folder in it, its working
 * directory.  Git, tar, busybox and diff make the repositories and say what is right. */
static char top[256];

static int spawn(const char *script, int out)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (out >= 0)
            dup2(out, 1);
        execl("/bin/sh", "sh", "-euc", script, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void sh(const char *script)
{
    int status = spawn(script, -1);

    if (status)
        fail_msg("exit status %d of: %s", status, script);
}

/* The first line of what a script prints. */
static const char *line_of(struct arena *a, const char *script)
{
    char text[4096] = "";
    char name[300];

    snprintf(name, sizeof name, "%s/out", top);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    if (spawn(script, fd))
        fail_msg("failed: %s", script);
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    assert_true(len >= 0);
    return arena_strndup(a, text, strcspn(text, "\n"));
}

struct bench {
    struct arena a;
    struct err err;
    struct repo *repo;
    struct repo_options options;
    struct revision rev;
    struct export x;
    char dir[300];
    unsigned progressed;
    unsigned asked; /* how often `stop` was */
    unsigned stop_at;
    const char *change;
};

static void on_progress(void *arg, const char *shown, unsigned received, unsigned total,
                        size_t bytes)
{
    struct bench *b = arg;

    (void)bytes;
    assert_true(received <= total);
    assert_null(strstr(shown, "s3cr3t"));
    b->progressed++;
}

static bool on_stop(void *arg)
{
    struct bench *b = arg;

    return b->stop_at && ++b->asked >= b->stop_at;
}

static int setup(void **state)
{
    static unsigned n;
    struct bench *b = xcalloc(1, sizeof *b);

    b->err.arena = &b->a;
    b->x.tar = -1;
    snprintf(b->dir, sizeof b->dir, "%s/%u", top, ++n);
    assert_int_equal(mkdir(b->dir, 0700), 0);
    assert_int_equal(chdir(b->dir), 0);
    b->options = (struct repo_options){.url = "work",
                                       .base_dir = b->dir,
                                       .cache_dir = arena_printf(&b->a, "%s/cache", b->dir),
                                       .progress = on_progress,
                                       .stop = on_stop,
                                       .arg = b};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    export_close(&b->x);
    repo_close(b->repo);
    arena_free(&b->a);
    free(b);
    return chdir("/");
}

#define must(b, call)                                                                              \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (b)->err.msg);                                               \
    } while (0)

static void open_url(struct bench *b, const char *url)
{
    repo_close(b->repo);
    b->repo = NULL;
    b->options.url = url;
    must(b, repo_open(&b->repo, &b->options, &b->err));
}

static void resolve(struct bench *b, const char *ref)
{
    must(b, repo_resolve(b->repo, &b->a, ref, &b->rev, &b->err));
}

static void export(struct bench *b, const char *ref)
{
    export_close(&b->x);
    resolve(b, ref);
    must(b, repo_export(b->repo, &b->a, &b->rev, &b->x, &b->err));
}

static void check_failed(struct bench *b, enum err_code code, const char *part)
{
    assert_int_equal(b->err.code, code);
    if (!strstr(b->err.msg, part))
        fail_msg("'%s' is not in: %s", part, b->err.msg);
    err_clear(&b->err);
}

static void open_fails(struct bench *b, const char *url, enum err_code code, const char *part)
{
    struct repo *repo = NULL;

    b->options.url = url;
    if (repo_open(&repo, &b->options, &b->err))
        fail_msg("'%s' was opened", url);
    assert_null(repo);
    check_failed(b, code, part);
}

static void resolve_fails(struct bench *b, const char *ref, const char *part)
{
    struct revision rev = {0};

    if (repo_resolve(b->repo, &b->a, ref, &rev, &b->err))
        fail_msg("'%s' was resolved to %s", ref, rev.sha);
    assert_null(rev.sha);
    check_failed(b, ERR_USAGE, part);
}

static void export_fails(struct bench *b, const char *ref, const char *part)
{
    struct export x = {.tar = -1};

    resolve(b, ref);
    if (repo_export(b->repo, &b->a, &b->rev, &x, &b->err))
        fail_msg("'%s' was exported", ref);
    assert_int_equal(x.tar, -1);
    check_failed(b, ERR_FAILED, part);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static void save_tar(const struct export *x, const char *name)
{
    char block[65536];
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t at = 0;
    ssize_t len;

    while ((len = pread(x->tar, block, sizeof block, at)) > 0) {
        assert_int_equal(write(fd, block, (size_t)len), len);
        at += len;
    }
    assert_int_equal(at, x->tar_size);
    close(fd);
}

/* Every entry against what was unpacked in `folder`. */
static void check_entries(struct bench *b, const char *folder)
{
    unsigned long long bytes = 0;

    for (size_t i = 0; i < b->x.n; i++) {
        const struct entry *e = &b->x.entry[i];
        const char *path = arena_printf(&b->a, "%s/%s", folder, e->path);
        struct stat st;
        assert_int_equal(lstat(path, &st), 0);
        if (i)
            assert_true(strcmp(b->x.entry[i - 1].path, e->path) < 0);
        assert_int_equal(st.st_size, e->size);
        assert_int_equal(st.st_mtime, b->rev.time);
        if (e->kind == ENTRY_LINK) {
            char target[8192] = "";
            assert_true(S_ISLNK(st.st_mode));
            assert_int_equal(readlink(path, target, sizeof target - 1), e->size);
            assert_string_equal(target, e->target);
            assert_string_equal(e->sha256, "");
            continue;
        }
        char *content = xcalloc(e->size + 1, 1);
        struct digest *d = digest_open();
        char sum[65];
        int fd = open(path, O_RDONLY);
        assert_int_equal(read(fd, content, e->size), e->size);
        close(fd);
        digest_add(d, content, e->size);
        digest_hex(d, sum);
        digest_close(d);
        free(content);
        assert_string_equal(sum, e->sha256);
        assert_null(e->target);
        assert_int_equal(st.st_mode & 07777, e->kind == ENTRY_PROGRAM ? 0755 : 0644);
        bytes += e->size;
    }
    assert_int_equal(bytes, b->x.bytes);
}

/* The tar, unpacked by three programs, holds what `git archive` holds: content, modes, links,
 * times, and every file is among the entries. */
static void check_same(struct bench *b, const char *ref)
{
    static const char script[] =
        "rm -rf git gnu box; mkdir git gnu box\n"
        "git -C work -c tar.umask=0022 archive \"$REF\" 2>/dev/null | tar -xpf - -C git\n"
        "tar -xpf x.tar -C gnu\n"
        "busybox tar -xpf x.tar -C box\n"
        "list() { (cd $1 && find . -mindepth 1 -type f -printf '%y %m %T@ %P\\0';\n"
        "         find . -mindepth 1 ! -type f -printf '%y %m %l %P\\0') | sort -z; }\n"
        "list git >git.list; list gnu >gnu.list; list box >box.list\n"
        "cmp git.list gnu.list; cmp git.list box.list\n"
        "diff -r --no-dereference git gnu; diff -r --no-dereference git box\n";

    export(b, ref);
    save_tar(&b->x, "x.tar");
    setenv("REF", ref, 1);
    sh(script);
    check_entries(b, "gnu");
    const char *n = line_of(&b->a, "find git ! -type d -printf x | wc -c");
    assert_int_equal(strtoul(n, NULL, 10), b->x.n);
}

/* ---- refs ---- */

static const char two_commits[] =
    "git init -q -b main work; cd work\n"
    "echo one >a; git add -A; git commit -qm 'First: \xc3\xa4 words\n\nmore'\n"
    "git tag light; git tag -am 'a tag' heavy\n"
    "echo two >a; git add -A; git commit -qm second; git branch feature/x\n";

static void test_resolve(void **state)
{
    struct bench *b = *state;
    static const char *const firsts[] = {"light", "heavy",           "HEAD~1",
                                         "main^", "refs/tags/light", "feature/x~1"};
    static const char *const seconds[] = {"HEAD", "main", "feature/x", "refs/heads/main"};

    sh(two_commits);
    const char *first = line_of(&b->a, "git -C work rev-parse light");
    const char *second = line_of(&b->a, "git -C work rev-parse HEAD");
    open_url(b, "work");
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        resolve(b, firsts[i]);
        assert_string_equal(b->rev.sha, first);
        assert_string_equal(b->rev.ref, firsts[i]);
        assert_string_equal(b->rev.subject, "First: \xc3\xa4 words");
    }
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        resolve(b, seconds[i]);
        assert_string_equal(b->rev.sha, second);
    }
    resolve(b, first);
    assert_string_equal(b->rev.sha, first);
    assert_memory_equal(b->rev.short_sha, first, 7);
    assert_int_equal(strlen(b->rev.short_sha), 7);
    assert_int_equal(b->rev.time,
                     strtoll(line_of(&b->a, "git -C work log -1 --format=%ct"), NULL, 10));
    resolve(b, arena_strndup(&b->a, first, 9));
    assert_string_equal(b->rev.sha, first);
}

static void test_resolve_fails(void **state)
{
    struct bench *b = *state;
    static const char *const bad[] = {"", "-x", "--upload-pack=x", "a\nb", "a\x1b[2J", "a\x7f"};

    sh(two_commits);
    open_url(b, "work");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        resolve_fails(b, bad[i], "cannot be the name");
    resolve_fails(b, "mian",
                  "no branch, tag or commit 'mian' in repository 'work'; did you mean 'main'?");
    resolve_fails(b, "haevy", "did you mean 'heavy'?");
    resolve_fails(b, "featur/x", "did you mean 'feature/x'?");
    resolve_fails(b, "zzzzzzzz", "no branch, tag or commit 'zzzzzzzz' in repository 'work'");
    resolve_fails(b, "HEAD~7", "no branch");
    resolve_fails(b, "HEAD:a", "no branch");
    resolve_fails(b, "main..light", "no branch");
    resolve_fails(b, "0123456789012345678901234567890123456789", "no branch");
    char *longest = arena_alloc(&b->a, 5001);
    memset(longest, 'x', 5000);
    resolve_fails(b, longest, "cannot be the name");
}

/* "refs/tags/x or refs/heads/x", for every pair of places where a name can be. */
static void test_ambiguous(void **state)
{
    struct bench *b = *state;
    static const char *const spelt[][2] = {
        {"refs/tags/both", "first"},
        {"tags/both", "first"},
        {"refs/tags/both^{commit}", "first"},
        {"refs/heads/both", "second"},
        {"heads/both", "second"},
        {"heads/both~1", "first"},
        {"refs/heads/origin/x", "second"},
        {"remotes/origin/x", "first"},
        {"heads/up", "second"},
        {"HEAD", "second"},
    };

    sh(two_commits);
    sh("cd work; git tag both light; git branch both; git tag same; git branch same\n"
       "git branch origin/x; git branch up; git branch HEAD 2>/dev/null || git update-ref "
       "refs/heads/HEAD light\n"
       "git update-ref refs/remotes/origin/x light\n"
       "git symbolic-ref refs/remotes/up/HEAD refs/remotes/origin/x\n"
       "git update-ref refs/tags/heads/deep light; git branch deep");
    open_url(b, "work");
    for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
        resolve(b, spelt[i][0]);
        assert_string_equal(b->rev.sha,
                            line_of(&b->a, strcmp(spelt[i][1], "first") == 0
                                               ? "git -C work rev-parse refs/tags/light"
                                               : "git -C work rev-parse refs/heads/main"));
    }
    resolve_fails(b, "both",
                  "'both' is ambiguous in repository 'work': it is a tag and a branch; write "
                  "'refs/tags/both' or 'refs/heads/both'");
    resolve_fails(b, "both~1", "'refs/tags/both' or 'refs/heads/both'");
    resolve_fails(b, "both@{0}", "'refs/tags/both' or 'refs/heads/both'");
    resolve_fails(b, "same", "'refs/tags/same' or 'refs/heads/same'");
    resolve_fails(b, "origin/x", "'refs/heads/origin/x' or 'refs/remotes/origin/x'");
    resolve_fails(b, "up", "'refs/heads/up' or 'refs/remotes/up/HEAD'");
    resolve_fails(b, "heads/deep", "'refs/heads/deep' or 'refs/tags/heads/deep'");
    b->options.url = arena_printf(&b->a, "file://%s/work", b->dir);
    open_url(b, b->options.url);
    resolve_fails(b, "both", "'refs/tags/both' or 'refs/heads/both'");
    resolve(b, "heads/both");
}

/* Digits that are a branch and begin a commit's name; all 40 of them are the commit. */
static void test_ambiguous_hex(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    const char *first = line_of(&b->a, "git -C work rev-parse light");
    const char *begin = arena_strndup(&b->a, first, 8);
    sh(arena_printf(&b->a,
                    "cd work; git branch %s 2>/dev/null || git update-ref refs/heads/%s main\n"
                    "git update-ref refs/heads/%s main\n"
                    "git update-ref refs/tags/%.6s light; git branch cafe main",
                    begin, begin, first, first));
    open_url(b, "work");
    resolve_fails(b, begin, arena_printf(&b->a, "write 'refs/heads/%s' or '%s'", begin, first));
    resolve(b, arena_printf(&b->a, "heads/%s", begin));
    assert_string_not_equal(b->rev.sha, first);
    resolve(b, first);
    assert_string_equal(b->rev.sha, first);
    resolve(b, arena_strndup(&b->a, first, 6)); /* a tag of that very commit */
    assert_string_equal(b->rev.sha, first);
    resolve(b, "cafe");
    assert_string_not_equal(b->rev.sha, first);
    sh("git clone -q work ci; git -C ci checkout -q --detach");
    open_url(b, "ci");
    resolve_fails(b, begin,
                  arena_printf(&b->a, "write 'refs/remotes/origin/%s' or '%s'", begin, first));
    resolve(b, "cafe");
}

static void test_empty(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work");
    open_url(b, "work");
    resolve_fails(b, "main", "repository 'work' is empty");
    resolve_fails(b, "HEAD", "repository 'work' is empty");
}

/* Of which files are migrations, as migrate.paths says it. */
static void test_files_between(void **state)
{
    struct bench *b = *state;
    const char *words[] = {"./db/migrate/", "lib/*/versions", "*.lock", "**/settings*", NULL};
    const struct strs paths = {words, 4};
    struct changes c;

    sh("git init -q -b main work; cd work; mkdir -p db/migrate lib/x/versions/y lib/z\n"
       "echo 1 >db/migrate/1; echo 1 >db/migrate/gone; echo 1 >db/migrates; git add .\n"
       "git commit -qm one; rm db/migrate/gone; echo 2 >db/migrate/1; echo 2 >db/migrates\n"
       "echo 2 >lib/x/versions/y/2; echo 2 >lib/z/versions.txt\n"
       "mkdir -p x/settings; echo 2 >x/settings/base.py; echo 2 >uv.lock\n"
       "git add -A; git commit -qm two");
    const char *first = line_of(&b->a, "git -C work rev-parse HEAD~1");
    open_url(b, "work");
    resolve(b, "main");
    repo_commits(b->repo, &b->a, first, b->rev.sha, &c);
    repo_files(b->repo, &b->a, b->rev.sha, &paths, &c);
    assert_int_equal(c.added.n, 1);
    assert_int_equal(c.files, 7);
    assert_string_equal(strs_joined(&b->a, &c.migrations, " "), "db/migrate/1 lib/x/versions/y/2");
    c = (struct changes){.from = "0123456789012345678901234567890123456789"};
    repo_files(b->repo, &b->a, b->rev.sha, &paths, &c);
    assert_int_equal(c.files, -1);
}

/* As CI runners leave it: a shallow clone, no local branch. */
static void test_ci_checkout(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("git clone -q --depth 1 --no-tags --no-single-branch \"file://$PWD/work\" ci; cd ci\n"
       "git checkout -q --detach; git branch -qD main");
    const char *second = line_of(&b->a, "git -C work rev-parse HEAD");
    open_url(b, "ci");
    resolve(b, "main");
    assert_string_equal(b->rev.sha, second);
    resolve(b, "feature/x");
    assert_string_equal(b->rev.sha, second);
    export(b, "HEAD");
    assert_int_equal(b->x.n, 1);
    assert_int_equal(repo_changes(b->repo, second, &b->rev), 0);
    resolve_fails(b, "HEAD~1", "shallow clone");
    sh("git -C ci remote rename -q origin upstream 2>/dev/null || git -C ci remote rename origin "
       "upstream");
    open_url(b, "ci");
    resolve(b, "main");
    assert_string_equal(b->rev.sha, second);
}

static void test_subject_is_bounded(void **state)
{
    struct bench *b = *state;

    sh("git init -q work; cd work; m=$(printf 'x%.0s' $(seq 199)); git commit -q --allow-empty -m "
       "\"$m\xc3\xa4\xc3\xa4\xc3\xa4\"");
    open_url(b, "work");
    resolve(b, "HEAD");
    assert_int_equal(strlen(b->rev.subject), 199);
}

/* ---- where a repository is ---- */

static void test_open(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("mkdir -p work/config/deep plain\n"
       "git clone -q --bare work bare.git\n"
       "git -C work worktree add -q --detach ../linked light\n");
    open_url(b, "work");
    open_url(b, arena_printf(&b->a, "%s/work", b->dir));
    open_url(b, "work/.git");
    open_url(b, "./bare.git/");
    resolve(b, "heavy");
    open_url(b, "linked");
    resolve(b, "HEAD");
    assert_string_equal(b->rev.sha, line_of(&b->a, "git -C work rev-parse light"));
    export(b, "main");
    /* looked for upwards from inside the base folder, and only from there */
    b->options.base_dir = arena_printf(&b->a, "%s/work/config", b->dir);
    open_url(b, ".");
    open_url(b, "deep");
    open_url(b, "..");
    open_fails(b, "../../plain", ERR_USAGE, "no Git repository at '");
    open_fails(b, "mistyped", ERR_USAGE, "no Git repository at '");
    open_fails(b, arena_printf(&b->a, "%s/work/config", b->dir), ERR_USAGE,
               "no Git repository at '");
    b->options.base_dir = arena_printf(&b->a, "%s/work/config/deep", b->dir);
    open_url(b, ".");
    open_fails(b, "..", ERR_USAGE, "no Git repository at '");
    b->options.base_dir = b->dir;
    open_fails(b, "plain", ERR_USAGE, "/plain'");
    open_fails(b, "", ERR_USAGE, "no repository");
    open_fails(b, "a\033b", ERR_USAGE, "control character");
    open_fails(b, "ext::sh -c id", ERR_USAGE, "remote helpers");
    open_fails(b, "ftp://h/x", ERR_USAGE, "must be a path, file://");
    open_fails(b, "ftp://me:pw@h/x", ERR_USAGE, "'ftp://***@h/x'");
    open_fails(b, "-oProxyCommand=x:y", ERR_USAGE, "no host");
}

/* Git 2.39 knows neither relative work trees nor reftable, so both are made by hand. */
static void test_formats(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("git init -q --object-format=sha256 new; git -C new commit -q --allow-empty -m x\n"
       "git -C work config uploadpack.allowFilter true\n"
       "git clone -q --no-checkout --filter=blob:none \"file://$PWD/work\" partial\n"
       "git -C work worktree add -q --detach ../linked light\n"
       "git -C work config core.repositoryformatversion 1\n"
       "for i in worktreeConfig relativeWorktrees preciousObjects; do\n"
       "    git config --file work/.git/config extensions.$i true; done\n"
       "git config --file work/.git/config extensions.compatObjectFormat sha256\n"
       "echo 'gitdir: ../work/.git/worktrees/linked' >linked/.git\n"
       "echo ../../../../linked/.git >work/.git/worktrees/linked/gitdir\n"
       "git init -q table; git config --file table/.git/config core.repositoryformatversion 1\n"
       "git config --file table/.git/config extensions.refStorage reftable\n"
       "git init -q later; git config --file later/.git/config core.repositoryformatversion 1\n"
       "git config --file later/.git/config extensions.fromTheFuture true\n");
    open_fails(b, "new", ERR_USAGE, "SHA-256");
    open_fails(b, arena_printf(&b->a, "file://%s/new", b->dir), ERR_USAGE, "SHA-256");
    open_fails(b, "table", ERR_USAGE, "git refs migrate --ref-format=files");
    open_fails(b, arena_printf(&b->a, "file://%s/table", b->dir), ERR_USAGE, "git refs migrate");
    open_fails(b, "later", ERR_USAGE, "uses the Git extension 'fromthefuture'");
    open_url(b, "work");
    export(b, "HEAD");
    open_url(b, "linked");
    resolve(b, "HEAD");
    assert_string_equal(b->rev.sha, line_of(&b->a, "git -C partial rev-parse light^{commit}"));
    export(b, "HEAD");
    open_url(b, "partial");
    export_fails(b, "HEAD", "partial clone");
}

static void test_owner(void **state)
{
    struct bench *b = *state;

    if (geteuid() != 0)
        return; /* nobody else can give a file away */
    sh(two_commits);
    sh("chown -R 12345:12345 work");
    open_fails(b, "work", ERR_USAGE,
               arena_printf(&b->a,
                            "belongs to another user; run: git config --global --add "
                            "safe.directory %s/work",
                            b->dir));
    /* Of a recipe that the user has named: of the same owner, or of another one. */
    sh("touch mine theirs; chown 12345 theirs; chown 12346 mine");
    b->options.recipe = arena_printf(&b->a, "%s/theirs", b->dir);
    open_fails(b, "work", ERR_USAGE, "belongs to another user");
    b->options.recipe_is_named = true;
    open_url(b, "work");
    resolve(b, "main");
    sh("chown 12346 work/.git");
    open_fails(b, "work", ERR_USAGE, "belongs to another user");
    sh("chown 12345 work/.git; chown 12346 work");
    open_fails(b, "work", ERR_USAGE, "belongs to another user");
    sh("chown 12345 work");
    b->options.recipe = arena_printf(&b->a, "%s/mine", b->dir);
    open_fails(b, "work", ERR_USAGE, "belongs to another user");
    b->options.recipe_is_named = false;
    b->options.recipe = NULL;
    sh("mkdir -p \"work/it's\"");
    b->options.base_dir = arena_printf(&b->a, "%s/work/it's", b->dir);
    open_fails(b, ".", ERR_USAGE, arena_printf(&b->a, "safe.directory %s/work", b->dir));
    b->options.base_dir = b->dir;
    sh("cp -a work \"it's\"");
    open_fails(b, "it's", ERR_USAGE, arena_printf(&b->a, "safe.directory \"%s/it's\"", b->dir));
    sh("git config --file \"$HOME/.gitconfig\" safe.directory \"$PWD/work\"");
    open_url(b, "work");
    resolve(b, "main");
    sh("git config --file \"$HOME/.gitconfig\" safe.directory '*'");
    open_url(b, "work");
    sh("git config --file \"$HOME/.gitconfig\" safe.directory /elsewhere");
    open_fails(b, "work", ERR_USAGE, "belongs to another user");
    sh("rm \"$HOME/.gitconfig\"");
}

/* ---- export ---- */

static void test_names(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work; cd work\n"
       "mkdir -p 'a b' deep 'new\nline' bin sub\n"
       "echo x >'a b/c d'; echo x >\"it's \\\"quoted\\\"\"; echo x >'new\nline/x\ny'; echo x >-rf\n"
       "printf x >\"$(printf 'latin\\351')\"; : >empty; printf 'no newline' >n; printf 'a\\000b' "
       ">nul\n"
       "echo x >'tab\there'; echo x >'back\\slash'; echo x >'*?['; echo x >' '; echo x >'$(id)'\n"
       "echo x >.hidden; echo x >.gitignore; echo '# none' >.gitattributes; echo x >foo.a; echo x "
       ">foo-a\n"
       "mkdir foo; echo x >foo/bar; echo x >foo0\n"
       "n=$(printf 'n%.0s' $(seq 255)); echo x >\"$n\"\n"
       "d=$(printf 'd%.0s' $(seq 98)); mkdir -p \"$d/$d/$d\"; echo x >\"$d/$d/$d/file\"\n"
       "e=$(printf 'e%.0s' $(seq 99)); echo x >\"$e\"; echo x >\"${e}e\"; echo x >\"${e}ee\"\n"
       "echo '#!/bin/sh' >bin/run; chmod 755 bin/run; chmod 600 n\n"
       "ln -s ../n bin/rel; ln -s /etc/passwd abs; ln -s \"$(printf 'raw\\377 \\n x')\" raw\n"
       "ln -s \"$e\" le; ln -s \"${e}e\" lee; ln -s \"${e}ee\" leee\n"
       "ln -s \"$d/$d/$d/file\" long; ln -s missing dangling; ln -s foo/ dirlink\n"
       "head -c 3000000 /dev/urandom >big\n"
       "git init -q sub; git -C sub commit -q --allow-empty -m s\n"
       "git add -A 2>/dev/null; git commit -qm names; git repack -adq\n");
    open_url(b, "work");
    check_same(b, "HEAD");
    assert_true(b->x.n > 25);
    sh("test -d gnu/sub -a -d box/sub");
    sh("tar -tvf x.tar | awk '$2 != \"0/0\" {exit 1}'; tar -tf x.tar | head -1 | grep -qv '^[.]/'");
}

static void test_attributes(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work; cd work\n"
       "mkdir -p doc/a/b doc/keep src/doc spec/x only/this vendor/x/y 'sp ace' m e/f/g q\n"
       "for f in doc/1 doc/a/2 doc/a/b/3 doc/keep/4 src/doc/5 src/6.psd 7.psd spec/x/8 only/this/9 "
       "\\\n"
       "  vendor/x/y/10 vendor/11.c 'sp ace/12' 13.md README.md m/14 e/f/g/15 e/16 17.tmp q/18.tmp "
       "\\\n"
       "  build 19.o 20.O '[x]' x ab abc a-c a]c 'b*d' bxd q/keep.tmp deep.txt src/deep.txt "
       "fooXbar; do\n"
       "  mkdir -p \"$(dirname \"$f\")\"; echo \"$f\" >\"$f\"; done\n"
       "cat >.gitattributes <<'X'\n"
       "[attr]gone export-ignore\n"
       "doc/a export-ignore\n"
       "doc/keep/ export-ignore\n"
       "*.psd gone\n"
       "spec/** export-ignore\n"
       "/only export-ignore\n"
       "only/this -export-ignore\n"
       "**/y export-ignore\n"
       "\"sp ace/12\" export-ignore\n"
       "*.md export-ignore\n"
       "README.md -export-ignore\n"
       "e/**/15 export-ignore\n"
       "*.tmp export-ignore\n"
       "build/ export-ignore\n"
       "*.[oO] export-ignore\n"
       "\\[x\\] export-ignore\n"
       "a[!b]c export-ignore\n"
       "b\\*d export-ignore\n"
       "/deep.txt export-ignore=yes\n"
       "src/deep.txt export-ignore text\n"
       "foo?bar  text   export-ignore\n"
       "e/f** export-ignore\n"
       "/e[!x]16 export-ignore\n"
       "[[:digit:]][0-9].c export-subst\n"
       "!x export-ignore\n"
       "# x export-ignore\n"
       "X\n"
       "echo '*.tmp !export-ignore' >q/.gitattributes; echo 'keep.tmp export-ignore' "
       ">>q/.gitattributes\n"
       "echo '14 export-ignore' >m/.gitattributes\n"
       "printf '\\357\\273\\277/vendor/11.c export-ignore\\r\\n' >vendor/.gitattributes\n"
       "echo 'x export-ignore' >zz\n"
       "git add -A 2>/dev/null; git commit -qm a 2>/dev/null\n");
    open_url(b, "work");
    check_same(b, "HEAD");
    sh("test ! -e gnu/doc/a -a ! -e gnu/doc/keep -a ! -e gnu/7.psd -a -e gnu/x -a -e gnu/build");
    /* neither the work tree nor the index says anything about a commit */
    sh("cd work; echo '* export-ignore' >.gitattributes; check_same=1");
    check_same(b, "HEAD");
    sh("cd work; git add .gitattributes 2>/dev/null");
    check_same(b, "HEAD");
    /* $GIT_DIR/info/attributes does */
    sh("cd work; git reset -q --hard 2>/dev/null; printf '*.md -export-ignore\\nab "
       "export-ignore\\n7.psd "
       "-gone\\n' "
       ">.git/info/attributes");
    open_url(b, "work");
    check_same(b, "HEAD");
    sh("test ! -e gnu/ab -a -e gnu/13.md");
    sh("git clone -q --bare work bare 2>/dev/null; git -C work worktree add -q --detach ../linked "
       "2>/dev/null");
    open_url(b, "linked");
    check_same(b, "HEAD");
    sh("cp work/.git/info/attributes bare/info/");
    open_url(b, "bare");
    check_same(b, "HEAD");
}

static void test_everything_ignored(void **state)
{
    struct bench *b = *state;

    sh("git init -q work; cd work; mkdir d; echo x >d/x; echo x >y; echo '* export-ignore' "
       ">.gitattributes\n"
       "git add -A; git commit -qm a; git commit -q --allow-empty -m b\n"
       "git tag none $(git commit-tree -m none $(git mktree </dev/null))\n");
    open_url(b, "work");
    check_same(b, "HEAD");
    assert_int_equal(b->x.n, 0);
    assert_null(b->x.entry);
    assert_int_equal(b->x.bytes, 0);
    check_same(b, "none");
}

static void test_subst(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work; cd work\n"
       "echo '*.s export-subst' >.gitattributes\n"
       "for p in H h T t P p an ae at ad aD ai aI as cn ce ct cd cD ci cI cs s b B n % x41 d D; "
       "do\n"
       "  echo \"$p [\\$Format:%$p\\$]\"; done >all.s\n"
       "printf 'x $Format:%%H and %%an%%n$ y $Format:$ z $Format: unclosed' >mixed.s\n"
       "printf 'a\\000$Format:%%h$\\000$Format:%%h\\000%%h$' >nul.s; : >empty.s; echo "
       "'$Format:%h$' >plain\n"
       "printf '$Id$ $Format $Format:100%%%%$ $' >odd.s; ln -s '$Format:%h$' link.s\n"
       "git add -A; git commit -qm 'first'\n"
       "export GIT_AUTHOR_DATE='1700000000 +0530' GIT_COMMITTER_DATE='1600000000 -0330'\n"
       "export GIT_AUTHOR_NAME='Ann \xc3\x84' GIT_COMMITTER_NAME='C O'\n"
       "git commit -q --allow-empty -F - <<'X'\n"
       "Subject over  \n"
       "two lines\n"
       "\n"
       "\n"
       "The body: 100% $PATH\n"
       "\n"
       "  more\n"
       "X\n"
       "git tag v1; git tag -am x v2; git branch other; git update-ref refs/remotes/origin/main "
       "HEAD\n"
       "git commit -q --allow-empty -m top; git checkout -q --detach main~1\n"
       "git checkout -q -b side; git commit -q --allow-empty -m side\n"
       "git merge -q -m merged main; git checkout -q main\n");
    open_url(b, "work");
    check_same(b, "v2");
    check_same(b, "HEAD");
    check_same(b, "side");
    check_same(b, "v1~1");
    sh("git -C work checkout -q --detach v1");
    open_url(b, "work");
    check_same(b, "v1");
    /* what is not known stays as it stands */
    sh("cd work; printf '$Format:%%Z %%a %%aZ %%x4 %%xzz %%$' >u.s; git add -A; git commit -qm u");
    open_url(b, "work");
    export(b, "HEAD");
    save_tar(&b->x, "x.tar");
    assert_string_equal(line_of(&b->a, "tar -xOf x.tar u.s"), "%Z %a %aZ %x4 %xzz %");
}

/* A tree object as nobody's git would write it: mode, name, object; several, in order. */
static const char *raw_tree(struct bench *b, const char *const *members)
{
    struct buf t = buf_make(1 << 20);

    for (; members[0]; members += 3) {
        const char *blob =
            arena_printf(&b->a, "printf '%s' | git -C work hash-object -w --stdin", members[2]);
        /* another tree is given by its hash */
        const char *hex = members[2][0] == '@' ? members[2] + 1 : line_of(&b->a, blob);
        buf_printf(&t, "%s %s", members[0], members[1]);
        buf_add(&t, "", 1);
        for (size_t i = 0; i < 40; i += 2) {
            char two[3] = {hex[i], hex[i + 1], 0};
            char byte = (char)strtol(two, NULL, 16);
            buf_add(&t, &byte, 1);
        }
    }
    write_file("tree", t.text, t.len);
    buf_free(&t);
    return line_of(&b->a, "git -C work hash-object -w --literally -t tree ../tree");
}

static void test_hostile_trees(void **state)
{
    struct bench *b = *state;
    char name[257] = "";

    sh("git init -q work; cd work; mkdir d; echo x >d/x; git add -A; git commit -qm x");
    const char *dir = arena_printf(&b->a, "@%s", line_of(&b->a, "git -C work rev-parse HEAD:d"));
    memset(name, 'n', 256);
    const struct {
        const char *members[10];
        const char *why;
    } cases[] = {
        {{"100644", "..", "x"}, "'..' (not a file name)"},
        {{"40000", "..", dir}, "'..'"},
        {{"40000", ".", dir}, "'.'"},
        {{"100644", ".git", "x"}, "reserved"},
        {{"40000", ".GiT", dir}, "'.GiT' (reserved"},
        {{"100644", "/etc/x", "x"}, "'/etc/x'"},
        {{"100644", "a/b", "x"}, "'a/b'"},
        {{"100644", "../x", "x"}, "'../x'"},
        {{"100644", "a", "x", "100644", "a", "y"}, "twice"},
        {{"40000", "a", dir, "40000", "a", dir}, "twice"},
        {{"100644", "b", "x", "100644", "a", "y"}, "not sorted"},
        {{"120000", "a", "/etc", "40000", "a", dir}, "twice"},
        {{"120000", "a", "/etc", "100644", "a.b", "x", "40000", "a", dir}, "a file and a folder"},
        {{"40000", "a", dir, "120000", "a", "/etc"}, "twice"},
        {{"40000", "a", dir, "100644", "a0", "x", "120000", "a", "/etc"}, "not sorted"},
        {{"120000", "a", "/etc", "100644", "a.b", "x", "160000", "a", dir}, "a file and a folder"},
        {{"120000", "a", ""}, "an invalid target"},
        {{"120000", "a", "x\\000y"}, "an invalid target"},
        {{"100644", name, "x"}, "too long"},
        {{"100644", "e\033[2J..", "x", "100644", "d", ""}, "'d' (the tree is not sorted"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *tree = raw_tree(b, cases[i].members);
        const char *sha =
            line_of(&b->a, arena_printf(&b->a, "git -C work commit-tree -m x %s", tree));
        open_url(b, "work");
        export_fails(b, sha, cases[i].why);
    }
}

static bool has_word(void *arg, const char *bytes, size_t len)
{
    return len > strlen(arg) && memcmp(bytes, arg, strlen(arg)) == 0;
}

static const char *find(struct bench *b, const char *file, const char *also, const char *word)
{
    return repo_find_file(b->repo, &b->a, file, also, has_word, (void *)(uintptr_t)word);
}

static void test_find_file(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work; cd work; mkdir c; echo one >c/x; git add -A; git commit -qm 1\n"
       "echo two >c/x; git commit -qam 2; git commit -q --allow-empty -m 3\n"
       "git checkout -q -b side; echo aside >c/x; git commit -qam 4; git checkout -q main\n"
       "git rm -q c/x; git commit -qm 5; mkdir -p c; echo two >c/x; echo y >../outside");
    open_url(b, "work");
    const char *side = line_of(&b->a, "git -C work rev-parse side");
    assert_string_equal(find(b, "work/c/x", "", "one"),
                        line_of(&b->a, "echo $(git -C work rev-parse --short=12 main~3):c/x"));
    /* Of commits of one second any may come first. */
    const char *two = find(b, "work/c/x", "", "two");
    assert_non_null(two);
    assert_string_equal(line_of(&b->a, arena_printf(&b->a, "git -C work show %s", two)), "two");
    assert_null(find(b, "work/c/x", "", "aside"));
    assert_null(find(b, "work/c/x", "HEAD", "aside"));
    assert_string_equal(find(b, "work/c/x", side, "aside"), arena_printf(&b->a, "%.12s:c/x", side));
    assert_null(find(b, "work/c/x", side, "three"));
    assert_null(find(b, "work/c", side, "one"));
    assert_null(find(b, "outside", side, "y"));
    assert_null(find(b, "nowhere", side, "y"));
    sh("git clone -q --bare work bare; git init -q empty; echo one >empty/x");
    open_url(b, "bare");
    assert_null(find(b, "work/c/x", side, "one"));
    open_url(b, "empty");
    assert_null(find(b, "empty/x", side, "one"));
}

static void test_deep_tree(void **state)
{
    struct bench *b = *state;
    const char *tree;

    sh("git init -q work; cd work; mkdir d; echo x >d/x; git add -A; git commit -qm x");
    tree = line_of(&b->a, "git -C work rev-parse HEAD:d");
    /* 2,003 folders of one letter: 4,005 bytes */
    char *script =
        arena_printf(&b->a,
                     "t=%s; i=0; while [ $i -lt 40 ]; do i=$((i+1)); n=$(printf "
                     "'n%%.0s' $(seq 100)); t=$(printf '040000 tree %%s\\t%%s\\n' $t $n | "
                     "git -C work mktree); done; git -C work commit-tree -m x $t",
                     tree);
    const char *sha = line_of(&b->a, script);
    open_url(b, "work");
    export_fails(b, sha, "too long");
}

static void test_damaged(void **state)
{
    struct bench *b = *state;

    sh("git init -q work; cd work; echo x >a; echo y >b; git add -A; git commit -qm x\n"
       "f() { h=$(git rev-parse HEAD:$1); echo .git/objects/$(echo $h | cut -c1-2)/$(echo $h | cut "
       "-c3-); }\n"
       "chmod 644 $(f b); cp $(f a) $(f b)\n");
    open_url(b, "work");
    export_fails(b, "HEAD", "damaged");
    sh("cd work; h=$(git rev-parse HEAD:b); rm -f .git/objects/$(echo $h | cut -c1-2)/$(echo $h | "
       "cut -c3-)");
    open_url(b, "work");
    export_fails(b, "HEAD", "is not in repository 'work'");
}

static void test_no_room(void **state)
{
    struct bench *b = *state;
    struct rlimit was;

    sh("git init -q work; cd work; head -c 2000000 /dev/urandom >a; git add -A; git commit -qm x");
    open_url(b, "work");
    const char *tmp = getenv("TMPDIR");
    tmp = tmp ? arena_strdup(&b->a, tmp) : NULL;
    setenv("TMPDIR", "/nonexistent/dir", 1);
    export_fails(b, "HEAD", "cannot create a file in '/nonexistent/dir'");
    tmp ? setenv("TMPDIR", tmp, 1) : unsetenv("TMPDIR");
    getrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000000, was.rlim_max});
    export_fails(b, "HEAD", "cannot write the archive in");
    setrlimit(RLIMIT_FSIZE, &was);
    export(b, "HEAD");
}

static void test_closing(void **state)
{
    struct bench *b = *state;
    struct export never = {.tar = -1};

    repo_close(NULL);
    export_close(&never);
    sh(two_commits);
    open_url(b, "work");
    export(b, "HEAD");
    int fd = b->x.tar;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    export_close(&b->x);
    assert_int_equal(b->x.tar, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    export_close(&b->x);
    /* an export ends when it is asked to */
    struct export x = {.tar = -1};
    b->stop_at = 1;
    assert_false(repo_export(b->repo, &b->a, &b->rev, &x, &b->err));
    check_failed(b, ERR_INTERRUPTED, "interrupted");
}

/* ---- what changed ---- */

static const char *sum_of(struct bench *b, const char *ref, const char *path)
{
    struct strs paths = {0};
    const char *sum = NULL;

    strs_add(&b->a, &paths, path);
    resolve(b, ref);
    must(b, repo_digest(b->repo, &b->a, &b->rev, &paths, &sum, &b->err));
    assert_int_equal(strlen(sum), 64);
    return sum;
}

static void test_changes(void **state)
{
    struct bench *b = *state;

    sh("git init -q -b main work; cd work; mkdir -p db/migrate lib; echo 1 >db/migrate/1; echo l "
       ">lib/l\n"
       "git add -A; git commit -qm 1; git tag one; echo 2 >lib/l; git commit -qam 2; git tag two\n"
       "echo 2 >db/migrate/2; git mv lib/l lib/m; git add -A; git commit -qm 3; git tag three\n"
       "chmod +x db/migrate/1; git commit -qam 4; git tag four\n");
    open_url(b, "work");
    assert_string_equal(sum_of(b, "one", "db/migrate"), sum_of(b, "two", "db/migrate"));
    assert_string_equal(sum_of(b, "one", "./db/migrate/"), sum_of(b, "two", "db/migrate"));
    assert_string_not_equal(sum_of(b, "two", "db/migrate"), sum_of(b, "three", "db/migrate"));
    assert_string_not_equal(sum_of(b, "three", "db/migrate/1"), sum_of(b, "four", "db/migrate/1"));
    assert_string_not_equal(sum_of(b, "one", "lib"), sum_of(b, "two", "lib"));
    assert_string_not_equal(sum_of(b, "one", "."), sum_of(b, "two", "."));
    /* A pattern changes with what it matches, and if it matches more. */
    assert_string_equal(sum_of(b, "one", "**/migrate"), sum_of(b, "two", "**/migrate"));
    assert_string_not_equal(sum_of(b, "two", "**/migrate"), sum_of(b, "three", "**/migrate"));
    assert_string_equal(sum_of(b, "one", "d*/migrate/[1]"), sum_of(b, "three", "d*/migrate/[1]"));
    assert_string_not_equal(sum_of(b, "one", "d*/migrate/?"), sum_of(b, "three", "d*/migrate/?"));
    assert_string_not_equal(sum_of(b, "one", "**/[lm]"), sum_of(b, "two", "**/[lm]"));
    /* One that is missing counts as empty, but a digest of nothing would never change. */
    struct strs paths = {0};
    const char *sum = NULL;
    strs_add(&b->a, &paths, "none");
    strs_add(&b->a, &paths, "*/none");
    must(b, repo_digest(b->repo, &b->a, &b->rev, &paths, &sum, &b->err));
    assert_string_equal(sum, "");
    strs_add(&b->a, &paths, "lib");
    must(b, repo_digest(b->repo, &b->a, &b->rev, &paths, &sum, &b->err));
    assert_int_equal(strlen(sum), 64);
    resolve(b, "three");
    assert_int_equal(repo_changes(b->repo, line_of(&b->a, "git -C work rev-parse one"), &b->rev),
                     3);
    assert_int_equal(repo_changes(b->repo, line_of(&b->a, "git -C work rev-parse two"), &b->rev),
                     3);
    assert_int_equal(repo_changes(b->repo, b->rev.sha, &b->rev), 0);
    assert_int_equal(repo_changes(b->repo, "0123456789012345678901234567890123456789", &b->rev),
                     -1);
    assert_int_equal(repo_changes(b->repo, "", &b->rev), -1);
    assert_int_equal(repo_changes(b->repo, "HEAD", &b->rev), -1);
    assert_int_equal(
        repo_changes(b->repo, line_of(&b->a, "git -C work rev-parse HEAD:lib"), &b->rev), -1);
}

/* ---- what is said ---- */

/* "about: text" of each note on the ref, one line each. */
static const char *ref_notes(struct bench *b, const char *ref)
{
    struct repo_notes notes = {0};
    const char *text = "";

    resolve(b, ref);
    repo_ref_notes(b->repo, &b->a, &b->rev,
                   arena_printf(&b->a, "%s/work/conf/crelease.yml", b->dir), &notes);
    for (size_t i = 0; i < notes.n; i++)
        text = arena_printf(&b->a, "%s%s: %s\n", text, notes.v[i].about, notes.v[i].text);
    return text;
}

static void has_no_notes(struct bench *b, const char *ref)
{
    assert_string_equal(ref_notes(b, ref), "");
}

/* What takes too long to find out is left out, and on a loaded machine anything can. */
static void has_note(struct bench *b, const char *ref, const char *part)
{
    enum { TRIES = 200 };
    const char *notes = ref_notes(b, ref);

    for (int i = 0; i < TRIES && !strstr(notes, part); i++)
        notes = ref_notes(b, ref);
    if (!strstr(notes, part))
        fail_msg("no '%s' among: %s", part, notes);
}

static void test_uncommitted(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("cd work; mkdir conf d; echo x >conf/crelease.yml; echo '*.log' >.gitignore; echo 1 >d/b\n"
       "echo 1 >c; git add .gitignore c d; git commit -qm files; echo x >ignored.log; touch -d "
       "2001-01-01 a c");
    open_url(b, "work");
    has_no_notes(b, "main");
    sh("cd work; echo three >a; git rm -q c; echo n >staged; git add staged; mkdir new; echo 1 "
       ">new/1; echo 2 >new/2\n"
       "git add conf; git commit -qm recipe conf; echo y >>conf/crelease.yml");
    has_note(b, "main",
             arena_printf(&b->a,
                          "work tree: '%s/work' has uncommitted changes (3 changed files, 1 "
                          "untracked file: a, c, new/, ...); commit ",
                          b->dir));
    has_note(b, "light", "is deployed without them");
    sh("git clone -q --bare work bare; git clone -q --no-checkout work none");
    open_url(b, "bare");
    has_no_notes(b, "main");
    open_url(b, "none");
    has_no_notes(b, "main");
    open_url(b, arena_printf(&b->a, "file://%s/work", b->dir));
    has_no_notes(b, "main");
    sh("cd work; git worktree add -q --detach ../linked light; echo x >../linked/a");
    open_url(b, "linked");
    has_note(b, "HEAD", "1 changed file: a)");
    sh("cd work; git reset -q --hard; rm -r new; git sparse-checkout set --no-cone /d /.gitignore");
    open_url(b, "work");
    has_no_notes(b, "main");
}

/* No program of the repository's runs, and what cannot be compared without one is no change. */
static void test_uncommitted_runs_nothing(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("cd work; printf '#!/bin/sh\\ntouch %s/ran\\nexec cat\\n' \"$PWD\" >../evil; chmod +x ../evil\n"
       "echo '*.bin filter=evil' >.gitattributes; echo 1 >x.bin; echo 1 >y.bin; git add -A; git "
       "commit -qm c\n"
       "for i in filter.evil.clean filter.evil.process core.fsmonitor core.hooksPath core.pager; do "
       "git config $i \"$PWD/../evil\"; done; git config filter.evil.required true\n"
       "mkdir -p .git/hooks; cp ../evil .git/hooks/fsmonitor-watchman; cp ../evil "
       ".git/hooks/post-index-change\n"
       "echo 2 >x.bin; touch -d 2001-01-01 x.bin y.bin a; rm -f ran");
    open_url(b, "work");
    has_no_notes(b, "main");
    sh("echo 22 >work/x.bin");
    has_note(b, "main", "(1 changed file: x.bin)");
    sh("test ! -e work/ran; rm work/a; mkfifo work/a");
    has_note(b, "main", "(2 changed files: a, x.bin)");
    sh("rm -f work/a; mkfifo work/.gitignore");
    has_note(b, "main", "could not determine whether");
}

static void test_upstream(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("git clone -q work ci; cd ci; git branch -q here; git tag mine; git checkout -q feature/x");
    b->options.url = "ci";
    open_url(b, "ci");
    has_no_notes(b, "main");
    has_no_notes(b, "here");
    has_no_notes(b, "feature/x");
    sh("cd work; for i in 1 2; do echo $i >a; git commit -qam $i; done; git branch -qD feature/x\n"
       "cd ../ci; git fetch -q --prune");
    has_note(
        b, "main",
        "branch: branch 'main' is 2 commits behind its upstream 'origin/main', as last fetched; the local "
        "branch is deployed");
    has_note(
        b, "HEAD",
        "the upstream of branch 'feature/x', 'origin/feature/x', is gone, or was never pushed");
    has_no_notes(b, "origin/main");
    has_no_notes(b, "light");
    has_no_notes(b, "main~1");
    sh("cd ci; git checkout -q main; echo x >x; git add x; git commit -qm x; git tag mine2\n"
       "git branch --no-track own; git checkout -q --detach");
    has_note(
        b, "main",
        "branch 'main' and its upstream 'origin/main' have diverged: it is 1 commit ahead and 2 behind");
    has_note(b, "mine2", "is in no remote branch, as last fetched: unpushed commits");
    has_note(b, "own", "is in no remote branch");
    has_note(b, "HEAD", "is in no remote branch");
    sh("cd ci; git checkout -q main; git branch --unset-upstream; git reset -q --hard "
       "origin/main~1");
    has_note(b, "main", "branch 'main' is 1 commit behind its upstream 'origin/main'");
    sh("cd ci; git reset -q --hard origin/main; git commit -q --allow-empty -m y; git branch "
       "--set-upstream-to=origin/main");
    has_note(
        b, "main",
        "branch 'main' is 1 commit ahead of its upstream 'origin/main': unpushed commits cannot be "
        "resumed from another machine");
    sh("git clone -q --depth 1 \"file://$PWD/work\" shallow; cd shallow; git commit -q "
       "--allow-empty -m z");
    open_url(b, "shallow");
    /* "differs from its upstream", or since libgit2 1.7 "is 1 commit ahead of its upstream". */
    has_note(b, "main", " its upstream 'origin/main'");
    sh("cd shallow; git branch --unset-upstream; git remote rename origin up 2>/dev/null");
    has_no_notes(b, "main");
}

static const char *content_notes(struct bench *b, const struct contents *c)
{
    struct repo_notes notes = {0};
    const char *text = "";

    repo_content_notes(&b->a, c, &notes);
    for (size_t i = 0; i < notes.n; i++)
        text = arena_printf(&b->a, "%s%s: %s\n", text, notes.v[i].about, notes.v[i].text);
    return text;
}

/* The same is said of what is looked at only and of what is exported. */
static void contents_are(struct bench *b, const char *ref, const char *notes)
{
    struct contents c;

    export(b, ref);
    if (!repo_look(b->repo, &b->a, &b->rev, &c, &b->err))
        fail_msg("%s", b->err.msg);
    assert_string_equal(content_notes(b, &c), notes);
    assert_string_equal(content_notes(b, &b->x.contents), notes);
}

static void test_contents(void **state)
{
    struct bench *b = *state;

    sh(two_commits);
    sh("cd work; p='version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1'\n"
       "echo '*.png filter=lfs' >.gitattributes; echo real >real.png; echo \"$p\" >a.png\n"
       "mkdir d; for i in 1 2 3; do echo \"$p\" >d/$i; done; ln -s a.png link; git add -A\n"
       "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),vendor/sub; git commit -qm 2\n"
       "for i in 1 2 3; do git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub$i; "
       "done\n"
       "{ echo \"$p\"; yes x | head -c 1000; } >a.png; echo ' version https://git-lfs.github.com/spec/v1'"
       " >d/1; echo 'd export-ignore' >>.gitattributes\n"
       "git add a.png d .gitattributes; git commit -qm 3\n"
       "echo '* export-ignore' >.gitattributes; git add .gitattributes; git commit -qm 4\n"
       "git tag none $(git commit-tree -m none $(git mktree </dev/null))\n");
    open_url(b, "work");
    contents_are(b, "light", "");
    contents_are(b, "HEAD~2",
                 "submodules: 1 submodule will be empty on the hosts: vendor/sub (submodules are "
                 "not fetched without 'submodules: true')\n"
                 "lfs: 4 files will be on the hosts as Git LFS pointers, without their content: "
                 "a.png, d/1, d/2, ... (without 'lfs: fetch')\n");
    contents_are(b, "HEAD~1",
                 "submodules: 4 submodules will be empty on the hosts: sub1, sub2, sub3, ... "
                 "(submodules are not fetched without 'submodules: true')\n");
    contents_are(b, "HEAD",
                 "files: the revision has no files except those that export-ignore excludes: the "
                 "release will be empty\n");
    contents_are(b, "none", "files: the revision has no files: the release will be empty\n");
}

/* ---- Git LFS ---- */

/* A pointer to "content", its object, and a program git-lfs that notes how it was called, and then does what $LFS says. */
static const char with_lfs[] =
    "oid=$(printf content | sha256sum | cut -c1-64)\n"
    "git -c init.defaultBranch=main init -q work; cd work; mkdir bin\n"
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize 7\\n' $oid >file\n"
    "cp file program; chmod +x program; echo ordinary >other\n"
    "echo '/other export-subst' >.gitattributes; git add .; git commit -qm 1; echo 2 >other\n"
    "git commit -qam 2; cd ..\n"
    "object=$PWD/object; printf content >$object\n"
    "cat >git-lfs <<END\n"
    "#!/bin/sh\n"
    "{ printf '%s\\n' \"\\$*\" \"\\$GIT_DIR\" \"\\$GIT_SSH_COMMAND\" \"\\$GIT_CONFIG_COUNT\"\n"
    "printf '%s=%s\\n' \"\\$GIT_CONFIG_KEY_0\" \"\\$GIT_CONFIG_VALUE_0\"; } >$PWD/called\n"
    "to=\\$GIT_DIR/lfs/objects/$(echo $oid | cut -c1-2)/$(echo $oid | cut -c3-4)\n"
    "mkdir -p \\$to\n"
    "printf 'Downloading LFS objects:  50%% (1/2), 7 B | 1 B/s\\r'\n"
    "if [ ! -e $object ]; then echo 'https://ann:s3cr3t@example.com/: no such thing' >&2; exit 2; fi\n"
    "if [ -p $object ]; then exec sleep 100; fi\n"
    "cp $object \\$to/$oid\n"
    "END\n"
    "chmod +x git-lfs\n";

static void use_program(struct bench *b)
{
    static char before[4096];

    if (!*before)
        snprintf(before, sizeof before, "%s", getenv("PATH"));
    setenv("PATH", arena_printf(&b->a, "%s:%s", b->dir, before), 1);
}

static void lfs_is(struct bench *b, const char *ref)
{
    export(b, ref);
    const struct entry *e = export_find(&b->x, "program");
    assert_non_null(e);
    assert_int_equal(e->kind, ENTRY_PROGRAM);
    assert_int_equal(e->size, 7);
    assert_string_equal(e->sha256, line_of(&b->a, "printf content | sha256sum | cut -c1-64"));
    assert_int_equal(b->x.contents.n_lfs, 2);
    assert_int_equal(b->x.contents.n_pointers, 0);
    char text[2048 + 1] = "";
    assert_true(pread(b->x.tar, text, sizeof text - 1, e->part.at) > 512);
    assert_int_equal(e->part.size, 1024);
    assert_string_equal(text, "program");
    assert_memory_equal(text + 512, "content\0", 8);
}

static void test_lfs(void **state)
{
    struct bench *b = *state;
    const struct entry *e;
    struct files files;

    sh(with_lfs);
    use_program(b);
    b->options.lfs = true;
    open_url(b, "work");
    lfs_is(b, "HEAD");
    assert_string_equal(export_text(&b->a, &b->x), "4 files, 36 B (2 from Git LFS)");
    sh("sed -n 1p called | grep -qx \"fetch --include= --exclude= origin $(git -C work rev-parse HEAD)\"\n"
       "sed -n 2p called | grep -qx \"$PWD/work/.git/\"; grep -qx = called; rm called");
    lfs_is(b, "HEAD");
    sh("test ! -e called");
    /* The digest of an earlier revision's file is in its pointer. */
    sh("rm -r work/.git/lfs");
    must(b, repo_list(b->repo, &b->a, line_of(&b->a, "git -C work rev-parse HEAD~1"), &b->x, &files,
                      &b->err));
    assert_int_equal(files.n, 4);
    e = &files.v[1];
    assert_string_equal(e->path, "file");
    assert_string_equal(e->sha256, export_find(&b->x, "file")->sha256);
    sh("test ! -e called; oid=$(printf content | sha256sum | cut -c1-64); cd work\n"
       "git config lfs.storage ../elsewhere\n"
       "mkdir -p elsewhere/objects/$(echo $oid | cut -c1-2)/$(echo $oid | cut -c3-4)\n"
       "printf content >elsewhere/objects/$(echo $oid | cut -c1-2)/$(echo $oid | cut -c3-4)/$oid");
    open_url(b, "work");
    lfs_is(b, "HEAD");
    sh("test ! -e called");
}

static void test_lfs_mirror(void **state)
{
    struct bench *b = *state;
    struct strs ssh = {0};

    sh(with_lfs);
    use_program(b);
    strs_add(&b->a, &ssh, "-oProxyJump=a b");
    b->options.lfs = true;
    b->options.ssh = &ssh;
    open_url(b, arena_printf(&b->a, "file://%s/work", b->dir));
    lfs_is(b, "HEAD");
    sh("grep -qx \"remote.origin.url=file://$PWD/work\" called; sed -n 4p called | grep -qx 1\n"
       "sed -n 3p called | grep -qx \"ssh '-oProxyJump=a b'\"; ! grep -r \"$PWD/work\" "
       "cache/work-*.git/config");
}

static void test_lfs_fails(void **state)
{
    struct bench *b = *state;

    sh(with_lfs);
    use_program(b);
    b->options.lfs = true;
    open_url(b, "work");
    sh("mv object object.1");
    export_fails(b, "HEAD", ": https://***@example.com/: no such thing");
    sh("echo CONTENT | head -c 7 >object");
    export_fails(b, "HEAD", "the Git LFS object of 'file' is damaged: remove '");
    sh("rm -r work/.git/lfs; echo content >object");
    export_fails(b, "HEAD", "the content of 'file' (Git LFS object ");
    /* Stopped while the program waits. */
    sh("rm -r object work/.git/lfs; mkfifo object");
    b->stop_at = 10;
    b->asked = 0;
    struct export x = {.tar = -1};
    assert_false(repo_export(b->repo, &b->a, &b->rev, &x, &b->err));
    check_failed(b, ERR_INTERRUPTED, "interrupted");
    b->stop_at = 0;
    sh("chmod -x git-lfs; rm -r work/.git/lfs");
    setenv("PATH", b->dir, 1);
    struct export y = {.tar = -1};
    bool ok = repo_export(b->repo, &b->a, &b->rev, &y, &b->err);
    use_program(b);
    assert_false(ok);
    check_failed(b, ERR_FAILED, "is not installed on this machine");
}

/* ---- a folder of this machine ---- */

static const char with_folder[] =
    "git -c init.defaultBranch=main init -q work; cd work; echo 1 >file; git add .; git commit -qm 1\n"
    "mkdir -p dist/a dist/a-b dist/.git dist/empty dist/config dist/a/.git\n"
    "cd dist; echo x >a/x; echo y >a-b/y; echo z >a.txt; echo \"odd\" >\"$(printf 'a new\\nline\\\\\\377')\"\n"
    "echo p >a/run; chmod 755 a/run; echo q >.git/config; echo r >a/.git/HEAD; ln -s ../a.txt a/link\n"
    "ln -s nowhere/.. b; : >none; echo hosts >../site.yml; ln ../site.yml linked\n"
    "echo s >config/crelease.yml; echo t >crelease.yml; head -c 300000 /dev/zero >zeros\n";

static bool export_folder(struct bench *b, const char *dir)
{
    export_close(&b->x);
    return repo_export_folder(b->repo, &b->a, &b->rev, dir, &b->x, &b->err);
}

static void folder_fails(struct bench *b, const char *script, const char *part)
{
    sh(script);
    if (export_folder(b, "work/dist"))
        fail_msg("packed after: %s", script);
    assert_int_equal(b->x.tar, -1);
    check_failed(b, ERR_FAILED, part);
}

static void test_folder(void **state)
{
    static const char *const paths[] = {"a-b/y", "a.txt", "a/link", "a/run", "a/x"};
    struct bench *b = *state;

    sh(with_folder);
    b->options.recipe = "work/site.yml";
    open_url(b, "work");
    resolve(b, "HEAD");
    must(b, export_folder(b, "work/dist"));
    assert_null(b->x.repo);
    for (size_t i = 1; i < b->x.n; i++)
        assert_true(strcmp(b->x.entry[i - 1].path, b->x.entry[i].path) < 0);
    assert_int_equal(b->x.n, 9);
    for (size_t i = 0; i < 5; i++)
        assert_non_null(export_find(&b->x, paths[i]));
    assert_int_equal(export_find(&b->x, "a/run")->kind, ENTRY_PROGRAM);
    assert_string_equal(export_find(&b->x, "zeros")->sha256,
                        line_of(&b->a, "sha256sum <work/dist/zeros | cut -c1-64"));
    int fd = open("tar", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char bytes[4096];
    ssize_t n;
    for (off_t at = 0; (n = pread(b->x.tar, bytes, sizeof bytes, at)) > 0; at += n)
        assert_int_equal(write(fd, bytes, (size_t)n), n);
    close(fd);
    sh("mkdir out; tar -C out -xf tar; rm -r work/dist/linked work/dist/.git work/dist/a/.git work/dist/crelease.yml "
       "work/dist/config/crelease.yml; diff -r --no-dereference work/dist out; test -d out/empty\n"
       "test -x out/a/run -a ! -x out/a/x");
}

static void test_folder_fails(void **state)
{
    struct bench *b = *state;

    sh(with_folder);
    open_url(b, "work");
    resolve(b, "HEAD");
    folder_fails(b, "mkfifo work/dist/pipe",
                 "source 'work/dist': the folder contains a path that "
                 "cannot be deployed: 'pipe' (neither a file");
    folder_fails(b, "rm work/dist/pipe; ln -s /etc/passwd work/dist/a/l",
                 "'a/l' (a symbolic link to a place outside");
    folder_fails(b, "ln -sf ../../x work/dist/a/l", "'a/l' (a symbolic link to a place outside");
    folder_fails(b, "ln -sf ../b/../../dist/x work/dist/a/l",
                 "'a/l' (a symbolic link to a place outside");
    folder_fails(b, "rm work/dist/a/l; mkdir work/dist/a/.GIT", "reserved for Git");
    folder_fails(b, "rmdir work/dist/a/.GIT; rm -r work/dist; mkdir -p work/dist/a",
                 "the folder has no files");
    folder_fails(b, "rm -r work/dist; : >work/dist",
                 "source 'work/dist': cannot read the folder: Not a directory");
    folder_fails(b, "rm work/dist", "cannot read the folder: No such file");
}

/* Changes something of the folder while it is read. */
static bool on_stop_change(void *arg)
{
    struct bench *b = arg;

    if (++b->asked == b->stop_at)
        sh(b->change);
    return false;
}

static void test_folder_changes(void **state)
{
    static const char *const changes[] = {
        "echo more >>work/dist/zeros", "printf 1 | dd of=work/dist/zeros conv=notrunc 2>/dev/null",
        ": >work/dist/zeros", "touch work/dist/new", "chmod +x work/dist/zeros"};
    struct bench *b = *state;
    unsigned noticed = 0;

    sh(with_folder);
    b->options.stop = on_stop_change;
    open_url(b, "work");
    resolve(b, "HEAD");
    sh("cp -a work/dist kept");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        noticed = 0;
        b->change = changes[i];
        for (b->stop_at = 1;; b->stop_at++) {
            b->asked = 0;
            sh("rm -rf work/dist; cp -a kept work/dist");
            bool ok = export_folder(b, "work/dist");
            if (b->asked < b->stop_at)
                break; /* nothing was changed */
            noticed += !ok;
            if (!ok)
                check_failed(b, ERR_FAILED, "changed while it was read");
        }
        assert_true(noticed > 0);
    }
}

/* ---- mirrors ---- */

static const char *file_url(struct bench *b)
{
    return arena_printf(&b->a, "file://%s/work", b->dir);
}

static void test_mirror(void **state)
{
    struct bench *b = *state;
    const char *url = file_url(b);

    sh(two_commits);
    open_url(b, url);
    assert_true(b->progressed > 0);
    resolve(b, "HEAD");
    assert_string_equal(b->rev.sha, line_of(&b->a, "git -C work rev-parse HEAD"));
    resolve(b, "heavy");
    resolve(b, "feature/x~1");
    check_same(b, "main");
    sh("test $(stat -c %a cache) = 700 -a $(stat -c %a cache/work-*.git) = 700\n"
       "test $(ls -d cache/*.git | wc -l) = 1; test ! -e cache/*.new\n"
       "git -C cache/work-*.git fsck --strict; ! grep -r \"$PWD/work\" cache/work-*.git/[!o]*\n");
    /* what is new, what is gone, what was pushed by force, a branch that became a folder */
    sh("cd work; git branch -q -D feature/x; git branch feature; git tag -d light >/dev/null\n"
       "git commit -q --amend -m again; git branch other; git checkout -q -b trunk; git commit -q "
       "--allow-empty -m t");
    open_url(b, url);
    resolve(b, "HEAD");
    assert_string_equal(b->rev.subject, "t");
    resolve(b, "main");
    assert_string_equal(b->rev.subject, "again");
    resolve(b, "feature");
    resolve(b, "other");
    resolve_fails(b, "light", "no branch");
    resolve_fails(b, "feature/x", "did you mean 'feature'?");
    sh("cd work; git checkout -q --detach; git branch -q -D trunk main; git branch main/a");
    open_url(b, url);
    resolve(b, "main/a");
    resolve(b, "HEAD");
    assert_string_equal(b->rev.subject, "t");
}

static void test_mirror_fails(void **state)
{
    struct bench *b = *state;
    const char *url = file_url(b);

    open_fails(b, url, ERR_UNREACHABLE, "cannot fetch 'file://");
    sh("test -d cache -a -z \"$(ls cache | grep -v lock)\"");
    sh(two_commits);
    /* stopped at every point where it can be */
    bool done = false;
    for (unsigned at = 1; !done; at += at < 20 ? 1 : 50) {
        struct repo *repo = NULL;
        b->options.url = url;
        b->stop_at = at;
        b->asked = 0;
        done = repo_open(&repo, &b->options, &b->err);
        repo_close(repo);
        if (!done) {
            check_failed(b, ERR_INTERRUPTED, "interrupted");
            sh("test -z \"$(ls cache | grep -v lock)\"");
        }
        assert_true(at < 10000);
    }
    b->stop_at = 0;
    /* what was left of one that was killed, and a mirror that is damaged, are made again */
    sh("cd cache; m=$(echo *.git); rm -rf $m; mkdir $m.new; echo x >$m.new/HEAD; mkdir -p "
       "$m/objects/pack");
    open_url(b, url);
    resolve(b, "main");
    sh("cd cache; test ! -e *.new; echo x >$(echo *.git)/objects/pack/pack_git2_aaa; rm $(echo "
       "*.git)/HEAD");
    open_url(b, url);
    resolve(b, "main");
    sh("echo x >$(echo cache/*.git)/objects/pack/pack_git2_aaa");
    open_url(b, url);
    sh("test ! -e cache/*.git/objects/pack/pack_git2_aaa");
    /* a mirror does not stand in for what cannot be fetched */
    sh("mv work gone");
    open_fails(b, url, ERR_UNREACHABLE, "cannot fetch");
    b->options.cache_dir = "/proc/nowhere/cache";
    open_fails(b, url, ERR_FAILED, "cannot create the folder '/proc/nowhere'");
}

static void test_mirror_of_empty(void **state)
{
    struct bench *b = *state;

    sh("git init -q work");
    open_url(b, file_url(b));
    resolve_fails(b, "main", "is empty");
}

static void test_unreachable(void **state)
{
    struct bench *b = *state;

    open_fails(b, "https://ann:s3cr3t@127.0.0.1:1/x.git", ERR_UNREACHABLE,
               "cannot fetch 'https://***@127.0.0.1:1/x.git'");
    open_fails(b, "http://t0ken@127.0.0.1:1/x.git", ERR_UNREACHABLE,
               "'http://***@127.0.0.1:1/x.git'");
    open_fails(b, "ssh://ann:s3cr3t@127.0.0.1:1/x", ERR_UNREACHABLE,
               "'ssh://ann:***@127.0.0.1:1/x'");
    open_fails(b, "git://127.0.0.1:1/x", ERR_UNREACHABLE, "cannot fetch");
    sh("! grep -rl -e s3cr3t -e t0ken cache");
}

/* Many at once: one clones, the others find the whole mirror. */
static void test_at_once(void **state)
{
    struct bench *b = *state;
    pid_t pid[6];

    sh(two_commits);
    b->options.url = file_url(b);
    for (size_t i = 0; i < 6; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            bool ok = repo_open(&b->repo, &b->options, &b->err) &&
                      repo_resolve(b->repo, &b->a, "main", &b->rev, &b->err) &&
                      repo_export(b->repo, &b->a, &b->rev, &b->x, &b->err);
            if (!ok)
                fprintf(stderr, "%s\n", b->err.msg);
            _exit(ok ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 6; i++) {
        int status = -1;
        waitpid(pid[i], &status, 0);
        assert_int_equal(status, 0);
    }
    sh("git -C cache/work-*.git fsck --strict");
}

static int begin(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    umask(022);
    snprintf(top, sizeof top, "%s/crelease-repo-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (!mkdtemp(top))
        return -1;
    setenv("T", top, 1);
    setenv("HOME", top, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_AUTHOR_NAME", "Ann", 1);
    setenv("GIT_AUTHOR_EMAIL", "ann@example.com", 1);
    setenv("GIT_COMMITTER_NAME", "Bob", 1);
    setenv("GIT_COMMITTER_EMAIL", "bob@example.com", 1);
    setenv("GIT_AUTHOR_DATE", "1704164645 +0200", 1);
    setenv("GIT_COMMITTER_DATE", "1704164646 +0200", 1);
    setenv("LC_ALL", "C", 1);
    unsetenv("SSH_AUTH_SOCK");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("GIT_DIR");
    return 0;
}

static int end(void **state)
{
    (void)state;
    return chdir("/") || spawn("for p in \"$T\"/*/pid; do test ! -s \"$p\" || kill $(cat \"$p\") "
                               "|| :; done; rm -rf \"$T\"",
                               -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_resolve),
        T(test_resolve_fails),
        T(test_ambiguous),
        T(test_ambiguous_hex),
        T(test_empty),
        T(test_files_between),
        T(test_ci_checkout),
        T(test_subject_is_bounded),
        T(test_open),
        T(test_formats),
        T(test_owner),
        T(test_names),
        T(test_attributes),
        T(test_everything_ignored),
        T(test_subst),
        T(test_hostile_trees),
        T(test_deep_tree),
        T(test_find_file),
        T(test_damaged),
        T(test_no_room),
        T(test_closing),
        T(test_changes),
        T(test_uncommitted),
        T(test_uncommitted_runs_nothing),
        T(test_upstream),
        T(test_contents),
        T(test_lfs),
        T(test_lfs_mirror),
        T(test_lfs_fails),
        T(test_mirror),
        T(test_mirror_fails),
        T(test_mirror_of_empty),
        T(test_unreachable),
        T(test_at_once),
        T(test_folder),
        T(test_folder_fails),
        T(test_folder_changes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
