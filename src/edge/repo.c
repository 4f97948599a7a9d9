#include "edge/repo.h"

#include "base/limits.h"
#include "base/text.h"
#include "edge/attributes.h"
#include "edge/digest.h"
#include "edge/known_hosts.h"
#include "edge/pack.h"
#include "edge/subst.h"
#include "edge/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <limits.h>
#include <pwd.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SHORT_SHA = 7,
    SUBJECT_LEN = 200,
    REF_LEN = 1024,
    NAME_LEN = 255, /* of one path component, as on every file system in use */
    PATH_LEN = 4000,
    FILES_MAX = 2000000, /* a tree of a few bytes can describe more files than any disk holds */
    ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024,
    SUBST_BYTES_MAX = 16 * 1024 * 1024, /* what the placeholders of one file may add */
    KEY_HEAD = 4096,
    ASKS = 3,
    PROGRESS_MS = 100,
};

struct repo {
    struct arena arena;
    git_repository *git;
    const char *shown; /* as it was asked for, without a password */
    bool (*stop)(void *arg);
    void *arg;
};

/* What libgit2 says about its latest failure; it does not always say something. */
static const char *git_why(void)
{
    const git_error *e = git_error_last();

    return e && e->message && *e->message ? e->message : "unknown error";
}

static bool is_stopped(const struct repo *r)
{
    return r->stop && r->stop(r->arg);
}

static bool stopped(struct err *err)
{
    return err_set(err, ERR_INTERRUPTED, "interrupted");
}

/* ---- a repository on this machine ---- */

static int is_star(const git_config_entry *entry, void *arg)
{
    bool *all = arg;

    *all = strcmp(entry->value, "*") == 0 || (*all && *entry->value);
    return 0;
}

/* safe.directory = *, which libgit2 knows from version 1.7 on; an empty value takes it back. */
static bool all_are_safe(void)
{
    git_config *config = NULL;
    bool all = false;

    if (git_config_open_default(&config) == 0)
        git_config_get_multivar_foreach(config, "safe.directory", NULL, is_star, &all);
    git_config_free(config);
    return all;
}

static int open_as(git_repository **ret, const char *path, unsigned flags)
{
    int rc = git_repository_open_ext(ret, path, flags, NULL);

    /* Version 1.5 answers with the error of reading its configuration when that has no such key. */
    if (rc < 0 && rc != GIT_EOWNER && strstr(git_why(), "safe.directory"))
        rc = GIT_EOWNER;
    if (rc == GIT_EOWNER && all_are_safe()) {
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
        rc = git_repository_open_ext(ret, path, flags, NULL);
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
    }
    return rc;
}

static bool open_failed(const char *path, int rc, struct err *err)
{
    const char *shown = text_shown(err->arena, path);
    const char *why = git_why();

    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_USAGE, "no Git repository at '%s'", shown);
    if (rc == GIT_EOWNER)
        return err_set(err, ERR_USAGE,
                       "repository '%s' belongs to another user; run: git config --global --add "
                       "safe.directory '%s'",
                       shown, shown);
    if (strstr(why, "objectformat"))
        return err_set(err, ERR_USAGE,
                       "repository '%s' has SHA-256 object names, which libgit2 cannot read",
                       shown);
    return err_set(err, ERR_USAGE, "cannot open the repository '%s': %s", shown,
                   text_shown(err->arena, why));
}

/* Whether a relative path names something at or under the base folder: only then is the
 * repository looked for further up.  Anything else must be a repository itself, or a mistyped
 * name would deploy whatever repository is around it. */
static bool is_inside(const char *base, const char *path)
{
    char *b = realpath(base, NULL);
    char *p = realpath(path, NULL);
    size_t len = b ? strlen(b) : 0;
    bool inside = b && p && strncmp(b, p, len) == 0 &&
                  (!p[len] || p[len] == '/' || (len && b[len - 1] == '/'));

    free(b);
    free(p);
    return inside;
}

static bool open_path(struct repo *r, const char *text, const char *base, struct err *err)
{
    const char *path = home_expand(&r->arena, text);
    unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH;

    base = base && *base ? base : ".";
    if (*path != '/') {
        path = arena_printf(&r->arena, "%s/%s", base, path);
        if (is_inside(base, path))
            flags = 0;
    }
    char *full = realpath(path, NULL);
    if (full)
        path = arena_strdup(&r->arena, full);
    free(full);
    int rc = open_as(&r->git, path, flags);
    return rc == 0 || open_failed(path, rc, err);
}

/* ---- fetching ---- */

struct fetching {
    const struct repo_options *options;
    const struct repo *repo;
    struct url url;      /* as it is contacted, which url.*.insteadOf can have changed */
    struct arena *arena; /* of the error */
    size_t way;          /* to prove who we are: those before were tried */
    const char *locked;  /* a key whose passphrase nobody gave */
    unsigned asked;
    bool stopped;
    const char *refusal; /* why we ended it ourselves */
    long long next_ms;   /* when to tell the progress again */
};

static int check_stop(struct fetching *f)
{
    f->stopped = f->stopped || is_stopped(f->repo);
    return f->stopped ? GIT_EUSER : 0;
}

static int on_message(const char *text, int len, void *arg)
{
    (void)text;
    (void)len;
    return check_stop(arg);
}

