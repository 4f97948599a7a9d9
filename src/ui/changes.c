/* changes.c -- what a deploy brings live, in lines for people (changes.h): for the first lines of a deploy
 * and for its plan.  Authors and subjects are untrusted: whoever can push wrote them. */
#include "ui/changes.h"

#include "base/text.h"
#include "ui/json_parts.h"

enum { LISTED_MAX = 10, AUTHORS_MAX = 3, TEXT_BYTES = 100 };

/* In one line, and not longer than a line of a terminal. */
static const char *short_text(struct arena *a, const char *s)
{
    size_t len = strlen(s);

    if (len > TEXT_BYTES) {
        for (len = TEXT_BYTES; len && ((unsigned char)s[len] & 0xc0) == 0x80;)
            len--;
        return arena_printf(a, "%s...", text_shown(a, arena_strndup(a, s, len)));
    }
    return text_shown(a, s);
}

/* "Ann, Bob and 2 others" */
static const char *authors_of(struct arena *a, const struct commits *c)
{
    struct strs names = {0};
    const char *text = "";

    for (size_t i = 0; i < c->n; i++)
        if (!strs_has(&names, c->v[i].author))
            strs_add(a, &names, c->v[i].author);
    size_t n = names.n <= AUTHORS_MAX ? names.n : AUTHORS_MAX - 1;
    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, "%s%s%s", text,
                            !i                 ? ""
                            : i + 1 == names.n ? " and "
                                               : ", ",
                            short_text(a, names.v[i]));
    return names.n > n ? arena_printf(a, "%s and %s", text, text_count(a, names.n - n, "other"))
                       : text;
}

static void list_commits(struct arena *a, const struct commits *c, struct strs *lines)
{
    for (size_t i = 0; i < c->n && i < LISTED_MAX; i++)
        strs_add(a, lines,
                 arena_printf(a, "  %.7s %s (%s)", c->v[i].sha, short_text(a, c->v[i].subject),
                              short_text(a, c->v[i].author)));
    if (c->n + c->more > LISTED_MAX)
        strs_add(a, lines,
                 arena_printf(a, "  and %s",
                              text_count(a, c->n + c->more - LISTED_MAX, "earlier commit")));
}

static const char *files_of(struct arena *a, const struct changes *c)
{
    size_t n = c->migrations.n + c->more_migrations;

    if (c->files < 0)
        return "; the changed files are not known";
    const char *some = n > 1 ? arena_printf(a, ", %zu of them migrations", n)
                       : n   ? ", 1 of them a migration"
                             : "";
    return arena_printf(a, "; %s changed%s", text_count(a, (unsigned long long)c->files, "file"),
                        some);
}

static const char *summary_of(struct arena *a, const struct changes *c)
{
    size_t n = c->added.n + c->added.more;

    if (!c->known)
        return arena_printf(a,
                            "the commits since %.7s, which is live, are not known: the repository"
                            " lacks the history between them%s",
                            c->from, files_of(a, c));
    if (!n)
        return arena_printf(a, "no new commits since %.7s, which is live%s", c->from,
                            files_of(a, c));
    return arena_printf(a, "%s since %.7s, by %s%s", text_count(a, n, "commit"), c->from,
                        authors_of(a, &c->added), files_of(a, c));
}

const char *changes_summary(struct arena *a, const struct changes *c)
{
    size_t n = c->added.n + c->added.more;

    if (!*c->from)
        return "the first release";
    if (c->known && !n && !c->removed.n)
        return "no new commits";
    if (!c->known || !n)
        return arena_printf(a, "%.7s before%s", c->from, files_of(a, c));
    return arena_printf(a, "%s since %.7s%s", text_count(a, n, "commit"), c->from, files_of(a, c));
}

struct strs changes_lines(struct arena *a, const struct changes *c)
{
    struct strs lines = {0};
    size_t removed = c->removed.n + c->removed.more;

    if (!*c->from) {
        strs_add(a, &lines, "nothing is live yet: the first deploy");
        return lines;
    }
    strs_add(a, &lines, summary_of(a, c));
    list_commits(a, &c->added, &lines);
    for (size_t i = 0; i < c->migrations.n && i < LISTED_MAX; i++)
        strs_add(a, &lines, arena_printf(a, "  migration %s", short_text(a, c->migrations.v[i])));
    if (c->migrations.n + c->more_migrations > LISTED_MAX)
        strs_add(a, &lines,
                 arena_printf(a, "  and %s",
                              text_count(a, c->migrations.n + c->more_migrations - LISTED_MAX,
                                         "more migration")));
    if (removed) {
        strs_add(a, &lines,
                 arena_printf(a, "%s that %s live will be gone", text_count(a, removed, "commit"),
                              removed == 1 ? "is" : "are"));
        list_commits(a, &c->removed, &lines);
    }
    return lines;
}

void changes_put_json(struct json *o, const struct changes *c)
{
    ui_put_changes(o, c);
}
