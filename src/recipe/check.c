/* check.c -- checks the values of a recipe (see check.h).  keys.c names these functions in the key
 * table; value.c and list.c call them. */
#include "recipe/check.h"

#include "base/limits.h"
#include "base/number.h"
#include "forecast/cron.h"
#include "forecast/window.h"
#include "edge/digest.h"
#include "recipe/recipe.h"
#include "ssh/config.h"
#include "ssh/host_key.h"

#include <ctype.h>
#include <regex.h>

static const char DIGITS[] = "0123456789";
static const char NAME[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

enum { NAME_MAX_LEN = 128, PATH_MAX_LEN = 1024, REGEX_BYTES_MAX = 500, REGEX_REPEATED_MAX = 10000 };

bool value_has_control(const char *s, bool lines)
{
    for (const unsigned char *u = (const unsigned char *)s; *u; u++)
        if ((*u < 0x20 && !(lines && (*u == '\n' || *u == '\t'))) || *u == 0x7f)
            return true;
    return false;
}

static bool made_of(const char *s, const char *letters, const char *more)
{
    for (; *s; s++)
        if (!strchr(letters, *s) && !strchr(more, *s))
            return false;
    return true;
}

static bool is_name(const char *s, const char *more)
{
    return *s && *s != '-' && strlen(s) <= NAME_MAX_LEN && made_of(s, NAME, more) &&
           strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

const char *check_name(struct arena *a, const char **value)
{
    (void)a;
    return is_name(*value, "") ? NULL
                               : "letters, digits, '.', '_' and '-', not beginning with a '-'";
}

const char *check_host_name(struct arena *a, const char **value)
{
    (void)a;
    return is_name(*value, ":[]")
               ? NULL
               : "letters, digits, '.', '_', '-', ':' and brackets, not beginning with a '-'";
}

const char *check_address(struct arena *a, const char **value)
{
    const char *expected = "a host name or an IP address (user and port have keys of their own)";
    const char *s = *value;
    size_t len = strlen(s);

    if (*s == '[') {
        if (len < 4 || s[len - 1] != ']')
            return expected;
        *value = s = arena_strndup(a, s + 1, len - 2);
    }
    const char *colon = strchr(s, ':');
    if (colon)
        return made_of(s, "0123456789abcdefABCDEF:.", "") && strchr(colon + 1, ':') ? NULL
                                                                                    : expected;
    return is_name(s, "") ? NULL : expected;
}

const char *check_user(struct arena *a, const char **value)
{
    const char *s = *value;

    (void)a;
    if (!*s || *s == '-' || strlen(s) > NAME_MAX_LEN || value_has_control(s, false) ||
        strpbrk(s, " /:"))
        return "a user name";
    return NULL;
}

const char *check_role(struct arena *a, const char **value)
{
    (void)a;
    return is_name(*value, "") && !strchr(*value, '.') ? NULL
                                                       : "a role: letters, digits, '_' and '-'";
}

const char *check_variable(struct arena *a, const char **value)
{
    const char *s = *value;

    (void)a;
    if (!*s || strchr(DIGITS, *s) || strlen(s) > NAME_MAX_LEN || !made_of(s, NAME, "") ||
        strpbrk(s, ".-"))
        return "a variable's name: letters, digits and '_', not beginning with a digit";
    return NULL;
}

const char *check_not_empty(struct arena *a, const char **value)
{
    (void)a;
    return (*value)[strspn(*value, " \t\n")] ? NULL : "a value that is not empty";
}

const char *check_not_option(struct arena *a, const char **value)
{
    const char *expected = check_not_empty(a, value);

    return expected ? expected : **value == '-' ? "a value that does not begin with '-'" : NULL;
}

const char *check_ref(struct arena *a, const char **value)
{
    const char *s = *value;

    (void)a;
    if (!*s || *s == '-' || strchr(s, ' ') || strlen(s) > PATH_MAX_LEN)
        return "a branch, a tag or a commit";
    return NULL;
}

/* Normalises a path: removes "." and empty members.  Returns NULL if it contains "..". */
static const char *tidy(struct arena *a, const char *s, bool *ret_empty_member)
{
    char *out = arena_alloc(a, strlen(s) + 2);
    size_t len = 0;
    bool absolute = *s == '/';

    *ret_empty_member = false;
    for (s += absolute; *s;) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.')
            return NULL;
        if (n == 0 || (n == 1 && *s == '.')) {
            *ret_empty_member = true;
        } else {
            if (len || absolute)
                out[len++] = '/';
            memcpy(out + len, s, n);
            len += n;
        }
        s += n;
        s += *s == '/';
    }
    return out;
}

const char *check_folder(struct arena *a, const char **value)
{
    bool empty_member;
    const char *s = **value == '/' ? tidy(a, *value, &empty_member) : NULL;

    if (strlen(*value) > PATH_MAX_LEN || !s)
        return "an absolute path without '..'";
    if (!*s)
        return "a folder for this site alone, not '/'";
    *value = s;
    return NULL;
}

const char *check_path(struct arena *a, const char **value)
{
    const char *s = *value;

    (void)a;
    if ((*s != '/' && strncmp(s, "~/", 2) != 0) || strchr(s, ':') || strlen(s) > PATH_MAX_LEN)
        return "a folder that begins with '/' or '~/', without ':'";
    return NULL;
}

/* Characters that a shell would not take as part of a word have no meaning here. */
const char *check_shell(struct arena *a, const char **value)
{
    (void)a;
    if (!**value || **value == '-' || **value == ' ' || strpbrk(*value, "'\"\\$`;&|<>(){}*?[]#~"))
        return "plain, login, or a command such as zsh -lc";
    return NULL;
}

const char *check_umask(struct arena *a, const char **value)
{
    const char *s = *value;
    size_t len = strlen(s);

    (void)a;
    /* The first of the last three digits is about the owner. */
    if (len < 3 || len > 4 || strspn(s, "01234567") != len || s[len - 3] != '0' ||
        (len == 4 && s[0] != '0'))
        return "an octal number from 0000 to 0077, such as \"0022\"";
    return NULL;
}

static const char *below_release(struct arena *a, const char **value, bool folder)
{
    const char *expected = "a path below the release: relative, without '..', '.' or '//'";
    size_t len = strlen(*value);
    bool empty_member = true;

    if (folder && len > 1 && (*value)[len - 1] == '/')
        *value = arena_strndup(a, *value, --len);
    if (!len || len > PATH_MAX_LEN || **value == '/' || (*value)[len - 1] == '/')
        return expected;
    return tidy(a, *value, &empty_member) && !empty_member ? NULL : expected;
}

const char *check_linked_file(struct arena *a, const char **value)
{
    return below_release(a, value, false);
}

const char *check_linked_dir(struct arena *a, const char **value)
{
    return below_release(a, value, true);
}

const char *check_relative(struct arena *a, const char **value)
{
    return below_release(a, value, true);
}

bool check_database_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    return *s && strlen(s) <= DATABASE_NAME_MAX && !s[strspn(s, letters)];
}