static long long monotonic_ms(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int on_progress(const git_indexer_progress *p, void *arg)
{
    struct fetching *f = arg;
    long long now = monotonic_ms();

    if (f->options->progress &&
        (now >= f->next_ms || (p->indexed_objects && p->indexed_objects == p->total_objects))) {
        f->next_ms = now + PROGRESS_MS;
        f->options->progress(f->options->arg, p->received_objects, p->total_objects,
                             p->received_bytes);
    }
    return check_stop(f);
}

/* The key of a host is always checked; so is the certificate of a server. */
static int on_certificate(git_cert *cert, int valid, const char *host, void *arg)
{
    struct fetching *f = arg;

    if (cert->cert_type == GIT_CERT_X509) {
        if (!valid)
            f->refusal = arena_printf(f->arena, "the certificate of '%s' is not valid",
                                      text_shown(f->arena, host));
        return valid ? 0 : GIT_ECERTIFICATE;
    }
    const git_cert_hostkey *key = (const git_cert_hostkey *)(const void *)cert;
    if (cert->cert_type != GIT_CERT_HOSTKEY_LIBSSH2 || !(key->type & GIT_CERT_SSH_RAW)) {
        f->refusal = "the server showed no key that can be checked";
        return GIT_ECERTIFICATE;
    }
    struct known_hosts *known = known_hosts_open(NULL);
    struct known_host who = {host, f->url.port};
    struct known_answer answer = known_hosts_check(known, &who, key->hostkey, key->hostkey_len);
    if (answer.known != KNOWN_YES)
        f->refusal =
            known_hosts_refusal(known, f->arena, &answer, &who, key->hostkey, key->hostkey_len);
    known_hosts_close(known);
    return answer.known == KNOWN_YES ? 0 : GIT_ECERTIFICATE;
}

/* Whether the private key in this file has a passphrase; false, too, when there is no such file. */
static bool key_is_encrypted(const char *path)
{
    /* "openssh-key-v1", then the cipher "none", in base64 */
    static const char plain[] = "b3BlbnNzaC1rZXktdjEAAAAABG5vbm";
    char head[KEY_HEAD + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, head, KEY_HEAD) : -1;

    if (fd >= 0)
        close(fd);
    bool encrypted = len > 0 && (strstr(head, "ENCRYPTED") ||
                                 (strstr(head, "OPENSSH PRIVATE KEY") && !strstr(head, plain)));
    explicit_bzero(head, sizeof head);
    return encrypted;
}

static bool ask(const struct fetching *f, const char *prompt, char *ret, size_t size)
{
    return f->options->ask && f->options->ask(f->options->arg, prompt, ret, size);
}

/* One way after the other: the agent, then the usual files. */
static int ssh_credential(struct fetching *f, git_credential **out, const char *user)
{
    static const char *const files[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
    const size_t ways = 1 + sizeof files / sizeof *files;

    while (f->way < ways) {
        size_t way = f->way++;
        if (way == 0) {
            if (getenv("SSH_AUTH_SOCK"))
                return git_credential_ssh_key_from_agent(out, user);
            continue;
        }
        const char *key = arena_printf(f->arena, "%s/.ssh/%s", home_dir(), files[way - 1]);
        const char *pub = arena_printf(f->arena, "%s.pub", key);
        char phrase[1024] = "";
        if (access(key, R_OK) != 0)
            continue;
        bool encrypted = key_is_encrypted(key);
        const char *prompt = arena_printf(f->arena, "passphrase of ~/.ssh/%s: ", files[way - 1]);
        if (encrypted && !ask(f, prompt, phrase, sizeof phrase)) {
            f->locked = files[way - 1];
            continue;
        }
        int rc = git_credential_ssh_key_new(out, user, access(pub, R_OK) == 0 ? pub : NULL, key,
                                            encrypted ? phrase : NULL);
        explicit_bzero(phrase, sizeof phrase);
        return rc;
    }
    f->refusal =
        arena_printf(f->arena,
                     "'%s' lets nobody in as '%s' with a key of the agent, or with "
                     "id_ed25519, id_ecdsa or id_rsa in ~/.ssh%s%s%s",
                     text_shown(f->arena, f->url.host ? f->url.host : "the server"),
                     text_shown(f->arena, user), f->locked ? " ('" : "", f->locked ? f->locked : "",
                     f->locked ? "' has a passphrase that was not given)" : "");
    return GIT_EAUTH;
}

static int http_credential(struct fetching *f, git_credential **out, const char *user)
{
    const char *host = text_shown(f->arena, f->url.host ? f->url.host : "the server");
    char name[256] = "";
    char word[1024] = "";
    int rc = GIT_EAUTH;

    if (f->asked++ < ASKS &&
        (user || ask(f, arena_printf(f->arena, "user name for '%s': ", host), name, sizeof name)) &&
        ask(f, arena_printf(f->arena, "password for '%s': ", host), word, sizeof word))
        rc = git_credential_userpass_plaintext_new(out, user ? user : name, word);
    explicit_bzero(word, sizeof word);
    if (rc == GIT_EAUTH)
        f->refusal = arena_printf(f->arena, "'%s' wants a valid user name and password", host);
    return rc;
}

static int on_credentials(git_credential **out, const char *url, const char *user, unsigned allowed,
                          void *arg)
{
    struct fetching *f = arg;
    struct passwd *me = getpwuid(geteuid());

    (void)url;
    if (check_stop(f) < 0)
        return GIT_EUSER;
    if (allowed & GIT_CREDENTIAL_USERNAME)
        return git_credential_username_new(out, user ? user : me ? me->pw_name : "git");
    if (allowed & GIT_CREDENTIAL_SSH_KEY)
        return ssh_credential(f, out, user ? user : "git");
    if (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT && f->url.kind == URL_HTTP)
        return http_credential(f, out, user);
    f->refusal = "the server offers no way to log in that is supported: a key or, over HTTP, a "
                 "password";
    return GIT_EAUTH;
}

/* HEAD of the mirror is what HEAD is over there, so that "HEAD" means the same. */
static int take_head(git_repository *git, git_remote *remote)
{
    git_buf name = {0};
    const git_remote_head **heads = NULL;
    size_t n = 0;
    int rc = git_remote_default_branch(&name, remote);

    if (rc == 0)
        rc = git_repository_set_head(git, name.ptr);
    else if (git_remote_ls(&heads, &n, remote) == 0 && n && strcmp(heads[0]->name, "HEAD") == 0)
        rc = git_repository_set_head_detached(git, &heads[0]->oid);
    else if (rc == GIT_ENOTFOUND)
        rc = 0;
    git_buf_dispose(&name);
    return rc;
}

/* Like git_remote_fetch, but prunes before it updates: where the branch "a" became "a/b", the old
 * one has to go first. */
static int transfer(git_repository *git, git_remote *remote, const git_fetch_options *o)
{
    char heads[] = "+refs/heads/*:refs/heads/*";
    char tags[] = "+refs/tags/*:refs/tags/*";
    char *specs[] = {heads, tags};
    const git_strarray all = {specs, 2};
    int rc = git_remote_download(remote, &all, o);

    if (rc == 0)
        rc = git_remote_prune(remote, &o->callbacks);
    if (rc == 0)
        rc = git_remote_update_tips(remote, &o->callbacks, 0, o->download_tags, "fetch");
    if (rc == 0)
        rc = take_head(git, remote);
    return rc;
}

static bool fetch_failed(const struct fetching *f, const struct url *url, struct err *err)
{
    if (f->stopped || is_stopped(f->repo)) {
        stopped(err);
        return err_in(err, "fetching '%s'", url->shown);
    }
    const char *why = f->refusal ? f->refusal : url_clean(&f->url, err->arena, git_why());
    return err_set(err, ERR_UNREACHABLE, "cannot fetch '%s': %s", url->shown,
                   url_clean(url, err->arena, why));
}

/* The anonymous remote keeps the URL, and the password in it, out of the mirror's files. */
static bool fetch(struct repo *r, git_repository *git, const struct url *url,
                  const struct repo_options *options, struct err *err)
{
    struct fetching f = {.options = options, .repo = r, .url = *url, .arena = err->arena};
    git_fetch_options o;
    git_remote *remote = NULL;
    struct err ignored = {.arena = err->arena};

    git_fetch_options_init(&o, GIT_FETCH_OPTIONS_VERSION);
    o.callbacks.credentials = on_credentials;
    o.callbacks.certificate_check = on_certificate;
    o.callbacks.transfer_progress = on_progress;
    o.callbacks.sideband_progress = on_message;
    o.callbacks.payload = &f;
    o.proxy_opts.type = GIT_PROXY_AUTO;
    o.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    o.update_fetchhead = 0;
    int rc = git_remote_create_anonymous(&remote, git, url->text);
    if (rc == 0 && !url_parse(&f.url, err->arena, git_remote_url(remote), &ignored))
        f.url = *url;
    if (rc == 0)
        rc = transfer(git, remote, &o);
    if (rc != 0)
        fetch_failed(&f, url, err); /* before the next call clears libgit2's message */
    git_remote_free(remote);
    return rc == 0;
}

/* ---- mirrors ---- */

static bool make_dirs(struct arena *a, const char *path, struct err *err)
{
    char *p = arena_strdup(a, path);

    for (char *slash = p;;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(p, 0700) < 0 && errno != EEXIST)
            return err_set(err, ERR_FAILED, "cannot make the folder '%s': %s",
                           text_shown(err->arena, p), strerror(errno));
        if (!slash)
            return true;
        *slash = '/';
    }
}

/* Removes a file or a folder with all that is in it, which it never leaves through a link. */
static void remove_tree(int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_tree(fd, e->d_name);
    closedir(dir);
    unlinkat(at, name, AT_REMOVEDIR);
}

/* What a fetch that was killed has left: libgit2 renames a pack only when it is whole. */
static void remove_leftovers(struct arena *a, const char *mirror)
{
    DIR *dir = opendir(arena_printf(a, "%s/objects/pack", mirror));

    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, "pack_git2_", 10) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

/* Taken for as long as the fetch lasts; two of them could otherwise remove each other's work. */
static int lock_mirror(const struct repo *r, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        const struct timespec pause = {.tv_nsec = 50000000};
        if (errno != EWOULDBLOCK && errno != EINTR) {
            close(fd);
            fd = -1;
            break;
        }
        if (is_stopped(r)) {
            close(fd);
            stopped(err);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    if (fd < 0)
        err_set(err, ERR_FAILED, "cannot lock '%s': %s", text_shown(err->arena, path),
                strerror(errno));
    return fd;
}

/* Made under another name: what has the right name is whole. */
static bool clone_mirror(struct repo *r, const char *path, const struct url *url,
                         const struct repo_options *options, struct err *err)
{
    const char *fresh = arena_printf(&r->arena, "%s.new", path);
    git_repository_init_options o;
    git_repository *git = NULL;
    bool ok = false;

    remove_tree(AT_FDCWD, fresh);
    git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
    o.mode = 0700;
    if (git_repository_init_ext(&git, fresh, &o) < 0) {
        err_set(err, ERR_FAILED, "cannot make '%s': %s", text_shown(err->arena, fresh),
                text_shown(err->arena, git_why()));
        goto out;
    }
    ok = fetch(r, git, url, options, err);
out:
    git_repository_free(git);
    if (ok && rename(fresh, path) < 0)
        ok = err_set(err, ERR_FAILED, "cannot make '%s': %s", text_shown(err->arena, path),
                     strerror(errno));
    if (!ok)
        remove_tree(AT_FDCWD, fresh);
    return ok;
}

static const char *cache_dir(struct arena *a, const char *asked)
{
    const char *xdg = getenv("XDG_CACHE_HOME");

    if (asked)
        return asked;
    return xdg && *xdg == '/' ? arena_printf(a, "%s/crelease", xdg)
                              : arena_printf(a, "%s/.cache/crelease", home_dir());
}

/* Two URLs never share a folder; the same one with another password does not make a second. */
static const char *mirror_name(struct arena *a, const struct url *url)
{
    struct digest *d = digest_open();
    char sum[65];

    digest_add(d, url->shown, strlen(url->shown));
    digest_hex(d, sum);
    digest_close(d);
    return arena_printf(a, "%s-%.16s.git", url->name, sum);
}

static bool open_mirror(struct repo *r, const struct url *url, const struct repo_options *options,
                        struct err *err)
{
    const char *dir = cache_dir(&r->arena, options->cache_dir);
    const char *path = arena_printf(&r->arena, "%s/%s", dir, mirror_name(&r->arena, url));
    const unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
    bool ok = false;

    if (!make_dirs(&r->arena, dir, err))
        return false;
    int lock = lock_mirror(r, arena_printf(&r->arena, "%s.lock", path), err);
    if (lock < 0)
        return false;
    int rc = open_as(&r->git, path, flags);
    if (rc == 0) {
        remove_leftovers(&r->arena, path);
        ok = fetch(r, r->git, url, options, err);
        goto out;
    }
    if (rc == GIT_EOWNER) {
        open_failed(path, rc, err);
        goto out;
    }
    remove_tree(AT_FDCWD, path); /* it is only a mirror: what cannot be opened is made again */
    if (!clone_mirror(r, path, url, options, err))
        goto out;
    rc = open_as(&r->git, path, flags);
    ok = rc == 0 || open_failed(path, rc, err);
out:
    close(lock);
    return ok;
}

bool repo_open(struct repo **ret, const struct repo_options *options, struct err *err)
{
    /* Both change nothing in what is read here: settings of a work tree, and where a partial
     * clone would get what it has not; what is missing in one is an error when it is met. */
    static const char *extensions[] = {"worktreeconfig", "partialclone"};
    struct repo *r = xcalloc(1, sizeof *r);
    struct url url = {0};

    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions, sizeof extensions / sizeof *extensions);
    r->stop = options->stop;
    r->arg = options->arg;
    bool ok = url_parse(&url, &r->arena, options->url, err);
    r->shown = url.shown;
    if (ok)
        ok = url.kind == URL_PATH ? open_path(r, url.text, options->base_dir, err)
                                  : open_mirror(r, &url, options, err);
    if (!ok) {
        repo_close(r);
        return false;
    }
    *ret = r;
    return true;
}

void repo_close(struct repo *r)
{
    if (!r)
        return;
    git_repository_free(r->git);
    git_libgit2_shutdown();
    arena_free(&r->arena);
    free(r);
}

/* ---- from a ref to a commit ---- */

/* Names that could have been meant, for the nearest one. */
static const char *nearest_ref(struct repo *r, struct arena *a, const char *ref)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/remotes/origin/"};
    git_strarray all = {0};
    struct strs list = {0};

    if (git_reference_list(&all, r->git) < 0)
        return NULL;
    for (size_t i = 0; i < all.count; i++)
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (strncmp(all.strings[i], prefixes[k], strlen(prefixes[k])) == 0 &&
                strcmp(all.strings[i], "refs/remotes/origin/HEAD") != 0)
                strs_add(a, &list, arena_strdup(a, all.strings[i] + strlen(prefixes[k])));
    strs_add(a, &list, NULL);
    git_strarray_dispose(&all);
    const char *found = text_nearest(ref, list.v);
    return found ? text_shown(a, found) : NULL;
}

