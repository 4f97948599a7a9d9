/* passwords.c -- hides passwords in command lines and messages (see passwords.h).  Called for every
 * text from a host or a database before it is shown.
 *
 * The text is walked through once, in linear time, because a line of a crontab may be megabytes
 * long: answers that many positions share are computed once and cached in struct walk. */
#include "base/passwords.h"

#include "base/buf.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool has_part(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= len; i++)
        if ((name[i] | 0x20) == (*part | 0x20) && strncasecmp(name + i, part, n) == 0)
            return true;
    return false;
}

static bool is_secret_name(const char *name, size_t len)
{
    return has_part(name, len, "PASS") || has_part(name, len, "SECRET") ||
           has_part(name, len, "TOKEN") || has_part(name, len, "PWD");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the shell word at s: up to the first of `ends` that is neither quoted nor escaped. */
static size_t word_length(const char *s, const char *ends)
{
    size_t n = 0;

    while (s[n] && !strchr(ends, s[n])) {
        if (s[n] == '"' || s[n] == '\'') {
            const char *close = strchr(s + n + 1, s[n]);
            /* Without a closing quote, this one closes a quote opened before s. */
            n = close ? (size_t)(close - s) : n;
        } else if (s[n] == '\\' && s[n + 1]) {
            n++;
        }
        n++;
    }
    return n;
}

/* Length of the secret at s if s is right behind "NAME=" with a telling name, else 0. */
static size_t assigned_at(const char *begin, const char *s)
{
    const char *name = s - 1;

    if (s == begin || s[-1] != '=')
        return 0;
    while (name > begin && (isalnum((unsigned char)name[-1]) || name[-1] == '_' || name[-1] == '-'))
        name--;
    size_t len = (size_t)(s - 1 - name);
    return is_secret_name(name, len) || has_part(name, len, "KEY") ? word_length(s, " \t;&|") : 0;
}

/* Programs that take a password with -p or -u. */
enum { MYSQL, MYDUMPER, SSHPASS, CURL, PROGRAMS };

struct walk {
    const char *begin;
    const char *word; /* behind the last slash or blank before the current position */
    const char *end;  /* the first blank from there on, or the end of the text */
    const char *at;   /* the last @ before `end`, or NULL */
    bool asked[PROGRAMS];
    bool mentions[PROGRAMS];
};

static bool mentions(struct walk *w, int program)
{
    static const char *const names[PROGRAMS][5] = {
        [MYSQL] = {"mysql", "mariadb", "mydumper", "xtrabackup", NULL},
        [MYDUMPER] = {"mydumper", NULL},
        [SSHPASS] = {"sshpass", NULL},
        [CURL] = {"curl", NULL},
    };

    for (size_t i = 0; !w->asked[program] && names[program][i]; i++)
        w->mentions[program] =
            w->mentions[program] || has_part(w->begin, strlen(w->begin), names[program][i]);
    w->asked[program] = true;
    return w->mentions[program];
}

/* The last @ of the word that contains s, if it is behind s; else NULL. */
static const char *at_sign(struct walk *w, const char *s)
{
    if (s >= w->end) {
        w->end = s + strcspn(s, " \t");
        w->at = w->end;
        while (w->at > s && *w->at != '@')
            w->at--;
    }
    return w->at > s ? w->at : NULL;
}

/* Length of the password at s if s is right behind "scheme://user:", else 0.  A number without an @
 * behind it is a port. */
static size_t in_url_at(struct walk *w, const char *s)
{
    if (s == w->begin || s[-1] != ':' || w->word - w->begin < 3 ||
        strncmp(w->word - 3, "://", 3) != 0)
        return 0;
    const char *rest = s + strspn(s, "0123456789");
    if (!*rest || *rest == '/' || is_blank(*rest))
        return 0;
    const char *at = at_sign(w, s);
    return at ? (size_t)(at - s) : strcspn(s, "/ \t\"'");
}

/* The option in front of s, where s is the beginning of a word. */
static const char *option_before(const char *begin, const char *s, size_t *ret_len)
{
    const char *end = s;

    while (end > begin && is_blank(end[-1]))
        end--;
    const char *option = end;
    while (end < s && option > begin && !is_blank(option[-1]))
        option--;
    *ret_len = (size_t)(end - option);
    return *ret_len && *option == '-' ? option : NULL;
}

/* Length of the secret at s if it is the argument of a password option, else 0:
 * "--password ", "sshpass -p ", "mysqldump -p", "curl -u user:". */
static size_t of_option_at(struct walk *w, const char *s)
{
    const char *begin = w->begin;
    size_t len;

    if (!*s || is_blank(*s) || s == begin)
        return 0;
    if (s - begin >= 2 && s[-1] == 'p' && s[-2] == '-' && (s - begin == 2 || is_blank(s[-3])))
        return mentions(w, MYSQL) || mentions(w, SSHPASS) ? word_length(s, " \t;&|") : 0;
    if (!is_blank(s[-1]) || *s == '-')
        return 0;
    const char *option = option_before(begin, s, &len);
    if (!option)
        return 0;
    if ((len > 2 && strncmp(option, "--", 2) == 0 && strncmp(option, "--no-", 5) != 0 &&
         is_secret_name(option, len) && !memchr(option, '=', len)) ||
        (len == 2 && option[1] == 'p' && (mentions(w, SSHPASS) || mentions(w, MYDUMPER))))
        return word_length(s, " \t;&|");
    bool user = (len == 2 && option[1] == 'u') || (len == 6 && strncmp(option, "--user", 6) == 0);
    if (!user || !mentions(w, CURL))
        return 0;
    return memchr(s, ':', strcspn(s, " \t")) ? word_length(s, " \t;&|") : 0;
}

const char *passwords_hidden(struct arena *a, const char *text)
{
    struct walk w = {.begin = text, .word = text, .end = text};
    struct buf b = buf_make(SIZE_MAX / 2);
    const char *shown = text; /* everything before this is already in b */
    const char *s = text;

    while (*s) {
        size_t len = assigned_at(text, s);
        if (!len)
            len = in_url_at(&w, s);
        if (!len)
            len = of_option_at(&w, s);
        if (len) {
            buf_add(&b, shown, (size_t)(s - shown));
            buf_puts(&b, "[secret]");
            shown = s + len;
        }
        for (const char *end = s + (len ? len : 1); s < end; s++)
            if (*s == '/' || is_blank(*s))
                w.word = s + 1;
    }
    buf_add(&b, shown, (size_t)(s - shown));
    const char *hidden = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return hidden;
}
