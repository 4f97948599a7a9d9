#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

/* The same numbers each time, so that what failed once fails again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Whether this ends the process; what it says on its way is not shown. */
static bool dies(void (*what)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- arena ---- */

static void test_arena_pieces(void **state)
{
    static const size_t sizes[] = {0,    1,    7, 8,    15,     16,   17, 100, 8191,
                                   8192, 8193, 3, 4096, 100000, 8176, 1,  0,   1 << 20};
    unsigned char *piece[3 * N(sizes)];
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(piece); i++) {
        size_t size = sizes[i % N(sizes)];
        piece[i] = arena_alloc(&a, size);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++)
            if (piece[i][k])
                fail_msg("piece %zu of %zu bytes is not zeroed at %zu", i, size, k);
        memset(piece[i], (int)i + 1, size);
    }
    for (size_t i = 0; i < N(piece); i++)
        for (size_t k = 0; k < sizes[i % N(sizes)]; k++)
            if (piece[i][k] != (unsigned char)(i + 1))
                fail_msg("piece %zu shares byte %zu with another", i, k);
    arena_free(&a);
    assert_null(a.top);
    assert_string_equal(arena_strdup(&a, "again"), "again");
    arena_free(&a);
    arena_free(&a);
}

static void test_arena_text(void **state)
{
    static const char bytes[] = "a\0b";
    struct arena a = {0};
    char word[10001];

    (void)state;
    assert_memory_equal(arena_strndup(&a, bytes, 3), "a\0b", 4);
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
    assert_string_equal(arena_printf(&a, "%d %s", -7, "x"), "-7 x");
    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    const char *twice = arena_printf(&a, "%s%s", word, word);
    assert_int_equal(strlen(twice), 2 * strlen(word));
    const char *kept = arena_strdup(&a, word);
    word[0] = 'x';
    assert_int_equal(kept[0], 'w');
    arena_free(&a);
}

static void alloc_most(void)
{
    struct arena a = {0};

    arena_alloc(&a, SIZE_MAX / 2 + 1);
}

static void alloc_all(void)
{
    struct arena a = {0};

    arena_alloc(&a, SIZE_MAX);
}

static void array_wraps(void)
{
    struct arena a = {0};

    arena_array(&a, SIZE_MAX / 8 + 2, 8);
}

static void array_wraps_to_small(void)
{
    struct arena a = {0};

    arena_array(&a, (size_t)1 << 33, (size_t)1 << 31);
}

static void copy_of_less_than_nothing(void)
{
    struct arena a = {0};

    arena_strndup(&a, "abc", (size_t)0 - 1);
}

static void copy_of_half_of_all(void)
{
    struct arena a = {0};

    arena_strndup(&a, "abc", SIZE_MAX / 2);
}

static void test_arena_too_much(void **state)
{
    struct arena a = {0};

    (void)state;
    assert_true(dies(alloc_most));
    assert_true(dies(alloc_all));
    assert_true(dies(array_wraps));
    assert_true(dies(copy_of_less_than_nothing));
    assert_true(dies(copy_of_half_of_all));
    assert_true(dies(array_wraps_to_small));
    assert_non_null(arena_array(&a, 0, 8));
    assert_non_null(arena_array(&a, 8, 0));
    arena_free(&a);
}

static void test_strs(void **state)
{
    struct arena a = {0};
    struct strs list = {0};

    (void)state;
    assert_false(strs_has(&list, ""));
    for (int i = 0; i < 1030; i++) {
        const char *s = arena_printf(&a, "%d", i);
        assert_false(strs_has(&list, s));
        strs_add(&a, &list, s);
        assert_int_equal(list.n, i + 1);
        assert_ptr_equal(list.v[i], s);
        assert_string_equal(list.v[0], "0");
        assert_string_equal(list.v[i / 2], arena_printf(&a, "%d", i / 2));
    }
    for (int i = 0; i < 1030; i++)
        assert_true(strs_has(&list, arena_printf(&a, "%d", i)));
    assert_false(strs_has(&list, "1030"));
    assert_false(strs_has(&list, ""));
    arena_free(&a);
}

