/* fetch.c -- fetches a URL into a mirror: the transfer, the host's key, and logging in.  mirror.c
 * calls repo_fetch; all network I/O happens in a child process (fetch_child.h). */
#include "git/fetch_child.h"

#include "base/text.h"
#include "git/ssh_program.h"
#include "ssh/home.h"
#include "ssh/keys.h"
#include "ssh/known_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEY_HEAD = 4096, ASKS = 3, PROGRESS_MS = 100, AGENT_MS = 5000 };

struct fetching {
    const struct repo_options *options;
    const struct repo *repo;
    struct url url;       /* as contacted, after url.*.insteadOf */
    struct arena *arena;  /* for messages */
    size_t way;           /* the next way to log in; those before were tried */
    const char *locked;   /* a key whose passphrase was not given */
    const char *keys_why; /* why the agent or the key of the variable cannot be used */
    bool opened;          /* the last way was a key with a passphrase */
    unsigned wrong;       /* number of wrong passphrases for it */
    unsigned asked;
    struct ssh_program ssh; /* without arguments: libgit2's own SSH is used */
    const char *refusal;    /* why we ended the fetch ourselves */
    long long next_ms;      /* when to report progress again */
};

/* Messages show that the server is alive while it counts objects. */
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

/* Verifies the host's key, or the server's certificate.  There is no way to turn this off. */
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
        f->refusal = "the server presented no host key that can be verified";
        return GIT_ECERTIFICATE;
    }
    struct known_hosts *known = known_hosts_open(NULL);
    struct known_host who = {.name = host, .port = f->url.port, .is_git = true};
    struct known_answer answer = known_hosts_check(known, &who, key->hostkey, key->hostkey_len);
    if (answer.known != KNOWN_YES)
        f->refusal = known_hosts_refusal(known, f->arena, &answer);
    known_hosts_close(known);
    return answer.known == KNOWN_YES ? 0 : GIT_ECERTIFICATE;
}

/* Whether this file is a private key with a passphrase.  False if there is no such file. */
static bool key_is_encrypted(const char *path)
{
    /* base64 of "openssh-key-v1" followed by the cipher "none" */
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

/* Whether the agent answers a request for its keys.  libgit2 leaves the agent to libssh2, which
 * waits for it without a limit.  May block for AGENT_MS, but only in the child. */
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
        f->keys_why =
            arena_printf(f->arena, "the agent at '%s' did not answer", text_shown(f->arena, path));
    return ok;
}

/* Offers the key that CRELEASE_SSH_KEY holds.  False if it holds none that can be used here. */
static bool variable_credential(struct fetching *f, git_credential **out, const char *user)
{
    const char *value = getenv("CRELEASE_SSH_KEY");

    if (!value || !*value)
        return false;
    struct ssh_key key = ssh_key_of_variable(f->arena, value);
    bool ok = key.form == KEY_PRIVATE && !key.encrypted && key.text &&
              git_credential_ssh_key_memory_new(out, user, NULL, key.text, NULL) == 0;
    if (key.form == KEY_UNKNOWN)
        f->keys_why = arena_printf(f->arena, "CRELEASE_SSH_KEY %s", key.why);
    ssh_key_wipe(&key);
    return ok;
}

/* Offers one key after the other: that of CRELEASE_SSH_KEY, those of the agent, then the usual
 * files. */
