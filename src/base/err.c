/* err.c -- the error value that every function that can fail fills in (see err.h), and the table of
 * error classes with their exit statuses. */
#include "base/err.h"

#include <assert.h>

static const struct {
    int status;
    const char *word;
    const char *meaning;
} classes[] = {
#define X(name, status, word, meaning) [ERR_##name] = {status, word, meaning},
    ERR_MAP(X)
#undef X
};

bool(err_set)(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    assert(err->code == ERR_NONE);
    assert(code != ERR_NONE);
    va_start(ap, fmt);
    err->code = code;
    err->msg = arena_vprintf(err->arena, fmt, ap);
    va_end(ap);
    return false;
}

bool err_in(struct err *err, const char *fmt, ...)
{
    va_list ap;

    assert(err->code != ERR_NONE);
    va_start(ap, fmt);
    const char *where = arena_vprintf(err->arena, fmt, ap);
    va_end(ap);
    err->msg = arena_printf(err->arena, "%s: %s", where, err->msg);
    return false;
}

void err_clear(struct err *err)
{
    err->code = ERR_NONE;
    err->msg = NULL;
}

int err_status(enum err_code code)
{
    return classes[code].status;
}

const char *err_word(enum err_code code)
{
    return classes[code].word;
}

const char *err_meaning(enum err_code code)
{
    return classes[code].meaning;
}
