/* yaml_syntax.c -- finds the place of a syntax error in a YAML file and words it.  Called by yaml.c
 * with what libyaml reports.  libyaml names the place where it noticed the error, which may be far
 * below the line that a person has to change. */
#include "edge/yaml_parts.h"

#include "base/text.h"

static void wrong_at(struct mistakes *m, const struct yaml_file *file, struct yaml_place at,
                     const char *what)
{
    mistake_add(m, yaml_node(m->arena, file, NODE_SCALAR, at), "%s", what);
}

static struct yaml_place place_at(const struct yaml_file *file, size_t offset)
{
    struct yaml_place place = {0};

    for (size_t i = 0; i < offset && i < file->len; i++) {
        bool breaks = file->bytes[i] == '\r' && (i + 1 == file->len || file->bytes[i + 1] != '\n');
        if (file->bytes[i] == '\n' || breaks) {
            place.line++;
            place.column = 0;
        } else if (((unsigned char)file->bytes[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

/* The offset of the first byte that is not UTF-8, of text that has one. */
static size_t first_bad_byte(const struct yaml_file *file)
{
    const unsigned char *s = (const unsigned char *)file->bytes;
    size_t len = file->len;
    size_t start = 0;

    /* Whole lines first, so that only one line is checked character by character. */
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n') {
            if (!text_is_utf8(file->bytes + start, i - start))
                break;
            start = i + 1;
        }
    }
    size_t good = start;
    while (good < len) {
        size_t step = 1;
        while (step < 4 && good + step < len && (s[good + step] & 0xc0) == 0x80)
            step++;
        if (!text_is_utf8(file->bytes + good, step))
            break;
        good += step;
    }
    return good;
}

bool yaml_check_bytes(const struct yaml_file *file, struct mistakes *m)
{
    const unsigned char *s = (const unsigned char *)file->bytes;

    for (size_t i = 0; i < file->len; i++) {
        if (s[i] && ((s[i] >= 0x20 && s[i] != 0x7f) || strchr("\n\r\t", s[i])))
            continue;
        wrong_at(m, file, place_at(file, i),
                 s[i] ? arena_printf(m->arena, "a control character (\\x%02x), expected text", s[i])
                      : "a NUL byte, expected text");
        return false;
    }
    if (text_is_utf8(file->bytes, file->len))
        return true;
    wrong_at(m, file, place_at(file, first_bad_byte(file)),
             "a byte that is not UTF-8, expected text in UTF-8");
    return false;
}

/* A line without its line break, which libyaml takes to be LF, CR LF, or CR alone. */
struct line {
    const char *text;
    size_t len;
    size_t indent; /* leading blanks */
};

static struct line line_at(const struct yaml_file *file, size_t number)
{
    const char *s = file->bytes;
    const char *end = s + file->len;
    struct line line;

    for (;; number--) {
        const char *stop = s;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        line = (struct line){.text = s, .len = (size_t)(stop - s)};
        if (!number || stop == end)
            break;
        s = stop + 1 + (stop + 1 < end && stop[0] == '\r' && stop[1] == '\n');
    }
    while (line.indent < line.len && line.text[line.indent] == ' ')
        line.indent++;
    return line;
}

static bool indent_has_tab(const struct yaml_file *file, size_t number)
{
    struct line line = line_at(file, number);

    return line.indent < line.len && line.text[line.indent] == '\t';
}

static bool has_colon(struct line line)
{
    for (size_t i = line.indent; i < line.len; i++)
        if (line.text[i] == ':' && (i + 1 == line.len || line.text[i + 1] == ' '))
            return true;
    return false;
}

/* Finds the line above the error that is a key without a colon: it is indented like the line with
 * the error, with only empty lines in between.  libyaml reads both lines as one text and complains
 * about the colon of the second. */
static bool key_without_colon(const struct yaml_file *file, const struct yaml_problem *problem,
                              struct yaml_place *ret)
{
    size_t number = problem->at.line;
    const size_t indent = line_at(file, number).indent;
    struct line line = {0};

    while (number-- > 0 && line.indent == line.len)
        line = line_at(file, number);
    if (line.indent == line.len || line.indent != indent || strchr("-#'\"[{", line.text[indent]) ||
        has_colon(line))
        return false;
    *ret = (struct yaml_place){.line = number + 1, .column = indent};
    return true;
}

/* Whether the context is a quote, a list or a map that is never closed.  libyaml notices at the end
 * of the file, or on a line that is indented no deeper than the one with the opening character. */
static bool is_unclosed(const struct yaml_file *file, const struct yaml_problem *problem)
{
    if (strcmp(problem->what, "found unexpected end of stream") == 0)
        return true;
    struct line noticed = line_at(file, problem->at.line);
    struct line opened = line_at(file, problem->context_at.line);
    return strncmp(problem->what, "did not find expected ','", 25) == 0 &&
           problem->at.line > problem->context_at.line &&
           (noticed.len == 0 || noticed.indent <= opened.indent);
}

static const char *opening(const char *context)
{
    return strstr(context, "sequence") ? "'['" : strstr(context, "mapping") ? "'{'" : "quote";
}

/* Records the mistake at a place other than the one that libyaml names.  False if none is known. */
static bool explain_elsewhere(const struct yaml_file *file, const struct yaml_problem *problem,
                              struct mistakes *m)
{
    struct yaml_place at = problem->context_at;
    bool no_colon = problem->context && strcmp(problem->what, "could not find expected ':'") == 0;

    if (strncmp(problem->what, "mapping values are not", 22) == 0)
        no_colon = key_without_colon(file, problem, &at);
    if (problem->context && is_unclosed(file, problem))
        wrong_at(m, file, at,
                 arena_printf(m->arena, "invalid YAML: this %s is not closed (noticed on line %zu)",
                              opening(problem->context), problem->at.line + 1));
    else if (no_colon)
        wrong_at(m, file, at, "invalid YAML: a key without ':' and a value");
    else if (strcmp(problem->what, "did not find expected <document start>") == 0 &&
             problem->root && problem->root->column > problem->at.column + 1)
        mistake_add(m, problem->root,
                    "invalid YAML: indented deeper than line %zu; all keys of a map start in the"
                    " same column",
                    problem->at.line + 1);
    else
        return false;
    return true;
}

void yaml_explain(const struct yaml_file *file, const struct yaml_problem *problem,
                  struct mistakes *m)
{
    const char *what = problem->what ? problem->what : "out of memory";

    if (problem->in_bytes)
        wrong_at(m, file, place_at(file, problem->offset),
                 arena_printf(m->arena, "invalid YAML: %s", what));
    else if (indent_has_tab(file, problem->at.line))
        wrong_at(m, file, problem->at,
                 "invalid YAML: this line is indented with a tab, expected spaces");
    else if (problem->what && explain_elsewhere(file, problem, m))
        return;
    else if (problem->context)
        wrong_at(m, file, problem->at,
                 arena_printf(m->arena, "invalid YAML: %s, %s that begins on line %zu", what,
                              problem->context, problem->context_at.line + 1));
    else
        wrong_at(m, file, problem->at, arena_printf(m->arena, "invalid YAML: %s", what));
}
