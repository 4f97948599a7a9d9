#include "ssh/known_hosts.h"
#include "base/text.h"
#include "edge/digest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a file holds, one line each (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"):
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
    const char *key; /* base64; decoded when the names match, which is seldom */
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

const char *home_dir(void)
{
    const char *home = getenv("HOME");

    if (home && home[0] == '/')
        return home;
    const struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_dir ? pw->pw_dir : "/";
}

const char *login_user(struct arena *a)
{
    const struct passwd *pw = getpwuid(getuid());

    return pw && pw->pw_name && *pw->pw_name ? arena_strdup(a, pw->pw_name) : NULL;
}

const char *home_expand(struct arena *a, const char *path)
{
    size_t len = strcspn(path, "/");

    if (path[0] != '~')
        return arena_strdup(a, path);
    const struct passwd *pw = len > 1 ? getpwnam(arena_strndup(a, path + 1, len - 1)) : NULL;
    const char *home = len == 1 ? home_dir() : pw ? pw->pw_dir : NULL;
    if (!home)
        return arena_strdup(a, path);
    /* The home directory can be the root directory itself. */
    return arena_printf(a, "%s%s", path[len] && strcmp(home, "/") == 0 ? "" : home, path + len);
}

const char *home_shorten(struct arena *a, const char *path)
{
    const char *home = home_dir();
    size_t len = strlen(home);

    if (len > 1 && strncmp(path, home, len) == 0 && path[len] == '/')
        return arena_printf(a, "~%s", path + len);
    return arena_strdup(a, path);
}

/* Cuts the next word off *s; NULL when there is none. */
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
    /* A number where the type should be: a key of SSH 1. */
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

    /* Not waiting for a writer, should somebody have put a pipe there. */
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
    /* It may have become shorter since; and an empty one is not read at all. */
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
    const char *shown = home_shorten(&k->arena, path);
    char *text = NULL;
    ssize_t len = read_whole(k, path, &text);

    strs_add(&k->arena, &k->files, shown);
    if (len >= 0)
        read_lines(k, text, (size_t)len, shown);
    else if (errno != ENOENT && errno != ENOTDIR && !k->trouble)
        k->trouble = arena_printf(&k->arena, "cannot read %s: %s", shown, strerror(errno));
}

