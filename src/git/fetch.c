/* repo_fetch.c -- a mirror of a URL: made, fetched into, one at a time. */
#include "git/fetch_child.h"

#include "base/text.h"
#include "edge/digest.h"
#include "ssh/known_hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEY_HEAD = 4096, ASKS = 3, PROGRESS_MS = 100, AGENT_MS = 5000 };

struct fetching {
    const struct repo_options *options;
    const struct repo *repo;
    struct url url;        /* as it is contacted, which url.*.insteadOf can have changed */
    struct arena *arena;   /* of the error */
    size_t way;            /* to prove who we are: those before were tried */
    const char *locked;    /* a key whose passphrase nobody gave */
    const char *agent_why; /* the agent is of no use */
    bool opened;           /* with a passphrase, the way that was tried last */
    unsigned wrong;        /* how often that was */
    unsigned asked;
    const char *refusal; /* why we ended it ourselves */
    long long next_ms;   /* when to tell the progress again */
};

/* A server that counts objects is alive. */
static int on_message(const char *text, int len, void *arg)
{
    const struct fetching *f = arg;

    (void)text;
    (void)len;
    if (f->options->progress)
        f->options->progress(f->options->arg, "", 0, 0, 0);
    return 0;
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
        f->options->progress(f->options->arg, "", p->received_objects, p->total_objects,
                             p->received_bytes);
    }
    return 0;
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
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

/* Whether the agent says which keys it has: libssh2, which libgit2 leaves it to, waits without a
 * limit. Blocks for a while, in the child. */
static bool agent_answers(struct fetching *f)
{
    static const unsigned char list[] = {0, 0, 0, 1, 11};
    const char *path = getenv("SSH_AUTH_SOCK");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    unsigned char answer[5];
    bool ok = false;

    if (!path || !*path || strlen(path) >= sizeof at.sun_path)
        return false;
    memcpy(at.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
        send(fd, list, sizeof list, MSG_NOSIGNAL) == sizeof list && poll(&ready, 1, AGENT_MS) == 1)
        ok = recv(fd, answer, sizeof answer, 0) == sizeof answer && answer[4] == 12;
    if (fd >= 0)
        close(fd);
    if (!ok)
        f->agent_why =
            arena_printf(f->arena, "the agent at '%s' did not answer", text_shown(f->arena, path));
    return ok;
}

