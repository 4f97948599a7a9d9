/* url.h -- where a repository is: a path or a URL, taken apart; nothing is contacted. */
#ifndef CRELEASE_URL_H
#define CRELEASE_URL_H

#include "base/err.h"

enum url_kind { URL_PATH, URL_FILE, URL_HTTP, URL_GIT, URL_SSH };

struct url {
    enum url_kind kind;
    const char *text;
    const char *user;     /* NULL when there is none; not decoded, as the next two */
    const char *password; /* NULL when there is none */
    const char *userinfo; /* all before the @, which over HTTP can be a token: never shown */
    const char *host;     /* without brackets; NULL for a path or file:// */
    int port;             /* 22 when there is none in it */
    const char *shown;    /* the text without what is secret, and fit to be shown */
    const char *name;     /* the last part of the path, of [A-Za-z0-9._-], at most 40 bytes */
};

/* What has no scheme and no colon before its first slash is a path.  Everything lives in the arena.
 */
bool url_parse(struct url *ret, struct arena *a, const char *text, struct err *err) MUST_CHECK;

/* The text without a password and, over HTTP, without anything that may be a token: for a file that
 * others read. */
const char *url_bare(const struct url *u, struct arena *a);

/* Whether something in the address must not be shown. */
bool url_has_secret(struct arena *a, const char *text);

/* A message of somebody else's, made fit to be shown: without what is secret in this URL, and in
 * any other that it names, such as the one that a server redirects to. */
const char *url_clean(const struct url *u, struct arena *a, const char *message);

#endif
