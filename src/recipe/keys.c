/* keys.c -- the table of all keys of a recipe.  The parser, the help, the manual and the JSON schema are
 * made from it. */
#include "recipe/keys.h"

#include "base/text.h"
#include "recipe/recipe.h"
#include "recipe/check.h"

static const struct key_word checkout_words[] = {
    {"copy", CHECKOUT_COPY}, {"hardlink", CHECKOUT_HARDLINK}, {0}};
static const struct key_word lfs_words[] = {
    {"warn", LFS_WARN}, {"fetch", LFS_FETCH}, {"ignore", LFS_IGNORE}, {0}};
static const struct key_word transport_words[] = {{"libssh2", TRANSPORT_LIBSSH2},
                                                  {"openssh", TRANSPORT_OPENSSH},
                                                  {"local", TRANSPORT_LOCAL},
                                                  {0}};
static const struct key_word host_keys_words[] = {
    {"strict", HOST_KEYS_STRICT}, {"accept-new", HOST_KEYS_ACCEPT_NEW}, {0}};
static const struct key_word adapter_words[] = {
    {"postgresql", ADAPTER_POSTGRESQL}, {"mysql", ADAPTER_MYSQL}, {"mysql2", ADAPTER_MYSQL},
    {"mariadb", ADAPTER_MYSQL},         {"none", ADAPTER_NONE},   {0}};
static const struct key_word database_words[] = {
    {"auto", ADAPTER_AUTO}, {"none", ADAPTER_NONE}, {0}};
static const struct key_word policy_words[] = {{"wait", POLICY_WAIT},
                                               {"kill", POLICY_KILL},
                                               {"abort", POLICY_ABORT},
                                               {"ask", POLICY_ASK},
                                               {0}};
static const struct key_word after_limit_words[] = {
    {"abort", POLICY_ABORT}, {"kill", POLICY_KILL}, {0}};
static const struct key_word unknown_words[] = {
    {"proceed", UNKNOWN_PROCEED}, {"abort", UNKNOWN_ABORT}, {0}};
static const struct key_word partial_words[] = {
    {"proceed", PARTIAL_PROCEED}, {"wait", PARTIAL_WAIT}, {0}};
static const struct key_word blockers_words[] = {
    {"wait", BLOCKERS_WAIT}, {"report", BLOCKERS_REPORT}, {"terminate", BLOCKERS_TERMINATE}, {0}};
static const struct key_word on_failure_words[] = {
    {"rollback", FAILURE_ROLLBACK}, {"stop", FAILURE_STOP}, {0}};

static const struct key_word on_host_failure_words[] = {
    {"stop", HOST_FAILURE_STOP}, {"continue", HOST_FAILURE_CONTINUE}, {0}};
static const struct key_word unfinished_words[] = {{"auto", UNFINISHED_AUTO},
                                                   {"stop", UNFINISHED_STOP},
                                                   {"resume", UNFINISHED_RESUME},
                                                   {"abort", UNFINISHED_ABORT},
                                                   {0}};
static const struct key_word where_words[] = {{"hosts", WHERE_HOSTS}, {"local", WHERE_LOCAL}, {0}};
static const struct key_word older_words[] = {
    {"allow", OLDER_ALLOW}, {"warn", OLDER_WARN}, {"skip", OLDER_SKIP}, {0}};
static const struct key_word pending_words[] = {
    {"auto", PENDING_AUTO},       {"rails", PENDING_RAILS},
    {"django", PENDING_DJANGO},   {"laravel", PENDING_LARAVEL},
    {"flyway", PENDING_FLYWAY},   {"sqitch", PENDING_SQITCH},
    {"alembic", PENDING_ALEMBIC}, {0}};

static const struct key_word notify_words[] = {{"json", NOTIFY_JSON}, {"slack", NOTIFY_SLACK}, {0}};

