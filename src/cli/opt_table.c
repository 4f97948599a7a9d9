/* opt_table.c -- the table of options (opt_table.h). */
#include "cli/opt_table.h"

const struct option_row option_rows[] = {
#define AT(member) offsetof(struct options, member)
    {'f', "recipe", OPT_TEXT, AT(recipe), OPT_ALL, "FILE",
     "the recipe; default: crelease.yml or config/crelease.yml", NULL},
    {0, "hosts", OPT_TEXT, AT(hosts), OPT_ALL, "A,B", "only these hosts", NULL},
    {0, "roles", OPT_TEXT, AT(roles), OPT_ALL, "X,Y", "only hosts with one of these roles", NULL},
    {'q', "quiet", OPT_FLAG, AT(quiet), OPT_ALL, NULL, "print nothing, or one line on an error",
     NULL},
    {'v', "verbose", OPT_COUNT_UP, AT(verbose), OPT_ALL, NULL,
     "print more; keep the output of jobs on the screen", NULL},
    {0, "json", OPT_FLAG, AT(json), OPT_ALL, NULL, "write JSON to standard output, nothing else",
     NULL},
    {0, "color", OPT_WORD, AT(color), OPT_ALL, "WHEN",
     "auto, always or never; NO_COLOR is honoured",
     (const char *const[]){"auto", "always", "never", NULL}},
    {0, "report", OPT_REPORT, AT(reports), OPT_ALL, "REPORT",
     "write html:FILE, junit:FILE, markdown:FILE or json:FILE; may be given several times", NULL},
    {'h', "help", OPT_FLAG, AT(help), OPT_ALL, NULL, "show help on the command", NULL},
    {0, "version", OPT_FLAG, AT(version), OPT_ALL, NULL,
     "print the version; with -v also those of the libraries", NULL},
    {0, "on-backup", OPT_WORD, AT(on_backup), OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN,
     "POLICY", "if a backup blocks the migration: wait, kill, abort or ask",
     (const char *const[]){"wait", "kill", "abort", "ask", NULL}},
    /* An option has a row for each of its meanings; all of them set the same member. */
    {0, "wait-limit", OPT_LIMIT, AT(wait_limit_ms),
     OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, "LIMIT",
     "wait at most this long for a backup (6h); auto: as long as it is expected to take", NULL},
    {0, "wait-limit", OPT_LIMIT, AT(wait_limit_ms), OPT_BACKUPS, "LIMIT",
     "wait at most this long for a backup, or with --hold for a migration (6h); auto: as long as it is"
     " expected to take",
     NULL},
    {0, "wait", OPT_FLAG, AT(wait), OPT_BACKUPS, NULL, "wait until no backup blocks a migration",
     NULL},
    {0, "hold", OPT_FLAG, AT(hold), OPT_BACKUPS, NULL,
     "run CMD here when no migration is running; none starts until CMD has ended", NULL},
    {0, "database", OPT_TEXT, AT(database), OPT_BACKUPS, "NAME",
     "only this one of several databases", NULL},
    {0, "wait-lock", OPT_DURATION, AT(wait_lock_ms),
     OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, "DURATION",
     "wait at most this long for another run that is alive", NULL},
    {'n', "dry-run", OPT_FLAG, AT(dry_run), OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, NULL,
     "show what would be done, as 'plan' does", NULL},
    {0, "ref", OPT_TEXT, AT(ref), OPT_DEPLOY | OPT_PLAN, "REF",
     "the branch, tag or commit to deploy", NULL},
    {0, "no-migrate", OPT_FLAG, AT(no_migrate), OPT_DEPLOY | OPT_PLAN, NULL,
     "do not run the migration", NULL},
    {0, "no-migrate", OPT_FLAG, AT(no_migrate), OPT_RESUME, NULL,
     "do not run the migration; treat it as done", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_DEPLOY | OPT_PLAN, NULL,
     "deploy even if the revision is live or deploys are frozen; always look for pending migrations",
     NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_RESUME, NULL,
     "migrate again although the last attempt may have succeeded; take over without asking; with"
     " --if-waiting, also if deploys are frozen",
     NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_ABORT, NULL, "take over without asking", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_UPLOAD, NULL, "replace files that differ", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_INIT, NULL, "overwrite an existing recipe", NULL},
    {0, "from-capistrano", OPT_FLAG, AT(from_capistrano), OPT_INIT, NULL,
     "convert Capfile, config/deploy.rb and config/deploy/*.rb", NULL},
    {0, "on-unfinished", OPT_WORD, AT(on_unfinished), OPT_DEPLOY | OPT_PLAN, "POLICY",
     "if an earlier run is dead and unfinished: auto, stop, resume or abort",
     (const char *const[]){"auto", "stop", "resume", "abort", NULL}},
    {0, "older", OPT_WORD, AT(older), OPT_DEPLOY | OPT_PLAN, "POLICY",
     "if the live commit descends from this one: allow, warn or skip",
     (const char *const[]){"allow", "warn", "skip", NULL}},
    {0, "reason", OPT_TEXT, AT(reason), OPT_FREEZE, "TEXT", "why deploys are frozen", NULL},
    {0, "until", OPT_TEXT, AT(until), OPT_FREEZE, "TIME",
     "when the freeze ends, such as '2026-12-05 08:00', 08:00 or 2h; default: until 'thaw'", NULL},
    {0, "takeover", OPT_FLAG, AT(takeover), OPT_RESUME | OPT_ABORT, NULL,
     "take over the run although its owner is alive", NULL},
    {0, "new-recipe", OPT_FLAG, AT(new_recipe), OPT_RESUME | OPT_ABORT, NULL,
     "use the current recipe although the run was started with another one", NULL},
    {0, "if-any", OPT_FLAG, AT(if_any), OPT_RESUME, NULL,
     "end with status 0 if there is no unfinished run; this is the default", NULL},
    {0, "if-waiting", OPT_FLAG, AT(if_waiting), OPT_RESUME, NULL,
     "continue only a run that gave up waiting for a backup; else end with status 0", NULL},
    {0, "same-revision", OPT_FLAG, AT(same_revision), OPT_RESUME, NULL,
     "keep the commit that the run was started with although the ref has moved", NULL},
    {0, "to", OPT_TEXT, AT(to), OPT_ROLLBACK, "RELEASE", "the release to return to", NULL},
    {0, "verify", OPT_FLAG, AT(verify), OPT_STATUS, NULL,
     "compare the live release with its manifest", NULL},
    {0, "scan", OPT_FLAG, AT(scan), OPT_CHECK, NULL,
     "print the host keys that the hosts present, to pin them or add them to known_hosts", NULL},
    {0, "run", OPT_TEXT, AT(run), OPT_LOG, "ID",
     "the run, as 'history' lists it; default: the last one", NULL},
    {0, "follow", OPT_FLAG, AT(follow), OPT_LOG, NULL,
     "show output as it comes, until the run has ended", NULL},
    {0, "count", OPT_NUMBER, AT(count), OPT_HISTORY, "N", "how many runs to show (20)", NULL},
#undef AT
};

