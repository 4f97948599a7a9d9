/* json.h -- builds, writes and reads JSON; the only module that uses jansson.
 *
 *     struct json *o = json_open_object();
 *     json_put_text(o, "host", name);
 *     struct json *list = json_put_array(o, "lines");
 *     json_put_text(list, NULL, line);               (no key: appended to an array)
 *     json_write(o, stdout, false);
 *     json_close(o);                                 (frees everything that was put into it)
 *
 * Strings may contain any bytes.  The output is always valid JSON in UTF-8: NULs and bytes that
 * are not UTF-8 become U+FFFD.  Characters that a terminal might interpret (control characters, C1,
 * directional marks, line separators) are written as escapes. */
#ifndef CRELEASE_JSON_H
#define CRELEASE_JSON_H

#include "base/err.h"
#include "base/library.h"

#include <stdio.h>

struct json;

/* Create a root value.  The caller owns it until json_close, which accepts NULL. */
struct json *json_open_object(void);
struct json *json_open_array(void);
void json_close(struct json *root);

/* Put a member into an object, or append to an array if key is NULL.  An existing key gets the new
 * value and keeps its position. */
void json_put_text(struct json *at, const char *key, const char *s); /* NULL: null */
void json_put_bytes(struct json *at, const char *key, const char *bytes, size_t len);
void json_put_int(struct json *at, const char *key, long long n);
void json_put_real(struct json *at, const char *key, double x); /* null when not finite */
void json_put_bool(struct json *at, const char *key, bool yes);
void json_put_null(struct json *at, const char *key);

/* Put a new, empty object or array and return it.  It belongs to `at`. */
struct json *json_put_object(struct json *at, const char *key);
struct json *json_put_array(struct json *at, const char *key);

/* Writes the value and a newline, on one line, or indented by two.  False if the write failed;
 * errno says why. */
bool json_write(const struct json *v, FILE *to, bool indented);

/* Parses one JSON value.  Returns NULL and sets err if the bytes are anything else. */
struct json *json_read(const char *bytes, size_t len, struct err *err) MUST_CHECK;

enum json_is {
    JSON_IS_NULL,
    JSON_IS_BOOL,
    JSON_IS_INT,
    JSON_IS_REAL,
    JSON_IS_TEXT,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT
};

/* Readers accept NULL as null and values of any kind: a missing member, a wrong index or a value of
 * another kind gives NULL, 0 or false.  Results live as long as the root. */
enum json_is json_is(const struct json *v);
size_t json_count(const struct json *v); /* members of an object or an array */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i);
const char *json_key(const struct json *object, size_t i); /* in insertion order */
const char *json_get_text(const struct json *v);
long long json_get_int(const struct json *v);
double json_get_real(const struct json *v);
bool json_get_bool(const struct json *v);

/* jansson, its version and features. */
struct library json_library(struct arena *a);

#endif