const char *check_database(struct arena *a, const char **value)
{
    const char *s = *value;

    (void)a;
    if (!*s || *s == '-')
        return "the name of a database";
    if (strchr(s, '=') || strstr(s, "://"))
        return "only the name of a database, not a connection string (set how to reach it in "
               "'database.psql')";
    return NULL;
}

const char *check_proxy_jump(struct arena *a, const char **value)
{
    const char *s = *value;
    struct ssh_target hop;

    if (strcmp(s, "none") == 0)
        return NULL;
    for (;; s++) {
        size_t len = strcspn(s, ",");
        if (!ssh_target_parse(a, s, len, &hop))
            return "jump hosts such as 'bastion.example.com' or 'ann@b1:2222,b2', or 'none'";
        s += len;
        if (!*s)
            return NULL;
    }
}

const char *check_host_key(struct arena *a, const char **value)
{
    const char *expected = "'SHA256:' and 43 characters as shown by ssh-keygen -l, or a public key "
                           "line such as 'ssh-ed25519 AAAA...'";
    const char *s = *value;
    unsigned char *bytes = NULL;
    size_t len = 0;

    if (strncmp(s, "SHA256:", 7) == 0)
        return base64_decode(a, s + 7, strlen(s + 7), &bytes, &len) && len == 32 ? NULL : expected;
    size_t word = strcspn(s, " ");
    if (!s[word] || word < 7 || (strncmp(s, "ssh-", 4) != 0 && strncmp(s, "ecdsa-", 6) != 0))
        return expected;
    const char *key = s + word + strspn(s + word, " ");
    /* A key blob begins with the length and the name of its type. */
    if (!base64_decode(a, key, strcspn(key, " "), &bytes, &len) || len < word + 4 ||
        memcmp(bytes + 4, s, word) != 0)
        return expected;
    return host_key_pin_is_valid(s) ? NULL : expected;
}

