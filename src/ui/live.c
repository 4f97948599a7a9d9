/* live.c -- keeps copies of what events say is in progress, for tty.c and draw.c (live.h). */
#include "ui/live.h"

#include "ui/reader.h"
#include "edge/loop.h"

static const char *copy(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

struct row *live_row_of(struct live_stage *s, const char *host)
{
    for (size_t i = 0; i < s->n_rows; i++)
        if (ui_same(s->rows[i]->host, host))
            return s->rows[i];
    struct row *r = xcalloc(1, sizeof *r);
    r->host = copy(&s->texts, host);
    s->rows = xrealloc(s->rows, (s->n_rows + 1) * sizeof(struct row *));
    s->rows[s->n_rows++] = r;
    return r;
}

void live_row_clear(struct row *r)
{
    arena_free(&r->texts);
    *r = (struct row){.host = r->host};
}

void live_row_show(struct row *r)
{
    if (!r->job)
        r->begun_ms = loop_now();
    r->job = true;
}

struct live_stage *live_stage_find(struct live *l, const char *name)
{
    struct live_stage *s = l->stages;

    while (s && !ui_same(s->name, name))
        s = s->next;
    return s;
}

void live_stage_close(struct live *l, struct live_stage *s)
{
    struct live_stage **at = &l->stages;

    if (!s)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    for (size_t i = 0; i < s->n_rows; i++) {
        arena_free(&s->rows[i]->texts);
        free(s->rows[i]);
    }
    free(s->rows);
    arena_free(&s->texts);
    arena_free(&s->detail_text);
    free(s);
}

struct live_stage *live_stage_of(struct live *l, const struct event *e)
{
    struct live_stage *s = live_stage_find(l, e->stage);

    if (s)
        return s;
    struct live_stage **at = &l->stages;
    while (*at)
        at = &(*at)->next;
    s = *at = xcalloc(1, sizeof *s);
    s->name = copy(&s->texts, e->stage);
    s->begun_ms = loop_now();
    size_t n = 0;
    while (e->hosts && e->hosts[n])
        n++;
    const char **hosts = arena_array(&s->texts, n + 1, sizeof *hosts);
    for (size_t i = 0; i < n; i++) {
        hosts[i] = arena_strdup(&s->texts, e->hosts[i]);
        live_row_of(s, hosts[i]); /* so that rows are in the order of the hosts */
    }
    s->hosts = n ? hosts : NULL;
    return s;
}

void live_backup_close(struct live *l)
{
    if (l->backup)
        arena_free(&l->backup->texts);
    free(l->backup);
    l->backup = NULL;
}

void live_backup_keep(struct live *l, const struct event *e)
{
    struct live_backup *kept = xcalloc(1, sizeof *kept);
    struct arena *a = &kept->texts;
    struct backup b = {.running_s = -1, .percent = -1, .eta_s = -1};

    live_backup_close(l);
    l->backup = kept;
    if (e->backup)
        b = *e->backup;
    b.database = copy(a, b.database);
    b.user = copy(a, b.user);
    b.eta_from = copy(a, b.eta_from);
    b.identity = (struct backup_identity){0};
    b.application = b.query = NULL;
    kept->b = b;
    kept->host = copy(a, e->host);
    kept->stage = copy(a, e->stage);
    kept->detail = copy(a, e->detail);
    kept->can_ask = e->can_ask;
    kept->can_stop = e->can_stop;
    kept->told_ms = loop_now();
    kept->waited_ms = e->waited_ms;
}

/* Copies the texts into a new arena each time, or hours of output would pile up in the old one. */
static void row_renew(struct row *r, const char *detail, const char *last)
{
    struct arena old = r->texts;

    r->texts = (struct arena){0};
    r->command = copy(&r->texts, r->command);
    r->detail = copy(&r->texts, detail);
    r->last = copy(&r->texts, last);
    arena_free(&old);
}

void live_row_output(struct row *r, const char *shown)
{
    struct arena a = {0};

    row_renew(r, r->state == EVENT_FAILED ? r->detail : NULL,
              arena_strndup(&a, shown, strnlen(shown, LAST_BYTES_MAX)));
    arena_free(&a);
}

void live_row_detail(struct row *r, const char *detail)
{
    if (!ui_same(r->detail, detail))
        row_renew(r, detail, r->last);
}

void live_stage_detail(struct live_stage *s, const char *detail)
{
    struct arena old = s->detail_text;

    s->detail_text = (struct arena){0};
    s->detail = copy(&s->detail_text, detail);
    s->command = NULL;
    arena_free(&old);
}

void live_stage_command(struct live_stage *s, const char *command)
{
    if (!command)
        return;
    if (!strs_has(&s->commands, command))
        strs_add(&s->texts, &s->commands, arena_strdup(&s->texts, command));
    for (size_t i = 0; i < s->commands.n; i++)
        if (strcmp(s->commands.v[i], command) == 0)
            s->command = s->commands.v[i];
}

void live_clear(struct live *l)
{
    while (l->stages)
        live_stage_close(l, l->stages);
    live_backup_close(l);
}