static bool has_commits(struct repo *r)
{
    git_strarray all = {0};
    git_reference *head = NULL;
    bool any = git_reference_list(&all, r->git) == 0 && all.count > 0;

    git_strarray_dispose(&all);
    any = any || git_repository_head(&head, r->git) == 0;
    git_reference_free(head);
    return any;
}

static bool ref_failed(struct repo *r, const char *ref, int rc, struct err *err)
{
    const char *shown = text_shown(err->arena, ref);
    const char *why = text_shown(err->arena, git_why());

    if (!has_commits(r))
        return err_set(err, ERR_USAGE, "repository '%s' is empty: there is nothing to deploy yet",
                       r->shown);
    if (rc == GIT_EAMBIGUOUS)
        return err_set(err, ERR_USAGE,
                       "'%s' is the beginning of more than one object in repository '%s'", shown,
                       r->shown);
    const char *near = nearest_ref(r, err->arena, ref);
    err_set(err, ERR_USAGE, "no branch, tag or commit '%s' in repository '%s'%s%s%s", shown,
            r->shown, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    if (git_repository_is_shallow(r->git))
        err->msg = arena_printf(err->arena, "%s (a shallow clone: it has only what was fetched)",
                                err->msg);
    else if (rc != GIT_ENOTFOUND && rc != GIT_EINVALIDSPEC)
        err->msg = arena_printf(err->arena, "%s (%s)", err->msg, why);
    return false;
}

/* As git understands it; and where only a remote's branch has that name (CI runners check out a
 * commit, not a branch), that one.  `origin` comes first, then a remote that is alone. */
static int find_commit(struct repo *r, struct arena *a, const char *ref, git_commit **ret)
{
    git_object *object = NULL;
    git_object *commit = NULL;
    git_strarray remotes = {0};
    int rc = git_revparse_single(&object, r->git, ref);

    if (rc == GIT_ENOTFOUND)
        rc = git_revparse_single(&object, r->git, arena_printf(a, "refs/remotes/origin/%s", ref));
    if (rc == GIT_ENOTFOUND && git_remote_list(&remotes, r->git) == 0 && remotes.count == 1)
        rc = git_revparse_single(&object, r->git,
                                 arena_printf(a, "refs/remotes/%s/%s", remotes.strings[0], ref));
    if (rc == 0)
        rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (rc == 0)
        *ret = (git_commit *)(void *)commit;
    git_object_free(object);
    git_strarray_dispose(&remotes);
    return rc;
}

static const char *subject_of(struct arena *a, const char *message)
{
    message += strspn(message, "\r\n");
    size_t len = strcspn(message, "\r\n");
    if (len > SUBJECT_LEN) {
        len = SUBJECT_LEN;
        while (len > SUBJECT_LEN - 4 && ((unsigned char)message[len] & 0xc0) == 0x80)
            len--; /* not within a character */
    }
    return arena_strndup(a, message, len);
}

bool repo_resolve(struct repo *r, struct arena *a, const char *ref, struct revision *ret,
                  struct err *err)
{
    git_commit *commit = NULL;
    bool sane = *ref && *ref != '-' && strlen(ref) <= REF_LEN;

    for (const char *c = ref; *c; c++)
        sane = sane && (unsigned char)*c >= ' ' && *c != 0x7f;
    if (!sane)
        return err_set(err, ERR_USAGE, "'%.*s' cannot be the name of a branch, tag or commit",
                       REF_LEN, text_shown(err->arena, ref));
    int rc = find_commit(r, a, ref, &commit);
    if (rc < 0)
        return ref_failed(r, ref, rc, err);
    char sha[GIT_OID_HEXSZ + 1];
    git_oid_tostr(sha, sizeof sha, git_commit_id(commit));
    *ret = (struct revision){
        .sha = arena_strdup(a, sha),
        .short_sha = arena_strndup(a, sha, SHORT_SHA),
        .subject = subject_of(a, git_commit_message(commit)),
        .ref = arena_strdup(a, ref),
        .time = git_commit_time(commit),
    };
    git_commit_free(commit);
    return true;
}

static int commit_of(struct repo *r, const char *sha, git_commit **ret)
{
    git_oid id;

    if (strlen(sha) != GIT_OID_HEXSZ || git_oid_fromstr(&id, sha) < 0)
        return GIT_EINVALIDSPEC;
    return git_commit_lookup(ret, r->git, &id);
}

static bool tree_of(struct repo *r, const char *sha, git_commit **ret_commit, git_tree **ret_tree,
                    struct err *err)
{
    if (commit_of(r, sha, ret_commit) == 0 && git_commit_tree(ret_tree, *ret_commit) == 0)
        return true;
    return err_set(err, ERR_FAILED, "cannot read revision '%.12s' of repository '%s': %s",
                   text_shown(err->arena, sha), r->shown, text_shown(err->arena, git_why()));
}

/* A path of the recipe as trees know it: no "./" in front, no slash at the end. */
static char *tree_path(struct arena *a, const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2 + strspn(path + 2, "/");
    size_t len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    return arena_strndup(a, strcmp(path, ".") == 0 ? "" : path, strcmp(path, ".") == 0 ? 0 : len);
}

bool repo_digest(struct repo *r, struct arena *a, const struct revision *rev,
                 const struct strs *paths, const char **ret, struct err *err)
{
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    struct digest *d = digest_open();
    bool ok = false;
    char sum[65];

    if (!tree_of(r, rev->sha, &commit, &tree, err))
        goto out;
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = tree_path(a, paths->v[i]);
        git_tree_entry *entry = NULL;
        char line[GIT_OID_HEXSZ + 16] = "none";
        int rc = *path ? git_tree_entry_bypath(&entry, tree, path) : 0;
        if (rc < 0 && rc != GIT_ENOTFOUND) {
            err_set(err, ERR_FAILED, "cannot read '%s' in revision '%s': %s",
                    text_shown(err->arena, path), rev->short_sha,
                    text_shown(err->arena, git_why()));
            goto out;
        }
        if (rc == 0)
            snprintf(line, sizeof line, "%o %s",
                     entry ? (unsigned)git_tree_entry_filemode(entry) : (unsigned)GIT_FILEMODE_TREE,
                     git_oid_tostr_s(entry ? git_tree_entry_id(entry) : git_tree_id(tree)));
        git_tree_entry_free(entry);
        digest_add(d, path, strlen(path) + 1);
        digest_add(d, line, strlen(line) + 1);
    }
    digest_hex(d, sum);
    *ret = arena_strdup(a, sum);
    ok = true;
out:
    digest_close(d);
    git_tree_free(tree);
    git_commit_free(commit);
    return ok;
}

