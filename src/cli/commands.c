#include "cli/cmd.h"

#include "base/text.h"

const struct command commands[] = {
    {"deploy", cmd_deploy, ENV_NEEDED, OPT_DEPLOY, 1, true, "ENV", "bring a revision live"},
    {"resume", cmd_resume, ENV_OPTIONAL, OPT_RESUME, 1, true, "[ENV]",
     "go on with the unfinished run"},
    {"rollback", cmd_rollback, ENV_NEEDED, OPT_ROLLBACK, 1, true, "ENV",
     "go back to the last finished release before the live one, or --to RELEASE"},
    {"abort", cmd_abort, ENV_NEEDED, OPT_ABORT, 1, true, "ENV",
     "give the unfinished run up: put back what can be put back, free the lock"},
    {"status", cmd_status, ENV_NEEDED, OPT_STATUS, 1, false, "ENV",
     "per host what is live and what is unfinished; backups; pending migrations"},
    {"plan", cmd_plan, ENV_NEEDED, OPT_PLAN, 1, false, "ENV",
     "what deploy would do, stage by stage and host by host; changes nothing"},
    {"check", cmd_check, ENV_NEEDED, OPT_OTHER, 1, false, "ENV",
     "would it work: connections, tools, rights, disk, linked files, database"},
    {"backups", cmd_backups, ENV_NEEDED, OPT_BACKUPS, 1, false, "ENV [-- CMD]",
     "running backups and the next ones; wait for their end; keep migrations away while CMD runs"},
    {"history", cmd_history, ENV_NEEDED, OPT_HISTORY, 1, false, "ENV",
     "past runs: when, who, what, how it ended"},
    {"exec", cmd_exec, ENV_NEEDED, OPT_OTHER, 1, false, "ENV -- CMD",
     "run a command on the hosts, in the live release, without a terminal: one word is a line for the"
     " host's shell, several are a command and its arguments, kept as they are; standard input is copied"
     " to each host, unless it is a terminal"},
    {"run", cmd_run, ENV_NEEDED, OPT_OTHER, 2, false, "ENV TASK", "run a task of the recipe"},
    {"init", cmd_init, ENV_NONE, OPT_INIT, 0, false, "", "write a starter recipe, asking nothing"},
    {"help", cmd_help, ENV_NONE, OPT_OTHER, 1, false, "[TOPIC]",
     "a command, 'recipe', a key of the recipe, or 'exit'"},
    {.name = NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const char *command_nearest(struct arena *a, const char *word)
{
    static const struct synonym synonyms[] = {
        {"deploy:rollback", "rollback"},
        {"deploy:check", "check"},
        {"deploy:revert", "rollback"},
        {"revert", "rollback"},
        {"undo", "rollback"},
        {"back", "rollback"},
        {"push", "deploy"},
        {"release", "deploy"},
        {"ship", "deploy"},
        {"up", "deploy"},
        {"continue", "resume"},
        {"retry", "resume"},
        {"unlock", "abort"},
        {"cancel", "abort"},
        {"deploy:unlock", "abort"},
        {"preview", "plan"},
        {"diff", "plan"},
        {"dry-run", "plan"},
        {"doctor", "check"},
        {"validate", "check"},
        {"test", "check"},
        {"info", "status"},
        {"details", "status"},
        {"releases", "history"},
        {"audit", "history"},
        {"ssh", "exec"},
        {"invoke", "run"},
        {"task", "run"},
        {"install", "init"},
        {"setup", "init"},
        {"new", "init"},
        {"tasks", "help"},
        {"commands", "help"},
        {NULL, NULL},
    };
    struct strs names = {0};

    for (const struct command *c = commands; c->name; c++)
        strs_add(a, &names, c->name);
    strs_add(a, &names, NULL);
    return text_meant(word, names.v, synonyms);
}