/* ---- err ---- */

static void set_twice(void)
{
    struct arena a = {0};
    struct err err = {.arena = &a};

    err_set(&err, ERR_FAILED, "first");
    err_set(&err, ERR_USAGE, "second");
}

static void context_of_nothing(void)
{
    struct arena a = {0};
    struct err err = {.arena = &a};

    err_in(&err, "context");
}

static void test_err_chain(void **state)
{
    struct arena a = {0};
    struct err err = {.arena = &a};
    char word[8];

    (void)state;
    snprintf(word, sizeof word, "%s", "app1");
    assert_false(err_set(&err, ERR_LOCKED, "run '%s' is alive", word));
    assert_false(err_in(&err, "host '%s'", word));
    assert_false(err_in(&err, "stage %%s"));
    memset(word, 'x', sizeof word - 1);
    assert_int_equal(err.code, ERR_LOCKED);
    assert_string_equal(err.msg, "stage %s: host 'app1': run 'app1' is alive");
    err_clear(&err);
    assert_int_equal(err.code, ERR_NONE);
    assert_null(err.msg);
    assert_false(err_set(&err, ERR_USAGE, "%s", "100% of it"));
    assert_string_equal(err.msg, "100% of it");
    assert_true(dies(set_twice));
    assert_true(dies(context_of_nothing));
    arena_free(&a);
}

/* Schedulers read these numbers: none may ever change. */
static void test_err_classes(void **state)
{
    static const struct {
        enum err_code code;
        int status;
        const char *word;
    } rows[] = {
        {ERR_NONE, 0, "done"},
        {ERR_FAILED, 1, "failed"},
        {ERR_USAGE, 2, "usage"},
        {ERR_LOCKED, 3, "locked"},
        {ERR_BACKUP, 4, "backup"},
        {ERR_UNREACHABLE, 5, "unreachable"},
        {ERR_UNFINISHED, 6, "unfinished"},
        {ERR_UNCERTAIN, 7, "uncertain"},
        {ERR_UNTIDY, 8, "untidy"},
        {ERR_FROZEN, 9, "frozen"},
        {ERR_INTERRUPTED, 130, "interrupted"},
        {ERR_TERMINATED, 143, "interrupted"},
    };

    (void)state;
    assert_int_equal(N(rows), ERR_CODES);
    for (size_t i = 0; i < N(rows); i++) {
        assert_int_equal(err_status(rows[i].code), rows[i].status);
        assert_string_equal(err_word(rows[i].code), rows[i].word);
        assert_true(strlen(err_meaning(rows[i].code)) > 10);
    }
}

/* ---- buf ---- */

static void holds(const struct buf *b, const char *text, bool full)
{
    assert_string_equal(b->text, text);
    assert_int_equal(b->len, strlen(text));
    assert_int_equal(b->full, full);
}

static void test_buf_limits(void **state)
{
    struct buf b = buf_make(5);

    (void)state;
    holds(&b, "", false);
    buf_puts(&b, "");
    buf_add(&b, NULL, 0);
    buf_drop(&b, 0);
    buf_clear(&b);
    holds(&b, "", false);
    buf_puts(&b, "abc");
    buf_puts(&b, "def");
    holds(&b, "abc", true);
    buf_puts(&b, "de");
    holds(&b, "abcde", true);
    buf_clear(&b);
    holds(&b, "", false);
    buf_puts(&b, "abcde");
    holds(&b, "abcde", false);
    buf_puts(&b, "");
    buf_printf(&b, "%s", "");
    holds(&b, "abcde", false);
    buf_printf(&b, "%d", 1);
    holds(&b, "abcde", true);
    buf_clear(&b);
    buf_printf(&b, "%d", 12345);
    holds(&b, "12345", false);
    buf_drop(&b, 2);
    holds(&b, "345", false);
    buf_printf(&b, "%d", 67);
    holds(&b, "34567", false);
    buf_drop(&b, 5);
    holds(&b, "", false);
    buf_printf(&b, "%d", 123456);
    holds(&b, "", true);
    buf_free(&b);
    holds(&b, "", false);
    assert_int_equal(b.max, 5);
    buf_puts(&b, "again");
    holds(&b, "again", false);
    buf_free(&b);
    buf_free(&b);
}

