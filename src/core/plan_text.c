/* plan_text.c -- the plan as the file `plan` of a run on the hosts: written with the lock, read back by
 * resume and abort, compared between hosts.
 *
 *     crelease-plan 1
 *     run k7f2ab
 *     command deploy
 *     ...
 *     host app1
 *     end plan SHA256-OF-ALL-LINES-BEFORE
 *
 * Whatever is not exactly this is damaged, and nothing is guessed from it. */
#include "core/plan.h"

#include "base/number.h"
#include "base/redact.h"
#include "base/text.h"
#include "edge/clock.h"
#include "edge/digest.h"
#include "host/site.h"

/* The number of lines of a plan with one host, including the first and the last; with fewer, some
 * are missing. */
enum { PLAN_KEYS = 18, LINE_SHOWN = 100 };

/* A value is the rest of its line, so line breaks in it become blanks. */
static void put(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s ", key);
    for (const char *c = value; *c; c++)
        buf_add(b, (unsigned char)*c < 0x20 ? " " : c, 1);
    buf_puts(b, "\n");
}

static const char *seal_of(struct arena *a, const char *text, size_t len)
{
    struct digest *d = digest_open();
    char hex[65];

    digest_add(d, text, len);
    digest_hex(d, hex);
    digest_close(d);
    return arena_strdup(a, hex);
}

const char *plan_text(struct arena *a, const struct what *w, const struct strs *secrets)
{
    struct buf b = buf_make(1024 * 1024);

    buf_puts(&b, "crelease-plan 1\n");
    put(&b, "run", w->run);
    put(&b, "command", command_word(w->command));
    put(&b, "application", w->application);
    put(&b, "environment", w->environment);
    put(&b, "release", w->release);
    put(&b, "revision", w->revision);
    buf_printf(&b, "revision_time %lld\n", w->revision_unix);
    put(&b, "ref", w->ref);
    put(&b, "subject", w->subject);
    put(&b, "by", w->by);
    put(&b, "user", w->user);
    buf_printf(&b, "since %lld\n", w->since_unix);
    put(&b, "recipe", w->recipe_digest);
    put(&b, "migrate_digest", w->migrate_digest);
    put(&b, "migrate", w->no_migrate ? "no" : "yes");
    if (w->files_digest && *w->files_digest)
        put(&b, "files", w->files_digest);
    for (size_t i = 0; i < w->hosts.n; i++)
        put(&b, "host", w->hosts.v[i]);
    for (size_t i = 0; i < w->databases.n; i++)
        put(&b, "database", w->databases.v[i]);
    const char *text = redact(a, secrets, arena_strndup(a, b.text, b.len));
    buf_free(&b);
    return arena_printf(a, "%send plan %s", text, seal_of(a, text, strlen(text)));
}

/* False for a value that this version never writes. */
static bool read_value(struct arena *a, struct what *w, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {
        {"run", &w->run},
        {"application", &w->application},
        {"environment", &w->environment},
        {"release", &w->release},
        {"revision", &w->revision},
        {"ref", &w->ref},
        {"subject", &w->subject},
        {"by", &w->by},
        {"user", &w->user},
        {"recipe", &w->recipe_digest},
        {"migrate_digest", &w->migrate_digest},
        {"files", &w->files_digest},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].key, key) == 0)
            *texts[i].to = value;
    if (strcmp(key, "host") == 0)
        strs_add(a, &w->hosts, value);
    else if (strcmp(key, "database") == 0)
        strs_add(a, &w->databases, value);
    else if (strcmp(key, "command") == 0) {
        w->command = strcmp(value, "rollback") == 0 ? COMMAND_ROLLBACK : COMMAND_DEPLOY;
        return strcmp(value, command_word(w->command)) == 0;
    } else if (strcmp(key, "revision_time") == 0)
        return number_read(value, NUMBER_UNIX_MAX, &w->revision_unix);
    else if (strcmp(key, "since") == 0)
        return number_read(value, NUMBER_UNIX_MAX, &w->since_unix);
    else if (strcmp(key, "migrate") == 0) {
        w->no_migrate = strcmp(value, "no") == 0;
        return w->no_migrate || strcmp(value, "yes") == 0;
    }
    return true;
}

static bool is_digest(const char *s)
{
    size_t len = strlen(s);

    return len <= 64 && strspn(s, "0123456789abcdef") == len;
}

static const char *line_shown(struct arena *a, const char *s, size_t len)
{
    return text_shown(a, len > LINE_SHOWN ? arena_printf(a, "%.*s...", LINE_SHOWN, s)
                                          : arena_strndup(a, s, len));
}

bool plan_differs(struct arena *a, const char *x, const char *y, const char **ret_x,
                  const char **ret_y)
{
    while (*x || *y) {
        size_t x_len = strcspn(x, "\n");
        size_t y_len = strcspn(y, "\n");
        if (x_len != y_len || memcmp(x, y, x_len) != 0) {
            *ret_x = line_shown(a, x, x_len);
            *ret_y = line_shown(a, y, y_len);
            return true;
        }
        x += x_len + (x[x_len] == '\n');
        y += y_len + (y[y_len] == '\n');
    }
    return false;
}

const struct what what_none = {.run = "",
                               .application = "",
                               .environment = "",
                               .release = "",
                               .revision = "",
                               .ref = "",
                               .subject = "",
                               .by = "",
                               .user = "",
                               .recipe_digest = "",
                               .files_digest = "",
                               .migrate_digest = ""};

bool plan_read(struct arena *a, const char *text, struct what *ret, struct err *err)
{
    struct what w = what_none;
    const char first[] = "crelease-plan 1\n";
    bool whole = false;
    bool good = true;
    size_t keys = 0;

    if (strncmp(text, first, sizeof first - 1) != 0)
        return err_set(
            err, ERR_FAILED,
            "the run's plan (.crelease/runs/RUN/plan) is damaged or from another version of"
            " crelease");
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        size_t before = (size_t)(at - text);
        char *line = arena_strndup(a, at, len);
        size_t key = strcspn(line, " ");
        at += len + (at[len] == '\n');
        keys++;
        if (!*at) /* for the last line only: checksumming every prefix would be quadratic */
            whole = strncmp(line, "end plan ", 9) == 0 &&
                    strcmp(line + 9, seal_of(a, text, before)) == 0;
        if (line[key]) {
            line[key] = '\0';
            good = read_value(a, &w, line, line + key + 1) && good;
        }
    }
    if (!whole || !good || keys < PLAN_KEYS || !is_run_id(w.run) || !*w.application ||
        !*w.environment || clock_release_time(w.release) < 0 ||
        (*w.revision && !is_revision(w.revision)) || !is_digest(w.recipe_digest) ||
        !is_digest(w.migrate_digest) || !is_digest(w.files_digest) || !w.hosts.n)
        return err_set(
            err, ERR_FAILED,
            "the run's plan (.crelease/runs/RUN/plan) is damaged, so the run cannot be resumed or"
            " aborted; repair the site by hand, then remove .crelease/lock");
    *ret = w;
    return true;
}