enum { N_ROWS = sizeof option_rows / sizeof *option_rows };
_Static_assert(N_ROWS <= 64, "options.given has a bit for each row");

const size_t option_rows_n = N_ROWS;

const struct option_row *option_by_word(const char *word, size_t len)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(option_rows[i].word) == len && memcmp(option_rows[i].word, word, len) == 0)
            return &option_rows[i];
    return NULL;
}

unsigned option_takers(const char *word)
{
    unsigned takes = 0;

    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(option_rows[i].word, word) == 0)
            takes |= option_rows[i].takes;
    return takes;
}

const struct option_row *option_by_letter(char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (option_rows[i].letter && option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}

const struct synonym option_synonyms[] = {
    {"branch", "ref"},
    {"tag", "ref"},
    {"rev", "ref"},
    {"revision", "ref"},
    {"commit", "ref"},
    {"sha", "ref"},
    {"config", "recipe"},
    {"file", "recipe"},
    {"server", "hosts"},
    {"servers", "hosts"},
    {"limit", "hosts"},
    {"only", "hosts"},
    {"role-filter", "roles"},
    {"host-filter", "hosts"},
    {"release", "to"},
    {"debug", "verbose"},
    {"trace", "verbose"},
    {"silent", "quiet"},
    {"colour", "color"},
    {"no-color", "color"},
    {"no-colour", "color"},
    {"pretend", "dry-run"},
    {"check", "dry-run"},
    {"simulate", "dry-run"},
    {"plan", "dry-run"},
    {"skip-migrations", "no-migrate"},
    {"lines", "count"},
    {"last", "count"},
    {"number", "count"},
    {"timeout", "wait-limit"},
    {NULL, NULL},
};
