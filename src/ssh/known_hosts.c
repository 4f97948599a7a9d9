/* known_hosts.c -- reads known_hosts files and looks up host keys in them (see known_hosts.h).
 * connection.c calls it during the key exchange. */
#include "ssh/known_hosts.h"

#include "base/text.h"
#include "edge/digest.h"
#include "ssh/home.h"
#include "ssh/host_key.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The format, one line each (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"):
 *
 *     app1.example.com,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI...
 *     [app1.example.com]:2222 ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTI...
 *     |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-rsa AAAA...
 *     @revoked * ssh-ed25519 AAAA...
 *     @cert-authority *.example.com,!old.example.com ssh-ed25519 AAAA... */

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define NAME_MAX_LEN   1024

enum marker { MARKER_NONE, MARKER_REVOKED, MARKER_CA };

struct entry {
    enum marker marker;
    const char *names;
    const char *type;
    const char *key; /* base64; decoded only if the names match */
    const char *file;
    unsigned line;
};

struct known_hosts {
    struct arena arena;
    struct entry *entry;
    size_t n;
    size_t room;
    struct strs files;
    const char *trouble;
};

/* Cuts the next word off *s.  NULL if there is none. */
static char *next_word(char **s)
{
    char *word = *s + strspn(*s, " \t");

    if (!*word)
        return NULL;
    char *end = word + strcspn(word, " \t");
    *s = end + (*end != '\0');
    *end = '\0';
    return word;
}

static void read_line(struct known_hosts *k, char *line, const char *file, unsigned number)
{
    struct entry e = {.file = file, .line = number};
    char *names = next_word(&line);

    if (!names || names[0] == '#')
        return;
    if (names[0] == '@') {
        if (strcmp(names, "@revoked") == 0)
            e.marker = MARKER_REVOKED;
        else if (strcmp(names, "@cert-authority") == 0)
            e.marker = MARKER_CA;
        else
            return;
        names = next_word(&line);
    }
    e.names = names;
    e.type = next_word(&line);
    e.key = next_word(&line);
    /* A number in place of the type: a key of SSH protocol 1. */
    if (!names || !e.type || !e.key || !isalpha((unsigned char)e.type[0]))
        return;
    if (k->n == k->room) {
        k->room = k->room ? 2 * k->room : 64;
        k->entry = xrealloc(k->entry, k->room * sizeof *k->entry);
    }
    k->entry[k->n++] = e;
}

static void read_lines(struct known_hosts *k, char *text, size_t len, const char *file)
{
    unsigned number = 0;
    char *end = text + len;

    while (text < end) {
        char *eol = memchr(text, '\n', (size_t)(end - text));
        char *next = eol ? eol + 1 : end;
        char *stop = eol ? eol : end;

        number++;
        while (stop > text && stop[-1] == '\r')
            stop--;
        *stop = '\0';
        if (!memchr(text, '\0', (size_t)(stop - text)))
            read_line(k, text, file, number);
        text = next;
    }
}

/* Returns the number of bytes, or -1 with errno. */
static ssize_t read_whole(struct known_hosts *k, const char *path, char **ret_text)
{
    struct stat st;
    ssize_t got = 0;
    size_t len = 0;
    bool ok = false;

    /* O_NONBLOCK, because opening a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        goto out;
    if (!S_ISREG(st.st_mode)) {
        ok = !S_ISDIR(st.st_mode);
        errno = EISDIR;
        goto out;
    }
    if (st.st_size > FILE_BYTES_MAX) {
        errno = EFBIG;
        goto out;
    }
    *ret_text = arena_alloc(&k->arena, (size_t)st.st_size + 1);
    /* The file may have become shorter since fstat, and an empty one is not read at all. */
    do {
        len += (size_t)got;
        got = len < (size_t)st.st_size ? read(fd, *ret_text + len, (size_t)st.st_size - len) : 0;
    } while (got > 0);
    ok = got == 0;
out:;
    int keep = errno;
    close(fd);
    errno = keep;
    return ok ? (ssize_t)len : -1;
}

static void read_file(struct known_hosts *k, const char *name)
{
    const char *path = home_expand(&k->arena, name);
    const char *shown = text_shown(&k->arena, home_shorten(&k->arena, path));
    char *text = NULL;
    ssize_t len = read_whole(k, path, &text);

    strs_add(&k->arena, &k->files, shown);
    if (len >= 0)
        read_lines(k, text, (size_t)len, shown);
    else if (errno != ENOENT && errno != ENOTDIR && !k->trouble)
        k->trouble = arena_printf(&k->arena, "cannot read %s: %s", shown, strerror(errno));
}

/* CRELEASE_KNOWN_HOSTS holds lines, or the path of a file. */
static void read_variable(struct known_hosts *k)
{
    const char *value = getenv("CRELEASE_KNOWN_HOSTS");

    if (!value || !*value)
        return;
    if (strpbrk(value, " \t\n"))
        read_lines(k, arena_strdup(&k->arena, value), strlen(value), "CRELEASE_KNOWN_HOSTS");
    else
        read_file(k, value);
}

