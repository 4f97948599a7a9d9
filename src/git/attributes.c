/* attributes.c -- parses .gitattributes files and matches paths against them (see attributes.h).
 * export.c calls it while it walks a tree.  A repository may be hostile: neither patterns nor
 * macros can make this take long. */
#include "git/attributes.h"

#include <ctype.h>

enum {
    LINE_MAX_GIT = 2048, /* git ignores longer lines, too */
    NAMES_MAX = 1024,    /* distinct attributes; any more are ignored */
    MACROS_DEEP = 32,
};

enum setting { UNSAID, SET, UNSET };

/* The attributes of one line, in order. */
struct words {
    struct {
        size_t name;
        enum setting said;
    } * v;
    size_t n;
};

struct attributes_rule {
    const char *dir; /* without a trailing slash */
    const char *glob;
    size_t literal; /* bytes of the glob before the first special one */
    bool has_slash; /* matched against the path, not only the name */
    bool only_dirs;
    bool matters; /* concerns export-ignore, export-subst, or a macro that sets one of them */
    struct words words;
};

struct attributes_name {
    const char *name;
    bool matters;
    bool is_macro;
    enum attributes_rank rank; /* of the file that defines the macro */
    struct words words;        /* of the macro */
};

/* Matches one [...] of a glob; g is behind the bracket.  Returns its end, or NULL if it has
 * none. */
static const char *glob_set(const char *g, unsigned char c, bool *ret)
{
    static const struct {
        const char *name;
        int (*is)(int);
    } classes[] = {{"alpha", isalpha}, {"digit", isdigit}, {"alnum", isalnum},
                   {"upper", isupper}, {"lower", islower}, {"space", isspace},
                   {"blank", isblank}, {"punct", ispunct}, {"print", isprint},
                   {"graph", isgraph}, {"cntrl", iscntrl}, {"xdigit", isxdigit}};
    bool negated = *g == '!' || *g == '^';
    bool found = false;

    g += negated;
    for (const char *start = g; *g != ']' || g == start; g++) {
        if (g[0] == '[' && g[1] == ':') {
            const char *end = strstr(g, ":]");
            size_t len = end ? (size_t)(end - g - 2) : 0;
            bool known = false;
            for (size_t i = 0; end && i < sizeof classes / sizeof *classes; i++)
                if (strlen(classes[i].name) == len && memcmp(classes[i].name, g + 2, len) == 0) {
                    known = true;
                    found = found || classes[i].is(c);
                }
            if (!known)
                return NULL;
            g = end + 1;
            continue;
        }
        g += *g == '\\';
        if (!*g)
            return NULL;
        unsigned char from = (unsigned char)*g;
        unsigned char to = from;
        if (g[1] == '-' && g[2] && g[2] != ']') {
            g += 2;
            g += *g == '\\';
            if (!*g)
                return NULL;
            to = (unsigned char)*g;
        }
        found = found || (from <= c && c <= to);
    }
    *ret = found != negated;
    return g + 1;
}

/* Returns the glob behind the element that matches the byte c, or NULL if it does not match. */
static const char *glob_one(const char *g, char c)
{
    bool in = false;

    switch (*g) {
    case '\0':
        return NULL;
    case '?':
        return c != '/' ? g + 1 : NULL;
    case '[':
        g = glob_set(g + 1, (unsigned char)c, &in);
        return g && in && c != '/' ? g : NULL;
    case '\\':
        return g[1] && g[1] == c ? g + 2 : NULL;
    default:
        return *g == c ? g + 1 : NULL;
    }
}

/* Like git's wildmatch with WM_PATHNAME: only a double star that is a whole component matches
 * slashes.  Backtracking goes only to the last star of each kind, so the time is bounded. */
bool attributes_glob(const char *glob, const char *text)
{
    const char *g = glob;
    const char *t = text;
    const char *star = NULL; /* where to continue behind a star, and from which byte */
    const char *star_from = NULL;
    const char *deep = NULL;
    const char *deep_from = NULL;

    while (*t) {
        if (*g == '*') {
            bool starts = g == glob || g[-1] == '/';
            size_t n = strspn(g, "*");
            if (n >= 2 && starts && !g[n])
                return true;
            if (n >= 2 && starts && g[n] == '/') {
                star = NULL;
                g = deep = g + n + 1;
                deep_from = t;
            } else {
                g = star = g + n;
                star_from = t;
            }
            continue;
        }
        const char *next = glob_one(g, *t);
        if (next) {
            g = next;
            t++;
        } else if (star && *star_from != '/') {
            t = ++star_from;
            g = star;
        } else if (deep && (deep_from = strchr(deep_from, '/'))) {
            t = ++deep_from;
            g = deep;
            star = NULL;
        } else {
            return false;
        }
    }
    g += strspn(g, "*");
    return !*g;
}