long repo_changes(struct repo *r, const char *sha, const struct revision *rev)
{
    git_commit *commits[2] = {0};
    git_tree *trees[2] = {0};
    git_diff *diff = NULL;
    git_diff_options o;
    long n = -1;

    git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
    o.flags = GIT_DIFF_SKIP_BINARY_CHECK | GIT_DIFF_INCLUDE_TYPECHANGE;
    if (commit_of(r, sha, &commits[0]) == 0 && commit_of(r, rev->sha, &commits[1]) == 0 &&
        git_commit_tree(&trees[0], commits[0]) == 0 &&
        git_commit_tree(&trees[1], commits[1]) == 0 &&
        git_diff_tree_to_tree(&diff, r->git, trees[0], trees[1], &o) == 0)
        n = (long)git_diff_num_deltas(diff);
    git_diff_free(diff);
    for (size_t i = 0; i < 2; i++) {
        git_tree_free(trees[i]);
        git_commit_free(commits[i]);
    }
    return n;
}

/* ---- what export-subst needs to know ---- */

static struct subst_person person(struct arena *a, const git_signature *s)
{
    return (struct subst_person){arena_strdup(a, s->name), arena_strdup(a, s->email), s->when.time,
                                 s->when.offset};
}

static bool ref_points_at(struct repo *r, const char *name, const git_oid *id)
{
    git_reference *ref = NULL;
    git_object *object = NULL;
    bool found = git_reference_lookup(&ref, r->git, name) == 0 &&
                 git_reference_peel(&object, ref, GIT_OBJECT_COMMIT) == 0 &&
                 git_oid_equal(git_object_id(object), id);

    git_object_free(object);
    git_reference_free(ref);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "HEAD -> main, tag: v1, origin/main": in git's order, the last name first. */
static const char *decoration(struct repo *r, struct arena *a, const git_oid *id)
{
    static const char *const prefixes[][2] = {
        {"refs/heads/", ""}, {"refs/tags/", "tag: "}, {"refs/remotes/", ""}};
    git_reference *head = NULL;
    git_strarray all = {0};
    const char *current = "";
    const char *text = "";

    if (ref_points_at(r, "HEAD", id)) {
        text = "HEAD";
        if (git_repository_head_detached(r->git) == 0 && git_repository_head(&head, r->git) == 0) {
            current = arena_strdup(a, git_reference_name(head));
            text = arena_printf(a, "HEAD -> %s", git_reference_shorthand(head));
        }
    }
    if (git_reference_list(&all, r->git) < 0)
        all.count = 0;
    qsort(all.strings, all.count, sizeof *all.strings, compare_names);
    for (size_t i = all.count; i-- > 0;) {
        const char *name = all.strings[i];
        const char *kind = "";
        if (strcmp(name, current) == 0 || !ref_points_at(r, name, id))
            continue;
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (strncmp(name, prefixes[k][0], strlen(prefixes[k][0])) == 0) {
                name += strlen(prefixes[k][0]);
                kind = prefixes[k][1];
                break;
            }
        text = arena_printf(a, "%s%s%s%s", text, *text ? ", " : "", kind, name);
    }
    git_strarray_dispose(&all);
    git_reference_free(head);
    return text;
}

static struct subst_commit describe(struct repo *r, struct arena *a, const git_commit *commit)
{
    const char *message = git_commit_message(commit);
    struct subst_commit c = {
        .sha = arena_strdup(a, git_oid_tostr_s(git_commit_id(commit))),
        .tree = arena_strdup(a, git_oid_tostr_s(git_commit_tree_id(commit))),
        .author = person(a, git_commit_author(commit)),
        .committer = person(a, git_commit_committer(commit)),
        .message = arena_strdup(a, message ? message : ""),
        .refs = decoration(r, a, git_commit_id(commit)),
    };

    for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
        strs_add(a, &c.parents, arena_strdup(a, git_oid_tostr_s(git_commit_parent_id(commit, i))));
    return c;
}

/* ---- the tree as it travels ---- */

/* A folder under way.  It is written when there is a file in it, or in one below that is not
 * ignored as a whole; as with git archive that file may itself be ignored. */
struct folder {
    struct folder *up;
    size_t len; /* of its path */
    bool written;
};

struct walk {
    struct repo *repo;
    struct arena *arena; /* of the result */
    struct arena scratch;
    const struct revision *rev;
    const git_commit *commit;
    git_odb *odb;
    struct attributes rules;
    struct subst_commit about; /* sha is NULL until a file needs it */
    struct pack *pack;
    struct digest *digest;
    struct entry *entry;
    size_t n;
    size_t room;
    unsigned long long bytes;
    char path[PATH_LEN + 1];
    size_t len;
};

static bool refuse_path(struct walk *w, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "revision %s holds a path that cannot be deployed: '%s' (%s)",
                   w->rev->short_sha, text_shown(err->arena, w->path), why);
}

