/* json.c -- builds, writes and reads JSON (see json.h); the only file that includes jansson.
 * Called by the JSON output, the reports and the tests. */
#include "edge/json.h"

#include "base/die.h"
#include "base/text.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>

/* struct json is never defined: a struct json * is a json_t * under another name. */
static json_t *inner(struct json *v)
{
    return (json_t *)v;
}

static const json_t *look(const struct json *v)
{
    return (const json_t *)v;
}

static json_t *made(json_t *v)
{
    if (!v)
        die("out of memory");
    return v;
}

/* Bytes of the character at s, at most 4; 0 if it is a NUL or not UTF-8. */
static size_t character(const char *s, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (text_is_utf8(s, n))
            return *s ? n : 0;
    return 0;
}

static struct buf clean(const char *s, size_t len)
{
    struct buf b = buf_make(len * 3);

    for (size_t i = 0; i < len;) {
        size_t n = character(s + i, len - i);
        buf_add(&b, n ? s + i : "\xef\xbf\xbd", n ? n : 3);
        i += n ? n : 1;
    }
    return b;
}

static void put(struct json *at, const char *key, json_t *v)
{
    json_t *to = inner(at);

    assert(key ? json_is_object(to) : json_is_array(to));
    made(v);
    int failed;
    if (!key) {
        failed = json_array_append_new(to, v);
    } else {
        struct buf name = clean(key, strlen(key));
        failed = json_object_set_new_nocheck(to, name.text, v);
        buf_free(&name);
    }
    if (failed)
        made(NULL);
}

struct json *json_open_object(void)
{
    return (struct json *)made(json_object());
}

struct json *json_open_array(void)
{
    return (struct json *)made(json_array());
}

void json_close(struct json *root)
{
    json_decref(inner(root));
}

void json_put_text(struct json *at, const char *key, const char *s)
{
    if (s)
        json_put_bytes(at, key, s, strlen(s));
    else
        json_put_null(at, key);
}

void json_put_bytes(struct json *at, const char *key, const char *bytes, size_t len)
{
    struct buf b = clean(bytes, len);

    put(at, key, json_stringn_nocheck(b.text, b.len));
    buf_free(&b);
}

void json_put_int(struct json *at, const char *key, long long n)
{
    put(at, key, json_integer(n));
}

void json_put_real(struct json *at, const char *key, double x)
{
    put(at, key, isfinite(x) ? json_real(x) : json_null());
}

void json_put_bool(struct json *at, const char *key, bool yes)
{
    put(at, key, yes ? json_true() : json_false());
}

void json_put_null(struct json *at, const char *key)
{
    put(at, key, json_null());
}

struct json *json_put_object(struct json *at, const char *key)
{
    json_t *v = made(json_object());

    put(at, key, v);
    return (struct json *)v;
}

struct json *json_put_array(struct json *at, const char *key)
{
    json_t *v = made(json_array());

    put(at, key, v);
    return (struct json *)v;
}

static unsigned code_point(const unsigned char *s, size_t n)
{
    if (n == 1)
        return s[0];
    unsigned c = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3fu);
    return c;
}

/* Characters that a terminal or a line-based reader interprets.  jansson escapes only those below
 * U+0020. */
static bool must_escape(unsigned c)
{
    return (c >= 0x7f && c <= 0x9f) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

bool json_write(const struct json *v, FILE *to, bool indented)
{
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    char *text = json_dumps(look(v), flags | (indented ? JSON_INDENT(2) : JSON_COMPACT));

    if (!text)
        made(NULL);
    size_t len = strlen(text);
    size_t kept = 0; /* everything before this has been written */
    for (size_t i = 0; i < len;) {
        size_t n = character(text + i, len - i);
        assert(n);
        unsigned c = code_point((const unsigned char *)text + i, n);
        if (must_escape(c)) {
            fwrite(text + kept, 1, i - kept, to);
            fprintf(to, "\\u%04X", c);
            kept = i + n;
        }
        i += n;
    }
    fwrite(text + kept, 1, len - kept, to);
    fputc('\n', to);
    free(text);
    return !ferror(to);
}

struct json *json_read(const char *bytes, size_t len, struct err *err)
{
    json_error_t e;
    json_t *v = json_loadb(bytes, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);

    if (!v)
        err_set(err, ERR_FAILED, "not valid JSON: line %d, column %d: %s", e.line, e.column,
                text_shown(err->arena, e.text));
    return (struct json *)v;
}

enum json_is json_is(const struct json *v)
{
    if (!v)
        return JSON_IS_NULL;
    switch (json_typeof(look(v))) {
    case JSON_OBJECT:
        return JSON_IS_OBJECT;
    case JSON_ARRAY:
        return JSON_IS_ARRAY;
    case JSON_STRING:
        return JSON_IS_TEXT;
    case JSON_INTEGER:
        return JSON_IS_INT;
    case JSON_REAL:
        return JSON_IS_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_IS_BOOL;
    case JSON_NULL:
        break;
    }
    return JSON_IS_NULL;
}

size_t json_count(const struct json *v)
{
    return json_object_size(look(v)) + json_array_size(look(v));
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)json_object_get(look(object), key);
}

const struct json *json_at(const struct json *array, size_t i)
{
    return (const struct json *)json_array_get(look(array), i);
}

const char *json_key(const struct json *object, size_t i)
{
    /* jansson's iterators take no const pointer, although reading keys changes nothing. */
    union {
        const json_t *seen;
        json_t *v;
    } o = {.seen = look(object)};

    void *at = json_object_iter(o.v);
    while (at && i--)
        at = json_object_iter_next(o.v, at);
    return at ? json_object_iter_key(at) : NULL;
}

const char *json_get_text(const struct json *v)
{
    return json_string_value(look(v));
}

long long json_get_int(const struct json *v)
{
    return json_integer_value(look(v));
}

double json_get_real(const struct json *v)
{
    return json_number_value(look(v));
}

bool json_get_bool(const struct json *v)
{
    return json_is_true(look(v));
}

struct library json_library(struct arena *a)
{
    (void)a;
    return (struct library){
        .name = "jansson", .version = jansson_version_str(), .built_with = JANSSON_VERSION};
}
