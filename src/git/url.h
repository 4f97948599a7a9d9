/* url.h -- parses the address of a repository, a path or a URL.  Nothing is contacted. */
#ifndef CRELEASE_URL_H
#define CRELEASE_URL_H

#include "base/err.h"

enum url_kind { URL_PATH, URL_FILE, URL_HTTP, URL_GIT, URL_SSH };

struct url {
    enum url_kind kind;
    const char *text;
    const char *user;     /* NULL if missing; like the next two, not decoded */
    const char *password; /* NULL if missing */
    const char
        *userinfo; /* everything before the @; over HTTP it may be a token, so it is never shown */
    const char *host; /* without brackets; NULL for a path or file:// */
    int port;         /* 22 if missing */
    const char
        *path; /* over SSH, as the server takes it: "/srv/shop.git", "~ann/shop", "shop.git" */
    const char *shown; /* the text without secrets, safe to show */
    const char *name;  /* the last part of the path, of [A-Za-z0-9._-], at most 40 bytes */
};

/* Parses an address.  Without a scheme, and without a colon before the first slash, it is a path.
 * The texts are allocated in the arena. */
bool url_parse(struct url *ret, struct arena *a, const char *text, struct err *err) MUST_CHECK;

/* Returns the address without a password and, over HTTP, without anything that may be a token, for
 * files that others can read. */
const char *url_bare(const struct url *u, struct arena *a);

/* Whether the address contains anything secret. */
bool url_has_secret(struct arena *a, const char *text);

/* Returns a message from elsewhere, safe to show: without the secrets of this URL, and without
 * those of any other URL in it, such as one that a server redirects to. */
const char *url_clean(const struct url *u, struct arena *a, const char *message);

#endif
