/* url.c -- parses repository addresses and keeps secrets in them out of messages (see url.h).
 * Called by repo.c, fetch.c and the recipe's checks. */
#include "git/url.h"

#include "base/number.h"
#include "base/text.h"

#include <ctype.h>

enum { NAME_LEN = 40, TEXT_LEN = 4096 };

static const struct {
    const char *scheme;
    enum url_kind kind;
} schemes[] = {{"file", URL_FILE}, {"https", URL_HTTP},  {"http", URL_HTTP},  {"git", URL_GIT},
               {"ssh", URL_SSH},   {"ssh+git", URL_SSH}, {"git+ssh", URL_SSH}};

/* Length of the user information at s, up to the last @ of the authority.  A password with a slash
 * would end the authority too early; then the text in place of the port is not a number. */
static size_t userinfo_length(const char *s)
{
    size_t end = strcspn(s, "/ \t\r\n'\"<>");
    size_t all = strcspn(s, " \t\r\n'\"<>");
    const char *colon = memchr(s, ':', end);

    if (!memchr(s, '@', end) && *s != '[' && colon && colon[1] != '/' &&
        strspn(colon + 1, "0123456789") < (size_t)(s + end - colon - 1))
        end = all;
    while (end && s[end - 1] != '@')
        end--;
    return end ? end - 1 : 0;
}

/* Number of bytes to hide at s; *skip is the number of bytes before these that can be shown. */
static size_t secret_in_url(const char *text, const char *s, size_t *skip)
{
    size_t len = s - text >= 3 && strncmp(s - 3, "://", 3) == 0 ? userinfo_length(s) : 0;
    const char *scheme = s - 3;
    const char *colon = len ? memchr(s, ':', len) : NULL;

    *skip = 0;
    if (!len)
        return 0;
    while (scheme > text && (isalnum((unsigned char)scheme[-1]) || strchr("+-.", scheme[-1])))
        scheme--;
    size_t n = (size_t)(s - 3 - scheme);
    bool is_ssh = n >= 3 && (strncmp(scheme, "ssh", 3) == 0 || strncmp(s - 6, "ssh", 3) == 0);
    /* Over HTTP the user name alone may be a token. */
    if (!is_ssh)
        return len;
    *skip = colon ? (size_t)(colon - s) + 1 : len;
    return len - *skip;
}

/* The same for the secrets of this URL, anywhere in a text. */
static size_t secret_of(const struct url *u, const char *s)
{
    size_t len = u->userinfo ? strlen(u->userinfo) : 0;

    if (len && strncmp(s, u->userinfo, len) == 0 && s[len] == '@')
        return len;
    len = u->password ? strlen(u->password) : 0;
    return len && strncmp(s, u->password, len) == 0 ? len : 0;
}

const char *url_clean(const struct url *u, struct arena *a, const char *message)
{
    struct buf clean = buf_make(strlen(message) * 4 + 64);

    for (const char *s = message; *s;) {
        size_t skip;
        size_t len = secret_in_url(message, s, &skip);
        buf_add(&clean, s, skip);
        s += skip;
        if (!len && !skip)
            len = secret_of(u, s);
        if (len)
            buf_puts(&clean, "***");
        else if (!skip)
            buf_add(&clean, s, 1);
        s += len ? len : !skip;
    }
    while (clean.len && strchr(" \r\n", clean.text[clean.len - 1]))
        clean.text[--clean.len] = '\0';
    const char *shown = text_shown(a, clean.text);
    buf_free(&clean);
    return shown;
}

const char *url_bare(const struct url *u, struct arena *a)
{
    const char *drop = u->userinfo   ? arena_printf(a, "%s@", u->userinfo)
                       : u->password ? arena_printf(a, ":%s@", u->password)
                                     : "";
    const char *at = *drop ? strstr(u->text, drop) : u->text;
    const char *bare = arena_printf(a, "%.*s%s%s", (int)(at - u->text), u->text,
                                    u->userinfo || !*drop ? "" : "@", at + strlen(drop));

    return u->kind == URL_HTTP ? arena_strndup(a, bare, strcspn(bare, "?#")) : bare;
}

bool url_has_secret(struct arena *a, const char *text)
{
    struct err refused = {.arena = a};
    struct url u = {0};

    /* An address may have been rejected because of its password. */
    return text && (!url_parse(&u, a, text, &refused) || u.password || u.userinfo);
}

static const char *last_part(struct arena *a, const char *path)
{
    size_t len = strlen(path);

    while (len && path[len - 1] == '/')
        len--;
    if (len > 4 && strncmp(path + len - 4, ".git", 4) == 0)
        len -= 4;
    while (len && path[len - 1] == '/')
        len--;
    size_t from = len;
    while (from && path[from - 1] != '/' && path[from - 1] != ':' && len - from < NAME_LEN)
        from--;
    char *name = arena_strndup(a, path + from, len - from);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-' && (*c != '.' || c == name))
            *c = '-';
    return *name ? name : "repository";
}

/* Returns 0 for an invalid port. */
static int port_of(const char *s, size_t len)
{
    long long n = len ? 0 : 22;

    number_part(s, len, 65535, &n);
    return (int)n;
}

