/* limits.h -- upper bounds for everything that comes from outside.
 *
 * Every buffer that grows with data from a recipe, a host, a repository or a database is created
 * with one of these.  Exceeding one is an error that names the limit. */
#ifndef CRELEASE_LIMITS_H
#define CRELEASE_LIMITS_H

#define RECIPE_BYTES_MAX      (1024 * 1024)
#define RECIPE_DEPTH_MAX      32    /* nested maps and lists */
#define RECIPE_NODES_MAX      20000 /* after aliases are expanded */
#define RECIPE_ERRORS_MAX     50    /* shown; any more are only counted */
#define HOSTS_MAX             1000
#define DATABASES_MAX         50                /* of one recipe */
#define DATABASE_NAME_MAX     40                /* characters, of one of several databases */
#define REPLY_BYTES_MAX       (8 * 1024 * 1024) /* one host's answer to one script */
#define REPLY_ERROR_BYTES_MAX (64 * 1024)       /* standard error of a script; the end is kept */
#define SCRIPT_BYTES_MAX      (4 * 1024 * 1024)
#define LINE_BYTES_MAX        (64 * 1024)
#define SECRET_PIECE_BYTES    (8 * 1024) /* a longer secret is hidden in pieces of this size */
#define TAIL_LINES            12         /* output of a failed job shown in the failure block */

#endif
