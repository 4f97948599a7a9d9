/* checkout.c -- the stage 'checkout': sends the revision's files, or what a host lacks of them.
 * Called through stages/table.c; checkout_verify by the command that checks a release.  Relies on
 * checkout.sh, which unpacks and verifies, and on the export from git. */

#include "stages/checkout/checkout.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"
#include "stages/checkout/delivery.h"

#include <errno.h>
#include <unistd.h>

EMBED(script_checkout, "stages/checkout/checkout.sh");

/* Whether something in the revision has this path, or lies above it: a file or a link. */
static bool is_taken(const struct export *x, struct arena *a, const char *folder)
{
    for (const char *end = folder; *end;) {
        end += *end == '/';
        end += strcspn(end, "/");
        if (export_find(x, arena_strndup(a, folder, (size_t)(end - folder))))
            return true;
    }
    return false;
}

/* Folders of linked files and folders that can be made before the revision is unpacked, one a line. */
static const char *link_folders(struct run *r, const struct export *x)
{
    const struct strs *lists[] = {&r->recipe->linked_files, &r->recipe->linked_dirs};
    struct strs folders = {0};

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->n; i++) {
            const char *slash = strrchr(lists[k]->v[i], '/');
            const char *folder = arena_strndup(r->arena, lists[k]->v[i],
                                               slash ? (size_t)(slash - lists[k]->v[i]) : 0);
            if (*folder && !strs_has(&folders, folder) && !is_taken(x, r->arena, folder))
                strs_add(r->arena, &folders, folder);
        }
    return strs_joined(r->arena, &folders, "\n");
}

static const char *assignments(struct run *r, const struct export *x)
{
    const struct what *w = &r->plan->what;
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "revision", w->revision);
    quote_assign(&b, "revision_time", arena_printf(r->arena, "%lld", w->revision_unix));
    quote_assign(&b, "entries", arena_printf(r->arena, "%zu", x->n));
    quote_assign(&b, "folders", link_folders(r, x));
    const char *text = arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

const char *checkout_describe(struct arena *a, const struct recipe *r, const struct what *what)
{
    if (r->source)
        return arena_printf(a, "the folder '%s' into %s", r->source, what->release);
    return arena_printf(a, "%.7s into %s", what->revision, what->release);
}

static bool send(struct run *r, const struct step *s, const struct delivery *d, bool may_ask,
                 struct reply **ret, struct err *err)
{
    const struct trip t = {.script = s->stage->script,
                           .step = s->name,
                           .verb = "run",
                           .assignments = assignments(r, r->export),
                           .about = s,
                           .hosts = d->hosts,
                           .n_hosts = d->n_hosts,
                           .payload = -1,
                           .loads = d->loads,
                           .passes = may_ask ? SCRIPT_ASKS : 0,
                           .is_all = true,
                           .timeout_ms = 6LL * 3600 * 1000};
    bool ok = run_scripts(r, &t, ret, err);

    for (size_t i = 0; *ret && i < d->n_hosts; i++) {
        const struct reply *one = &(*ret)[i];
        bool done = one->kind == REPLY_EXIT && one->status == 0;
        run_set_mark(r, d->hosts[i], s->name, done ? "done" : "begun");
    }
    return ok;
}

static const char *detail(struct run *r, const struct export *x, off_t sent)
{
    const char *all = export_text(r->arena, x);

    if (sent >= x->tar_size)
        return all;
    return arena_printf(r->arena, "%s; %s sent", all,
                        text_size(r->arena, (unsigned long long)sent));
}

bool checkout_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    const struct export *x = r->export;
    struct delivery first = {0};
    struct delivery more = {0};
    struct reply *replies = NULL;
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);

    if (!x)
        return err_set(err, ERR_FAILED, "the revision's files were not exported");
    bool ok = delivery_open(r, hosts, n, &first, err) && send(r, s, &first, true, &replies, err) &&
              delivery_more(r, &first, replies, &more, err) &&
              (!more.n_hosts || send(r, s, &more, false, &replies, err));
    ret->detail = detail(r, x, first.size + more.size);
    delivery_close(&first);
    delivery_close(&more);
    return ok;
}

bool checkout_verify(struct run *r, size_t host, const char *release, bool *ret_known,
                     struct strs *ret_differs, struct err *err)
{
    struct plan plan = *r->plan;
    struct plan *kept = r->plan;
    struct reply *replies = NULL;
    struct trip t = {.script = script_checkout,
                     .step = "checkout",
                     .verb = "verify",
                     .hosts = &host,
                     .n_hosts = 1,
                     .payload = -1};

    plan.what.release = release;
    r->plan = &plan;
    bool ok = run_scripts(r, &t, &replies, err);
    r->plan = kept;
    if (!ok)
        return false;
    const char *manifest = answer_value(r->arena, replies[0].out, "manifest");
    *ret_known = manifest && strcmp(manifest, "there") == 0;
    for (const char *at = replies[0].out; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, "differs ", 8) == 0 && ret_differs->n < 100)
            strs_add(r->arena, ret_differs, arena_strndup(r->arena, at + 8, strcspn(at + 8, "\n")));
    return true;
}
