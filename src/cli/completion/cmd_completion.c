/* cmd_completion.c -- 'crelease completion SHELL': prints the script that completes crelease in a shell.
 * The scripts ask 'crelease completion words -- WORD...' for candidates (complete.c). */
#include "cli/cmd.h"

#include "base/embed.h"
#include "base/text.h"

EMBED(completion_bash, "cli/completion/crelease.bash");
EMBED(completion_zsh, "cli/completion/crelease.zsh");
EMBED(completion_fish, "cli/completion/crelease.fish");

const char *const completion_shells[] = {"bash", "zsh", "fish", NULL};

bool cmd_completion(struct session *s, struct err *err)
{
    const char *const scripts[] = {completion_bash, completion_zsh, completion_fish};
    const char *shell = s->options.words.n > 1 ? s->options.words.v[1] : NULL;

    if (!shell)
        return err_set(err, ERR_USAGE, "no shell given; expected bash, zsh or fish");
    if (strcmp(shell, "words") == 0) {
        complete(s, &s->options.rest);
        return true;
    }
    for (size_t i = 0; completion_shells[i]; i++)
        if (strcmp(shell, completion_shells[i]) == 0) {
            fputs(scripts[i], stdout);
            return true;
        }
    return err_set(err, ERR_USAGE, "unknown shell '%s', expected bash, zsh or fish",
                   text_shown(err->arena, shell));
}
