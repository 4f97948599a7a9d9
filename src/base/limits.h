/* limits.h -- how large anything that comes from outside may become.
 *
 * Every buffer that grows from a recipe, a host, a repository or a database is
 * made with one of these; what does not fit is an error that names the limit. */
#ifndef CRELEASE_LIMITS_H
#define CRELEASE_LIMITS_H

#define RECIPE_BYTES_MAX      (1024 * 1024)
#define RECIPE_DEPTH_MAX      32    /* nested maps and lists */
#define RECIPE_NODES_MAX      20000 /* after aliases are followed */
#define RECIPE_ERRORS_MAX     50    /* shown; the rest is counted */
#define HOSTS_MAX             1000
#define REPLY_BYTES_MAX       (8 * 1024 * 1024) /* one host's answer to one script */
#define REPLY_ERROR_BYTES_MAX (64 * 1024)       /* its standard error: the last of it */
#define SCRIPT_BYTES_MAX      (4 * 1024 * 1024)
#define LINE_BYTES_MAX        (64 * 1024)
#define SECRET_PIECE_BYTES    (8 * 1024) /* of a secret that is longer, each part is one */
#define TAIL_LINES            12         /* of a failed job, in the closing block */

#endif