/* Adds the name to the path; only what every later step can rely on. */
static bool enter(struct walk *w, const char *name, struct err *err)
{
    size_t len = strlen(name);
    size_t slash = w->len > 0;
    const char *why = NULL;

    if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        why = "not the name of a file";
    else if (strcasecmp(name, ".git") == 0)
        why = "reserved for Git";
    else if (len > NAME_LEN || w->len + slash + len > PATH_LEN)
        why = "too long";
    /* What does not fit is only shown, as far as it fits. */
    size_t room = PATH_LEN - w->len;
    if (slash && room) {
        w->path[w->len++] = '/';
        room--;
    }
    len = len < room ? len : room;
    memcpy(w->path + w->len, name, len);
    w->len += len;
    w->path[w->len] = '\0';
    return !why || refuse_path(w, why, err);
}

static void leave(struct walk *w, size_t len)
{
    w->len = len;
    w->path[len] = '\0';
}

static bool write_folders(struct walk *w, struct folder *f, struct err *err)
{
    if (!f->up || f->written)
        return true;
    if (!write_folders(w, f->up, err))
        return false;
    char next = w->path[f->len];
    w->path[f->len] = '\0';
    f->written = pack_dir(w->pack, w->path, err);
    w->path[f->len] = next;
    return f->written;
}

