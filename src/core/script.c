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
EMBED(script_releases, "host/releases.sh");

static const char *or_nothing(const char *s)
{
    return s ? s : "";
}

const char *script_text(struct arena *a, const struct script *s)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    char epoch[32] = "";

    if (s->epoch)
        snprintf(epoch, sizeof epoch, "%ld", s->epoch);
    buf_puts(&b, or_nothing(s->before));
    quote_assign(&b, "deploy_to", or_nothing(s->deploy_to));
    quote_assign(&b, "run", or_nothing(s->run));
    quote_assign(&b, "epoch", epoch);
    quote_assign(&b, "release", or_nothing(s->release));
    quote_assign(&b, "step", or_nothing(s->step));
    quote_assign(&b, "verb", or_nothing(s->verb));
    quote_assign(&b, "files_umask", or_nothing(s->umask));
    buf_puts(&b, or_nothing(s->values));
    buf_puts(&b, script_identity);
    buf_puts(&b, script_prelude);
    buf_puts(&b, script_releases);
    for (size_t i = 0; i < sizeof s->parts / sizeof *s->parts && s->parts[i]; i++)
        buf_puts(&b, s->parts[i]);
    const char *text = b.full ? NULL : arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}
