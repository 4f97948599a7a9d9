/* config_parse.c -- reads the answer of `ssh -G` and the names of destinations (see config.h).  Called by
 * config.c and, for proxy_jump, by the recipe's checks.
 *
 * `ssh -G` prints one "keyword value" a line, keywords in lower case, defaults included.  Paths of
 * IdentityFile come unexpanded, those of UserKnownHostsFile expanded (OpenSSH 9.2, readconf.c,
 * dump_client_config). */
#include "ssh/config.h"

#include "base/buf.h"
#include "base/number.h"
#include "ssh/home.h"

#include <ctype.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXPANDED_BYTES_MAX = 512 * 1024, FILES_MAX = 32 };

/* Returns the value of a keyword in a line, or NULL if the line is about another one. */
static const char *value_of(const char *line, size_t len, const char *keyword, size_t *ret_len)
{
    size_t n = strlen(keyword);

    if (len <= n || line[n] != ' ' || strncmp(line, keyword, n) != 0)
        return NULL;
    *ret_len = len - n - 1;
    return line + n + 1;
}

/* Returns every value of a keyword, in order. */
static struct strs values(struct arena *a, const char *text, const char *keyword)
{
    struct strs list = {0};

    while (*text) {
        size_t len = strcspn(text, "\n");
        size_t n;
        const char *value = value_of(text, len, keyword, &n);
        if (value)
            strs_add(a, &list, arena_strndup(a, value, n));
        text += len + (text[len] == '\n');
    }
    return list;
}

/* Returns the first value, or NULL. */
static const char *value(struct arena *a, const char *text, const char *keyword)
{
    struct strs list = values(a, text, keyword);

    return list.n ? list.v[0] : NULL;
}

/* The same, but NULL also for a value that says that there is none. */
static const char *real_value(struct arena *a, const char *text, const char *keyword)
{
    const char *v = value(a, text, keyword);

    return v && *v && strcmp(v, "none") != 0 ? v : NULL;
}

static bool same_list(const struct strs *a, const struct strs *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return a->n == b->n;
}

static bool is_default(struct arena *a, const char *text, const char *plain, const char *keyword)
{
    struct strs here = values(a, text, keyword);
    struct strs there = values(a, plain, keyword);

    return same_list(&here, &there);
}

static bool is_yes(struct arena *a, const char *text, const char *keyword)
{
    const char *v = value(a, text, keyword);

    return v && (strcmp(v, "yes") == 0 || strcmp(v, "true") == 0);
}

/* What a percent sign and this letter stand for in a path or command (ssh_config(5), TOKENS), or
 * NULL. */
static const char *token(struct arena *a, const struct ssh_target *target,
                         const struct ssh_config *c, char letter)
{
    char name[256] = "";
    const char *user = login_user(a);

    switch (letter) {
    case '%':
        return "%";
    case 'd':
        return home_dir();
    case 'h':
        return c->host;
    case 'i':
        return arena_printf(a, "%lld", (long long)getuid());
    case 'k':
        return c->alias ? c->alias : target->host;
    case 'l':
    case 'L':
        if (gethostname(name, sizeof name - 1) != 0)
            return NULL;
        if (letter == 'L')
            name[strcspn(name, ".")] = '\0';
        return arena_strdup(a, name);
    case 'n':
        return target->host;
    case 'p':
        return arena_printf(a, "%d", c->port ? c->port : 22);
    case 'r':
        return c->user ? c->user : user;
    case 'u':
        return user;
    default:
        return NULL;
    }
}

/* Expands %h and the like in the value of an option, and ${NAME} if `variables`.  A token that is not known here
 * stays as it is, and is among the options without effect. */