/* libgit2's own check of what it reads looks for forged collisions as well and takes half as long
 * again as all the rest; for a blob that was checked so when it was fetched, libcrypto's SHA-1
 * finds what a disk has done to it.  Trees and commits keep libgit2's. */
static int read_object(const struct walk *w, const git_oid *id, git_odb_object **ret)
{
    git_oid is;

    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    int rc = git_odb_read(ret, w->odb, id);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    if (rc == 0) {
        digest_git_blob(git_odb_object_data(*ret), git_odb_object_size(*ret), is.id);
        if (git_odb_object_type(*ret) != GIT_OBJECT_BLOB || !git_oid_equal(&is, id)) {
            git_odb_object_free(*ret);
            git_error_set_str(GIT_ERROR_ODB, "the object is damaged, or no file");
            rc = GIT_EMISMATCH;
        }
    }
    return rc;
}

static bool read_blob(struct walk *w, const git_oid *id, git_odb_object **ret, struct err *err)
{
    int rc = read_object(w, id, ret);

    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_FAILED,
                       "the content of '%s' (%.12s) is not in repository '%s': a partial clone? "
                       "fetch it whole",
                       text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown);
    return rc == 0 || err_set(err, ERR_FAILED,
                              "cannot read the content of '%s' (%.12s) in repository '%s': %s",
                              text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown,
                              text_shown(err->arena, git_why()));
}

