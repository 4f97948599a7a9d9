/* commands.c -- the table of commands, which main.c and the help read. */
#include "cli/cmd.h"

#include "base/text.h"

const struct command commands[] = {
    {"deploy", cmd_deploy, ENV_NEEDED, OPT_DEPLOY, 1, true, "ENV", "bring a revision live", NULL},
    {"resume", cmd_resume, ENV_OPTIONAL, OPT_RESUME, 1, true, "[ENV]",
     "continue the unfinished run",
     "ENV may be omitted if only one environment has an unfinished run."},
    {"rollback", cmd_rollback, ENV_NEEDED, OPT_ROLLBACK, 1, true, "ENV",
     "return to the last finished release before the live one, or --to RELEASE",
     "Migrations are not rolled back."},
    {"abort", cmd_abort, ENV_NEEDED, OPT_ABORT, 1, true, "ENV",
     "give up the unfinished run: undo what can be undone, release the lock", NULL},
    {"status", cmd_status, ENV_NEEDED, OPT_STATUS, 1, false, "ENV",
     "show what is live and what is unfinished, backups, pending migrations", NULL},
    {"plan", cmd_plan, ENV_NEEDED, OPT_PLAN, 1, false, "ENV",
     "show what deploy would do, stage by stage and host by host; changes nothing", NULL},
    {"check", cmd_check, ENV_NEEDED, OPT_CHECK, 1, false, "ENV",
     "check connections, tools, permissions, disk, linked files, database", NULL},
    {"backups", cmd_backups, ENV_NEEDED, OPT_BACKUPS, 1, false, "ENV [-- CMD]",
     "show running backups with expected end, and upcoming ones",
     "With --wait it waits until no backup blocks a migration.  With --hold it runs CMD on this"
     " machine, usually a backup, and no migration starts until CMD has ended."},
    {"history", cmd_history, ENV_NEEDED, OPT_HISTORY, 1, false, "ENV",
     "show past runs: when, who, what, how it ended", NULL},
    {"log", cmd_log, ENV_NEEDED, OPT_LOG, 2, false, "ENV [JOB]",
     "show the output of the jobs of the last run, or of another one",
     "The hosts keep the output of the last ten runs, whoever started them.  JOB is a step such as"
     " build, or one of its jobs such as build.0."},
    {"freeze", cmd_freeze, ENV_NEEDED, OPT_FREEZE, 1, false, "ENV --reason TEXT [--until TIME]",
     "refuse deploys, from every machine, until a time or until 'thaw'",
     "A run that has already started continues.  rollback, resume and abort remain possible."},
    {"thaw", cmd_thaw, ENV_NEEDED, OPT_OTHER, 1, false, "ENV", "end a freeze", NULL},
    {"exec", cmd_exec, ENV_NEEDED, OPT_OTHER, 1, false, "ENV -- CMD",
     "run a command on the hosts, in the live release",
     "A CMD of one word is a command line for the host's shell, such as 'ls -t | head'.  Of several"
     " words, the first is the command and the others are its arguments, which no shell expands."
     "  The command has no terminal.  Standard input is copied to each host, unless it is a"
     " terminal."},
    {"console", cmd_console, ENV_NEEDED, OPT_OTHER, 1, false, "ENV [-- CMD]",
     "open a terminal on a host, in the live release",
     "The host is the first one, or the one that --hosts names.  Without CMD, a shell is started.  CMD is"
     " as for exec, but has a terminal, as 'bin/rails console' needs.  The exit status is that of the"
     " command."},
    {"run", cmd_run, ENV_NEEDED, OPT_OTHER, 2, false, "ENV TASK", "run a task of the recipe", NULL},
    {"upload", cmd_upload, ENV_NEEDED, OPT_UPLOAD, 1000, false, "ENV [FILE...]",
     "copy linked files that have a source to the hosts",
     "A linked file has a source if the recipe gives it 'from'.  A FILE without 'from' is copied from the"
     " same path in the recipe's directory.  A file that is missing on a host is created with mode 0600;"
     " one that differs is reported, and replaced only with --force."},
    {"init", cmd_init, ENV_NONE, OPT_INIT, 0, false, "", "write a starter recipe", NULL},
    {"completion", cmd_completion, ENV_NONE, OPT_OTHER, 1, false, "SHELL",
     "print the completion for bash, zsh or fish",
     "'make install' installs all three.  Otherwise, for bash: eval \"$(crelease completion bash)\"."
     "  Environments, tasks, hosts and roles are completed from the recipe."},
    {"help", cmd_help, ENV_NONE, OPT_OTHER, 1, false, "[TOPIC]",
     "help on a command, an option, a key of the recipe, on 'recipe' or on 'exit'", NULL},
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
        {"deploy:upload", "upload"},
        {"scp", "upload"},
        {"copy", "upload"},
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
        {"logs", "log"},
        {"output", "log"},
        {"tail", "log"},
        {"ssh", "console"},
        {"shell", "console"},
        {"terminal", "console"},
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
