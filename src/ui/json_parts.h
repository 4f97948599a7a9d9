/* json_parts.h -- parts of JSON objects; for this folder only. */
#ifndef CRELEASE_UI_JSON_PARTS_H
#define CRELEASE_UI_JSON_PARTS_H

#include "core/event.h"
#include "edge/json.h"

/* Nothing for NULL; null for NULL or an empty text; null for a negative number. */
void ui_put_given(struct json *o, const char *key, const char *s);
void ui_put_or_null(struct json *o, const char *key, const char *s);
void ui_put_known(struct json *o, const char *key, long long n);
void ui_put_time(struct json *o, const char *key, long long unix_ms, bool ms);
void ui_put_texts(struct json *o, const char *key, const char *const *v, size_t n);
void ui_put_strs(struct json *o, const char *key, const struct strs *list);

/* The members of a run and of a backup, where NULL is one of which nothing is known; the members "error"
 * and "changes". */
void ui_put_run(struct json *o, const struct run_info *r);
void ui_put_backup(struct json *o, const struct backup *b);
void ui_put_error(struct json *o, const struct failure *f);
void ui_put_changes(struct json *o, const struct changes *c);

#endif
