/* check.h -- the functions that check a recipe's values, for the key table.  Each is a key_check
 * (keys.h). */
#ifndef CRELEASE_RECIPE_CHECK_H
#define CRELEASE_RECIPE_CHECK_H

#include "recipe/keys.h"

key_check check_name;      /* letters, digits, '.', '_', '-', not beginning with '-' */
key_check check_host_name; /* the same, also ':' and brackets */
key_check check_address;   /* of a host; removes brackets around an IPv6 address */
key_check check_user;
key_check check_role;
key_check check_variable; /* name of an environment variable */
key_check check_ref;
key_check check_not_option; /* not empty, not beginning with '-' */
key_check check_not_empty;
key_check check_folder;      /* absolute; normalised */
key_check check_linked_file; /* relative, below the release */
key_check check_linked_dir;
key_check check_relative;
key_check check_database;
key_check check_host_key;
key_check check_proxy_jump;
key_check check_shell;
key_check check_path;     /* absolute or "~/...", without a colon */
key_check check_umask;    /* octal, without permissions that the owner needs */
key_check check_share;    /* 1 or more, or 1% to 100% */
key_check check_schedule; /* none, crontab, or a cron line */
key_check check_notify_on;
key_check check_days;  /* mon-fri, sat,sun */
key_check check_time;  /* 09:00 */
key_check check_zone;  /* a name of the time zone database */
key_check check_regex; /* POSIX extended, of limited size */

/* Whether it can be the name of one of several databases, which is part of the names of marks, jobs and files on the
 * hosts. */
bool check_database_name(const char *s);

/* Whether text contains a control character.  Tabs and line breaks count unless `lines`. */
bool value_has_control(const char *s, bool lines);

#endif