static const char *expand(struct arena *a, const struct ssh_target *target, struct ssh_config *c,
                          const char *option, const char *text, bool variables)
{
    struct buf b = buf_make(EXPANDED_BYTES_MAX);

    for (const char *s = text; *s; s++) {
        const char *close = variables && s[0] == '$' && s[1] == '{' ? strchr(s, '}') : NULL;
        const char *word = NULL;
        if (close)
            word = getenv(arena_strndup(a, s + 2, (size_t)(close - s - 2)));
        else if (s[0] == '%' && s[1])
            word = token(a, target, c, s[1]);
        if (!word && s[0] == '%' && isalpha((unsigned char)s[1]))
            strs_add(a, &c->ignored, arena_printf(a, "%%%c in %s", s[1], option));
        if (!word) {
            buf_add(&b, s, 1);
            continue;
        }
        buf_puts(&b, word);
        s = close ? close : s + 1;
    }
    const char *expanded = b.full ? arena_strdup(a, text) : arena_strdup(a, b.text);
    buf_free(&b);
    return expanded;
}

static const char *expand_path(struct arena *a, const struct ssh_target *target,
                               struct ssh_config *c, const char *option, const char *path)
{
    return home_expand(a, expand(a, target, c, option, path, true));
}

/* Both lists of known_hosts files, or NULL if they are the defaults. */
static const char *const *known_files(struct arena *a, const char *text, const char *plain)
{
    static const char *const keywords[] = {"userknownhostsfile", "globalknownhostsfile"};
    const char **files = arena_array(a, FILES_MAX + 1, sizeof *files);
    size_t n = 0;

    if (is_default(a, text, plain, keywords[0]) && is_default(a, text, plain, keywords[1]))
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        const char *v = value(a, text, keywords[i]);
        /* ssh takes the home directory from passwd, crelease from $HOME. */
        if (!v || (i == 0 && is_default(a, text, plain, keywords[0])))
            v = i == 0 ? "~/.ssh/known_hosts ~/.ssh/known_hosts2" : "";
        while (*v && n < FILES_MAX) {
            size_t len = strcspn(v, " ");
            if (len)
                files[n++] = arena_strndup(a, v, len);
            v += len + (v[len] == ' ');
        }
    }
    return files;
}

/* Options that change whether or how ssh connects, and that libssh2 or crelease has no use for. */
static const char *const without_effect[][2] = {
    {"bindinterface", "BindInterface"},
    {"certificatefile", "CertificateFile"},
    {"ciphers", "Ciphers"},
    {"hostbasedauthentication", "HostbasedAuthentication"},
    {"kexalgorithms", "KexAlgorithms"},
    {"knownhostscommand", "KnownHostsCommand"},
    {"macs", "MACs"},
    {"nohostauthenticationforlocalhost", "NoHostAuthenticationForLocalhost"},
    {"pkcs11provider", "PKCS11Provider"},
    {"preferredauthentications", "PreferredAuthentications"},
    {"proxyusefdpass", "ProxyUseFdpass"},
    {"pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"},
    {"pubkeyauthentication", "PubkeyAuthentication"},
    {"rekeylimit", "RekeyLimit"},
    {"remotecommand", "RemoteCommand"},
    {"requiredrsasize", "RequiredRSASize"},
    {"revokedhostkeys", "RevokedHostKeys"},
    {"securitykeyprovider", "SecurityKeyProvider"},
    {"setenv", "SetEnv"},
    {"verifyhostkeydns", "VerifyHostKeyDNS"},
};

static void read_host_keys(struct arena *a, const char *text, const char *plain,
                           struct ssh_config *ret)
{
    const char *strict = value(a, text, "stricthostkeychecking");

    ret->known = known_files(a, text, plain);
    ret->alias = real_value(a, text, "hostkeyalias");
    ret->hashed = is_yes(a, text, "hashknownhosts");
    if (!is_default(a, text, plain, "hostkeyalgorithms"))
        ret->key_types = value(a, text, "hostkeyalgorithms");
    if (strict && strcmp(strict, "accept-new") == 0)
        ret->keys = STRICT_ACCEPT_NEW;
    else if (strict && (strcmp(strict, "false") == 0 || strcmp(strict, "no") == 0 ||
                        strcmp(strict, "off") == 0))
        strs_add(a, &ret->ignored, "StrictHostKeyChecking no");
}