static void test_buf_bounds(void **state)
{
    struct buf nothing = buf_make(0);
    struct buf zeroed = {0};
    struct buf much = buf_make(SIZE_MAX / 2);

    (void)state;
    buf_puts(&nothing, "a");
    holds(&nothing, "", true);
    buf_printf(&nothing, "a");
    holds(&nothing, "", true);
    buf_free(&nothing);
    buf_free(&zeroed);
    holds(&zeroed, "", false);
    for (size_t i = 0; i < 100000; i++) {
        char c = (char)(i % 251);
        buf_add(&much, &c, 1);
        assert_int_equal(much.text[much.len], 0);
    }
    assert_int_equal(much.len, 100000);
    for (size_t i = 0; i < much.len; i++)
        assert_int_equal(much.text[i], (char)(i % 251));
    buf_drop(&much, 99999);
    assert_int_equal(much.len, 1);
    assert_int_equal(much.text[0], (char)(99999 % 251));
    assert_int_equal(much.text[1], 0);
    buf_free(&much);
}

static void drop_too_much(void)
{
    struct buf b = buf_make(10);

    buf_puts(&b, "abc");
    buf_drop(&b, 4);
}

static void test_buf_drop_too_much(void **state)
{
    (void)state;
    assert_true(dies(drop_too_much));
}

/* ---- quote ---- */

enum { WORDS = 300, SHELL_BYTES_MAX = 1 << 20 };

/* Bytes that mean something to a shell come more often than the others. */
static const char *random_word(struct arena *a, uint32_t *seed)
{
    static const char odd[] = "'''\"\"\\\\\\$$``\n\n\r\t !*?[]{}()<>|&;#~=-%\x01\x7f\x80\xff";
    size_t len = next_random(seed) % 48;
    char *s = arena_alloc(a, len + 1);

    for (size_t i = 0; i < len; i++)
        s[i] = next_random(seed) % 2 ? odd[next_random(seed) % (sizeof odd - 1)]
                                     : (char)(next_random(seed) % 255 + 1);
    return s;
}

/* What /bin/sh prints for that script. */
static struct buf shell(const struct buf *script)
{
    struct buf out = buf_make(SHELL_BYTES_MAX);
    FILE *in = tmpfile();
    FILE *file = tmpfile();
    char part[4096];
    size_t n;
    int status;

    assert_non_null(in);
    assert_non_null(file);
    assert_false(script->full);
    assert_int_equal(fwrite(script->text, 1, script->len, in), script->len);
    rewind(in);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(in), STDIN_FILENO);
        dup2(fileno(file), STDOUT_FILENO);
        execl("/bin/sh", "sh", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rewind(file);
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        buf_add(&out, part, n);
    fclose(in);
    fclose(file);
    return out;
}

/* The shell's answer: the words, each with a NUL behind it. */
static void come_back(const struct buf *script, const char *const *words, size_t n)
{
    struct buf out = shell(script);
    const char *at = out.text;

    for (size_t i = 0; i < n; i++) {
        assert_true(at < out.text + out.len);
        if (strcmp(at, words[i]) != 0)
            fail_msg("word %zu: '%s' came back as '%s'", i, words[i], at);
        at += strlen(at) + 1;
    }
    assert_ptr_equal(at, out.text + out.len);
    buf_free(&out);
}

static const char *const *random_words(struct arena *a)
{
    static const char *const first[] = {"",   "'",    "''",    "'\\''", "a'b",  "\n",
                                        "\\", "$(x)", "-n -e", "`x`",   "%s%n", "a\nEND\nb"};
    const char **words = arena_array(a, WORDS, sizeof *words);
    uint32_t seed = 20261122;

    for (size_t i = 0; i < WORDS; i++)
        words[i] = i < N(first) ? first[i] : random_word(a, &seed);
    return words;
}

