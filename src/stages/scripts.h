/* scripts.h -- the scripts of this folder, built into the program. */
#ifndef CRELEASE_SCRIPTS_H
#define CRELEASE_SCRIPTS_H

extern const char script_prelude[];
extern const char script_survey[];
extern const char script_lock[];
extern const char script_free[];
extern const char script_checkout[];
extern const char script_link[];
extern const char script_job[];
extern const char script_db[];
extern const char script_hold[];
extern const char script_backup_host[];
extern const char script_schedule[];
extern const char script_stop[];
extern const char script_switch[];
extern const char script_restart[];
extern const char script_cleanup[];
extern const char script_unlock[];
extern const char script_mark[];
extern const char script_command[];
extern const char script_exec[];
extern const char script_pending[];
extern const char script_leftovers[];
extern const char script_history[];
extern const char script_adopt[];
extern const char script_concurrently[];
extern const char script_guard[];
extern const char script_watch[];

#endif