/* One way after the other: the agent, then the usual files. */
static int ssh_credential(struct fetching *f, git_credential **out, const char *user)
{
    static const char *const files[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
    const size_t ways = 1 + sizeof files / sizeof *files;

    while (f->way < ways) {
        size_t way = f->way++;
        if (way == 0) {
            if (agent_answers(f))
                return git_credential_ssh_key_from_agent(out, user);
            continue;
        }
        const char *key =
            home_expand(f->arena, arena_printf(f->arena, "~/.ssh/%s", files[way - 1]));
        const char *pub = arena_printf(f->arena, "%s.pub", key);
        char phrase[1024] = "";
        if (access(key, R_OK) != 0)
            continue;
        bool encrypted = key_is_encrypted(key);
        const char *prompt = arena_printf(f->arena, "passphrase for '~/.ssh/%s': ", files[way - 1]);
        if (f->wrong)
            prompt =
                arena_printf(f->arena, "wrong passphrase for '~/.ssh/%s', try again (%u of %d)\n%s",
                             files[way - 1], f->wrong + 1, ASKS, prompt);
        if (encrypted && !ask(f, prompt, phrase, sizeof phrase)) {
            f->locked = files[way - 1];
            continue;
        }
        /* Without the public file libssh2 opens the private one first, and says so when it cannot:
         * else a wrong passphrase and a refused key look the same. */
        int rc =
            git_credential_ssh_key_new(out, user, !encrypted && access(pub, R_OK) == 0 ? pub : NULL,
                                       key, encrypted ? phrase : NULL);
        f->opened = encrypted;
        explicit_bzero(phrase, sizeof phrase);
        return rc;
    }
    f->refusal =
        arena_printf(f->arena,
                     "%s%s'%s' lets nobody in as '%s' with a key of the agent, or with "
                     "id_ed25519, id_ecdsa or id_rsa in ~/.ssh%s%s%s",
                     f->agent_why ? f->agent_why : "", f->agent_why ? "; " : "",
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

    const char *again =
        f->asked ? arena_printf(f->arena, "'%s' did not accept that, try again (%u of %d)\n", host,
                                f->asked + 1, ASKS)
                 : "";
    if (f->asked++ < ASKS &&
        (user || ask(f, arena_printf(f->arena, "%suser name for '%s': ", again, host), name,
                     sizeof name)) &&
        ask(f, arena_printf(f->arena, "%spassword for '%s': ", user ? again : "", host), word,
            sizeof word))
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

    (void)url;
    if (!user && allowed & (GIT_CREDENTIAL_USERNAME | GIT_CREDENTIAL_SSH_KEY))
        user = login_user(f->arena);
    if (!user && allowed & (GIT_CREDENTIAL_USERNAME | GIT_CREDENTIAL_SSH_KEY)) {
        f->refusal = arena_printf(f->arena,
                                  "no user to log in as: your user id %lld has no entry in the"
                                  " user database (passwd); write 'user@' before the host",
                                  (long long)getuid());
        return GIT_EAUTH;
    }
    if (allowed & GIT_CREDENTIAL_USERNAME)
        return git_credential_username_new(out, user);
    if (allowed & GIT_CREDENTIAL_SSH_KEY)
        return ssh_credential(f, out, user);
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
    const char *why = f->refusal ? f->refusal : url_clean(&f->url, err->arena, repo_git_why());

    const char *format = repo_format(err->arena, repo_git_why());
    if (format && !f->refusal)
        return err_set(err, ERR_USAGE, "repository '%s' %s", url->shown, format);
    return err_set(err, ERR_UNREACHABLE, "cannot fetch '%s': %s%s", url->shown,
                   url_clean(url, err->arena, why),
                   strstr(why, "REF pkt-line") ? " (libgit2 says so of a repository with SHA-256"
                                                 " object names, which it cannot read)"
                                               : "");
}

struct fetch {
    struct repo *repo;
    git_repository *git;
    const struct url *url;
};

/* The anonymous remote keeps the URL, and the password in it, out of the mirror's files. */
static int fetch_once(const struct fetch *task, struct fetching *f)
{
    git_fetch_options o;
    git_remote *remote = NULL;
    struct err ignored = {.arena = f->arena};

    git_fetch_options_init(&o, GIT_FETCH_OPTIONS_VERSION);
    o.callbacks.credentials = on_credentials;
    o.callbacks.certificate_check = on_certificate;
    o.callbacks.transfer_progress = on_progress;
    o.callbacks.sideband_progress = on_message;
    o.callbacks.payload = f;
    o.proxy_opts.type = GIT_PROXY_AUTO;
    o.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    o.update_fetchhead = 0;
    int rc = git_remote_create_anonymous(&remote, task->git, task->url->text);
    if (rc == 0 && !url_parse(&f->url, f->arena, git_remote_url(remote), &ignored))
        f->url = *task->url;
    if (rc == 0)
        rc = transfer(task->git, remote, &o);
    git_remote_free(remote); /* libgit2's message stays */
    return rc;
}

/* In the child. */
static bool fetch_all(void *arg, const struct repo_options *options, struct err *err)
{
    const struct fetch *task = arg;
    struct fetching f = {
        .options = options, .repo = task->repo, .url = *task->url, .arena = err->arena};
    int rc = fetch_once(task, &f);

    while (rc != 0 && f.opened && strstr(repo_git_why(), "passphrase") && ++f.wrong < ASKS) {
        f.way--; /* the same key again */
        f.opened = false;
        rc = fetch_once(task, &f);
    }
    if (rc != 0 && f.opened && f.wrong)
        f.refusal = "the passphrase was wrong";
    return rc == 0 || fetch_failed(&f, task->url, err);
}

static bool fetch(struct repo *r, git_repository *git, const struct url *url,
                  const struct repo_options *options, struct err *err)
{
    struct fetch task = {r, git, url};
    struct repo_options shown = *options;

    shown.url = url->shown; /* for the progress */
    return repo_in_child(fetch_all, &task, &shown, err);
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
        if (repo_is_stopped(r)) {
            close(fd);
            repo_stopped(err);
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
                text_shown(err->arena, repo_git_why()));
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

/* Where there is no home directory to write in, as for a user of a container that has only a
 * number.  Others can write to the folder around it: it has to be ours alone. */
static const char *temporary_cache(struct arena *a, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    const char *dir =
        arena_printf(a, "%s/crelease-%lld", tmp && *tmp == '/' ? tmp : "/tmp", (long long)getuid());
    struct stat st;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        err_set(err, ERR_FAILED, "cannot make the folder '%s': %s", text_shown(a, dir),
                strerror(errno));
    else if (lstat(dir, &st) < 0)
        err_set(err, ERR_FAILED, "cannot use the folder '%s': %s", text_shown(a, dir),
                strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077) != 0)
        err_set(err, ERR_FAILED,
                "cannot use the folder '%s': it is not a folder that only you can write; set"
                " XDG_CACHE_HOME to another",
                text_shown(a, dir));
    else
        return dir;
    return NULL;
}

static const char *cache_dir(struct arena *a, const char *asked, struct err *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    struct err ignored = {.arena = a};
    const char *dir = asked                ? asked
                      : xdg && *xdg == '/' ? arena_printf(a, "%s/crelease", xdg)
                                           : home_expand(a, "~/.cache/crelease");

    if (asked || (xdg && *xdg == '/'))
        return make_dirs(a, dir, err) ? dir : NULL;
    return make_dirs(a, dir, &ignored) && access(dir, W_OK | X_OK) == 0 ? dir
                                                                        : temporary_cache(a, err);
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

bool repo_open_mirror(struct repo *r, const struct url *url, const struct repo_options *options,
                      struct err *err)
{
    const char *dir = cache_dir(&r->arena, options->cache_dir, err);
    const unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
    bool ok = false;

    if (!dir)
        return false;
    const char *path = arena_printf(&r->arena, "%s/%s", dir, mirror_name(&r->arena, url));
    int lock = lock_mirror(r, arena_printf(&r->arena, "%s.lock", path), err);
    if (lock < 0)
        return false;
    int rc = repo_open_as(&r->git, path, flags);
    if (rc == 0) {
        remove_leftovers(&r->arena, path);
        ok = fetch(r, r->git, url, options, err);
        /* Another process has written what this one has read. */
        git_repository_free(r->git);
        r->git = NULL;
        if (!ok)
            goto out;
        rc = repo_open_as(&r->git, path, flags);
        ok = rc == 0 || repo_open_failed(path, rc, err);
        goto out;
    }
    if (rc == GIT_EOWNER) {
        repo_open_failed(path, rc, err);
        goto out;
    }
    remove_tree(AT_FDCWD, path); /* it is only a mirror: what cannot be opened is made again */
    if (!clone_mirror(r, path, url, options, err))
        goto out;
    rc = repo_open_as(&r->git, path, flags);
    ok = rc == 0 || repo_open_failed(path, rc, err);
out:
    close(lock);
    return ok;
}