struct known_hosts *known_hosts_open(const char *const *files)
{
    static const char *const usual[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2",
                                        "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
                                        NULL};
    struct known_hosts *k = xcalloc(1, sizeof *k);

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

/* With * and ?, case ignored.  Goes back to the last star only, so never takes long. */
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

/* The name as the files have it: lower case, and with the port unless that is 22. */
static const char *lookup_name(struct arena *a, const char *name, int port)
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

/* Whether the line has a key at all, of the type that it says. */
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
    *answer = (struct known_answer){known, e->file, e->line, e->type};
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

struct known_answer known_hosts_check(const struct known_hosts *k, const struct known_host *host,
                                      const void *key, size_t len)
{
    struct arena a = {0};
    struct known_answer answer = look_up(k, lookup_name(&a, host->name, host->port), key, len);

    if (host->port != 22 && (answer.known == KNOWN_UNKNOWN || answer.known == KNOWN_YES)) {
        struct known_answer plain = look_up(k, lookup_name(&a, host->name, 22), key, len);

        /* Without the port only a yes counts, as in ssh, and a revoked key, to be safe. */
        if (plain.known == KNOWN_REVOKED ||
            (answer.known == KNOWN_UNKNOWN &&
             (plain.known == KNOWN_YES || plain.known == KNOWN_CA_ONLY)))
            answer = plain;
    }
    arena_free(&a);
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

    add_types(k, lookup_name(&own, host->name, host->port), a, ret);
    if (ret->n == before && host->port != 22)
        add_types(k, lookup_name(&own, host->name, 22), a, ret);
    arena_free(&own);
}

/* The command that fetches the key, to be run after the fingerprint was checked. */
static const char *keyscan(const struct known_hosts *k, struct arena *a,
                           const struct known_host *host, const char *type)
{
    const char *t = "ed25519";
    const char *port = host->port == 22 ? "" : arena_printf(a, "-p %d ", host->port);

    if (type && strncmp(type, "ecdsa-", 6) == 0)
        t = "ecdsa";
    else if (type && strcmp(type, "ssh-rsa") == 0)
        t = "rsa";
    return arena_printf(a, "ssh-keyscan -t %s %s%s >> %s", t, port, text_shown(a, host->name),
                        k->files.n ? k->files.v[0] : "~/.ssh/known_hosts");
}

const char *known_hosts_refusal(const struct known_hosts *k, struct arena *a,
                                const struct known_answer *answer, const struct known_host *host,
                                const void *key, size_t len)
{
    const char *type = host_key_type(a, key, len);
    const char *what =
        arena_printf(a, "the %s key of %s port %d, %s,", host_key_kind(a, type ? type : "?"),
                     text_shown(a, host->name), host->port, host_key_fingerprint(a, key, len));
    const char *where = answer->file ? arena_printf(a, "%s:%u", answer->file, answer->line) : "";
    const char *other = answer->type ? host_key_kind(a, answer->type) : "";
    const char *scan = keyscan(k, a, host, type);
    const char *trouble = k->trouble ? arena_printf(a, " (%s)", k->trouble) : "";

    switch (answer->known) {
    case KNOWN_YES:
        return arena_printf(a, "%s is known from %s", what, where);
    case KNOWN_UNKNOWN:
        return arena_printf(a,
                            "%s is not in %s%s: check the fingerprint, "
                            "then: %s (or give it as host_key: in the recipe)",
                            what, k->files.n ? k->files.v[0] : "any known_hosts file", trouble,
                            scan);
    case KNOWN_CHANGED:
        if (type && strcmp(type, answer->type) != 0)
            return arena_printf(a,
                                "%s is not known, only a %s key is (%s): if the host was given a "
                                "new key on purpose, check the fingerprint, then: %s",
                                what, other, where, scan);
        return arena_printf(a,
                            "%s is not the one in %s: the host key has CHANGED, or somebody is "
                            "in between; if it was changed on purpose, remove that line, then: %s",
                            what, where, scan);
    case KNOWN_REVOKED:
        return arena_printf(a, "%s is REVOKED by %s: do not connect to this host with it", what,
                            where);
    case KNOWN_CA_ONLY:
        return arena_printf(a,
                            "%s is not known: known_hosts has only a certificate authority for %s "
                            "(%s), which this libssh2 cannot check: check the fingerprint, "
                            "then: %s",
                            what, text_shown(a, host->name), where, scan);
    }
    return what;
}

const char *host_key_type(struct arena *a, const void *key, size_t len)
{
    const unsigned char *b = key;

    if (len < 4)
        return NULL;
    size_t n = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    if (n == 0 || n > 64 || n > len - 4)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (b[4 + i] <= ' ' || b[4 + i] > '~' || b[4 + i] == ',')
            return NULL;
    return arena_strndup(a, (const char *)b + 4, n);
}

const char *host_key_kind(struct arena *a, const char *type)
{
    if (strcmp(type, "ssh-ed25519") == 0)
        return "ED25519";
    if (strncmp(type, "ecdsa-sha2-", 11) == 0)
        return "ECDSA";
    if (strcmp(type, "ssh-rsa") == 0 || strncmp(type, "rsa-sha2-", 9) == 0)
        return "RSA";
    if (strcmp(type, "ssh-dss") == 0)
        return "DSA";
    return text_shown(a, type);
}

const char *host_key_fingerprint(struct arena *a, const void *key, size_t len)
{
    unsigned char sum[32];

    digest_sha256(key, len, sum);
    char *b64 = base64_encode(a, sum, sizeof sum);
    b64[strcspn(b64, "=")] = '\0';
    return arena_printf(a, "SHA256:%s", b64);
}

/* Reads a pin: the hash of a key, or the key itself with its type. */
static bool read_pin(struct arena *a, const char *pin, unsigned char **ret, size_t *ret_len,
                     const char **ret_type)
{
    *ret_type = NULL;
    pin += strspn(pin, " \t\r\n");
    if (strncmp(pin, "SHA256:", 7) == 0) {
        size_t len = strcspn(pin + 7, " \t\r\n");
        return base64_decode(a, pin + 7, len, ret, ret_len) && *ret_len == 32;
    }
    char *line = arena_strdup(a, pin);
    line[strcspn(line, "\r\n")] = '\0';
    const char *type = next_word(&line);
    const char *key = next_word(&line);
    if (!type || !key || !base64_decode(a, key, strlen(key), ret, ret_len))
        return false;
    *ret_type = host_key_type(a, *ret, *ret_len);
    return *ret_type && strcmp(*ret_type, type) == 0;
}

bool host_key_pin_is_valid(const char *pin)
{
    struct arena a = {0};
    unsigned char *bytes;
    size_t len;
    const char *type;
    bool valid = read_pin(&a, pin, &bytes, &len, &type);

    arena_free(&a);
    return valid;
}

bool host_key_pin_matches(const char *pin, const void *key, size_t len)
{
    struct arena a = {0};
    unsigned char *bytes;
    unsigned char sum[32];
    size_t pin_len;
    const char *type;
    bool yes = false;

    if (read_pin(&a, pin, &bytes, &pin_len, &type)) {
        digest_sha256(key, len, sum);
        yes = type ? pin_len == len && memcmp(bytes, key, len) == 0
                   : memcmp(bytes, sum, sizeof sum) == 0;
    }
    arena_free(&a);
    return yes;
}

const char *host_key_pin_type(struct arena *a, const char *pin)
{
    unsigned char *bytes;
    size_t len;
    const char *type;

    return read_pin(a, pin, &bytes, &len, &type) ? type : NULL;
}
