/* pending.c -- the parsers for the output of the migration tools (pending.h): a table of regular
 * expressions, and one parser for Alembic.  Called by migrate.c and by the commands that show what
 * is pending.  Touches no host and no database. */
#include "stages/migrate/pending.h"

#include "base/die.h"
#include "base/text.h"

#include <errno.h>
#include <regex.h>

enum {
    GROUPS = 4,
    LINE_LOOKED_AT = 4096,
    LINES_MAX = 100000,
    OUTPUT_MAX = 2 * 1024 * 1024,
    NAME_BYTES_MAX = 200,
    REVISIONS_MAX = 5000
};

/* How one tool answers.  Each line is matched against both expressions.  If no line is known to be
 * the tool's own, the output came from another program and the answer is unknown. */
struct tool {
    const char *pending; /* matches a pending migration */
    const char *name;    /* which groups of it form the name, in order */
    const char *known;   /* matches a line that only this tool prints */
};

/* Lines of a pending migration:
 *
 *   Rails    "  down    20260103000000  Add note to events"
 *            A migration without a file cannot be run and does not count.
 *   Django   "[ ]  shop.0002_note", with or without --plan
 *   Laravel  "  2014_10_12_000000_create_users_table ...... Pending"
 *            before 9.x "| No   | ... |", before 5.5 "| N    | ... |"
 *            "No migrations found" also appears when there is no table.
 *   Flyway   "| Versioned | 2 | Add people | SQL | | Pending |", since 5.0
 *            A failed one counts as pending, so that Flyway itself reports it.
 *   Sqitch   "  * users @v1"; all other lines are comments or "Nothing to deploy" */
static const struct tool tools[] = {
    [PENDING_RAILS] = {"^ *down +([0-9]+)( +[^* ].*)?$", "12",
                       "^ *(up|down) +[0-9]+( |$)|^ *Status +Migration ID +Migration Name *$"},
    [PENDING_DJANGO] = {"^ *\\[ \\] +([^ ]+)", "1",
                        "^ *\\[[ X-]\\] +[^ ]|^ *\\(no migrations\\) *$"},
    [PENDING_LARAVEL] =
        {"^ *(([^ |]+)|([^ |][^|]*[^ .|]) \\.+) Pending *$|"
         "^\\| *No? *\\| *([^|]*[^ |]) *\\|",
         "234",
         "^ *Migration name \\.* *Batch / Status *$|^\\| *Ran\\? *\\| *Migration *\\||"
         "No pending migrations"},
    [PENDING_FLYWAY] = {"\\|([^|]*)\\|([^|]*)\\|[^|]*\\|[^|]*\\| *(Pending|Failed) *\\|", "12",
                        "\\| *Category *\\| *Version *\\| *Description *\\|.*\\| *State *\\|"},
    [PENDING_SQITCH] = {"^ +\\* +([^ ]+)", "1", "^# "},
};

/* ---- lines ---- */

/* Moves to the next line and makes it printable, which also makes it valid in every character
 * set. */
static bool line_next(const char **text, struct buf *line)
{
    size_t len = strcspn(*text, "\n");

    if (!**text)
        return false;
    buf_clear(line);
    text_visible(line, *text, len && (*text)[len - 1] == '\r' ? len - 1 : len, false);
    *text += len + ((*text)[len] == '\n');
    return true;
}

/* Appends with runs of blanks collapsed. */
static void name_add(struct buf *name, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] != ' ')
            buf_add(name, &s[i], 1);
        else if (name->len && name->text[name->len - 1] != ' ')
            buf_puts(name, " ");
}

static void names_add(struct arena *a, struct strs *names, struct buf *name)
{
    while (name->len && name->text[name->len - 1] == ' ')
        name->len--;
    if (names->n < PENDING_NAMES_MAX)
        strs_add(a, names, arena_strndup(a, name->text, name->len));
}

/* ---- by regular expressions ---- */

/* With glibc, a text does not match, either, when memory runs out. */
static bool matches(const regex_t *re, const char *text, size_t n, regmatch_t *at)
{
    errno = 0;
    int status = regexec(re, text, n, at, 0);
    if (status != 0 && (status != REG_NOMATCH || errno == ENOMEM))
        die("out of memory");
    return status == 0;
}

/* Counts the lines that match.  The answer is unknown when an expression does not compile, no line
 * is known, a line without a match was too long, or there are more lines than any tool prints.  If
 * the groups of the name are empty, the line itself is the name. */
static long count_lines(struct arena *a, const struct tool *tool, const char *out,
                        struct strs *names)
{
    regex_t pending;
    regex_t known;
    regmatch_t at[GROUPS + 1];
    bool cut = false;
    long lines = 0;
    long n = 0;