/* Where the path is, or would be, among the entries so far; they are sorted. */
static bool is_entry(const struct walk *w)
{
    size_t low = 0;
    size_t high = w->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(w->entry[mid].path, w->path);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static struct entry *add_entry(struct walk *w, struct err *err)
{
    if (w->n && strcmp(w->entry[w->n - 1].path, w->path) >= 0) {
        refuse_path(w, "the tree is not in order", err);
        return NULL;
    }
    if (w->n == FILES_MAX) {
        err_set(err, ERR_FAILED, "revision %s has more than %d files", w->rev->short_sha,
                FILES_MAX);
        return NULL;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 1024;
        w->entry = xrealloc(w->entry, w->room * sizeof *w->entry);
    }
    w->entry[w->n] = (struct entry){.path = arena_strndup(w->arena, w->path, w->len)};
    return &w->entry[w->n++];
}

static bool add_link(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    struct entry *e = add_entry(w, err);
    bool ok = false;

    if (!e || !read_blob(w, id, &blob, err))
        return false;
    const char *target = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    if (!len || len > PATH_LEN || memchr(target, '\0', len)) {
        refuse_path(w, "a link that leads nowhere", err);
        goto out;
    }
    e->kind = ENTRY_LINK;
    e->target = arena_strndup(w->arena, target, len);
    e->size = len;
    ok = pack_link(w->pack, e->path, e->target, err);
out:
    git_odb_object_free(blob);
    return ok;
}

/* The bytes are those of the blob, but for export-subst.  Conversions that git would make on
 * checkout (line ends, ident, filters such as LFS) are not made: what goes live is the commit. */
static bool add_file(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    git_odb_object *blob = NULL;
    struct buf filled = {0};
    struct entry *e = add_entry(w, err);
    bool ok = false;

    if (!e || !read_blob(w, id, &blob, err))
        return false;
    const void *bytes = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    if (attributes_has(&w->rules, w->path, false, EXPORT_SUBST)) {
        filled = buf_make(len + SUBST_BYTES_MAX);
        if (!w->about.sha)
            w->about = describe(w->repo, &w->scratch, w->commit);
        subst_fill(&filled, bytes, len, &w->about);
        bytes = filled.text;
        len = filled.len;
    }
    if (filled.full) {
        refuse_path(w, "its export-subst placeholders become too long", err);
        goto out;
    }
    e->kind = program ? ENTRY_PROGRAM : ENTRY_FILE;
    e->size = len;
    digest_add(w->digest, bytes, len);
    digest_hex(w->digest, e->sha256);
    w->bytes += len;
    ok = pack_file(w->pack, e->path, program, bytes, len, err);
out:
    buf_free(&filled);
    git_odb_object_free(blob);
    return ok;
}

static bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder, struct err *err);

static bool add_folder(struct walk *w, const git_oid *id, struct folder *up, struct err *err)
{
    struct folder folder = {.up = up, .len = w->len};
    git_tree *tree = NULL;

    if (git_tree_lookup(&tree, w->repo->git, id) < 0)
        return err_set(err, ERR_FAILED, "cannot read the folder '%s' in repository '%s': %s",
                       text_shown(err->arena, w->path), w->repo->shown,
                       text_shown(err->arena, git_why()));
    bool ok = walk_tree(w, tree, &folder, err);
    git_tree_free(tree);
    return ok;
}

