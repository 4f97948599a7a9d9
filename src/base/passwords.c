/* passwords.c -- see passwords.h; called for whatever a host or a database says before it is shown.
 *
 * The text is walked through once.  What is asked at many places of it is found out once, or is
 * known from the places before: a line of a crontab may be megabytes long. */
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

/* A word of shell text from here on: to the first of `ends` that is neither quoted nor escaped. */
static size_t word_length(const char *s, const char *ends)
{
    size_t n = 0;

    while (s[n] && !strchr(ends, s[n])) {
        if (s[n] == '"' || s[n] == '\'') {
            const char *close = strchr(s + n + 1, s[n]);
            /* One that is not closed here was opened before: the word is inside of it. */
            n = close ? (size_t)(close - s) : n;
        } else if (s[n] == '\\' && s[n + 1]) {
            n++;
        }
        n++;
    }
    return n;
}

/* Behind "NAME=" */
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

/* Programs that take a password behind -p or -u. */
enum { MYSQL, MYDUMPER, SSHPASS, CURL, PROGRAMS };

struct walk {
    const char *begin;
    const char *word; /* behind the last slash or blank before the place where the walk is */
    const char *end;  /* the first blank from there on, or the end of the text; */
    const char *at;   /* the last @ before it, or NULL */
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

/* The last @ of the word that s is in, if it is behind s. */
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

/* Behind "scheme://user:".  A number that no @ follows is a port. */
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

/* The option that ends before s, which is the beginning of a word. */
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

/* Behind "--password ", "sshpass -p ", "mysqldump -p", "curl -u user:" */
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
    const char *shown = text; /* up to here the text is in b */
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