    if (regcomp(&pending, tool->pending, REG_EXTENDED) != 0)
        return PENDING_UNKNOWN;
    bool seen = !tool->known;
    bool ok = seen || regcomp(&known, tool->known, REG_EXTENDED | REG_NOSUB) == 0;
    bool compiled = ok;
    struct buf line = buf_make(LINE_LOOKED_AT);
    while (ok && line_next(&out, &line)) {
        struct buf name = buf_make(NAME_BYTES_MAX);
        /* Asking for the groups makes a match many times slower. */
        bool named = names->n < PENDING_NAMES_MAX;
        bool found = matches(&pending, line.text, 0, NULL) &&
                     (!named || matches(&pending, line.text, GROUPS + 1, at));
        ok = ++lines <= LINES_MAX;
        seen = seen || found || matches(&known, line.text, 0, NULL);
        for (const char *g = tool->name; found && named && *g; g++) {
            const regmatch_t *m = &at[*g - '0'];
            if (m->rm_so < 0)
                continue;
            name_add(&name, " ", 1);
            name_add(&name, line.text + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
        }
        cut = cut || (line.full && !found);
        if (found && !name.len)
            name_add(&name, line.text, line.len);
        if (found) {
            names_add(a, names, &name);
            n++;
        }
        buf_free(&name);
    }
    buf_free(&line);
    regfree(&pending);
    if (compiled && tool->known)
        regfree(&known);
    return !ok || !seen || (cut && !n) ? PENDING_UNKNOWN : n;
}

static long read_auto(struct arena *a, const char *out, struct strs *names)
{
    static const enum pending_tool like[] = {PENDING_RAILS, PENDING_DJANGO, PENDING_LARAVEL};
    long sum = PENDING_UNKNOWN;

    for (size_t i = 0; i < sizeof like / sizeof *like; i++) {
        long n = count_lines(a, &tools[like[i]], out, names);
        if (n >= 0)
            sum = sum < 0 ? n : sum + n;
    }
    return sum;
}

static long read_own(struct arena *a, const struct pending_when *when, int status, const char *out,
                     struct strs *names)
{
    bool says_pending = when->exit.has[status & 0xff];
    long n = 0;

