/* cmd_upload.c -- 'crelease upload': copies linked files that have a source into shared on the hosts.
 * What is there already is compared, and replaced only with --force. */
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/linked.h"
#include "core/trip.h"

/* How many digits of a digest people compare. */
enum { SHORT_DIGEST = 12 };

struct uploading {
    struct session *s;
    struct json *list; /* --json; else NULL */
    size_t stored;
    size_t same;
    struct strs left; /* paths that differ on a host and were not replaced */
    size_t failed;
    struct err worst;
};

static void tell(struct uploading *u, const struct source_file *f, size_t host, const char *state,
                 const char *detail)
{
    struct session *s = u->s;
    const char *name = s->recipe->hosts[host].name;
    const char *there = f->there[host].digest;

    if (u->list) {
        struct json *o = json_put_object(u->list, NULL);
        json_put_text(o, "host", name);
        json_put_text(o, "path", f->path);
        json_put_text(o, "from", f->from);
        json_put_text(o, "state", state);
        json_put_int(o, "size", (long long)f->size);
        json_put_text(o, "digest_here", arena_strndup(s->arena, f->digest, SHORT_DIGEST));
        json_put_text(o, "digest_there",
                      there ? arena_strndup(s->arena, there, SHORT_DIGEST) : NULL);
        json_put_text(o, "detail", detail);
    } else if (!s->options.quiet) {
        printf("  %-16s %-9s %s%s%s\n", name, state, text_shown(s->arena, f->path),
               detail ? ": " : "", detail ? text_shown(s->arena, detail) : "");
        fflush(stdout);
    }
}

/* Counts a failure and keeps the first for the exit status. */
static void failed(struct uploading *u, const struct source_file *f, size_t host,
                   const struct err *err)
{
    if (!u->failed++)
        u->worst = *err;
    tell(u, f, host, "failed", err->msg);
}

/* Stores the file on those hosts, on all at once. */
static void store(struct uploading *u, const struct source_file *f, const size_t *hosts, size_t n)
{
    struct session *s = u->s;
    struct reply *replies = arena_array(s->arena, n, sizeof *replies);

    linked_put(s, f, hosts, n, replies);
    for (size_t i = 0; i < n; i++) {
        struct err err = {.arena = s->arena};
        bool replaced = f->there[hosts[i]].state == LINKED_DIFFERS;
        if (!run_judge(&s->run, hosts[i], &replies[i], &err)) {
            failed(u, f, hosts[i], &err);
            continue;
        }
        u->stored++;
        tell(u, f, hosts[i], replaced ? "replaced" : "uploaded",
             arena_printf(s->arena, "%s from '%s'",
                          text_size(s->arena, (unsigned long long)f->size), f->from));
    }
}

/* Whether the file is to be stored on the host; tells why not. */
static bool is_wanted(struct uploading *u, const struct source_file *f, size_t host)
{
    struct session *s = u->s;
    struct err err = {.arena = s->arena};
    const struct linked_there *there = &f->there[host];

    switch (there->state) {
    case LINKED_MISSING:
        return true;
    case LINKED_SAME:
        u->same++;
        tell(u, f, host, "same", NULL);
        return false;
    case LINKED_DIFFERS:
        if (s->options.force)
            return true;
        if (!strs_has(&u->left, f->path))
            strs_add(s->arena, &u->left, f->path);
        tell(u, f, host, "differs",
             arena_printf(s->arena, "SHA-256 %.*s there, %.*s here", SHORT_DIGEST, there->digest,
                          SHORT_DIGEST, f->digest));
        return false;
    case LINKED_UNREADABLE:
        (void)err_set(&err, ERR_FAILED, "it exists, but cannot be read there to compare it");
        break;
    case LINKED_OTHER:
        (void)err_set(&err, ERR_FAILED, "it is not a regular file there, so it is not replaced");
        break;
    }
    failed(u, f, host, &err);
    return false;
}

static void upload_one(struct uploading *u, const struct source_file *f)
{
    size_t *hosts = arena_array(u->s->arena, u->s->recipe->n_hosts, sizeof *hosts);
    size_t n = 0;

    for (size_t h = 0; h < u->s->recipe->n_hosts; h++)
        if (is_wanted(u, f, h))
            hosts[n++] = h;
    if (n)
        store(u, f, hosts, n);
}

