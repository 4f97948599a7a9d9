/* text.c -- formats and inspects text (see text.h).  Used by messages, the command line, the recipe
 * and the files on the hosts. */
#include "base/text.h"

#include "base/number.h"

#include <ctype.h>

/* Length of the UTF-8 sequence at s, 0 if it is invalid. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
    unsigned c = s[0];

    if (c < 0x80)
        return 1;
    size_t need = c >= 0xf0 && c <= 0xf4  ? 4
                  : c >= 0xe0 && c < 0xf0 ? 3
                  : c >= 0xc2 && c < 0xe0 ? 2
                                          : 0;
    if (!need || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return need;
}

const char *text_last_line(struct arena *a, const char *s)
{
    size_t len = strlen(s);

    while (len && (s[len - 1] == '\n' || s[len - 1] == '\r'))
        len--;
    size_t begin = len;
    while (begin && s[begin - 1] != '\n')
        begin--;
    return arena_strndup(a, s + begin, len - begin);
}

bool text_is_utf8(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_length((const unsigned char *)s + i, len - i);
        if (!step)
            return false;
        i += step;
    }
    return true;
}

/* Sequences that control a terminal or reverse text: C1 controls, and the directional marks
 * U+061C, U+200E/F, U+202A..E, U+2066..9. */
static bool is_hostile(const unsigned char *s, size_t n)
{
    if (n == 2)
        return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
    if (n == 3 && s[0] == 0xe2)
        return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xaa && s[2] <= 0xae))) ||
               (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
    return false;
}

void text_visible(struct buf *b, const char *s, size_t len, bool lines)
{
    static const char HEX[] = "0123456789abcdef";
    const unsigned char *u = (const unsigned char *)s;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(u + i, len - i);
        if (u[i] == '\t') {
            buf_puts(b, " ");
            n = 1;
        } else if (u[i] == '\n' && lines) {
            buf_puts(b, "\n");
            n = 1;
        } else if (!n || u[i] < 0x20 || u[i] == 0x7f || is_hostile(u + i, n)) {
            n = n ? n : 1;
            for (size_t k = 0; k < n; k++) {
                const char hex[4] = {'\\', 'x', HEX[u[i + k] >> 4], HEX[u[i + k] & 15]};
                buf_add(b, hex, sizeof hex);
            }
        } else {
            buf_add(b, s + i, n);
        }
        i += n;
    }
}

const char *text_shown(struct arena *a, const char *s)
{
    size_t len = strlen(s);
    struct buf b = buf_make(len * 4 + 1);

    text_visible(&b, s, len, false);
    const char *copy = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return copy;
}

/* Lines that only prepare a script: comments and shell options. */
static bool is_preamble(const char *line, size_t len)
{
    return line[0] == '#' || (len > 4 && strncmp(line, "set ", 4) == 0 && strchr("-+", line[4]));
}

const char *text_command(struct arena *a, const char *command)
{
    const char *first = NULL;
    const char *preamble = "";
    size_t first_len = 0;
    size_t preamble_len = 0;
    size_t lines = 0;

    for (const char *at = command; *at; at += *at == '\n') {
        size_t len = strcspn(at, "\n");
        const char *line = at;
        at += len;
        for (; len && isspace((unsigned char)*line); line++)
            len--;
        while (len && isspace((unsigned char)line[len - 1]))
            len--;
        if (!len)
            continue;
        lines++;
        if (!first && !is_preamble(line, len)) {
            first = line;
            first_len = len;
        } else if (!preamble_len) {
            preamble = line;
            preamble_len = len;
        }
    }
    if (!first) {
        first = preamble;
        first_len = preamble_len;
    }
    return lines > 1 ? arena_printf(a, "%.*s ... (+%zu %s)", (int)first_len, first, lines - 1,
                                    lines == 2 ? "line" : "lines")
                     : arena_strndup(a, first, first_len);
}

const char *text_joined(struct arena *a, const char *s)
{
    struct buf b = buf_make(strlen(s) + 1);

    for (s += strspn(s, " \t\r\n"); *s; s += strspn(s, " \t\r\n")) {
        size_t len = strcspn(s, " \t\r\n");
        buf_puts(&b, b.len ? " " : "");
        buf_add(&b, s, len);
        s += len;
    }
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

enum { WORD_MAX = 64, PART_MIN = 4, FAR = 1000 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance with adjacent swaps only, over at most WORD_MAX characters. */
static size_t edits(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    size_t row[3][WORD_MAX + 1];

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *now = row[i % 3];
        const size_t *up = row[(i + 2) % 3];
        const size_t *upup = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            now[j] = least(least(up[j] + 1, now[j - 1] + 1), up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], upup[j - 2] + 1);
        }
    }
    return row[la % 3][lb];
}

/* Normalises case and '_', which never make two words different.  False when s is too long. */
static bool plain_word(const char *s, char *ret)
{
    size_t len = strlen(s);

    if (len > WORD_MAX)
        return false;
    for (size_t i = 0; i <= len; i++)
        ret[i] = s[i] == '_' ? '-' : (char)tolower((unsigned char)s[i]);
    return true;
}