    if (status != 0 && !says_pending)
        return PENDING_UNKNOWN;
    if (when->output)
        n = count_lines(a, &(struct tool){.pending = when->output, .name = "1"}, out, names);
    return n == 0 && says_pending ? PENDING_SOME : n;
}

/* ---- Alembic ---- */

/* One line of `alembic history`, newest first: "a1, b2 (c3) -> d4 (label) (head), text".  The
 * revisions before the arrow are those it builds upon.  `alembic current` prints "d4 (head)";
 * `history -i` marks it. */
struct revision {
    const char *id;
    const char *name; /* id and text */
    struct strs upon;
    bool applied;
};

static const char *id_end(const char *s)
{
    return s + strcspn(s, " ,()<>");
}

/* Reads the revisions before the arrow.  False when they are not revisions, but text with an
 * arrow. */
static bool read_upon(struct arena *a, const char *s, const char *end, struct strs *ret)
{
    if (strncmp(s, "<base>", 6) == 0)
        s += s[6] == ' ' && s + 6 < end ? 7 : 6;
    for (bool inside = false; s < end;) {
        inside = inside || *s == '(';
        s += *s == '(';
        const char *stop = id_end(s);
        if (stop == s || stop > end)
            return false;
        strs_add(a, ret, arena_strndup(a, s, (size_t)(stop - s)));
        s = stop;
        if (inside && *s == ')') {
            inside = false;
            s++;
        }
        if (strncmp(s, ", ", 2) == 0)
            s += 2;
        else if (strncmp(s, " (", 2) == 0 && !inside)
            s++;
        else if (s < end)
            return false;
    }
    return true;
}

/* Skips "(label, label) (head) (mergepoint)"; returns the comma before the text, or the end. */
static const char *flags_end(const char *s, bool *ret_current)
{
    while (strncmp(s, " (", 2) == 0 && strchr(s, ')')) {
        if (strncmp(s, " (current)", 10) == 0)
            *ret_current = true;
        s = strchr(s, ')') + 1;
    }
    return s;
}

static bool read_revision(struct arena *a, const char *line, struct revision *ret,
                          bool *ret_current)
{
    const char *arrow = strstr(line, " -> ");
    struct revision rev = {0};

    if (!arrow || !read_upon(a, line, arrow, &rev.upon))
        return false;
    const char *id = arrow + 4;
    const char *end = id_end(id);
    const char *text = flags_end(end, ret_current);
    if (end == id || (*text && strncmp(text, ", ", 2) != 0))
        return false;
    rev.id = arena_strndup(a, id, (size_t)(end - id));
    struct buf b = buf_make(NAME_BYTES_MAX);
    name_add(&b, rev.id, strlen(rev.id));
    if (*text) {
        buf_puts(&b, " ");
        name_add(&b, text + 2, strlen(text + 2));
    }
    rev.name = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    *ret = rev;
    return true;
}

/* The revisions in their order, and those known to be applied. */
struct history {
    struct revision *v;
    size_t n;
    struct revision **by_id;
    size_t *applied; /* has room for all; no duplicates */
    size_t n_applied;
};

static int by_id(const void *a, const void *b)
{
    const struct revision *x = *(struct revision *const *)a;
    const struct revision *y = *(struct revision *const *)b;
    int order = strcmp(x->id, y->id);

    return order ? order : x < y ? -1 : x > y;
}

/* Revisions with the same id are applied together, so checking the first is enough. */
static void apply(struct history *h, const char *id)
{
    size_t low = 0;

    for (size_t high = h->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(h->by_id[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < h->n && !h->by_id[low]->applied && strcmp(h->by_id[low]->id, id) == 0; low++) {
        h->by_id[low]->applied = true;
        h->applied[h->n_applied++] = (size_t)(h->by_id[low] - h->v);
    }
}

static const char *current_id(struct arena *a, const char *line)
{
    bool ignored;
    const char *end = id_end(line);

    return end > line && !*flags_end(end, &ignored) ? arena_strndup(a, line, (size_t)(end - line))
                                                    : NULL;
}

/* False when there is no revision, or more than REVISIONS_MAX. */
static bool read_history(struct arena *a, const char *out, struct history *h, struct strs *current)
{
    struct buf line = buf_make(LINE_LOOKED_AT);
    const char *id;
    bool ok = true;

    h->v = arena_array(a, REVISIONS_MAX, sizeof *h->v);
    h->applied = arena_array(a, REVISIONS_MAX, sizeof *h->applied);
    while (ok && line_next(&out, &line)) {
        bool is_current = false;
        if (h->n == REVISIONS_MAX || current->n == REVISIONS_MAX)
            ok = false;
        else if (read_revision(a, line.text, &h->v[h->n], &is_current))
            id = h->v[h->n++].id;
        else
            is_current = (id = current_id(a, line.text)) != NULL;
        if (ok && is_current)
            strs_add(a, current, id);
    }
    buf_free(&line);
    return ok && h->n;
}

/* What the current revisions build upon is applied; the rest is pending, oldest first. */
static long read_alembic(struct arena *a, const char *out, struct strs *names)
{
    struct history h = {0};
    struct strs current = {0};
    long pending = 0;

    if (!read_history(a, out, &h, &current))
        return PENDING_UNKNOWN;
    h.by_id = arena_array(a, h.n, sizeof *h.by_id);
    for (size_t i = 0; i < h.n; i++)
        h.by_id[i] = &h.v[i];
    qsort(h.by_id, h.n, sizeof *h.by_id, by_id);
    for (size_t i = 0; i < current.n; i++)
        apply(&h, current.v[i]);
    for (size_t i = 0; i < h.n_applied; i++)
        for (size_t k = 0; k < h.v[h.applied[i]].upon.n; k++)
            apply(&h, h.v[h.applied[i]].upon.v[k]);
    for (size_t i = h.n; i-- > 0;) {
        if (h.v[i].applied)
            continue;
        if (names->n < PENDING_NAMES_MAX)
            strs_add(a, names, h.v[i].name);
        pending++;
    }
    return pending;
}

/* ---- the interface ---- */

long pending_read(struct arena *a, const struct pending_when *when, int status, const char *out,
                  struct strs *ret_names)
{
    if (strlen(out) > OUTPUT_MAX)
        return PENDING_UNKNOWN;
    if (when->tool == PENDING_OWN)
        return read_own(a, when, status, out, ret_names);
    /* Rails and Sqitch exit with status 1 before the first migration.  That means unknown, not
     * none. */
    if (status != 0)
        return PENDING_UNKNOWN;
    if (when->tool == PENDING_AUTO)
        return read_auto(a, out, ret_names);
    if (when->tool == PENDING_ALEMBIC)
        return read_alembic(a, out, ret_names);
    return count_lines(a, &tools[when->tool], out, ret_names);
}

const char *pending_answer(struct arena *a, const char *answer, int status)
{
    const char *end = arena_printf(a, "\nended %d\n", status);
    size_t len = strlen(answer);
    size_t end_len = strlen(end);

    if (len < end_len || strcmp(answer + len - end_len, end) != 0)
        return NULL;
    return arena_strndup(a, answer, len - end_len);
}

const char *pending_text(struct arena *a, long n, const char *names)
{
    if (n < 0)
        return names && *names ? arena_printf(a, "pending migrations unknown: %s", names)
                               : "pending migrations unknown";
    if (n == 0)
        return "nothing pending";
    if (n == PENDING_SOME)
        return "pending, number unknown";
    return names && *names ? arena_printf(a, "%ld pending: %s", n, names)
                           : arena_printf(a, "%ld pending", n);
}
