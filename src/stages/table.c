/* table.c -- a deploy, read from top to bottom: one row for each stage.  A new stage is a folder, a
 * row here, and a test.  The engine walks the rows in this order; a rollback walks those with
 * in_rollback. */
#include "stages/table.h"

#include "core/job/jobs.h"
#include "stages/backup/detect.h"
#include "stages/backup/rerun.h"
#include "stages/build/build.h"
#include "stages/checkout/checkout.h"
#include "stages/cleanup/cleanup.h"
#include "stages/link/link.h"
#include "stages/lock/lock.h"
#include "stages/migrate/migrate.h"
#include "stages/switch/health.h"
#include "stages/switch/restart.h"
#include "stages/switch/switch.h"

const struct stage deploy_stages[] = {
    {
        .name = "lock",
        .about = "take the lock and write the plan of the run",
        .in_rollback = true,
        .script = script_lock,
        .act = lock_act,
        .undo = lock_undo,
    },
    {
        .name = "checkout",
        .about = "put the revision into a new release folder",
        .describe = checkout_describe,
        .makes_folder = true,
        .leaves_out = true,
        .script = script_checkout,
        .act = checkout_act,
        .undo = stage_script_undo,
    },
    {
        .name = "link",
        .about = "link the shared files and folders",
        .leaves_out = true,
        .script = script_link,
        .values = link_values,
        .trip = stage_script_trip,
        .joins = JOINS_ALWAYS, /* the folder is not live */
        .act = stage_script_act,
        .undo = stage_undo_nothing, /* removed with the folder */
    },
    {
        .name = "build",
        .about = "run the recipe's build jobs",
        .jobs = build_jobs,
        .leaves_out = true,
        .act = jobs_act,
        .undo = stage_undo_nothing, /* removed with the folder */
    },
    {
        .name = "backup-detect",
        .per_database = true,
        .about = "check for pending migrations and for a backup that would block them",
        .hosts = migrate_hosts,
        .migrates = true,
        .needs = "the migration runs there",
        .until = "migrate",
        .act = backup_detect_act,
        .undo = stage_undo_nothing, /* it changes nothing */
    },
    {
        .name = "backup-clear",
        .per_database = true,
        .about = "wait for a blocking backup or stop it, as the policy says",
        .hosts = migrate_hosts,
        .migrates = true,
        .needs = "the migration runs there",
        .until = "migrate",
        .idle = migrate_idle,
        .act = backup_clear_act,
        .undo = rerun_undo, /* starts stopped backups again; by then no migration is running */
    },
    {
        .name = "migrate",
        .per_database = true,
        .about = "migrate the database",
        .serious = true,
        .hosts = migrate_hosts,
        .jobs = migrate_jobs,
        .migrates = true,
        .needs = "the migration runs there",
        .idle = migrate_idle,
        .act = migrate_act,
        .undo = migrate_undo, /* only says what was migrated */
    },
    {
        .name = "switch",
        .about = "point current at the release",
        .serious = true,
        .describe = switch_describe,
        .on_fail = ON_FAIL_UNDO,
        .in_rollback = true,
        .rolls = true,
        .script = script_switch,
        .values = switch_values,
        .act = switch_act,
        .undo = switch_undo, /* points back, then restarts */
    },
    {
        .name = "restart",
        .about = "restart the application",
        .hosts = restart_hosts,
        .jobs = restart_jobs,
        .describe = restart_describe,
        .in_rollback = true,
        .rolls = true,
        .script = script_restart,
        .trip = restart_trip,
        .joins = JOINS_SAFELY, /* all hosts switch before one restarts */
        .act = restart_act,
        .undo = stage_undo_nothing, /* switch's undo restarts, after it has pointed back */
    },
    {
        .name = "health",
        .about = "run the health check",
        .jobs = health_jobs,
        .on_fail_as = health_on_fail,
        .in_rollback = true,
        .rolls = true,
        .act = health_act,
        .undo = stage_undo_nothing, /* it changes nothing */
    },
    {
        .name = "cleanup",
        .about = "remove the oldest releases",
        .on_fail = ON_FAIL_CARRY_ON,
        .script = script_cleanup,
        .values = cleanup_values,
        .trip = stage_script_trip,
        .joins = JOINS_SAFELY,
        .act = stage_script_act,
        .undo = stage_undo_nothing, /* removed releases are gone */
    },
    {
        .name = "backup-rerun",
        .per_database = true,
        .about = "start a stopped backup again",
        .hosts = rerun_hosts,
        .on_fail = ON_FAIL_CARRY_ON,
        .act = rerun_act,
        .undo = stage_undo_nothing, /* the backup keeps running */
    },
    {
        .name = "unlock",
        .ends_run = true,
        .about = "write revisions.log and release the lock",
        .in_rollback = true,
        .trip = unlock_trip,
        .joins = JOINS_SAFELY, /* once it is done on a host, the run cannot be aborted */
        .act = unlock_act,
        .undo = stage_undo_nothing,
    },
    {.name = NULL},
};

void run_init(struct run *r)
{
    r->stages = deploy_stages;
    r->epoch = 1;
    r->guard = arena_alloc(r->arena, sizeof *r->guard);
}
