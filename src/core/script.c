/* script.c -- puts the preamble of every script together.  Everything that is sent to a host comes
 * through here: run.c for what a run does, survey.c, db/client.c and some commands for what only
 * looks. */
#include "core/script.h"

#include "base/buf.h"
#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"

EMBED(script_identity, "host/identity.sh");
EMBED(script_prelude, "host/prelude.sh");
EMBED(script_trust, "host/trust.sh");
EMBED(script_releases, "host/releases.sh");
EMBED(script_of_session, "host/session.sh");

static const char *or_nothing(const char *s)
{
    return s ? s : "";
}

static void put_values(struct buf *b, const struct script *s)
{
    char epoch[32] = "";

    if (s->epoch)
        snprintf(epoch, sizeof epoch, "%ld", s->epoch);
    buf_puts(b, or_nothing(s->before));
    quote_assign(b, "deploy_to", or_nothing(s->deploy_to));
    quote_assign(b, "run", or_nothing(s->run));
    quote_assign(b, "epoch", epoch);
    quote_assign(b, "release", or_nothing(s->release));
    quote_assign(b, "step", or_nothing(s->step));
    quote_assign(b, "verb", or_nothing(s->verb));
    quote_assign(b, "files_umask", or_nothing(s->umask));
    buf_puts(b, or_nothing(s->values));
}

/* Adds the code of a script without its comments and the tabs in front of its lines: a shell may read it byte by
 * byte. */
static void put_code(struct buf *b, const char *text)
{
    for (const char *end; *text; text = end) {
        text += strspn(text, "\t");
        end = text + strcspn(text, "\n");
        end += *end == '\n';
        if (*text != '#' && *text != '\n')
            buf_add(b, text, (size_t)(end - text));
    }
}

static void put_functions(struct buf *b)
{
    put_code(b, script_identity);
    put_code(b, script_prelude);
    put_code(b, script_trust);
    put_code(b, script_releases);
}

static void put_parts(struct buf *b, const struct script *s)
{
    buf_puts(b, "begin_script \"$@\"\n");
    for (size_t i = 0; i < sizeof s->parts / sizeof *s->parts && s->parts[i]; i++)
        put_code(b, s->parts[i]);
}

static const char *text_of(struct arena *a, struct buf *b)
{
    const char *text = b->full ? NULL : arena_strndup(a, b->text, b->len);

    buf_free(b);
    return text;
}

const char *script_text(struct arena *a, const struct script *s)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    put_values(&b, s);
    put_functions(&b);
    put_parts(&b, s);
    return text_of(a, &b);
}

const char *script_frame(struct arena *a, const struct script *s)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    put_values(&b, s);
    put_parts(&b, s);
    return text_of(a, &b);
}

const char *script_keep(struct arena *a, const struct script *s)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    const struct script own = {.deploy_to = s->deploy_to, .run = s->run, .epoch = s->epoch};

    put_values(&b, &own);
    buf_puts(&b, "state=$deploy_to/.crelease keeping=yes\n");
    return text_of(a, &b);
}

const char *script_session(struct arena *a)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    put_functions(&b);
    put_code(&b, script_of_session);
    return text_of(a, &b);
}