static void test_quote_word(void **state)
{
    struct arena a = {0};
    struct buf script = buf_make(SHELL_BYTES_MAX);
    const char *const *words = random_words(&a);

    (void)state;
    for (size_t i = 0; i < WORDS; i++) {
        buf_puts(&script, "printf '%s\\0' ");
        quote_word(&script, words[i]);
        buf_puts(&script, "\n");
    }
    come_back(&script, words, WORDS);
    buf_free(&script);
    arena_free(&a);
}

/* As an interactive shell reads it, a word that was shown comes back; those with a newline are
 * never shown as they are. */
static void test_quote_typed(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"", "\"\""},
        {"production", "production"},
        {"conf/app-1_b.yml", "conf/app-1_b.yml"},
        {"my recipe.yml", "\"my recipe.yml\""},
        {"it's", "\"it's\""},
        {"a$b`c\"d\\e", "\"a\\$b\\`c\\\"d\\\\e\""},
        {"what now!", "what\\ now\\!"},
        {"~ann/x", "\"~ann/x\""},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
    };
    struct arena a = {0};
    struct buf script = buf_make(SHELL_BYTES_MAX);
    const char *const *words = random_words(&a);

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct buf b = buf_make(100);
        quote_typed(&b, rows[i].in);
        assert_string_equal(b.text, rows[i].out);
        buf_free(&b);
    }
    const char **shown = arena_array(&a, WORDS, sizeof *shown);
    size_t n = 0;
    for (size_t i = 0; i < WORDS; i++) {
        if (strchr(words[i], '\n'))
            continue;
        shown[n++] = words[i];
        buf_puts(&script, "printf '%s\\0' ");
        quote_typed(&script, words[i]);
        buf_puts(&script, "\n");
    }
    come_back(&script, shown, n);
    buf_free(&script);
    arena_free(&a);
}

static void test_quote_assign(void **state)
{
    struct arena a = {0};
    struct buf script = buf_make(SHELL_BYTES_MAX);
    const char *const *words = random_words(&a);

    (void)state;
    for (size_t i = 0; i < WORDS; i++)
        quote_assign(&script, arena_printf(&a, "v%zu", i), words[i]);
    for (size_t i = 0; i < WORDS; i++)
        buf_printf(&script, "printf '%%s\\0' \"$v%zu\"\n", i);
    come_back(&script, words, WORDS);
    buf_free(&script);
    arena_free(&a);
}

static void test_quote_text(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {{"", "''"}, {"a b", "'a b'"}, {"'", "''\\'''"}, {"it's", "'it'\\''s'"}};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct buf b = buf_make(100);
        quote_word(&b, rows[i].in);
        assert_string_equal(b.text, rows[i].out);
        buf_clear(&b);
        quote_assign(&b, "name", rows[i].in);
        assert_int_equal(strncmp(b.text, "name=", 5), 0);
        assert_int_equal(strncmp(b.text + 5, rows[i].out, strlen(rows[i].out)), 0);
        assert_string_equal(b.text + 5 + strlen(rows[i].out), "\n");
        buf_free(&b);
    }
}

/* ---- text ---- */

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {"", true},
        {"plain \x01\x7f", true},
        {"\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xed\x9f\xbf\xee\x80\x80", true}, /* around the surrogates */
        {"\xf4\x8f\xbf\xbf", true},         /* U+10FFFF */
        {"\x80", false},
        {"\xbf", false},
        {"\xc3", false},
        {"\xc3\x28", false},
        {"\xe2\x82", false},
        {"\xe2\x82x", false},
        {"\xf0\x9f\x98", false},
        {"\xc0\xaf", false}, /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xed\xa0\x80", false}, /* a surrogate */
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xfe", false},
        {"\xff", false},
        {"ok \xff", false},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        if (text_is_utf8(rows[i].text, strlen(rows[i].text)) != rows[i].is)
            fail_msg("row %zu is %s", i, rows[i].is ? "UTF-8" : "no UTF-8");
    assert_true(text_is_utf8("a\0b", 3));
}

