/* yaml.c -- writes texts into a recipe (see yaml.h).  Called by cmd_init.c and cap_recipe.c. */
#include "cli/capistrano/yaml.h"

#include "base/buf.h"
#include "base/text.h"
#include "recipe/check.h"

/* Line ends for YAML, which are no control characters: NEL, LS, PS; and the mark of the byte order. */
static bool has_line_end(const char *s)
{
    static const char *const ends[] = {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xEF\xBB\xBF"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strstr(s, ends[i]))
            return true;
    return false;
}

bool yaml_fits(const char *s)
{
    return text_is_utf8(s, strlen(s)) && !value_has_control(s, false) && !has_line_end(s);
}

/* What YAML takes for something else than a text. */
static bool is_reserved(const char *s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    return strspn(s, "0123456789._") == strlen(s);
}

const char *yaml_scalar(struct arena *a, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/@:+~";
    size_t len = strlen(s);
    struct buf b = buf_make(len * 3 + 3);

    if (len && !strchr("-:@~", s[0]) && s[len - 1] != ':' && strspn(s, plain) == len &&
        !is_reserved(s))
        return s;
    buf_puts(&b, "\"");
    for (; *s; s++)
        buf_printf(&b, "%s%c",
                   *s == '"' || *s == '\\'      ? "\\"
                   : s[0] == '$' && s[1] == '{' ? "$"
                                                : "",
                   *s);
    buf_puts(&b, "\"");
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

const char *yaml_comment(struct arena *a, const char *s)
{
    char *text = arena_strdup(a, text_shown(a, s));

    for (char *p = text; *p; p++)
        if ((unsigned char)*p >= 0x7f)
            *p = '?';
    return text;
}