static bool add_member(struct walk *w, const git_tree_entry *e, struct folder *up, struct err *err)
{
    const git_oid *id = git_tree_entry_id(e);
    git_filemode_t mode = git_tree_entry_filemode(e);
    bool is_dir = mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT;

    if (mode != GIT_FILEMODE_TREE && !write_folders(w, up, err))
        return false;
    if (attributes_has(&w->rules, w->path, is_dir, EXPORT_IGNORE))
        return true;
    if (is_dir && is_entry(w))
        return refuse_path(w, "a file and a folder", err);
    switch (mode) {
    case GIT_FILEMODE_TREE:
        return add_folder(w, id, up, err);
    case GIT_FILEMODE_COMMIT: /* a submodule */
        return pack_dir(w->pack, w->path, err);
    case GIT_FILEMODE_LINK:
        return add_link(w, id, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        return add_file(w, id, mode != GIT_FILEMODE_BLOB, err);
    case GIT_FILEMODE_UNREADABLE:
        break;
    }
    return refuse_path(w, "neither a file nor a folder nor a link", err);
}

static bool read_rules(struct walk *w, const git_tree *tree, struct err *err)
{
    const git_tree_entry *e = git_tree_entry_byname(tree, ".gitattributes");
    git_odb_object *blob = NULL;

    if (!e || (git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB &&
               git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB_EXECUTABLE))
        return true;
    if (!read_blob(w, git_tree_entry_id(e), &blob, err))
        return false;
    bool ok = git_odb_object_size(blob) <= ATTRIBUTES_BYTES_MAX ||
              err_set(err, ERR_FAILED, "revision %s: a .gitattributes has more than %d bytes",
                      w->rev->short_sha, ATTRIBUTES_BYTES_MAX);
    if (ok)
        attributes_read(&w->rules, git_odb_object_data(blob), git_odb_object_size(blob), w->path,
                        ATTRIBUTES_OF_FOLDER);
    git_odb_object_free(blob);
    return ok;
}

/* Trees are sorted as if the names of folders ended with a slash, which makes the paths of all
 * files come in strcmp's order.  add_entry relies on nothing and checks that. */
static bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder, struct err *err)
{
    const size_t len = w->len;
    const size_t mark = attributes_mark(&w->rules);
    const char *before = "";
    bool ok = read_rules(w, tree, err);

    for (size_t i = 0; ok && i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *e = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(e);
        ok = enter(w, name, err);
        if (ok && strcmp(before, name) == 0)
            ok = refuse_path(w, "twice in one folder", err);
        if (ok && is_stopped(w->repo))
            ok = stopped(err);
        ok = ok && add_member(w, e, folder, err);
        leave(w, len);
        before = name;
    }
    attributes_drop(&w->rules, mark);
    return ok;
}

/* $GIT_DIR/info/attributes, which wins over every .gitattributes.  What a person or a machine has
 * configured for itself (core.attributesFile, /etc/gitattributes) is left out on purpose: two
 * machines would make different releases of the same commit.  Neither the work tree nor the index
 * is looked at: a .gitattributes counts as it is in the commit. */
static bool read_info(struct walk *w, struct err *err)
{
    const char *path =
        arena_printf(&w->scratch, "%s/info/attributes", git_repository_commondir(w->repo->git));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool ok = true;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ||
               err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                       strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ATTRIBUTES_BYTES_MAX) {
        ok = err_set(err, ERR_FAILED, "'%s' is no file of at most %d bytes",
                     text_shown(err->arena, path), ATTRIBUTES_BYTES_MAX);
    } else {
        char *text = arena_alloc(&w->scratch, (size_t)st.st_size + 1);
        ssize_t len = read(fd, text, (size_t)st.st_size);
        if (len < 0)
            ok = err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                         strerror(errno));
        else
            attributes_read(&w->rules, text, (size_t)len, "", ATTRIBUTES_OVER_ALL);
    }
    close(fd);
    return ok;
}

bool repo_export(struct repo *r, struct arena *a, const struct revision *rev, struct export *ret,
                 struct err *err)
{
    struct walk *w = xcalloc(1, sizeof *w);
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    struct folder root = {0};
    struct export x = {.tar = -1};
    bool ok = false;

    w->repo = r;
    w->arena = a;
    w->rev = rev;
    w->digest = digest_open();
    if (!tree_of(r, rev->sha, &commit, &tree, err))
        goto out;
    w->commit = commit;
    if (git_repository_odb(&w->odb, r->git) < 0) {
        err_set(err, ERR_FAILED, "cannot read repository '%s': %s", r->shown,
                text_shown(err->arena, git_why()));
        goto out;
    }
    if (!read_info(w, err) || !pack_open(&w->pack, rev->time > 0 ? rev->time : 0, err) ||
        !walk_tree(w, tree, &root, err) || !pack_finish(w->pack, &x.tar, &x.tar_size, err))
        goto out;
    x.n = w->n;
    x.bytes = w->bytes;
    if (w->n)
        x.entry = memcpy(arena_array(a, w->n, sizeof *x.entry), w->entry, w->n * sizeof *x.entry);
    *ret = x;
    ok = true;
out:
    pack_close(w->pack);
    digest_close(w->digest);
    attributes_close(&w->rules);
    git_odb_free(w->odb);
    git_tree_free(tree);
    git_commit_free(commit);
    arena_free(&w->scratch);
    free(w->entry);
    free(w);
    return ok;
}

void export_close(struct export *x)
{
    if (x->tar >= 0)
        close(x->tar);
    x->tar = -1;
}
