/* json.h -- the one door to jansson: values are made, written, and (for tests) read.
 *
 *     struct json *o = json_open_object();
 *     json_put_text(o, "host", name);
 *     struct json *list = json_put_array(o, "lines");
 *     json_put_text(list, NULL, line);               (no key: appended to an array)
 *     json_write(o, stdout, false);
 *     json_close(o);                                 (with all that was put into it)
 *
 * Texts may be any bytes.  What is written is always valid JSON in UTF-8: bytes that are
 * none, and NUL, become U+FFFD; what could act on a terminal (controls, C1, marks of
 * direction, separators of lines) is written as an escape. */
#ifndef CRELEASE_JSON_H
#define CRELEASE_JSON_H

#include "base/err.h"

#include <stdio.h>

struct json;

/* A root, owned by the caller until json_close, which accepts NULL. */
struct json *json_open_object(void);
struct json *json_open_array(void);
void json_close(struct json *root);

/* Put a member into an object, or with key NULL an element into an array.  A key that is
 * there already gets the new value in its old place. */
void json_put_text(struct json *at, const char *key, const char *s); /* NULL: null */
void json_put_bytes(struct json *at, const char *key, const char *bytes, size_t len);
void json_put_int(struct json *at, const char *key, long long n);
void json_put_real(struct json *at, const char *key, double x); /* null when not finite */
void json_put_bool(struct json *at, const char *key, bool yes);
void json_put_null(struct json *at, const char *key);

/* The same for nested values, empty at first; what is returned belongs to `at`. */
struct json *json_put_object(struct json *at, const char *key);
struct json *json_put_array(struct json *at, const char *key);

/* Writes one line, or several indented by two, with a newline at the end.  False when the
 * file took it not (errno says why). */
bool json_write(const struct json *v, FILE *to, bool indented);

/* NULL with err set when the bytes are not one JSON value. */
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

/* Looking accepts NULL everywhere, as a null, and is never surprised by a kind:
 * what is not there is NULL, 0 or false.  Results live as long as the root. */
enum json_is json_is(const struct json *v);
size_t json_count(const struct json *v); /* members of an object or an array */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i);
const char *json_key(const struct json *object, size_t i); /* in order of being put */
const char *json_get_text(const struct json *v);
long long json_get_int(const struct json *v);
double json_get_real(const struct json *v);
bool json_get_bool(const struct json *v);

#endif
