/* The assembler puts the files in as they are: what is read in this folder is what runs. */
#include "stages/scripts.h"

#define SCRIPT(name)                                                                               \
    __asm__(".section .rodata\n"                                                                   \
            ".global script_" #name "\n"                                                           \
            ".type script_" #name ", %object\n"                                                    \
            "script_" #name ":\n"                                                                  \
            ".incbin \"src/stages/" #name ".sh\"\n"                                                \
            ".byte 0\n"                                                                            \
            ".size script_" #name ", . - script_" #name "\n"                                       \
            ".previous\n")

SCRIPT(prelude);
SCRIPT(survey);
SCRIPT(lock);
SCRIPT(free);
SCRIPT(checkout);
SCRIPT(link);
SCRIPT(job);
SCRIPT(db);
SCRIPT(hold);
SCRIPT(backup_host);
SCRIPT(schedule);
SCRIPT(stop);
SCRIPT(switch);
SCRIPT(restart);
SCRIPT(cleanup);
SCRIPT(unlock);
SCRIPT(mark);
SCRIPT(command);
SCRIPT(exec);
SCRIPT(pending);
SCRIPT(leftovers);
SCRIPT(history);
SCRIPT(adopt);
SCRIPT(concurrently);
SCRIPT(guard);
SCRIPT(watch);