const char *check_share(struct arena *a, const char **value)
{
    const char *expected = "a number of hosts from 1, or a share from 1% to 100%";
    size_t digits = strspn(*value, DIGITS);
    const char *rest = *value + digits;
    long long n = 0;

    (void)a;
    number_part(*value, digits, 999999999, &n);
    if (n < 1)
        return expected;
    if (strcmp(rest, "%") == 0)
        return n <= 100 ? NULL : expected;
    return *rest || n > KEY_COUNT_MAX ? expected : NULL;
}

const char *check_schedule(struct arena *a, const char **value)
{
    struct cron_line line;

    if (strcmp(*value, "none") == 0 || strcmp(*value, "crontab") == 0)
        return NULL;
    if (!value_has_control(*value, true) && !strchr(*value, '\n') &&
        cron_parse(a, *value, false, &line) == CRON_COMMAND)
        return NULL;
    return "none, crontab, or a cron line such as '0 2 * * *', with or without its command";
}

/* Limits the product of all repetitions, because a short expression can need gigabytes. */
static bool is_modest(const char *s)
{
    unsigned long product = 1;

    if (strlen(s) > REGEX_BYTES_MAX)
        return false;
    while ((s = strchr(s, '{'))) {
        for (s++; isdigit((unsigned char)*s) || *s == ','; s += *s == ',') {
            unsigned long n = 0;
            for (; isdigit((unsigned char)*s) && n <= REGEX_REPEATED_MAX; s++)
                n = n * 10 + (unsigned long)(*s - '0');
            if (n && (product *= n) > REGEX_REPEATED_MAX)
                return false;
        }
    }
    return true;
}

const char *check_regex(struct arena *a, const char **value)
{
    const char *expected = "a POSIX extended regular expression";
    char why[100];
    regex_t re;

    if (!**value)
        return expected;
    if (!is_modest(*value))
        return arena_printf(a,
                            "%s of at most %d bytes, with repetitions that multiply to at most %d",
                            expected, REGEX_BYTES_MAX, REGEX_REPEATED_MAX);
    int status = regcomp(&re, *value, REG_EXTENDED);
    if (status) {
        regerror(status, &re, why, sizeof why);
        return arena_printf(a, "%s (%s)", expected, why);
    }
    regfree(&re);
    return NULL;
}

const char *const notify_on_words[NOTIFY_WORDS + 1] = {
    [NOTIFY_BEGUN] = "begun",   [NOTIFY_WAITING] = "waiting", [NOTIFY_LIVE] = "live",
    [NOTIFY_FAILED] = "failed", [NOTIFY_ABORTED] = "aborted",
};
const char *const notify_format_words[] = {[NOTIFY_JSON] = "json", [NOTIFY_SLACK] = "slack"};

const char *check_notify_on(struct arena *a, const char **value)
{
    const char *near = text_nearest(*value, notify_on_words);

    for (size_t i = 0; i < NOTIFY_WORDS; i++)
        if (strcmp(notify_on_words[i], *value) == 0)
            return NULL;
    return arena_printf(a, "one of: begun, waiting, live, failed, aborted%s%s%s",
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

const char *check_days(struct arena *a, const char **value)
{
    unsigned days;

    (void)a;
    return window_days(*value, &days) ? NULL : "days such as mon-fri or sat,sun";
}

const char *check_time(struct arena *a, const char **value)
{
    int minute;

    (void)a;
    return window_time(*value, &minute) ? NULL : "a time from 00:00 to 24:00";
}

const char *check_zone(struct arena *a, const char **value)
{
    static const char expected[] = "a time zone such as Europe/Berlin or UTC";
    const char *s = *value;

    (void)a;
    if (!*s || strlen(s) > NAME_MAX_LEN || *s == '/' || strstr(s, "..") || !made_of(s, NAME, "/+"))
        return expected;
    return NULL;
}