static bool rule_matches(const struct attributes_rule *r, const char *path, bool is_dir)
{
    size_t dir_len = strlen(r->dir);

    if (r->only_dirs && !is_dir)
        return false;
    if (dir_len) {
        if (strncmp(path, r->dir, dir_len) != 0 || path[dir_len] != '/')
            return false;
        path += dir_len + 1;
    }
    if (!r->has_slash) {
        const char *slash = strrchr(path, '/');
        path = slash ? slash + 1 : path;
    }
    if (strncmp(path, r->glob, r->literal) != 0)
        return false;
    path += r->literal;
    /* As in git, the glob begins behind its literal part: the stars of "b**" begin a pattern. */
    return r->glob[r->literal] ? attributes_glob(r->glob + r->literal, path) : !*path;
}

/* Sets values that are still unset.  The last word of a line counts, and lines of higher precedence
 * come first.  A macro expands only where it is itself set. */
static void fill(const struct attributes *a, unsigned char *value, const struct words *words,
                 int depth)
{
    for (size_t i = words->n; i-- > 0;) {
        const size_t name = words->v[i].name;
        if (value[name] != UNSAID)
            continue;
        value[name] = (unsigned char)words->v[i].said;
        if (value[name] == SET && a->name[name].is_macro && depth < MACROS_DEEP)
            fill(a, value, &a->name[name].words, depth + 1);
    }
}

bool attributes_has(const struct attributes *a, const char *path, bool is_dir, enum attribute which)
{
    const struct attributes_rules *const ranks[] = {&a->over, &a->folder};
    unsigned char value[NAMES_MAX];

    memset(value, UNSAID, a->names);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = ranks[k]->n; i-- > 0;) {
            const struct attributes_rule *r = &ranks[k]->v[i];
            if (!r->matters || !rule_matches(r, path, is_dir))
                continue;
            fill(a, value, &r->words, 0);
            if (value[which] != UNSAID)
                return value[which] == SET;
        }
    return false;
}

/* Returns the number of an attribute, or NAMES_MAX if there are too many. */
static size_t name_number(struct attributes *a, const char *name, size_t len)
{
    static const char *const two[ATTRIBUTES] = {"export-ignore", "export-subst"};

    if (!a->name) {
        a->name = arena_array(&a->arena, NAMES_MAX, sizeof *a->name);
        for (; a->names < ATTRIBUTES; a->names++)
            a->name[a->names] = (struct attributes_name){.name = two[a->names], .matters = true};
    }
    for (size_t i = 0; i < a->names; i++)
        if (strncmp(a->name[i].name, name, len) == 0 && !a->name[i].name[len])
            return i;
    if (a->names < NAMES_MAX)
        a->name[a->names++].name = arena_strndup(&a->arena, name, len);
    else
        return NAMES_MAX;
    return a->names - 1;
}

/* Parses "name", "-name", "!name" or "name=value"; the last three all mean "not set" here. */
static struct words take_words(struct attributes *a, char *line)
{
    struct words words = {0};
    char *save = NULL;

    words.v = arena_array(&a->arena, strlen(line) / 2 + 1, sizeof *words.v);
    for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
        enum setting said = *w == '-' || *w == '!' || strchr(w, '=') ? UNSET : SET;
        w += *w == '-' || *w == '!';
        size_t name = name_number(a, w, strcspn(w, "="));
        if (name == NAMES_MAX)
            continue;
        words.v[words.n].name = name;
        words.v[words.n++].said = said;
    }
    return words;
}

static bool words_matter(const struct attributes *a, const struct words *words)
{
    for (size_t i = 0; i < words->n; i++)
        if (a->name[words->v[i].name].matters)
            return true;
    return false;
}

