
#include "stages/table.h"

#include "base/embed.h"
#include "base/quote.h"
#include "core/job/jobs.h"
#include "core/survey.h"
#include "stages/backup/detect.h"
#include "stages/backup/rerun.h"
#include "stages/checkout/checkout.h"
#include "stages/lock/lock.h"
#include "stages/migrate/migrate.h"
#include "stages/switch/health.h"
#include "stages/switch/switch.h"

EMBED(script_mark, "host/mark.sh");
EMBED(script_link, "stages/link/link.sh");
EMBED(script_cleanup, "stages/cleanup/cleanup.sh");

static void link_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    (void)s;
    (void)host;
    linked_assign(r, b);
}

static void switch_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    const char *touch = r->recipe->restart.touch;
    bool is_restarted = host_has_any(&r->recipe->hosts[host], &r->recipe->restart.roles);

    quote_assign(b, "touch", touch && is_restarted ? touch : "");
    quote_assign(b, "again", switch_again(r, s));
}

static const char *switch_tell(struct arena *a, const struct what *what)
{
    return arena_printf(a, "current to %s", what->release);
}

static void cleanup_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    char keep[32];

    (void)s;
    (void)host;
    snprintf(keep, sizeof keep, "%ld", r->recipe->keep_releases);
    quote_assign(b, "keep", keep);
}

const struct stage deploy_stages[] = {
    {
        .name = "lock",
        .about = "keep other deploys out",
        .in_rollback = true,
        .script = script_lock,
        .act = lock_act,
        .undo = lock_undo,
    },
    {
        .name = "checkout",
        .about = "put the revision into a new release folder",
        .tell = checkout_tell,
        .makes_folder = true,
        .leaves_out = true,
        .script = script_checkout,
        .act = checkout_act,
        .undo = checkout_undo,
    },
    {
        .name = "link",
        .about = "link the shared files and folders",
        .leaves_out = true,
        .script = script_link,
        .values = link_values,
        .act = stage_script_act,
        .undo = stage_undo_nothing, /* goes with the folder */
    },
    {
        .name = "build",
        .about = "run the recipe's build jobs",
        .who = WHO_BUILD,
        .leaves_out = true,
        .act = jobs_act,
        .undo = stage_undo_nothing, /* goes with the folder */
    },
    {
        .name = "backup-detect",
        .about = "see what is pending, and whether a backup is in the way",
        .who = WHO_DB,
        .until = "migrate",
        .act = backup_detect_act,
        .undo = stage_undo_nothing, /* it only looks */
    },
    {
        .name = "backup-clear",
        .about = "wait for a backup in the way, or stop it, as the policy says",
        .who = WHO_DB,
        .until = "migrate",
        .if_pending = true,
        .act = backup_clear_act,
        .undo = rerun_undo, /* what was stopped is started again; after the migration was ended */
    },
    {
        .name = "migrate",
        .about = "bring the database forward",
        .who = WHO_MIGRATE,
        .if_pending = true,
        .act = migrate_act,
        .undo = migrate_undo, /* by hand, and says so */
    },
    {
        .name = "switch",
        .about = "point current to the release",
        .tell = switch_tell,
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
        .about = "make the application notice",
        .who = WHO_RESTART,
        .in_rollback = true,
        .rolls = true,
        .script = script_restart,
        .act = restart_act,
        .undo = stage_undo_nothing, /* switch does it, in order */
    },
    {
        .name = "health",
        .about = "ask the application whether it is well",
        .who = WHO_HEALTH,
        .on_fail = ON_FAIL_TURN_BACK,
        .in_rollback = true,
        .rolls = true,
        .act = health_act,
        .undo = stage_undo_nothing, /* it only asks */
    },
    {
        .name = "cleanup",
        .about = "remove the oldest releases",
        .on_fail = ON_FAIL_CARRY_ON,
        .script = script_cleanup,
        .values = cleanup_values,
        .act = stage_script_act,
        .undo = stage_undo_nothing, /* what is removed is gone */
    },
    {
        .name = "backup-rerun",
        .about = "start a backup again that was stopped",
        .who = WHO_RERUN,
        .on_fail = ON_FAIL_CARRY_ON,
        .act = rerun_act,
        .undo = stage_undo_nothing, /* it goes on */
    },
    {
        .name = "unlock",
        .about = "write the log, let others in",
        .in_rollback = true,
        .script = script_unlock,
        .values = unlock_values,
        .act = unlock_act,
        .undo = stage_undo_nothing,
    },
    {.name = NULL},
};

void run_init(struct run *r)
{
    r->stages = deploy_stages;
    r->mark_script = script_mark;
    r->outcome = "done";
    r->epoch = 1;
    r->guard = arena_alloc(r->arena, sizeof *r->guard);
}