/* Parses "user:password@host:port" of len bytes. */
static void take_authority(struct url *u, struct arena *a, const char *s, size_t len)
{
    size_t at = len;

    while (at && s[at - 1] != '@')
        at--;
    if (at) {
        const char *colon = memchr(s, ':', at - 1);
        u->user = arena_strndup(a, s, colon ? (size_t)(colon - s) : at - 1);
        if (u->kind == URL_HTTP)
            u->userinfo = arena_strndup(a, s, at - 1);
        if (colon)
            u->password = arena_strndup(a, colon + 1, (size_t)(s + at - 1 - (colon + 1)));
    }
    s += at;
    len -= at;
    const char *close = len && *s == '[' ? memchr(s, ']', len) : NULL;
    const char *end = close ? close + 1 : memchr(s, ':', len);
    size_t host_len = end ? (size_t)(end - s) : len;
    if (end && end < s + len && *end == ':')
        u->port = port_of(end + 1, (size_t)(s + len - (end + 1)));
    u->host = close ? arena_strndup(a, s + 1, host_len - 2) : arena_strndup(a, s, host_len);
}

static bool take_scheme(struct url *u, struct arena *a, const char *rest, struct err *err)
{
    size_t len = (size_t)(rest - u->text);
    bool known = false;

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].scheme) == len && memcmp(u->text, schemes[i].scheme, len) == 0) {
            u->kind = schemes[i].kind;
            known = true;
        }
    rest += 3;
    size_t user = userinfo_length(rest);
    size_t end = user + strcspn(rest + user, "/");
    if (!known)
        u->kind = URL_HTTP; /* hides all user information */
    if (u->kind != URL_FILE)
        take_authority(u, a, rest, end);
    /* "/~ann/shop" is in a home directory (git-clone(1), GIT URLS). */
    u->path =
        arena_strdup(a, rest[end] == '/' && rest[end + 1] == '~' ? rest + end + 1 : rest + end);
    u->name = last_part(a, rest + end);
    u->shown = url_clean(u, a, u->text);
    return known || err_set(err, ERR_USAGE,
                            "repository '%s': the address must be a path, file://, https://, "
                            "http://, git://, ssh:// or user@host:path",
                            u->shown);
}

/* ssh does not support "ann:secret@host:path", but people write it.  Returns the length of the text
 * between the first colon and the @ before the host.  The path of "host:path" may contain an @,
 * too, but no colon or bracket behind it. */
static size_t scp_password(const char *text, size_t colon)
{
    const char *rest = text + colon + 1;
    size_t end = strcspn(rest, "/");
    const char *at = memchr(rest, '@', end);

    for (const char *next = at; next; next = memchr(next + 1, '@', (size_t)(rest + end - next - 1)))
        at = next;
    if (!at || !memchr(at, ':', (size_t)(rest + strlen(rest) - at)))
        return 0;
    return (size_t)(at - rest);
}

bool url_parse(struct url *ret, struct arena *a, const char *text, struct err *err)
{
    struct url u = {.kind = URL_PATH, .text = arena_strdup(a, text), .port = 22};
    const char *scheme = strstr(text, "://");
    size_t colon = strcspn(text, ":");

    if (!*text)
        return err_set(err, ERR_USAGE, "no repository given");
    if (strlen(text) > TEXT_LEN)
        return err_set(err, ERR_USAGE, "the address of the repository is longer than %d bytes",
                       TEXT_LEN);
    u.shown = text_shown(a, text);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return err_set(err, ERR_USAGE, "repository '%s' contains a control character", u.shown);
    if (scheme && (size_t)(scheme - text) == colon) {
        if (!take_scheme(&u, a, u.text + colon, err))
            return false;
    } else if (text[colon] && !memchr(text, '/', colon)) {
        /* host:path, where the host may be an address in brackets */
        const char *close = strchr(text, ']');
        size_t password = scp_password(text, colon);
        if (password)
            return err_set(
                err, ERR_USAGE,
                "repository '%.*s:***%s': an SSH address cannot contain a password; remove"
                " it and log in with a key",
                (int)colon, u.shown, text_shown(a, text + colon + 1 + password));
        if (close && close[1] == ':')
            colon = (size_t)(close - text) + 1;
        u.kind = URL_SSH;
        take_authority(&u, a, text, colon);
        if (u.password)
            return err_set(err, ERR_USAGE,
                           "repository '***@[%s]:%s': an SSH address cannot contain a password;"
                           " remove it and log in with a key",
                           text_shown(a, u.host), text_shown(a, text + colon + 1));
        u.path = arena_strdup(a, text + colon + 1);
        u.name = last_part(a, text + colon + 1);
        if (text[colon + 1] == ':')
            return err_set(err, ERR_USAGE, "repository '%s': remote helpers are not supported",
                           u.shown);
    } else {
        u.name = last_part(a, text);
    }
    if (u.host && (!*u.host || *u.host == '-'))
        return err_set(err, ERR_USAGE, "repository '%s': it names no host", u.shown);
    if (u.kind == URL_SSH && (*u.path == '-' || (u.user && *u.user == '-')))
        return err_set(err, ERR_USAGE,
                       "repository '%s': neither the user nor the path can begin with '-', which "
                       "programs take for an option",
                       u.shown);
    if (u.port < 1)
        return err_set(err, ERR_USAGE, "repository '%s': the port is not a number from 1 to 65535",
                       u.shown);
    *ret = u;
    return true;
}