static void test_visible(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"", ""},
        {"plain, with \"quotes\" and \\", "plain, with \"quotes\" and \\"},
        {"a\tb", "a b"},
        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
        {"\r\b\a", "\\x0d\\x08\\x07"},
        {"\x7f", "\\x7f"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* CSI as one character */
        {"\xc2\x80\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9f\xc2\xa0"},
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right to left override */
        {"\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f"},
        {"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
        {"\xe2\x80\x93\xe2\x81\xaa", "\xe2\x80\x93\xe2\x81\xaa"}, /* a dash is harmless */
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xc3(", "\\xc3("},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct buf b = buf_make(1000);
        text_visible(&b, rows[i].in, strlen(rows[i].in), true);
        assert_string_equal(b.text, rows[i].out);
        buf_free(&b);
        assert_string_equal(text_shown(&a, rows[i].in), rows[i].out);
    }
    arena_free(&a);
}

static void test_command(void **state)
{
    static const struct {
        const char *in;
        const char *command;
        const char *joined;
    } rows[] = {
        {"", "", ""},
        {"make", "make", "make"},
        {"make\n", "make", "make"},
        {"\n  make  all \n\n", "make  all", "make all"},
        {"make\nmake install\n", "make ... (+1 line)", "make make install"},
        {"set -eu\n# first\n\tmake\n\tmake\tinstall\r\n", "make ... (+3 lines)",
         "set -eu # first make make install"},
        {"set -e\n", "set -e", "set -e"},
        {"# one\n# two\n", "# one ... (+1 line)", "# one # two"},
        {"setup -x\ny", "setup -x ... (+1 line)", "setup -x y"},
        {"na\xc3\xafve\n\xe6\x97\xa5", "na\xc3\xafve ... (+1 line)", "na\xc3\xafve \xe6\x97\xa5"},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        assert_string_equal(text_command(&a, rows[i].in), rows[i].command);
        assert_string_equal(text_joined(&a, rows[i].in), rows[i].joined);
    }
    arena_free(&a);
}

static void test_visible_lines(void **state)
{
    struct arena a = {0};
    struct buf b = buf_make(100);

    (void)state;
    text_visible(&b, "a\nb\0c", 5, true);
    assert_string_equal(b.text, "a\nb\\x00c");
    buf_clear(&b);
    text_visible(&b, "a\nb", 3, false);
    assert_string_equal(b.text, "a\\x0ab");
    buf_free(&b);
    assert_string_equal(text_shown(&a, "a\nb"), "a\\x0ab");
    arena_free(&a);
}

/* Whatever comes in, what comes out is UTF-8 without a control character. */
static void test_visible_anything(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        char bytes[24];
        struct buf b = buf_make(1000);
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)(next_random(&seed) % 3 ? 0x80 | next_random(&seed) % 128
                                                     : next_random(&seed) % 256);
        text_visible(&b, bytes, sizeof bytes, false);
        assert_true(text_is_utf8(b.text, b.len));
        for (size_t k = 0; k < b.len; k++) {
            unsigned char c = (unsigned char)b.text[k];
            assert_true(c >= 0x20 && c != 0x7f);
            assert_false(c == 0xc2 && (unsigned char)b.text[k + 1] < 0xa0);
        }
        buf_free(&b);
    }
}