struct known_hosts *known_hosts_open(const char *const *files)
{
    static const char *const usual[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2",
                                        "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
                                        NULL};
    struct known_hosts *k = xcalloc(1, sizeof *k);

    read_variable(k);
    for (const char *const *f = files ? files : usual; *f; f++)
        read_file(k, *f);
    return k;
}

void known_hosts_close(struct known_hosts *k)
{
    if (!k)
        return;
    free(k->entry);
    arena_free(&k->arena);
    free(k);
}

const char *known_hosts_trouble(const struct known_hosts *k)
{
    return k->trouble;
}

/* Matches * and ?, ignoring case.  Backtracks only to the last star, so the time is bounded. */
static bool glob_matches(const char *p, size_t p_len, const char *s)
{
    const char *p_end = p + p_len;
    const char *star = NULL;
    const char *again = NULL;

    while (*s) {
        if (p < p_end && *p == '*') {
            star = ++p;
            again = s;
        } else if (p < p_end &&
                   (*p == '?' || tolower((unsigned char)*p) == tolower((unsigned char)*s))) {
            p++;
            s++;
        } else if (star) {
            p = star;
            s = ++again;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

static bool list_matches(const char *names, const char *name)
{
    bool yes = false;

    while (*names) {
        size_t len = strcspn(names, ",");
        bool no = names[0] == '!';

        if (glob_matches(names + no, len - no, name)) {
            if (no)
                return false;
            yes = true;
        }
        names += len + (names[len] == ',');
    }
    return yes;
}

/* names is "|1|salt|hash", both base64 of 20 bytes. */
static bool hash_matches(const char *names, const char *name)
{
    struct arena a = {0};
    unsigned char *salt;
    unsigned char *hash;
    unsigned char ours[20];
    size_t salt_len;
    size_t hash_len;
    const char *mid = strchr(names + 3, '|');
    bool yes = false;

    if (mid && base64_decode(&a, names + 3, (size_t)(mid - names) - 3, &salt, &salt_len) &&
        base64_decode(&a, mid + 1, strlen(mid + 1), &hash, &hash_len) && salt_len == 20 &&
        hash_len == 20) {
        digest_hmac_sha1(salt, salt_len, name, strlen(name), ours);
        yes = memcmp(ours, hash, sizeof ours) == 0;
    }
    arena_free(&a);
    return yes;
}

static bool names_match(const char *names, const char *name)
{
    if (strncmp(names, "|1|", 3) == 0)
        return hash_matches(names, name);
    return names[0] != '|' && list_matches(names, name);
}

const char *known_hosts_name(struct arena *a, const char *name, int port)
{
    char *s = port == 22 ? arena_strndup(a, name, strnlen(name, NAME_MAX_LEN))
                         : arena_printf(a, "[%.*s]:%d", NAME_MAX_LEN, name, port);

    for (char *c = s; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return s;
}

static bool same_key(const struct entry *e, const void *key, size_t len)
{
    struct arena a = {0};
    unsigned char *theirs;
    size_t theirs_len;
    bool same = base64_decode(&a, e->key, strlen(e->key), &theirs, &theirs_len) &&
                theirs_len == len && memcmp(theirs, key, len) == 0;

    arena_free(&a);
    return same;
}

/* Whether the line has a valid key of the type that it names. */
static bool is_key(const struct entry *e)
{
    struct arena a = {0};
    unsigned char *key;
    size_t len;
    const char *type = NULL;

    if (base64_decode(&a, e->key, strlen(e->key), &key, &len))
        type = host_key_type(&a, key, len);
    bool yes = type && strcmp(type, e->type) == 0;
    arena_free(&a);
    return yes;
}

static void answer_with(struct known_answer *answer, enum known known, const struct entry *e)
{
    *answer =
        (struct known_answer){.known = known, .file = e->file, .line = e->line, .type = e->type};
}

static struct known_answer look_up(const struct known_hosts *k, const char *name, const void *key,
                                   size_t len)
{
    struct arena a = {0};
    struct known_answer answer = {.known = KNOWN_UNKNOWN};
    const char *type = host_key_type(&a, key, len);
    bool same_type = false;

    for (size_t i = 0; i < k->n; i++) {
        const struct entry *e = &k->entry[i];

        if (answer.known == KNOWN_YES && e->marker != MARKER_REVOKED)
            continue;
        if (!names_match(e->names, name) || !is_key(e))
            continue;
        if (e->marker == MARKER_REVOKED) {
            if (!same_key(e, key, len))
                continue;
            answer_with(&answer, KNOWN_REVOKED, e);
            break;
        }
        if (e->marker == MARKER_CA) {
            if (answer.known == KNOWN_UNKNOWN)
                answer_with(&answer, KNOWN_CA_ONLY, e);
        } else if (same_key(e, key, len)) {
            answer_with(&answer, KNOWN_YES, e);
        } else if (!same_type) {
            same_type = type && strcmp(type, e->type) == 0;
            if (answer.known != KNOWN_CHANGED || same_type)
                answer_with(&answer, KNOWN_CHANGED, e);
        }
    }
    arena_free(&a);
    return answer;
}

static struct known_answer check_names(const struct known_hosts *k, const struct known_host *host,
                                       const void *key, size_t len)
{
    struct arena a = {0};
    struct known_answer answer = look_up(k, known_hosts_name(&a, host->name, host->port), key, len);

    if (host->port != 22 && (answer.known == KNOWN_UNKNOWN || answer.known == KNOWN_YES)) {
        struct known_answer plain = look_up(k, known_hosts_name(&a, host->name, 22), key, len);

        /* A line without the port counts if the key matches, as in ssh, or if it is revoked. */
        if (plain.known == KNOWN_REVOKED ||
            (answer.known == KNOWN_UNKNOWN &&
             (plain.known == KNOWN_YES || plain.known == KNOWN_CA_ONLY)))
            answer = plain;
    }
    arena_free(&a);
    return answer;
}

struct known_answer known_hosts_check(const struct known_hosts *k, const struct known_host *host,
                                      const void *key, size_t len)
{
    struct known_answer answer = check_names(k, host, key, len);

    answer.host = *host;
    answer.key = key;
    answer.key_len = len;
    return answer;
}

static void add_types(const struct known_hosts *k, const char *name, struct arena *a,
                      struct strs *ret)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct entry *e = &k->entry[i];

        if (e->marker == MARKER_NONE && !strs_has(ret, e->type) && names_match(e->names, name) &&
            is_key(e))
            strs_add(a, ret, arena_strdup(a, e->type));
    }
}

void known_hosts_types(const struct known_hosts *k, const struct known_host *host, struct arena *a,
                       struct strs *ret)
{
    struct arena own = {0};
    size_t before = ret->n;

    add_types(k, known_hosts_name(&own, host->name, host->port), a, ret);
    if (ret->n == before && host->port != 22)
        add_types(k, known_hosts_name(&own, host->name, 22), a, ret);
    arena_free(&own);
}

/* The command that prints the key, for use after the fingerprint was checked. */
static const char *keyscan(struct arena *a, const struct known_host *host, const char *type)
{
    const char *t = "ed25519";
    const char *port = host->port == 22 ? "" : arena_printf(a, "-p %d ", host->port);

    if (type && strncmp(type, "ecdsa-", 6) == 0)
        t = "ecdsa";
    else if (type && strcmp(type, "ssh-rsa") == 0)
        t = "rsa";
    return arena_printf(a, "ssh-keyscan -t %s %s%s", t, port, text_shown(a, host->name));
}

const char *known_hosts_refusal(const struct known_hosts *k, struct arena *a,
                                const struct known_answer *answer)
{
    const struct known_host *host = &answer->host;
    const char *type = host_key_type(a, answer->key, answer->key_len);
    const char *what =
        arena_printf(a, "the %s key of %s port %d, %s,", host_key_kind(a, type ? type : "?"),
                     text_shown(a, host->name), host->port,
                     host_key_fingerprint(a, answer->key, answer->key_len));
    const char *where = answer->file ? arena_printf(a, "%s:%u", answer->file, answer->line) : "";
    const char *other = answer->type ? host_key_kind(a, answer->type) : "";
    const char *print = keyscan(a, host, type);
    const char *scan =
        arena_printf(a, "%s >> %s", print, k->files.n ? k->files.v[0] : "~/.ssh/known_hosts");
    const char *trouble = k->trouble ? arena_printf(a, " (%s)", k->trouble) : "";

    switch (answer->known) {
    case KNOWN_YES:
        return arena_printf(a, "%s is in %s", what, where);
    case KNOWN_UNKNOWN:
        if (in_ci_job())
            return arena_printf(a,
                                "%s is not in %s%s: check the fingerprint, then add the line that"
                                " '%s' prints to CRELEASE_KNOWN_HOSTS%s",
                                what, k->files.n ? k->files.v[0] : "any known_hosts file", trouble,
                                host->is_git ? print : "crelease check ENV --scan",
                                host->is_git ? "" : " (or set host_key: in the recipe)");
        return arena_printf(a,
                            "%s is not in %s%s: check the fingerprint, then run: %s (or set "
                            "host_key: in the recipe)",
                            what, k->files.n ? k->files.v[0] : "any known_hosts file", trouble,
                            scan);
    case KNOWN_CHANGED:
        if (type && strcmp(type, answer->type) != 0)
            return arena_printf(a,
                                "%s is not known; known_hosts has only the host's %s key (%s): if "
                                "the host was given a new key on purpose, check the fingerprint, "
                                "then run: %s",
                                what, other, where, scan);
        return arena_printf(a,
                            "%s does not match %s: the host key has CHANGED, or someone is "
                            "intercepting the connection; if it was changed on purpose, remove "
                            "that line, then run: %s",
                            what, where, scan);
    case KNOWN_REVOKED:
        return arena_printf(a, "%s is REVOKED by %s: do not connect to this host with it", what,
                            where);
    case KNOWN_CA_ONLY:
        return arena_printf(a,
                            "%s is not known: known_hosts has only a certificate authority for %s "
                            "(%s), and libssh2 cannot verify certificates: check the fingerprint, "
                            "then run: %s",
                            what, text_shown(a, host->name), where, scan);
    }
    return what;
}
