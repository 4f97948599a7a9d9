/* command.c -- target: whole commands, whose hosts answer with the input, from the survey to what is printed. */
#include "cli/cmd.h"

#include "base/text.h"
#include "edge/digest.h"
#include "fuzz_targets.h"

#include <stdlib.h>
#include <unistd.h>

static const char recipe[] =
    "application: shop\n"
    "repository: /nonexistent/shop.git\n"
    "deploy_to: /srv/shop\n"
    "transport: local\n"
    "linked_files: [config/database.yml]\n"
    "database: {adapter: postgresql, name: shop}\n"
    "migrate: {run: rake db:migrate, status: 'rake db:migrate:status'}\n"
    "environments:\n"
    "  production:\n"
    "    hosts: [{host: localhost, name: app1}, {host: localhost, name: db1, deploy_to: /srv/db}]\n";

/* What may be asked of hosts that are not there. */
static const char *const names[] = {"status",   "history", "log",   "backups", "check",
                                    "rollback", "resume",  "abort", "freeze",  "thaw",
                                    "exec",     "run",     NULL};

static bool run(struct session *s, char **argv, int argc, struct err *err)
{
    if (!options_read(s->arena, argc, argv, &s->options, err) || !s->options.words.n)
        return false;
    s->command = command_find(s->options.words.v[0]);
    s->options.recipe = file_of(recipe, sizeof recipe - 1);
    bool known = false;
    for (size_t i = 0; s->command && names[i]; i++)
        known = known || strcmp(names[i], s->command->name) == 0;
    if (!known || s->options.words.n > s->command->words_max + 1 || s->options.words.n < 2 ||
        strcmp(s->options.words.v[1], "production") != 0 || s->options.n_reports ||
        !options_check(&s->options, s->command->name, s->command->takes, err))
        return false;
    return session_recipe(s, "production", err) && session_open(s, err) && s->command->run(s, err);
}

/* The first part has the arguments, one a line; the others are answers.  Whatever they are, what is printed has no
 * control characters. */
void fuzz_command(const struct input *in)
{
    enum { ARGS_MAX = 12 };
    struct err err = {.arena = in->arena};
    struct session s = {.arena = in->arena, .export = {.tar = -1}, .status = -1};
    char *argv[ARGS_MAX + 2] = {arena_strdup(in->arena, "crelease")};
    int argc = 1;
    const char *answers = in->text;
    const char *args = next_part(in, &answers);
    FILE *const old[] = {stdout, stderr};
    char *text = NULL;
    size_t len = 0;

    run_of(in, answers);
    for (const char *at = args; *at && argc < ARGS_MAX; at += strcspn(at, "\n"), at += *at == '\n')
        argv[argc++] = arena_strndup(in->arena, at, strcspn(at, "\n"));
    stdout = stderr = open_memstream(&text, &len);
    if (!run(&s, argv, argc, &err) && err.code != ERR_NONE && !s.ended)
        fprintf(stderr, "%s\n", err.msg);
    session_close(&s);
    fclose(stdout);
    stdout = old[0];
    stderr = old[1];
    struct buf shown = buf_make(len * 4 + 1);
    text_visible(&shown, text, len, true);
    HOLDS(strcmp(shown.text, text) == 0);
    buf_free(&shown);
    free(text);
}