static int ssh_credential(struct fetching *f, git_credential **out, const char *user)
{
    static const char *const files[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
    enum { WAY_VARIABLE, WAY_AGENT, WAY_FILES };
    const size_t ways = WAY_FILES + sizeof files / sizeof *files;

    while (f->way < ways) {
        size_t way = f->way++;
        if (way == WAY_VARIABLE) {
            if (variable_credential(f, out, user))
                return 0;
            continue;
        }
        if (way == WAY_AGENT) {
            if (agent_answers(f))
                return git_credential_ssh_key_from_agent(out, user);
            continue;
        }
        const char *key =
            home_expand(f->arena, arena_printf(f->arena, "~/.ssh/%s", files[way - WAY_FILES]));
        const char *pub = arena_printf(f->arena, "%s.pub", key);
        char phrase[1024] = "";
        if (access(key, R_OK) != 0)
            continue;
        bool encrypted = key_is_encrypted(key);
        const char *prompt =
            arena_printf(f->arena, "passphrase for '~/.ssh/%s': ", files[way - WAY_FILES]);
        if (f->wrong)
            prompt =
                arena_printf(f->arena, "wrong passphrase for '~/.ssh/%s', try again (%u of %d)\n%s",
                             files[way - WAY_FILES], f->wrong + 1, ASKS, prompt);
        if (encrypted && !ask(f, prompt, phrase, sizeof phrase)) {
            f->locked = files[way - WAY_FILES];
            continue;
        }
        /* Without the public key file, libssh2 has to open the private key first and reports if it
         * cannot.  Otherwise a wrong passphrase would look like a key that the server refused. */
        int rc =
            git_credential_ssh_key_new(out, user, !encrypted && access(pub, R_OK) == 0 ? pub : NULL,
                                       key, encrypted ? phrase : NULL);
        f->opened = encrypted;
        explicit_bzero(phrase, sizeof phrase);
        return rc;
    }
    f->refusal =
        arena_printf(f->arena,
                     "%s%s'%s' accepts no key for user '%s': neither from the agent nor from "
                     "id_ed25519, id_ecdsa or id_rsa in ~/.ssh%s%s%s",
                     f->keys_why ? f->keys_why : "", f->keys_why ? "; " : "",
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

    const char *again = f->asked
                            ? arena_printf(f->arena, "'%s' rejected that, try again (%u of %d)\n",
                                           host, f->asked + 1, ASKS)
                            : "";
    if (f->asked++ < ASKS &&
        (user || ask(f, arena_printf(f->arena, "%suser name for '%s': ", again, host), name,
                     sizeof name)) &&
        ask(f, arena_printf(f->arena, "%spassword for '%s': ", user ? again : "", host), word,
            sizeof word))
        rc = git_credential_userpass_plaintext_new(out, user ? user : name, word);
    explicit_bzero(word, sizeof word);
    if (rc == GIT_EAUTH)
        f->refusal = arena_printf(f->arena, "'%s' requires a valid user name and password", host);
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
    f->refusal = "the server offers no supported way to log in (a key, or a password over HTTP)";
    return GIT_EAUTH;
}

static int on_transport(git_transport **ret, git_remote *remote, void *arg)
{
    struct fetching *f = arg;

    return ssh_program_transport(ret, remote, &f->ssh);
}

/* An agent that does not answer would hold up the ssh program for ever. */
static void set_ssh_program(struct fetching *f, git_remote_callbacks *callbacks)
{
    if (f->url.kind != URL_SSH || !f->options->ssh || !f->url.host)
        return;
    f->ssh = (struct ssh_program){.arguments = f->options->ssh,
                                  .no_agent = getenv("SSH_AUTH_SOCK") && !agent_answers(f),
                                  .url = &f->url,
                                  .arena = f->arena};
    callbacks->transport = on_transport;
}

/* Sets HEAD of the mirror to the server's HEAD, so that the ref "HEAD" means the same. */
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

/* Like git_remote_fetch, but prunes before it updates: if branch "a" was replaced by "a/b", the old
 * one must be deleted first. */
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
                   strstr(why, "REF pkt-line") ? " (libgit2 reports this for a repository with"
                                                 " SHA-256 object names, which it cannot read)"
                                               : "");
}

struct fetch {
    struct repo *repo;
    git_repository *git;
    const struct url *url;
};

/* The remote is anonymous so that the URL, which may contain a password, is not written to the
 * mirror's configuration. */
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
    set_ssh_program(f, &o.callbacks);
    if (rc == 0)
        rc = transfer(task->git, remote, &o);
    git_remote_free(remote); /* keeps libgit2's message */
    if (rc != 0 && f->ssh.said)
        f->refusal =
            f->keys_why ? arena_printf(f->arena, "%s; %s", f->keys_why, f->ssh.said) : f->ssh.said;
    return rc;
}

/* libgit2 refuses every SSH server if it does not find a home directory, and looks only at $HOME. */
static void set_home(void)
{
    if (getenv("HOME"))
        return;
    setenv("HOME", home_dir(), 1);
#if LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 7 /* reads it only once, when it starts */
    git_libgit2_opts(GIT_OPT_SET_HOMEDIR, home_dir());
#endif
}

/* Runs in the child. */
static bool fetch_all(void *arg, const struct repo_options *options, struct err *err)
{
    const struct fetch *task = arg;
    struct fetching f = {
        .options = options, .repo = task->repo, .url = *task->url, .arena = err->arena};

    set_home();
    int rc = fetch_once(task, &f);
    while (rc != 0 && f.opened && strstr(repo_git_why(), "passphrase") && ++f.wrong < ASKS) {
        f.way--; /* try the same key again */
        f.opened = false;
        rc = fetch_once(task, &f);
    }
    if (rc != 0 && f.opened && f.wrong)
        f.refusal = "the passphrase was wrong";
    return rc == 0 || fetch_failed(&f, task->url, err);
}

bool repo_fetch(struct repo *r, git_repository *git, const struct url *url,
                const struct repo_options *options, struct err *err)
{
    struct fetch task = {r, git, url};
    struct repo_options shown = *options;

    shown.url = url->shown; /* for the progress */
    return repo_in_child(fetch_all, &task, &shown, err);
}