static void read_limits(struct arena *a, const char *text, struct ssh_config *ret)
{
    const char *family = value(a, text, "addressfamily");
    const char *connect = value(a, text, "connecttimeout");
    const char *alive = value(a, text, "serveraliveinterval");
    const char *alive_max = value(a, text, "serveralivecountmax");

    ret->connect_ms = (long)number_or(connect ? connect : "", 86400, 0) * 1000;
    ret->alive_ms = (long)number_or(alive ? alive : "", 86400, 0) * 1000;
    ret->alive_max = (int)number_or(alive_max ? alive_max : "", 1000, 3);
    ret->family = family && strcmp(family, "inet") == 0    ? AF_INET
                  : family && strcmp(family, "inet6") == 0 ? AF_INET6
                                                           : AF_UNSPEC;
    ret->bind = real_value(a, text, "bindaddress");
}

static void read_keys(struct arena *a, const struct ssh_target *target, const char *text,
                      const char *plain, struct ssh_config *ret)
{
    struct strs files = values(a, text, "identityfile");
    const char *agent = value(a, text, "identityagent");
    bool set = !is_default(a, text, plain, "identityfile");

    ret->identities_only = is_yes(a, text, "identitiesonly");
    for (size_t i = 0; set && i < files.n; i++)
        if (strcmp(files.v[i], "none") != 0)
            strs_add(a, &ret->identities, expand_path(a, target, ret, "IdentityFile", files.v[i]));
    ret->no_identities = set && files.n && !ret->identities.n;
    if (!agent || !*agent || strcmp(agent, "SSH_AUTH_SOCK") == 0)
        return;
    ret->agent = agent;
    if (agent[0] == '$' && agent[1] != '{') { /* the variable's value is not expanded any further */
        const char *path = getenv(agent + 1);
        ret->agent = path && *path ? path : "none";
    } else if (strcmp(agent, "none") != 0) {
        ret->agent = expand_path(a, target, ret, "IdentityAgent", agent);
    }
}

void ssh_config_parse(struct arena *a, const struct ssh_target *target, const char *text,
                      const char *plain, struct ssh_config *ret)
{
    const char *port = value(a, text, "port");
    const char *user = value(a, text, "user");
    const char *host = real_value(a, text, "hostname");
    const char *command = real_value(a, text, "proxycommand");

    *ret = (struct ssh_config){.host = host ? host : target->host,
                               .port = (int)number_or(port ? port : "", 65535, 0)};
    /* ssh prints the local name if none is set; crelease finds that out by itself. */
    ret->user = target->user                                  ? target->user
                : user && !is_default(a, text, plain, "user") ? user
                                                              : NULL;
    ret->port = target->port ? target->port : ret->port;
    read_host_keys(a, text, plain, ret);
    read_limits(a, text, ret);
    read_keys(a, target, text, plain, ret);
    ret->jump = real_value(a, text, "proxyjump");
    if (command)
        ret->command = expand(a, target, ret, "ProxyCommand", command, false);
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        if (!is_default(a, text, plain, without_effect[i][0]))
            strs_add(a, &ret->ignored, without_effect[i][1]);
}

bool ssh_target_parse(struct arena *a, const char *text, size_t len, struct ssh_target *ret)
{
    char *s = arena_strndup(a, text, len);
    char *at;
    char *end;
    long long port = 0;

    if (strncmp(s, "ssh://", 6) == 0)
        s += 6;
    *ret = (struct ssh_target){0};
    at = strrchr(s, '@');
    if (at) {
        *at = '\0';
        ret->user = s;
        s = at + 1;
    }
    if (*s == '[') {
        end = strchr(++s, ']');
        if (!end)
            return false;
        *end++ = '\0';
    } else {
        end = strchr(s, ':');
        /* More than one colon: an IPv6 address without brackets and without a port. */
        if (end && strchr(end + 1, ':'))
            end = NULL;
    }
    if (end && *end == ':') {
        if (!number_read(end + 1, 65535, &port) || port < 1)
            return false;
        *end = '\0';
    }
    ret->host = s;
    ret->port = (int)port;
    return *s && *s != '-' && !strpbrk(s, " \t\r\n'\"\\`$;&|<>()") &&
           (!ret->user ||
            (*ret->user && *ret->user != '-' && !strpbrk(ret->user, " \t\r\n'\"\\`$;&|<>()")));
}