/* Repeats until nothing changes, since macros may use others that are defined later. */
static void find_what_matters(struct attributes *a)
{
    struct attributes_rules *const ranks[] = {&a->over, &a->folder};

    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < a->names; i++) {
            struct attributes_name *m = &a->name[i];
            if (!m->matters && m->is_macro && words_matter(a, &m->words))
                m->matters = again = true;
        }
    }
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < ranks[k]->n; i++)
            ranks[k]->v[i].matters = words_matter(a, &ranks[k]->v[i].words);
}

/* Takes the pattern at the beginning of a line, which may be in C quotes.  NULL if these do not
 * end. */
static char *take_pattern(struct arena *a, char **line)
{
    char *s = *line;

    if (*s != '"') {
        size_t len = strcspn(s, " \t\r");
        *line = s + len;
        return arena_strndup(a, s, len);
    }
    char *out = arena_alloc(a, strlen(s) + 1);
    size_t k = 0;
    for (s++; *s && *s != '"'; s++) {
        static const char from[] = "abfnrtv";
        static const char to[] = "\a\b\f\n\r\t\v";
        const char *at;
        if (*s != '\\') {
            out[k++] = *s;
        } else if (!*++s) {
            return NULL;
        } else if (s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
                   s[2] <= '7') {
            out[k++] = (char)((s[0] - '0') << 6 | (s[1] - '0') << 3 | (s[2] - '0'));
            s += 2;
        } else if ((at = strchr(from, *s))) {
            out[k++] = to[at - from];
        } else if (*s == '"' || *s == '\\') {
            out[k++] = *s;
        } else {
            return NULL;
        }
    }
    if (*s != '"')
        return NULL;
    *line = s + 1;
    return out;
}

static void add_rule(struct attributes_rules *rules, struct attributes_rule rule)
{
    if (rules->n == rules->room) {
        rules->room = rules->room ? rules->room * 2 : 16;
        rules->v = xrealloc(rules->v, rules->room * sizeof *rules->v);
    }
    rules->v[rules->n++] = rule;
}

/* A macro may be defined again: the file of higher rank wins, or else the later line. */
static void add_macro(struct attributes *a, const char *name, char *line, enum attributes_rank rank)
{
    size_t i = name_number(a, name, strlen(name));

    if (i == NAMES_MAX || (a->name[i].is_macro && a->name[i].rank > rank))
        return;
    a->name[i].is_macro = true;
    a->name[i].rank = rank;
    a->name[i].words = take_words(a, line);
}

static void read_line(struct attributes *a, char *line, const char *dir, enum attributes_rank rank)
{
    static const char macro[] = "[attr]";

    line += strspn(line, " \t\r");
    if (!*line || *line == '#')
        return;
    char *glob = take_pattern(&a->arena, &line);
    if (!glob || *glob == '!') /* git ignores negative patterns with a warning */
        return;
    if (strncmp(glob, macro, sizeof macro - 1) == 0) {
        if (!*dir) /* valid only at the root and in info/attributes */
            add_macro(a, glob + sizeof macro - 1, line, rank);
        return;
    }
    struct attributes_rule r = {.dir = dir};
    size_t len = strlen(glob);
    if (len && glob[len - 1] == '/') {
        r.only_dirs = true;
        glob[--len] = '\0';
    }
    r.has_slash = strchr(glob, '/') != NULL;
    r.glob = glob + (*glob == '/');
    r.literal = strcspn(r.glob, "*?[\\");
    r.words = take_words(a, line);
    if (len && r.words.n)
        add_rule(rank == ATTRIBUTES_OVER_ALL ? &a->over : &a->folder, r);
}

void attributes_read(struct attributes *a, const char *text, size_t len, const char *dir,
                     enum attributes_rank rank)
{
    const char *end = text + len;

    dir = arena_strdup(&a->arena, dir);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        if (stop - text < LINE_MAX_GIT)
            read_line(a, arena_strndup(&a->arena, text, (size_t)(stop - text)), dir, rank);
        text = stop + 1;
    }
    find_what_matters(a);
}

size_t attributes_mark(const struct attributes *a)
{
    return a->folder.n;
}

void attributes_drop(struct attributes *a, size_t mark)
{
    if (mark < a->folder.n)
        a->folder.n = mark;
}

void attributes_close(struct attributes *a)
{
    free(a->folder.v);
    free(a->over.v);
    arena_free(&a->arena);
    *a = (struct attributes){0};
}