const struct synonym recipe_key_synonyms[] = {
    {"repo_url", "repository"},
    {"repo", "repository"},
    {"git", "repository"},
    {"url", "repository"},
    {"branch", "ref"},
    {"tag", "ref"},
    {"revision", "ref"},
    {"commit", "ref"},
    {"app", "application"},
    {"app_name", "application"},
    {"project", "application"},
    {"name", "application"},
    {"preset", "extends"},
    {"template", "extends"},
    {"framework", "extends"},
    {"repo_tree", "subtree"},
    {"sub_directory", "subtree"},
    {"subdirectory", "subtree"},
    {"git_enable_submodules", "submodules"},
    {"recurse_submodules", "submodules"},
    {"deploy_path", "deploy_to"},
    {"remote_path", "deploy_to"},
    {"releases_to_keep", "keep_releases"},
    {"shared_files", "linked_files"},
    {"shared_dirs", "linked_dirs"},
    {"shared_folders", "linked_dirs"},
    {"symlinks", "linked_files"},
    {"default_env", "env"},
    {"default_environment", "env"},
    {"rails_env", "env"},
    {"variables", "env"},
    {"stage", "environments"},
    {"stages", "environments"},
    {"targets", "environments"},
    {"server", "hosts"},
    {"servers", "hosts"},
    {"role", "roles"},
    {"role", "hosts"},
    {"hostname", "host"},
    {"address", "host"},
    {"ip", "host"},
    {"server", "host"},
    {"login", "user"},
    {"username", "user"},
    {"ssh_user", "user"},
    {"remote_user", "user"},
    {"key", "identity"},
    {"keys", "identity"},
    {"ssh_key", "identity"},
    {"identity_file", "identity"},
    {"fingerprint", "host_key"},
    {"jump_host", "proxy_jump"},
    {"bastion", "proxy_jump"},
    {"gateway", "proxy_jump"},
    {"proxy", "proxy_jump"},
    {"strict_host_key_checking", "host_keys"},
    {"verify_host_key", "host_keys"},
    {"command", "run"},
    {"cmd", "run"},
    {"script", "run"},
    {"script", "build"},
    {"scripts", "build"},
    {"steps", "build"},
    {"commands", "tasks"},
    {"migration", "migrate"},
    {"migrations", "migrate"},
    {"healthcheck", "health"},
    {"db", "database"},
    {"retries", "attempts"},
    {"delay", "interval"},
    {NULL, NULL},
};

const char *const recipe_hook_stages[] = {
    "lock",   "checkout", "link",   "build",   "backup-detect", "backup-clear", "migrate",
    "switch", "restart",  "health", "cleanup", "backup-rerun",  "unlock",       NULL};

const char *const recipe_outcomes[] = {
    [ON_FAILURE] = "failure", [ON_SUCCESS] = "success", [ON_ABORT] = "abort", NULL};

#define IN_RECIPE(member)   .at = offsetof(struct recipe, member)
#define IN_HOST(member)     .at = offsetof(struct host, member)
#define IN_JOB(member)      .at = offsetof(struct job, member)
#define IN_DATABASE(member) .at = offsetof(struct recipe_database, member)
#define IN_WINDOW(member)   .at = offsetof(struct window, member)
#define IN_LINKED(member)   .at = offsetof(struct linked_file, member)
#define IN_NOTIFY(member)   .at = offsetof(struct notification, member)
#define NOWHERE             .at = KEY_NOWHERE