/* The linked files that are meant, with their sources: those that were named, or all that have one. */
static bool choose(struct session *s, struct strs *ret_paths, struct strs *ret_from,
                   struct err *err)
{
    const struct recipe *r = s->recipe;

    for (size_t i = 2; i < s->options.words.n; i++) {
        const char *word = s->options.words.v[i];
        if (!strs_has(&r->linked_files, word)) {
            struct strs names = {0};
            for (size_t k = 0; k < r->linked_files.n; k++)
                strs_add(s->arena, &names, r->linked_files.v[k]);
            strs_add(s->arena, &names, NULL);
            const char *near = text_nearest(word, names.v);
            return err_set(err, ERR_USAGE, "'%s' is not in 'linked_files' of the recipe%s%s%s",
                           text_shown(s->arena, word), near ? "; did you mean '" : "",
                           near ? near : "", near ? "'?" : "");
        }
    }
    for (size_t i = 0; i < r->linked_files.n; i++) {
        bool all = s->options.words.n <= 2;
        bool named = !all && strs_has(&s->options.words, r->linked_files.v[i]);
        const char *from = r->linked_from.v[i];
        if (!named && !(all && from))
            continue;
        strs_add(s->arena, ret_paths, r->linked_files.v[i]);
        strs_add(s->arena, ret_from, from ? from : r->linked_files.v[i]);
    }
    return ret_paths->n ||
           err_set(err, ERR_USAGE,
                   "no linked file of the recipe has 'from'; add it, as in 'linked_files: [{path:"
                   " config/master.key, from: config/master.key}]', or name the files to upload");
}

static bool conclude(struct uploading *u, struct err *err)
{
    struct session *s = u->s;

    if (u->failed) {
        *err = u->worst;
        if (u->failed > 1)
            (void)err_in(err, "%zu uploads failed, the first one", u->failed);
        return false;
    }
    if (u->left.n) {
        struct buf paths = buf_make(SCRIPT_BYTES_MAX);
        for (size_t i = 0; i < u->left.n; i++) {
            buf_puts(&paths, " ");
            quote_typed(&paths, u->left.v[i]);
        }
        (void)err_set(err, ERR_FAILED, "%s %s on the hosts and %s not replaced; '%s%s' replaces %s",
                      text_shown(s->arena, strs_joined(s->arena, &u->left, ", ")),
                      u->left.n == 1 ? "differs" : "differ", u->left.n == 1 ? "was" : "were",
                      run_hint(&s->run, "upload", "--force"), paths.text,
                      u->left.n == 1 ? "it" : "them");
        buf_free(&paths);
        return false;
    }
    if (!u->list && !s->options.quiet)
        printf("\n%s uploaded, %zu already there\n", text_count(s->arena, u->stored, "file"),
               u->same);
    return true;
}

bool cmd_upload(struct session *s, struct err *err)
{
    struct strs paths = {0};
    struct strs from = {0};

    if (!choose(s, &paths, &from, err))
        return false;
    struct json *o = s->options.json ? json_open_object() : NULL;
    struct uploading u = {.s = s, .list = o ? json_put_array(o, "files") : NULL};
    struct source_file *list = arena_array(s->arena, paths.n, sizeof *list);
    bool ok = true;
    size_t n = 0;

    while (ok && n < paths.n) {
        ok = linked_open(s, paths.v[n], from.v[n], &list[n], err);
        n++;
    }
    ok = ok && linked_look(s, list, n, err);
    for (size_t i = 0; ok && i < n && !run_is_stopped(&s->run, "while uploading", err); i++)
        upload_one(&u, &list[i]);
    linked_close(list, n);
    ok = ok && err->code == ERR_NONE && conclude(&u, err);
    if (o) {
        json_put_text(o, "application", s->recipe->application);
        json_put_text(o, "environment", s->recipe->environment);
        json_put_bool(o, "ok", ok);
        if (u.stored + u.same + u.left.n + u.failed)
            session_answer(s, o);
        json_close(o);
    }
    return ok;
}
