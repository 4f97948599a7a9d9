/* The assembler puts the files in as they are: what is read in this folder is what runs. */
#include "stages/scripts.h"

#define SCRIPT(name, file)                                                                         \
    __asm__(".section .rodata\n"                                                                   \
            ".global script_" #name "\n"                                                           \
            ".type script_" #name ", %object\n"                                                    \
            "script_" #name ":\n"                                                                  \
            ".incbin \"src/" file "\"\n"                                                           \
            ".byte 0\n"                                                                            \
            ".size script_" #name ", . - script_" #name "\n"                                       \
            ".previous\n")

SCRIPT(prelude, "host/prelude.sh");
SCRIPT(survey, "host/survey.sh");
SCRIPT(lock, "stages/lock/lock.sh");
SCRIPT(free, "stages/lock/free.sh");
SCRIPT(checkout, "stages/checkout/checkout.sh");
SCRIPT(link, "stages/link/link.sh");
SCRIPT(job, "host/job/job.sh");
SCRIPT(db, "db/client.sh");
SCRIPT(hold, "stages/backup/hold.sh");
SCRIPT(backup_host, "stages/backup/progress.sh");
SCRIPT(schedule, "stages/backup/upcoming.sh");
SCRIPT(stop, "stages/backup/stop.sh");
SCRIPT(switch, "stages/switch/switch.sh");
SCRIPT(restart, "stages/switch/restart.sh");
SCRIPT(cleanup, "stages/cleanup/cleanup.sh");
SCRIPT(unlock, "stages/lock/unlock.sh");
SCRIPT(mark, "host/mark.sh");
SCRIPT(command, "host/command.sh");
SCRIPT(exec, "host/exec.sh");
SCRIPT(pending, "stages/migrate/pending.sh");
SCRIPT(leftovers, "stages/migrate/leftovers.sh");
SCRIPT(history, "host/history.sh");
SCRIPT(adopt, "db/postgres/unnamed.sh");
SCRIPT(concurrently, "stages/migrate/concurrently.sh");
SCRIPT(guard, "stages/migrate/guard.sh");
SCRIPT(watch, "stages/migrate/watchdog.sh");
