/* hint.c -- builds the commands that messages suggest to type (hint.h). */
#include "core/hint.h"

#include "base/quote.h"
#include "base/text.h"

enum { HINT_BYTES_MAX = 64 * 1024 };

static void add_option(struct buf *b, const char *option, const char *value)
{
    if (!value)
        return;
    buf_puts(b, option);
    quote_typed(b, value);
}

static void add_words(struct buf *b, const struct strs *words)
{
    for (size_t i = 0; i < words->n; i++)
        add_option(b, " ", words->v[i]);
}

/* Whether `more` already contains an option that would be repeated. */
static bool is_said(const char *more, const struct strs *words)
{
    return more && words->n && strstr(more, words->v[0]);
}

const char *hint(struct arena *a, const struct called *called, const char *command,
                 const char *more)
{
    static const struct called plainly;
    const struct called *c = called ? called : &plainly;
    bool anywhere = strcmp(command, "help") == 0 || strcmp(command, "init") == 0;
    bool resumes = strcmp(command, "resume") == 0 || strcmp(command, "abort") == 0;
    bool has_value = more && strchr(more, '=');
    struct buf b = buf_make(HINT_BYTES_MAX);

    quote_typed(&b, c->program ? c->program : "crelease");
    add_option(&b, " ", command);
    if (more && !has_value)
        buf_printf(&b, " %s", more);
    add_option(&b, " ", anywhere ? NULL : c->environment);
    if (more && has_value)
        buf_printf(&b, " %s", more);
    if (strcmp(command, "deploy") == 0)
        add_words(&b, &c->deploy);
    if (resumes && !is_said(more, &c->resume))
        add_words(&b, &c->resume);
    if (!anywhere) {
        add_option(&b, " -f ", c->recipe);
        add_option(&b, " --hosts ", c->hosts);
        add_option(&b, " --roles ", c->roles);
    }
    const char *text = text_shown(a, b.text);
    buf_free(&b);
    return text;
}

const char *hint_on(struct arena *a, const struct called *called, const char *command,
                    const char *hosts)
{
    struct called c = called ? *called : (struct called){0};

    c.hosts = hosts;
    c.roles = NULL;
    return hint(a, &c, command, NULL);
}
