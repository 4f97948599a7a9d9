/* source.c -- the repository of the recipe: resolves a ref, exports its revision, and notes what there
 * is to say about it.  For deploy, plan, check, resume. */
#include "base/text.h"
#include "cli/cmd.h"
#include "ssh/home.h"
#include "stages/checkout/manifest.h"

#include <signal.h>
#include <unistd.h>

enum { TELL_MS = 60000 };

static void fetch_progress(void *arg, const char *shown, unsigned received, unsigned total,
                           size_t bytes)
{
    struct session *s = arg;

    if (!total || s->options.quiet || s->options.json || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[Kfetching %s: %u of %u objects, %s%s", shown, received, total,
            text_size(s->arena, bytes), received == total && total ? "\r\033[K" : "");
}

static bool fetch_stop(void *arg)
{
    struct session *s = arg;

    /* libgit2 blocks, so the loop has to be turned here for a signal to be seen. */
    loop_turn(s->loop, loop_now());
    long long last = s->reading_told_ms ? s->reading_told_ms : s->began_ms;
    if (loop_now() - last >= TELL_MS) {
        s->reading_told_ms = loop_now();
        run_warn(&s->run, NULL, "still reading the repository, for %s",
                 text_span(s->run.arena, loop_now() - s->began_ms));
    }
    return loop_signal(s->loop) != 0;
}

/* The repository knows that it was stopped, and not by what. */
static bool stopped_by(struct session *s, struct err *err)
{
    int signal = loop_signal(s->loop);

    if (err->code == ERR_INTERRUPTED && signal && signal != SIGINT)
        err->code = ERR_TERMINATED;
    return false;
}

bool session_resolve(struct session *s, const char *ref, struct revision *ret, struct err *err)
{
    struct repo_options options = {.url = s->recipe->repository,
                                   .base_dir = s->recipe->dir,
                                   .recipe = s->recipe->file,
                                   .recipe_is_named = s->options.recipe != NULL,
                                   .subtree = s->recipe->subtree,
                                   .submodules = s->recipe->submodules,
                                   .lfs = s->recipe->lfs == LFS_FETCH,
                                   .progress = fetch_progress,
                                   .stop = fetch_stop,
                                   .ask = session_ask_secret,
                                   .ssh = reach_repository(s),
                                   .arg = s};

    return ((s->repo || repo_open(&s->repo, &options, err)) &&
            repo_resolve(s->repo, s->arena, ref, ret, err)) ||
           stopped_by(s, err);
}

bool session_export(struct session *s, const struct revision *rev, struct err *err)
{
    const char *dir = s->recipe->source;

    s->export.tar = -1;
    if (dir)
        dir = home_expand(s->arena, dir);
    if (dir && *dir != '/')
        dir = arena_printf(s->arena, "%s/%s", s->recipe->project, dir);
    if (!(dir ? repo_export_folder(s->repo, s->arena, rev, dir, &s->export, err)
              : repo_export(s->repo, s->arena, rev, &s->export, err)))
        return stopped_by(s, err);
    s->export_open = true;
    s->run.export = &s->export;
    return true;
}

bool session_digest(struct session *s, const struct revision *rev, const char **ret,
                    struct err *err)
{
    *ret = "";
    return s->recipe->source || !s->recipe->migrate.paths.n ||
           repo_digest(s->repo, s->arena, rev, &s->recipe->migrate.paths, ret, err);
}

bool session_files_digest(struct session *s, const struct revision *rev, const char **ret,
                          struct err *err)
{
    char *hex = arena_alloc(s->arena, 65);

    *ret = s->recipe->source ? hex : "";
    return !s->recipe->source || manifest_digest(&s->export, rev->sha, hex, err);
}

void session_note(struct session *s, const char *about, const char *text)
{
    repo_note_add(s->arena, &s->notes, about, text);
}

void session_note_ref(struct session *s, const struct revision *rev)
{
    /* What is in the work tree or in another branch does not go live. */
    if (!s->recipe->source)
        repo_ref_notes(s->repo, s->arena, rev, s->recipe->file, &s->notes);
}

/* A typing mistake must not look like migrations that never change. */
static bool note_paths(struct session *s, const struct revision *rev, struct err *err)
{
    const struct strs *paths = &s->recipe->migrate.paths;
    const char *digest;

    if (!paths->n || s->recipe->source)
        return true;
    if (!repo_digest(s->repo, s->arena, rev, paths, &digest, err))
        return false;
    if (!*digest)
        session_note(
            s, "migrations",
            arena_printf(
                s->arena,
                "nothing in migrate.paths (%s) exists in %s; every deploy asks what is pending",
                strs_joined(s->arena, paths, ", "), rev->short_sha));
    return true;
}

bool session_note_contents(struct session *s, const struct revision *rev, struct err *err)
{
    struct contents seen;

    if (!note_paths(s, rev, err))
        return false;

    if (!s->export_open && !repo_look(s->repo, s->arena, rev, &seen, err))
        return false;
    if (s->export_open)
        seen = s->export.contents;
    if (s->recipe->lfs == LFS_IGNORE)
        seen.n_pointers = 0;
    repo_content_notes(s->arena, &seen, &s->notes);
    return true;
}