static void test_nearest(void **state)
{
    static const char *const names[] = {
        "deploy",       "resume",      "rollback",      "status", "wait_limit",
        "linked_files", "linked_dirs", "host_failures", "hosts",  NULL};
    static const struct {
        const char *word;
        const char *near;
    } rows[] = {
        {"deploy", "deploy"},
        {"delpoy", "deploy"}, /* a swap is one */
        {"deplo", "deploy"},
        {"dploy", "deploy"},
        {"deployy", "deploy"},
        {"stat", "status"},
        {"roll", "rollback"},
        {"lnked_files", "linked_files"},
        {"linked_dir", "linked_dirs"},
        {"wait-limit", "wait_limit"},
        {"host", "hosts"}, /* one edit is nearer than a beginning */
        {"hosts_file", "hosts"},
        {"Hosts", "hosts"},
        {"linkedFiles", "linked_files"},
        {"files", "linked_files"},
        {"limit", "wait_limit"},
        {"rollback_all", "rollback"},
        {"failures", "host_failures"},
        {"", NULL},
        {"x", NULL},
        {"zzzzzz", NULL},
        {"something else", NULL},
    };
    char large[400];

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const char *near = text_nearest(rows[i].word, names);
        if (!near != !rows[i].near || (near && strcmp(near, rows[i].near) != 0))
            fail_msg("'%s': found %s, expected %s", rows[i].word, near ? near : "nothing",
                     rows[i].near ? rows[i].near : "nothing");
    }
    assert_null(text_nearest("deploy", (const char *const[]){NULL}));
    memset(large, 'd', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_null(text_nearest(large, names));
    assert_null(text_nearest("deploy", (const char *const[]){large, NULL}));
    large[64] = '\0';
    assert_string_equal(text_nearest(large + 1, (const char *const[]){large, NULL}), large);
}

static void test_meant(void **state)
{
    static const char *const names[] = {"repository", "ref", "build", NULL};
    static const struct synonym synonyms[] = {
        {"repo_url", "repository"}, {"branch", "ref"},   {"script", "run"},
        {"script", "build"},        {"server", "hosts"}, {NULL, NULL},
    };

    (void)state;
    assert_string_equal(text_meant("repo_url", names, synonyms), "repository");
    assert_string_equal(text_meant("Repo-URL", names, synonyms), "repository");
    assert_string_equal(text_meant("branch", names, synonyms), "ref");
    assert_string_equal(text_meant("script", names, synonyms), "build"); /* there is no run */
    assert_null(text_meant("server", names, synonyms));
    assert_string_equal(text_meant("biuld", names, synonyms), "build");
}

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        long long ms; /* -1: none */
    } rows[] = {
        {"0", 0},
        {"90", 90000},
        {"0s", 0},
        {"90s", 90000},
        {"5m", 300000},
        {"6h", 21600000},
        {"1d", 86400000},
        {"500ms", 500},
        {"1h30m", 5400000},
        {"1d2h3m4s5ms", 93784005},
        {"3660d", 316224000000},
        {"3661d", -1},
        {"3660d1s", -1},
        {"", -1},
        {"s", -1},
        {"-5s", -1},
        {"+5s", -1},
        {" 5s", -1},
        {"5s ", -1},
        {"5 s", -1},
        {"5x", -1},
        {"5sm", -1},
        {"5hm", -1},
        {"1h30", -1},
        {"30 1h", -1},
        {"1.5h", -1},
        {"5S", -1},
        {"0x10s", -1},
        {"1y", -1},
        {"forever", -1},
        {"9223372036854775807", -1},
        {"9223372036854775807d", -1},
        {"200000000000d", -1}, /* as milliseconds it would wrap */
        {"99999999999999999999s", -1},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        long long ms = -1;
        bool is = text_duration(rows[i].text, &ms);
        if (is != (rows[i].ms >= 0) || ms != rows[i].ms)
            fail_msg("'%s': found %lld, expected %lld", rows[i].text, ms, rows[i].ms);
    }
}

