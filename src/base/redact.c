/* redact.c -- replaces the known secrets in text (see redact.h).  Called for everything the program
 * prints, writes or sends to a host's log. */
#include "base/redact.h"

#include "base/buf.h"
#include "base/limits.h"

/* Marks every byte that belongs to a secret, so that overlapping secrets are hidden completely. */
static bool cover(const struct strs *secrets, const char *text, bool *covered)
{
    bool any = false;

    for (size_t i = 0; i < secrets->n; i++) {
        size_t len = strlen(secrets->v[i]);
        const char *at = text;
        const char *done = text; /* covered up to here */
        while (len && (at = strstr(at, secrets->v[i]))) {
            done = done < at ? at : done;
            memset(covered + (done - text), true, (size_t)(at + len - done) * sizeof *covered);
            done = at + len;
            any = true;
            at++;
        }
    }
    return any;
}

const char *redact(struct arena *a, const struct strs *secrets, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (!len || !secrets->n)
        return text;
    bool *covered = xcalloc(len, sizeof *covered);
    if (cover(secrets, text, covered)) {
        struct buf b = buf_make(SIZE_MAX / 2);
        for (size_t i = 0; i < len; i++) {
            if (!covered[i])
                buf_add(&b, text + i, 1);
            else if (i == 0 || !covered[i - 1])
                buf_puts(&b, "[secret]");
        }
        text = arena_strndup(a, b.text, b.len);
        buf_free(&b);
    }
    free(covered);
    return text;
}

size_t redact_carry(const struct strs *secrets)
{
    size_t longest = 1;

    for (size_t i = 0; i < secrets->n; i++)
        if (strlen(secrets->v[i]) > longest)
            longest = strlen(secrets->v[i]);
    return longest - 1 < SECRET_PIECE_BYTES ? longest - 1 : SECRET_PIECE_BYTES;
}

size_t redact_begin(const struct strs *secrets, const char *text)
{
    size_t len = strlen(text);
    size_t most = 0;

    for (size_t i = 0; i < secrets->n; i++) {
        size_t n = strlen(secrets->v[i]);
        for (size_t k = most + 1; k < n && k <= len; k++)
            if (memcmp(text, secrets->v[i] + n - k, k) == 0)
                most = k;
    }
    return most;
}

size_t redact_end(const struct strs *secrets, const char *text)
{
    size_t len = strlen(text);
    size_t most = 0;

    for (size_t i = 0; i < secrets->n; i++) {
        size_t n = strlen(secrets->v[i]);
        for (size_t k = most + 1; k < n && k <= len; k++)
            if (memcmp(text + len - k, secrets->v[i], k) == 0)
                most = k;
    }
    return most;
}
