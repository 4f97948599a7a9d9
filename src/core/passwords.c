#include "core/passwords.h"

#include "base/buf.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool has_part(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= len; i++)
        if (strncasecmp(name + i, part, n) == 0)
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

/* Behind "scheme://user:".  A number that no @ follows is a port. */
static size_t in_url_at(const char *begin, const char *s)
{
    const char *user = s - 1;

    if (s == begin || s[-1] != ':')
        return 0;
    while (user > begin && !strchr("/ \t", user[-1]))
        user--;
    if (user - begin < 3 || strncmp(user - 3, "://", 3) != 0)
        return 0;
    size_t word = strcspn(s, " \t");
    size_t part = strcspn(s, "/ \t");
    if (strspn(s, "0123456789") == part || *s == '/')
        return 0;
    while (word && s[word] != '@')
        word--;
    return word ? word : strcspn(s, "/ \t\"'");
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

static bool mentions(const char *text, const char *program)
{
    return has_part(text, strlen(text), program);
}

static bool is_mysql(const char *text)
{
    return mentions(text, "mysql") || mentions(text, "mariadb") || mentions(text, "mydumper") ||
           mentions(text, "xtrabackup");
}

/* Behind "--password ", "sshpass -p ", "mysqldump -p", "curl -u user:" */
static size_t of_option_at(const char *begin, const char *s)
{
    size_t len;

    if (s - begin >= 2 && s[-1] == 'p' && s[-2] == '-' && (s - begin == 2 || is_blank(s[-3])) &&
        *s && !is_blank(*s))
        return is_mysql(begin) || mentions(begin, "sshpass") ? word_length(s, " \t;&|") : 0;
    const char *option = option_before(begin, s, &len);
    if (!option || !*s || *s == '-' || is_blank(*s))
        return 0;
    if ((len > 2 && strncmp(option, "--", 2) == 0 && strncmp(option, "--no-", 5) != 0 &&
         is_secret_name(option, len) && !memchr(option, '=', len)) ||
        (len == 2 && option[1] == 'p' &&
         (mentions(begin, "sshpass") || mentions(begin, "mydumper"))))
        return word_length(s, " \t;&|");
    if (!mentions(begin, "curl") ||
        !((len == 2 && option[1] == 'u') || (len == 6 && strncmp(option, "--user", 6) == 0)))
        return 0;
    return memchr(s, ':', strcspn(s, " \t")) ? word_length(s, " \t;&|") : 0;
}

const char *passwords_hidden(struct arena *a, const char *text)
{
    struct buf b = buf_make(SIZE_MAX / 2);
    const char *s = text;

    while (*s) {
        size_t len = assigned_at(text, s);
        if (!len)
            len = in_url_at(text, s);
        if (!len)
            len = of_option_at(text, s);
        if (len)
            buf_puts(&b, "[secret]");
        else
            buf_add(&b, s, 1);
        s += len ? len : 1;
    }
    const char *hidden = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return hidden;
}