static void test_span(void **state)
{
    static const struct {
        long long ms;
        const char *text;
    } rows[] = {
        {-1, "0.0 s"},
        {0, "0.0 s"},
        {49, "0.0 s"},
        {50, "0.1 s"},
        {400, "0.4 s"},
        {949, "0.9 s"},
        {950, "1.0 s"},
        {9949, "9.9 s"},
        {9950, "10 s"},
        {41000, "41 s"},
        {59499, "59 s"},
        {59500, "1 min 00 s"},
        {125000, "2 min 05 s"},
        {3599499, "59 min 59 s"},
        {3599500, "1 h 00 min"},
        {3720000, "1 h 02 min"},
        {86399499, "23 h 59 min"},
        {86399500, "1 d 0 h"},
        {273600000, "3 d 4 h"},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(text_span(&a, rows[i].ms), rows[i].text);
    arena_free(&a);
}

static void test_size(void **state)
{
    static const struct {
        unsigned long long bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {1, "1 B"},
        {812, "812 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {99499, "99.5 kB"},
        {99500, "0.1 MB"},
        {400000, "0.4 MB"},
        {9949999, "9.9 MB"},
        {9950000, "10 MB"},
        {20000000, "20 MB"},
        {999499999, "999 MB"},
        {999500000, "1.0 GB"},
        {1200000000, "1.2 GB"},
        {ULLONG_MAX, "18446744073.7 GB"},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(text_size(&a, rows[i].bytes), rows[i].text);
    arena_free(&a);
}

static void test_count(void **state)
{
    static const struct {
        unsigned long long n;
        const char *text;
    } rows[] = {
        {0, "0 files"},
        {1, "1 file"},
        {2, "2 files"},
        {999, "999 files"},
        {1000, "1,000 files"},
        {2004, "2,004 files"},
        {999999, "999,999 files"},
        {1000000, "1,000,000 files"},
        {ULLONG_MAX, "18,446,744,073,709,551,615 files"},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(text_count(&a, rows[i].n, "file"), rows[i].text);
    arena_free(&a);
}

/* ---- numbers ---- */

static void test_number(void **state)
{
    static const char *const none[] = {
        "",
        " ",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "x",
        "1x",
        "0x",
        ".5",
        "1.",
        "1e3",
        "\xd9\xa1",
        "1\t2",
        "--",
        "-0",
        "9223372036854775808",
        "18446744073709551616",
        "18446744073709551617",
        "-9223372036854775808",
        "99999999999999999999999999999999999999999999999999999999999999"};
    static const struct {
        const char *text;
        long long max;
        long long is; /* -7: none */
    } rows[] = {
        {"0", 0, 0},
        {"1", 0, -7},
        {"8", 5, -7},
        {"007", 7, 7},
        {"253402300799", NUMBER_UNIX_MAX, 253402300799},
        {"253402300800", NUMBER_UNIX_MAX, -7},
        {"65535", 65535, 65535},
        {"65536", 65535, -7},
        {"9223372036854775807", INT64_MAX, INT64_MAX},
        {"9223372036854775808", INT64_MAX, -7},
        {"00000000000000000000000000000000000000001", 1, 1},
    };
    long long n = -7;

    (void)state;
    for (size_t i = 0; i < N(none); i++)
        if (number_read(none[i], INT64_MAX, &n) || n != -7)
            fail_msg("'%s' is taken for %lld", none[i], n);
    for (size_t i = 0; i < N(rows); i++)
        assert_int_equal(number_or(rows[i].text, rows[i].max, -7), rows[i].is);
    assert_true(number_part("12:30", 2, 23, &n));
    assert_int_equal(n, 12);
    assert_false(number_part("12:30", 3, 1000, &n));
    assert_false(number_part("12", 0, 1000, &n));
    assert_false(number_part("1\0002", 3, 1000, &n));
    assert_int_equal(n, 12);
    /* What is read can be made milliseconds. */
    assert_true(NUMBER_SPAN_MAX < INT64_MAX / 1000 && NUMBER_UNIX_MAX < INT64_MAX / 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_pieces),
        cmocka_unit_test(test_arena_text),
        cmocka_unit_test(test_arena_too_much),
        cmocka_unit_test(test_strs),
        cmocka_unit_test(test_err_chain),
        cmocka_unit_test(test_err_classes),
        cmocka_unit_test(test_buf_limits),
        cmocka_unit_test(test_buf_bounds),
        cmocka_unit_test(test_buf_drop_too_much),
        cmocka_unit_test(test_quote_word),
        cmocka_unit_test(test_quote_typed),
        cmocka_unit_test(test_quote_assign),
        cmocka_unit_test(test_quote_text),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_visible),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_visible_lines),
        cmocka_unit_test(test_visible_anything),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_meant),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_span),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_number),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