/* Whether `whole` ends with a dash and then `end`. */
static bool ends_with_part(const char *whole, const char *end)
{
    size_t len = strlen(whole);
    size_t part = strlen(end);

    return part >= PART_MIN && len > part && whole[len - part - 1] == '-' &&
           strcmp(whole + len - part, end) == 0;
}

/* Twice the number of edits, so that matches by prefix and suffix fit in between: one edit (often a
 * plural) is nearer than a shared beginning, and that is nearer than two edits. */
static size_t distance(const char *word, const char *name)
{
    size_t len = strlen(word);
    size_t e = edits(word, name);
    size_t d = e < len / 3 + 2 && e < strlen(name) ? 2 * e : FAR;

    if (d > 3 && ((len >= 3 && strncmp(word, name, len) == 0) ||
                  (strlen(name) >= PART_MIN && strncmp(word, name, strlen(name)) == 0)))
        d = 3;
    if (d > 5 && (ends_with_part(name, word) || ends_with_part(word, name)))
        d = 5;
    return d;
}

const char *text_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = FAR;
    char a[WORD_MAX + 1];
    char b[WORD_MAX + 1];

    if (!plain_word(word, a))
        return NULL;
    for (; *names; names++) {
        size_t d = plain_word(*names, b) ? distance(a, b) : FAR;
        if (d < best_distance) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}

const char *text_meant(const char *word, const char *const *names, const struct synonym *synonyms)
{
    char a[WORD_MAX + 1];
    char b[WORD_MAX + 1];

    for (; plain_word(word, a) && synonyms->word; synonyms++)
        for (size_t i = 0; plain_word(synonyms->word, b) && strcmp(a, b) == 0 && names[i]; i++)
            if (strcmp(names[i], synonyms->means) == 0)
                return names[i];
    return text_nearest(word, names);
}

static long long unit_ms(const char *s, size_t len)
{
    static const struct {
        const char *name;
        long long ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, s, len) == 0)
            return units[i].ms;
    return 0;
}

bool text_duration(const char *s, long long *ret_ms)
{
    const long long limit = 10LL * 366 * 86400000;
    long long total = 0;
    const char *begin = s;

    if (!*s)
        return false;
    while (*s) {
        long long n;
        const char *end = s + strspn(s, "0123456789");
        if (!number_part(s, (size_t)(end - s), limit, &n))
            return false;
        size_t len = strspn(end, "dhms");
        long long ms = unit_ms(end, len);
        if (!len && !*end && s == begin)
            ms = 1000;
        if (!ms || n > limit / ms)
            return false;
        total += n * ms;
        if (total > limit)
            return false;
        s = end + len;
    }
    *ret_ms = total;
    return true;
}

const char *text_span(struct arena *a, long long ms)
{
    long long s = (ms + 500) / 1000;

    if (ms < 0)
        return "0.0 s";
    if (ms < 9950)
        return arena_printf(a, "%lld.%lld s", (ms + 50) / 1000, (ms + 50) / 100 % 10);
    if (s < 60)
        return arena_printf(a, "%lld s", s);
    if (s < 3600)
        return arena_printf(a, "%lld min %02lld s", s / 60, s % 60);
    if (s < 86400)
        return arena_printf(a, "%lld h %02lld min", s / 3600, s / 60 % 60);
    return arena_printf(a, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

const char *text_size(struct arena *a, unsigned long long bytes)
{
    if (bytes < 1000)
        return arena_printf(a, "%llu B", bytes);
    if (bytes < 99500)
        return arena_printf(a, "%.1f kB", (double)bytes / 1e3);
    if (bytes < 9950000)
        return arena_printf(a, "%.1f MB", (double)bytes / 1e6);
    if (bytes < 999500000)
        return arena_printf(a, "%.0f MB", (double)bytes / 1e6);
    return arena_printf(a, "%.1f GB", (double)bytes / 1e9);
}

const char *text_count(struct arena *a, unsigned long long n, const char *noun)
{
    char digits[32];
    char out[48];
    int len = snprintf(digits, sizeof digits, "%llu", n);
    size_t k = 0;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return arena_printf(a, "%s %s%s", out, noun, n == 1 ? "" : "s");
}

const char *text_word(struct arena *a, const char *s)
{
    char *word = arena_alloc(a, 3 * strlen(s) + 1);
    size_t n = 0;

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == 0x7f || c == '%') {
            word[n++] = '%';
            word[n++] = "0123456789ABCDEF"[c >> 4];
            word[n++] = "0123456789ABCDEF"[c & 15];
        } else {
            word[n++] = *s;
        }
    }
    return word;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

const char *text_by(struct arena *a, const char *by)
{
    size_t len = by ? strcspn(by, ",") : 0; /* the address after it keeps its escapes */

    return by ? text_shown(a, arena_printf(a, "%s%s", text_of_word(a, arena_strndup(a, by, len)),
                                           by + len))
              : "somebody";
}

const char *text_of_word(struct arena *a, const char *s)
{
    char *text = arena_alloc(a, strlen(s) + 1);
    size_t n = 0;

    for (; *s; s++) {
        int high = *s == '%' ? hex_digit(s[1]) : -1;
        int low = high >= 0 ? hex_digit(s[2]) : -1;
        if (low >= 0 && high + low > 0) {
            text[n++] = (char)(high << 4 | low);
            s += 2;
        } else {
            text[n++] = *s;
        }
    }
    return text;
}
