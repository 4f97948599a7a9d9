/* names.h -- the names of the databases of a Rails application whose recipe does not name them. */
#ifndef CRELEASE_DB_NAMES_H
#define CRELEASE_DB_NAMES_H

#include "core/run.h"

/* Asks the application's ruby on that host which databases config/database.yml has (r->database_yml, or that of the
 * live release).  None: there is only one, or it could not be found out.  The names are untrusted. */
struct strs database_names(struct run *r, size_t host);

#endif
