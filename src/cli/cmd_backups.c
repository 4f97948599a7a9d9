#include "cli/cmd.h"

#include "base/text.h"
#include "edge/clock.h"

static void put_number(struct json *at, const char *key, long long n)
{
    if (n < 0)
        json_put_null(at, key);
    else
        json_put_int(at, key, n);
}

void backups_put_json(struct json *at, const struct backups *b)
{
    struct arena scratch = {0};

    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        struct json *o = json_put_object(at, NULL);
        json_put_text(o, "kind", one->kind);
        json_put_int(o, "pid", one->pid);
        json_put_text(o, "database", one->database);
        json_put_text(o, "user", one->user);
        json_put_text(o, "since",
                      one->since_unix < 0 ? NULL : clock_rfc3339(&scratch, one->since_unix * 1000, false));
        put_number(o, "running_s", one->running_s);
        put_number(o, "percent", one->percent);
        put_number(o, "eta_s", one->eta_s);
        json_put_text(o, "eta_from", one->eta_from);
        json_put_bool(o, "blocks_migrations", one->blocks_migrations);
        json_put_text(o, "query", one->query);
    }
    arena_free(&scratch);
}

void backups_print(struct session *s, const char *host, const struct backups *b)
{
    struct arena *a = s->arena;

    if (b->why) {
        printf("%s: could not look for backups: %s\n", host, b->why);
        return;
    }
    if (!b->n)
        printf("%s: no backup is running\n", host);
    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        printf("%s: %s of %s by %s, pid %ld, %s%s\n", host, text_shown(a, one->kind),
               text_shown(a, one->database), text_shown(a, one->user), one->pid,
               one->running_s < 0 ? "since when may not be seen"
                                  : arena_printf(a, "for %s", text_span(a, one->running_s * 1000)),
               one->blocks_migrations ? "; a migration would wait for it" : "; does not hold up a migration");
        if (one->query)
            printf("%*s  %s\n", (int)strlen(host), "", text_shown(a, one->query));
        if (one->blocks_migrations)
            printf("%*s  when it will end is not known\n", (int)strlen(host), "");
    }
}

bool cmd_backups(struct session *s, struct err *err)
{
    struct backups found = {0};
    long host = recipe_primary(s->recipe, "db");

    if (s->recipe->database.adapter == ADAPTER_NONE)
        return err_set(err, ERR_USAGE, "the recipe names no database (database: {adapter: postgresql, name: ...})");
    if (host < 0)
        return err_set(err, ERR_USAGE, "no host has the role db");
    if (!backup_look(&s->run, (size_t)host, &found, err)) {
        if (err->code == ERR_UNCERTAIN)
            err->code = ERR_UNREACHABLE;
        return false;
    }
    const char *name = s->recipe->hosts[host].name;
    if (s->options.json) {
        struct json *o = json_open_object();
        json_put_text(o, "application", s->recipe->application);
        json_put_text(o, "environment", s->recipe->environment);
        json_put_text(o, "host", name);
        backups_put_json(json_put_array(o, "backups"), &found);
        json_put_null(o, "next_backups");
        json_put_text(o, "could_not_look", found.why);
        json_write(o, stdout, true);
        json_close(o);
    } else if (!s->options.quiet) {
        backups_print(s, name, &found);
        printf("%*s  when the next one starts is not looked up by this version\n", (int)strlen(name), "");
    }
    return !found.why || err_set(err, ERR_FAILED, "%s: could not look for backups: %s", name, found.why);
}