const struct recipe_key recipe_keys[] = {
    {"application", KEY_TEXT, .required = true, .check = check_name, IN_RECIPE(application),
     .about = "the name of the application"},
    {"extends", KEY_TEXT, PLACE_TOP, NOWHERE,
     .about = "a preset, whose keys are the defaults of this recipe: rails, django, laravel, node, "
              "static, alembic, flyway or sqitch"},
    {"repository", KEY_TEXT, .fallback = ".", .check = check_not_option, IN_RECIPE(repository),
     .about = "the Git repository: a path, relative to the recipe's folder, or a URL"},
    {"ref", KEY_TEXT, .fallback = "main", .check = check_ref, IN_RECIPE(ref),
     .about = "the branch, tag or commit to deploy"},
    {"subtree", KEY_TEXT, .check = check_relative, IN_RECIPE(subtree),
     .fallback_shown = "the whole repository",
     .about = "a folder of the repository that is the release"},
    {"submodules", KEY_BOOL, .fallback = "false", IN_RECIPE(submodules),
     .about = "send submodules too, at the commits that the revision records"},
    {"lfs", KEY_WORD, .fallback = "warn", .words = lfs_words, IN_RECIPE(lfs),
     .about =
         "Git LFS pointers: warn that they are sent without their content, fetch the content and "
         "send it, or ignore that they are pointers"},
    {"source", KEY_TEXT, .check = check_not_empty, IN_RECIPE(source),
     .fallback_shown = "the revision",
     .about =
         "a folder of this machine that is the release instead of the revision's files, relative to "
         "the project's folder; REVISION is the commit of HEAD"},
    {"deploy_to", KEY_TEXT, .fallback_shown = "/var/www/APPLICATION", .check = check_folder,
     IN_RECIPE(deploy_to),
     .about = "the folder of the site on the hosts, which contains current, releases and shared"},
    {"keep_releases", KEY_COUNT, .min = 1, .fallback = "5", IN_RECIPE(keep_releases),
     .about = "how many finished releases to keep on the hosts"},
    {"checkout", KEY_WORD, .fallback = "copy", .words = checkout_words, IN_RECIPE(checkout),
     .about =
         "how unchanged files are taken from the release before: copy, or hardlink, so that they "
         "are the same files in both"},
    {"linked_files", KEY_FILES, .check = check_linked_file, IN_RECIPE(linked_files),
     .about = "files in shared that every release links to"},
    {"linked_files.path", KEY_TEXT, .required = true, .check = check_linked_file, IN_LINKED(path),
     .about = "the file, relative to shared and to the release"},
    {"linked_files.from", KEY_TEXT, .check = check_not_option, IN_LINKED(from),
     .about =
         "a file of this machine, relative to the project's folder, that is uploaded with mode 0600 "
         "where the linked file is missing"},
    {"linked_dirs", KEY_TEXTS, .check = check_linked_dir, IN_RECIPE(linked_dirs),
     .about = "folders in shared that every release links to"},
    {"env", KEY_VARIABLES, NOWHERE,
     .about =
         "environment variables of every command; ${NAME} is taken from the environment of crelease and "
         "shown as [secret]; $PATH, $HOME and the variable's own name stand for the host's values at "
         "the start of a path, as in PATH: \"/opt/ruby/bin:$PATH\""},
    {"transport", KEY_WORD, .fallback = "libssh2", .words = transport_words, IN_RECIPE(transport),
     .about = "how to reach the hosts: libssh2, openssh for the ssh program, or local for this "
              "machine itself"},
    {"ssh_config", KEY_TEXT, .fallback = "default", .check = check_not_option,
     IN_RECIPE(ssh_config),
     .about =
         "the ssh configuration to follow: default for the user's and the system's, none, or a "
         "file, relative to the recipe's folder"},
    {"proxy_jump", KEY_TEXT, .check = check_proxy_jump, IN_RECIPE(proxy_jump),
     .fallback_shown = "that of the ssh configuration",
     .about =
         "the jump hosts on the way to the hosts, user@host:port, separated by commas; none for "
         "a direct connection"},
    {"host_keys", KEY_WORD, .words = host_keys_words, IN_RECIPE(host_keys),
     .fallback_shown = "that of the ssh configuration, else strict",
     .about = "what to do about an unknown host key: strict refuses it, accept-new adds it to "
              "known_hosts; a changed one is always refused"},
    {"connection", KEY_SECTION, NOWHERE, .about = "the SSH connections to the hosts"},
    {"connection.alive", KEY_DURATION, .fallback = "15s", .nonzero = true,
     IN_RECIPE(connection.alive_ms),
     .about =
         "after this time without data a host is sent a keepalive; after three times as long its "
         "connection counts as lost"},
    {"shell", KEY_TEXT, .fallback = "plain", .check = check_shell, IN_RECIPE(shell),
     .about =
         "the shell of all commands on the hosts: plain for /bin/sh; login for bash -lc, which "
         "rbenv, nvm and asdf need; or a command that takes shell text, such as zsh -lc"},
    {"path", KEY_TEXTS, .check = check_path, IN_RECIPE(path),
     .about = "folders in front of PATH for all commands; ~/ is the home directory on the host"},
    {"become", KEY_TEXT, .check = check_name, IN_RECIPE(become), .fallback_shown = "the login user",
     .about =
         "the user on the hosts as whom all files are made and all commands run, through sudo; "
         "a password that sudo needs is asked for on the terminal"},
    {"umask", KEY_TEXT, .check = check_umask, IN_RECIPE(umask),
     .fallback_shown = "that of the login",
     .about = "the umask of the site's files and of all commands, such as \"0002\""},
    {"build", KEY_JOBS, IN_RECIPE(build),
     .about = "jobs to run in the new release before it goes live"},

    {"database", KEY_SECTION, .words = database_words, IN_RECIPE(database.adapter),
     .fallback_shown = "auto when migrate.run is given, else none",
     .about = "the database that migrations change, to find backups that would block them: auto "
              "finds it from the application's own configuration, none turns the guard off, a map "
              "says where it is"},
    {"database.adapter", KEY_WORD, .words = adapter_words, IN_RECIPE(database.adapter),
     .fallback_shown = "postgresql when database.name is given, else as with auto",
     .about = "the kind of database"},
    {"database.name", KEY_TEXT, .check = check_database, IN_RECIPE(database.name),
     .about = "the name of the database"},
    {"database.psql", KEY_SHELL, .fallback = "psql", .check = check_not_empty,
     IN_RECIPE(database.psql),
     .about = "the psql command on the primary host of role db, such as sudo -n -u postgres psql"},
    {"database.mysql", KEY_SHELL, .fallback = "mysql", .check = check_not_empty,
     IN_RECIPE(database.mysql),
     .about =
         "the mysql command on the primary host of role db, such as sudo -n mariadb; a password "
         "goes into ~/.my.cnf of that account"},

    {"backup", KEY_SECTION, NOWHERE, .about = "what to do if a backup blocks the migration"},
    {"backup.policy", KEY_WORD, .fallback = "wait", .words = policy_words, IN_RECIPE(backup.policy),
     .about = "wait for the backup, kill it, abort the deploy so that it can be resumed, or ask"},
    {"backup.wait_limit", KEY_DURATION, .fallback = "6h", IN_RECIPE(backup.wait_limit_ms),
     .about = "how long to wait for a backup; 0: no limit"},
    {"backup.after_limit", KEY_WORD, .fallback = "abort", .words = after_limit_words,
     IN_RECIPE(backup.after_limit), .about = "what to do when the limit is reached"},
    {"backup.unknown", KEY_WORD, .fallback = "proceed", .words = unknown_words,
     IN_RECIPE(backup.unknown),
     .about =
         "what to do if the database cannot be asked about backups: proceed with the migration, "
         "guarded by lock_timeout, or abort the deploy so that it can be resumed"},
    {"backup.partial", KEY_WORD, .fallback = "proceed", .words = partial_words,
     IN_RECIPE(backup.partial),
     .about =
         "what to do during a dump of a few tables (pg_dump -t): proceed, and wait for it only if "
         "the migration needs one of these tables; or wait for it as for any other dump"},
    {"backup.schedule", KEY_TEXTS, .fallback_shown = "crontab", .check = check_schedule,
     IN_RECIPE(backup.schedule),
     .about =
         "where to read when backups start: crontab (crontabs and systemd timers of the database "
         "host), none, or cron lines in the time of that host"},
    {"backup.clearance", KEY_DURATION, .fallback = "0", IN_RECIPE(backup.clearance_ms),
     .about =
         "if a backup starts within this time, wait for it to finish before migrating; 0: never"},
    {"backup.rerun", KEY_BOOL, .fallback = "false", IN_RECIPE(backup.rerun),
     .about = "start a killed backup again once the deploy is live, or was aborted"},
    {"backup.command", KEY_SHELL, .check = check_not_empty, IN_RECIPE(backup.command),
     .about = "what backup.rerun runs; default: the line of the crontab that made the backup"},
    {"backup.set_aside", KEY_BOOL, .fallback = "false", IN_RECIPE(backup.set_aside),
     .about = "rename the incomplete file of a killed backup to NAME.incomplete"},

    {"migrate", KEY_SECTION, NOWHERE, .about = "migrations of the database"},
    {"migrate.run", KEY_SHELL, .check = check_not_empty, IN_RECIPE(migrate.run),
     .about =
         "the command that migrates, run once on the primary host of role db; without it there are "
         "no migrations"},
    {"migrate.status", KEY_SHELL, .check = check_not_empty, IN_RECIPE(migrate.status),
     .about = "the command that lists the migrations, so that pending ones can be counted"},
    {"migrate.pending_when", KEY_PENDING, .fallback = "auto", .words = pending_words,
     IN_RECIPE(migrate.pending_when.tool),
     .about = "how to read the output of migrate.status: as that of a tool (auto: rails, django or "
              "laravel, whichever it looks like), or by the keys below"},
    {"migrate.pending_when.exit", KEY_STATUSES, IN_RECIPE(migrate.pending_when.exit),
     .about = "exit statuses that mean that migrations are pending; 0 means that none are (or what "
              "output finds), any other that it is unknown"},
    {"migrate.pending_when.output", KEY_TEXT, .check = check_regex,
     IN_RECIPE(migrate.pending_when.output),
     .about =
         "a POSIX extended regular expression: each line that it matches is a pending migration, "
         "its first group the name"},
    {"migrate.lock_timeout", KEY_DURATION, .fallback = "1s", .nonzero = true,
     IN_RECIPE(migrate.lock_timeout_ms),
     .about = "how long a statement of a migration may wait for a lock, while other sessions queue "
              "behind it"},
    {"migrate.attempts", KEY_COUNT, .min = 1, .fallback = "20", IN_RECIPE(migrate.attempts),
     .about = "how often to try a migration that cannot get its locks"},
    {"migrate.blockers", KEY_WORD, .fallback = "wait", .words = blockers_words,
     IN_RECIPE(migrate.blockers),
     .about =
         "what to do about a session, not a backup, that blocks the migration: wait and try again, "
         "report it and stop, or terminate it"},
    {"migrate.max_blocked", KEY_COUNT, .min = 1, .fallback_shown = "no limit",
     IN_RECIPE(migrate.max_blocked),
     .about = "if more sessions than this queue behind the migration, its statement is canceled at "
              "once"},
    {"migrate.timeout", KEY_DURATION, .fallback = "2h", .nonzero = true,
     IN_RECIPE(migrate.timeout_ms), .about = "how long a migration may run"},
    {"migrate.paths", KEY_TEXTS, .check = check_relative, IN_RECIPE(migrate.paths),
     .about =
         "paths of the repository, or patterns such as **/migrations; if they are unchanged since "
         "the last migration, nothing is pending"},

    {"databases", KEY_DATABASES, NOWHERE,
     .about =
         "several databases by name, in the order in which they are migrated; each has its own keys "
         "database, backup, migrate and role, and those of backup and migrate that it lacks are "
         "taken from the top level, except migrate.run, migrate.status and migrate.paths"},
    {"databases.role", KEY_TEXT, .fallback = "db", .is_role = true, .check = check_role,
     IN_DATABASE(role), .about = "the role whose primary host asks and migrates this database"},

    {"restart", KEY_SECTION, NOWHERE, .about = "how to restart the application"},
    {"restart.touch", KEY_TEXT, .check = check_relative, IN_RECIPE(restart.touch),
     .about = "a file of the release to touch"},
    {"restart.run", KEY_SHELL, .check = check_not_empty, IN_RECIPE(restart.run),
     .about = "a command to run, instead or as well"},
    {"restart.roles", KEY_TEXTS, .is_role = true, .check = check_role, IN_RECIPE(restart.roles),
     .fallback_shown = "app when a host has it, else every host", .about = "the hosts to restart"},

    {"health", KEY_SECTION, NOWHERE, .about = "how to check that the application works"},
    {"health.run", KEY_SHELL, .check = check_not_empty, IN_RECIPE(health.run),
     .about = "a command that succeeds if the application works"},
    {"health.attempts", KEY_COUNT, .min = 1, .fallback = "10", IN_RECIPE(health.attempts),
     .about = "how often to try"},
    {"health.interval", KEY_DURATION, .fallback = "2s", IN_RECIPE(health.interval_ms),
     .about = "the time between two tries"},
    {"health.roles", KEY_TEXTS, .is_role = true, .check = check_role, IN_RECIPE(health.roles),
     .fallback_shown = "app when a host has it, else every host", .about = "the hosts to check"},
    {"health.on_failure", KEY_WORD, .fallback = "rollback", .words = on_failure_words,
     IN_RECIPE(health.on_failure),
     .about = "roll back to the release before, or stop and leave everything as it is"},

    {"rolling", KEY_SECTION, NOWHERE,
     .about = "switch, restart and check a few hosts at a time, in the order of the recipe"},
    {"rolling.batch", KEY_SHARE, .check = check_share, IN_RECIPE(rolling.batch),
     .fallback_shown = "all hosts at once",
     .about = "how many hosts at a time, or what share of them, rounded up"},
    {"rolling.wait", KEY_DURATION, .fallback = "0", IN_RECIPE(rolling.wait_ms),
     .about = "the time between two batches"},
    {"on_host_failure", KEY_WORD, .fallback = "stop", .words = on_host_failure_words,
     IN_RECIPE(on_host_failure),
     .about =
         "if checkout, link or build fails on a host: stop, or continue without it and let resume "
         "finish it later"},
    {"host_failures", KEY_COUNT, .min = 1, .fallback = "1", IN_RECIPE(host_failures),
     .about = "how many hosts on_host_failure: continue may leave out"},

    {"unfinished", KEY_WORD, .fallback = "auto", .words = unfinished_words, IN_RECIPE(unfinished),
     .about = "what deploy does about an earlier run that is dead and unfinished: auto aborts and "
              "replaces it if its migration has not started, and stops otherwise; stop; resume it "
              "first; or abort it in any case"},

    {"older", KEY_WORD, .fallback = "warn", .words = older_words, IN_RECIPE(older),
     .about = "what deploy does if the commit is older than the live one, which descends from it: "
              "allow it, warn, or skip the deploy with status 0"},

    {"windows", KEY_WINDOWS, NOWHERE, .fallback_shown = "always",
     .about = "when deploys are allowed: maps of the keys below; outside of them deploy ends with "
              "status 9"},
    {"windows.days", KEY_TEXT, .fallback = "mon-sun", .check = check_days, IN_WINDOW(days),
     .about = "the days on which the window opens, such as mon-fri or sat,sun"},
    {"windows.from", KEY_TEXT, .fallback = "00:00", .check = check_time, IN_WINDOW(from),
     .about = "when it opens, such as \"09:00\""},
    {"windows.to", KEY_TEXT, .fallback = "24:00", .check = check_time, IN_WINDOW(to),
     .about = "when it closes; a time before that in from is on the next day"},
    {"windows.zone", KEY_TEXT, .fallback = "UTC", .check = check_zone, IN_WINDOW(zone),
     .about = "the time zone of from and to, such as Europe/Berlin"},

    {"notify", KEY_NOTIFY, NOWHERE,
     .about =
         "web addresses that are told how a run goes: maps of the keys below; one that cannot be "
         "reached never fails a deploy, which ends with status 8 at most"},
    {"notify.url", KEY_TEXT, .required = true, IN_NOTIFY(url),
     .about = "where to post, such as \"${SLACK_URL}\"; shown as [secret]"},
    {"notify.format", KEY_WORD, .fallback = "json", .words = notify_words, IN_NOTIFY(format),
     .about = "json, with the members of config/notification.schema.json, or slack"},
    {"notify.on", KEY_TEXTS, .fallback_shown = "live and failed", .check = check_notify_on,
     IN_NOTIFY(on),
     .about = "what to tell: begun, waiting (for a backup or a lock), live, failed, aborted"},

    {"hooks", KEY_HOOKS, NOWHERE,
     .about = "jobs to run before or after a stage, or at the end: 'before STAGE', 'after STAGE', "
              "'on failure', 'on success', 'on abort'"},
    {"tasks", KEY_TASKS, NOWHERE, .about = "jobs by name, for 'crelease run ENV TASK'"},
    {"secrets", KEY_SECRETS, NOWHERE,
     .about = "names of env variables, or values such as ${TOKEN}, to show as [secret]"},
    {"environments", KEY_ENVIRONMENTS, PLACE_TOP, .required = true, NOWHERE,
     .about = "sets of hosts by name; each may have its own values for other keys"},

    {"hosts", KEY_HOSTS, PLACE_ENVIRONMENT, .required = true, NOWHERE,
     .about = "the hosts of an environment, each 'user@host:port' or a map of the keys below"},
    {"hosts.host", KEY_TEXT, .required = true, .check = check_address, IN_HOST(address),
     .about = "its host name or IP address"},
    {"hosts.name", KEY_TEXT, .check = check_host_name, IN_HOST(name),
     .fallback_shown = "hosts.host", .about = "its name in messages and for --hosts"},
    {"hosts.user", KEY_TEXT, .check = check_user, IN_HOST(user),
     .fallback_shown = "your login name on this machine", .about = "the user to log in as"},
    {"hosts.port", KEY_PORT, .min = 1, .fallback_shown = "22", IN_HOST(port),
     .about = "the port of its SSH server"},
    {"hosts.roles", KEY_TEXTS, .check = check_role, IN_HOST(roles), .fallback_shown = "all of them",
     .about = "what the host is for; the first host with a role is the primary one"},
    {"hosts.deploy_to", KEY_TEXT, .check = check_folder, IN_HOST(deploy_to),
     .fallback_shown = "deploy_to", .about = "the folder of the site on this host"},
    {"hosts.env", KEY_VARIABLES, IN_HOST(env),
     .about = "environment variables on this host, which win over those of env"},
    {"hosts.host_key", KEY_TEXT, .check = check_host_key, IN_HOST(host_key),
     .about = "its host key, SHA256:... or a public key line; then known_hosts is not read"},
    {"hosts.identity", KEY_TEXT, .check = check_not_option, IN_HOST(identity),
     .about = "a private key file; then only this key is tried"},
    {"hosts.proxy_jump", KEY_TEXT, .check = check_proxy_jump, IN_HOST(proxy_jump),
     .fallback_shown = "proxy_jump", .about = "the jump hosts on the way to this host, or none"},

    {"job", KEY_JOB, NOWHERE, .about = "a command: shell text, or a map of the keys below"},
    {"job.run", KEY_SHELL, .required = true, .check = check_not_empty, IN_JOB(run),
     .about = "the shell command"},
    {"job.where", KEY_WORD, .fallback = "hosts", .words = where_words, IN_JOB(where),
     .about = "hosts, or local: run it once, on the machine that deploys, in the project's "
              "folder"},
    {"job.roles", KEY_TEXTS, .is_role = true, .check = check_role, IN_JOB(roles),
     .fallback_shown = "every host", .about = "the hosts to run it on"},
    {"job.once", KEY_BOOL, .fallback = "false", IN_JOB(once),
     .about = "run it only on the primary host of its roles"},
    {"job.timeout", KEY_DURATION, .fallback = "0", IN_JOB(timeout_ms),
     .about = "how long it may run; 0: no limit"},
    {"job.become", KEY_TEXT, .check = check_name, IN_JOB(become),
     .fallback_shown = "that of all commands",
     .about = "the user as whom it runs, through sudo; a password that sudo needs is asked for on "
              "the terminal"},
    {"job.undo", KEY_SHELL, .check = check_not_empty, IN_JOB(undo),
     .about =
         "in hooks: the shell command that undoes it; run when the run is rolled back or aborted, "
         "in reverse order, for each job that was started"},
    {"job.keep_if_half_migrated", KEY_BOOL, .fallback = "false", IN_JOB(keep_if_half_migrated),
     .about = "do not undo it when a migration was started and did not come to its end"},
    {"job.name", KEY_TEXT, .check = check_not_empty, IN_JOB(name), .fallback_shown = "its text",
     .about = "its name in messages"},
};

const size_t recipe_keys_n = sizeof recipe_keys / sizeof *recipe_keys;
