#include "ssh/known_hosts.h"

#include "ssh/home.h"
#include "ssh/host_key.h"
#include "edge/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Two Ed25519 keys and one of ECDSA, as blobs: only their first string is looked at. */
#define ED_A "\0\0\0\013ssh-ed25519\0\0\0\004aaaa"
#define ED_B "\0\0\0\013ssh-ed25519\0\0\0\004bbbb"
#define EC_A "\0\0\0\023ecdsa-sha2-nistp256\0\0\0\004cccc"

static const struct {
    const char *blob;
    size_t len;
} keys[] = {['A'] = {ED_A, sizeof ED_A - 1},
            ['B'] = {ED_B, sizeof ED_B - 1},
            ['E'] = {EC_A, sizeof EC_A - 1}};

static char dir[] = "/tmp/test_known_hosts.XXXXXX";
static char path[64];

/* Writes the file; %A, %B and %E stand for "type base64" of a key. */
static void write_file(const char *text)
{
    struct arena a = {0};
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (; *text; text++) {
        if (*text != '%') {
            fputc(*text, f);
            continue;
        }
        const unsigned k = (unsigned char)*++text;
        fprintf(f, "%s %s", host_key_type(&a, keys[k].blob, keys[k].len),
                base64_encode(&a, keys[k].blob, keys[k].len));
    }
    fclose(f);
    arena_free(&a);
}

static struct known_hosts *open_file(void)
{
    return known_hosts_open((const char *const[]){path, NULL});
}

struct row {
    const char *file;
    const char *host;
    int port;
    char key;
    enum known known;
    unsigned line;
};

static void check(const struct row *r)
{
    write_file(r->file);
    struct known_hosts *k = open_file();
    struct known_host host = {.name = r->host, .port = r->port};
    struct known_answer answer =
        known_hosts_check(k, &host, keys[(unsigned)r->key].blob, keys[(unsigned)r->key].len);

    if (answer.known != r->known || answer.line != r->line)
        fail_msg("'%s' port %d, key %c: %d line %u, not %d line %u, with:\n%s", r->host, r->port,
                 r->key, (int)answer.known, answer.line, (int)r->known, r->line, r->file);
    known_hosts_close(k);
}

static void test_check(void **state)
{
    static const struct row rows[] = {
        {"", "app1", 22, 'A', KNOWN_UNKNOWN, 0},
        {"app1 %A\n", "app1", 22, 'A', KNOWN_YES, 1},
        {"app1 %A", "app1", 22, 'A', KNOWN_YES, 1},
        {"app1 %A comment here\r\n", "app1", 22, 'A', KNOWN_YES, 1},
        {"\t app1\t%A\n", "app1", 22, 'A', KNOWN_YES, 1},
        {"app1 %A\n", "APP1", 22, 'A', KNOWN_YES, 1},
        {"App1 %A\n", "app1", 22, 'A', KNOWN_YES, 1},
        {"app1 %A\n", "app10", 22, 'A', KNOWN_UNKNOWN, 0},
        {"app1 %A\n", "app", 22, 'A', KNOWN_UNKNOWN, 0},
        {"app1,10.0.0.1 %A\n", "10.0.0.1", 22, 'A', KNOWN_YES, 1},
        {"app1 %A\n", "app1", 22, 'B', KNOWN_CHANGED, 1},
        {"app1 %E\n", "app1", 22, 'B', KNOWN_CHANGED, 1},
        /* the line of the same type is the one to name */
        {"app1 %E\napp1 %A\n", "app1", 22, 'B', KNOWN_CHANGED, 2},
        {"app1 %B\napp1 %A\n", "app1", 22, 'A', KNOWN_YES, 2},
        /* what is no line is passed over */
        {"# app1 %A\n\n   \ngarbage\napp1 1024 35 1234567\n@what app1 %A\napp1 ssh-ed25519\n"
         "app1 ssh-ed25519 !!!\napp1 %A\n",
         "app1", 22, 'A', KNOWN_YES, 9},
        {"app1 ssh-ed25519 !!!\n", "app1", 22, 'A', KNOWN_UNKNOWN, 0},
        /* ports */
        {"app1 %A\n", "app1", 2222, 'A', KNOWN_YES, 1},
        {"app1 %A\n", "app1", 2222, 'B', KNOWN_UNKNOWN, 0},
        {"[app1]:2222 %A\n", "app1", 2222, 'A', KNOWN_YES, 1},
        {"[app1]:2222 %A\n", "app1", 22, 'A', KNOWN_UNKNOWN, 0},
        {"[app1]:2222 %A\n", "app1", 222, 'A', KNOWN_UNKNOWN, 0},
        {"app1 %A\n[app1]:2222 %B\n", "app1", 2222, 'A', KNOWN_CHANGED, 2},
        {"[::1]:2222 %A\n", "::1", 2222, 'A', KNOWN_YES, 1},
        {"::1 %A\n", "::1", 22, 'A', KNOWN_YES, 1},
        /* wildcards */
        {"*.example.com %A\n", "app1.example.com", 22, 'A', KNOWN_YES, 1},
        {"*.example.com %A\n", "example.com", 22, 'A', KNOWN_UNKNOWN, 0},
        {"app? %A\n", "app1", 22, 'A', KNOWN_YES, 1},
        {"app? %A\n", "app", 22, 'A', KNOWN_UNKNOWN, 0},
        {"a*b*c*d %A\n", "aXbYcZd", 22, 'A', KNOWN_YES, 1},
        {"*.example.com,!old.example.com %A\n", "old.example.com", 22, 'A', KNOWN_UNKNOWN, 0},
        {"!old.example.com,*.example.com %A\n", "old.example.com", 22, 'A', KNOWN_UNKNOWN, 0},
        {"!old.example.com %A\n", "new.example.com", 22, 'A', KNOWN_UNKNOWN, 0},
        {"[*]:2222 %A\n", "app1", 2222, 'A', KNOWN_YES, 1},
        /* markers */
        {"app1 %A\n@revoked * %A\n", "app1", 22, 'A', KNOWN_REVOKED, 2},
        {"@revoked * %A\napp1 %A\n", "app1", 22, 'A', KNOWN_REVOKED, 1},
        {"@revoked * %B\napp1 %A\n", "app1", 22, 'A', KNOWN_YES, 2},
        {"@revoked * %B\n", "app1", 22, 'A', KNOWN_UNKNOWN, 0},
        {"[app1]:2222 %A\n@revoked app1 %A\n", "app1", 2222, 'A', KNOWN_REVOKED, 2},
        {"@cert-authority * %B\n", "app1", 22, 'A', KNOWN_CA_ONLY, 1},
        {"@cert-authority app1 %B\n", "app1", 2222, 'A', KNOWN_CA_ONLY, 1},
        /* the key of an authority is not the key of a host */
        {"@cert-authority * %A\n", "app1", 22, 'A', KNOWN_CA_ONLY, 1},
        {"@cert-authority * %B\napp1 %A\n", "app1", 22, 'A', KNOWN_YES, 2},
        {"@cert-authority * %B\napp1 %B\n", "app1", 22, 'A', KNOWN_CHANGED, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

static void test_hashed(void **state)
{
    static const char salt[] = "01234567890123456789";
    static const struct {
        const char *hashed;
        const char *host;
        int port;
        enum known known;
    } rows[] = {{"app1", "app1", 22, KNOWN_YES},
                {"app1", "APP1", 22, KNOWN_YES},
                {"app1", "app2", 22, KNOWN_UNKNOWN},
                {"[app1]:2222", "app1", 2222, KNOWN_YES},
                {"[app1]:2222", "app1", 22, KNOWN_UNKNOWN}};
    struct arena a = {0};
    unsigned char mac[20];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        digest_hmac_sha1(salt, 20, rows[i].hashed, strlen(rows[i].hashed), mac);
        const char *line = arena_printf(&a, "|1|%s|%s %%A\n", base64_encode(&a, salt, 20),
                                        base64_encode(&a, mac, 20));
        check(&(struct row){line, rows[i].host, rows[i].port, 'A', rows[i].known,
                            rows[i].known == KNOWN_YES});
    }
    check(&(struct row){"|1|broken %A\n|1|x|y %A\n|2|x|y %A\n", "app1", 22, 'A', KNOWN_UNKNOWN, 0});
    arena_free(&a);
}

/* Bytes that are no text end neither the file nor the program. */
static void test_hostile(void **state)
{
    FILE *f = fopen(path, "w");
    struct known_host host = {.name = "app1", .port = 22};
    struct arena a = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        fputc(i * 7919 % 256, f);
    fwrite("\nx\0y ssh-ed25519 AAAA\n", 1, 22, f);
    for (int i = 0; i < 100000; i++)
        fputs("a*", f);
    fprintf(f, " %s %s\n", "ssh-ed25519", base64_encode(&a, ED_A, sizeof ED_A - 1));
    fprintf(f, "app1 ssh-ed25519 %s\n", base64_encode(&a, ED_A, sizeof ED_A - 1));
    fclose(f);
    struct known_hosts *k = open_file();
    assert_int_equal(known_hosts_check(k, &host, ED_A, sizeof ED_A - 1).known, KNOWN_YES);
    assert_int_equal(known_hosts_check(k, &host, "", 0).known, KNOWN_CHANGED);
    assert_int_equal(known_hosts_check(k, &host, "\377\377\377\377x", 5).known, KNOWN_CHANGED);
    known_hosts_close(k);
    arena_free(&a);
}

static void test_types(void **state)
{
    struct arena a = {0};
    struct strs types = {0};

    (void)state;
    write_file("app1 %E\n@revoked app1 %B\napp2 %A\n[app3]:2222 %A\napp3 %E\n*1 %A\napp1 %E\n");
    struct known_hosts *k = open_file();
    known_hosts_types(k, &(struct known_host){.name = "app1", .port = 22}, &a, &types);
    assert_int_equal(types.n, 2);
    assert_string_equal(types.v[0], "ecdsa-sha2-nistp256");
    assert_string_equal(types.v[1], "ssh-ed25519");
    types.n = 0;
    types.v = NULL;
    known_hosts_types(k, &(struct known_host){.name = "app3", .port = 2222}, &a, &types);
    assert_int_equal(types.n, 1);
    assert_string_equal(types.v[0], "ssh-ed25519");
    types.n = 0;
    types.v = NULL;
    known_hosts_types(k, &(struct known_host){.name = "app2", .port = 2222}, &a, &types);
    assert_int_equal(types.n, 1);
    known_hosts_close(k);
    arena_free(&a);
}

static void test_refusal(void **state)
{
    static const struct {
        const char *file;
        const char *say;
        const char *in_ci; /* where it says something else there */
    } rows[] = {{"", "ssh-keyscan -t ed25519 -p 2222 app1 >>",
                 "that 'crelease check ENV --scan' prints to CRELEASE_KNOWN_HOSTS"},
                {"[app1]:2222 %B\n", "CHANGED", NULL},
                {"[app1]:2222 %E\n", "only the host's ECDSA key", NULL},
                {"@revoked * %A\n", "REVOKED", NULL},
                {"@cert-authority * %B\n", "only a certificate authority", NULL}};
    struct known_host host = {.name = "app1", .port = 2222};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const bool ci = i % 2;
        assert_int_equal(ci ? setenv("CI", "true", 1) : unsetenv("CI"), 0);
        write_file(rows[i / 2].file);
        struct known_hosts *k = open_file();
        struct known_answer answer = known_hosts_check(k, &host, ED_A, sizeof ED_A - 1);
        const char *say = known_hosts_refusal(k, &a, &answer);
        const char *want = ci && rows[i / 2].in_ci ? rows[i / 2].in_ci : rows[i / 2].say;
        assert_non_null(strstr(say, want));
        assert_non_null(strstr(say, "ED25519 key of app1 port 2222, SHA256:"));
        assert_non_null(strstr(say, path));
        assert_null(strchr(say, '\n'));
        known_hosts_close(k);
    }
    unsetenv("CI");
    arena_free(&a);
}

static void test_files(void **state)
{
    struct known_host host = {.name = "app1", .port = 22};

    (void)state;
    write_file("app1 %A\n");
    struct known_hosts *k =
        known_hosts_open((const char *const[]){"/nonexistent/file", "/dev/null", path, NULL});
    assert_null(known_hosts_trouble(k));
    assert_int_equal(known_hosts_check(k, &host, ED_A, sizeof ED_A - 1).known, KNOWN_YES);
    known_hosts_close(k);
    /* An empty one is no trouble, whatever errno was before. */
    write_file("");
    errno = EIO;
    k = open_file();
    assert_null(known_hosts_trouble(k));
    known_hosts_close(k);
    k = known_hosts_open((const char *const[]){dir, NULL});
    assert_non_null(known_hosts_trouble(k));
    assert_non_null(strstr(known_hosts_trouble(k), "Is a directory"));
    known_hosts_close(k);
}

static void test_pin(void **state)
{
    struct arena a = {0};
    const char *hash = host_key_fingerprint(&a, ED_A, sizeof ED_A - 1);
    const char *b64 = base64_encode(&a, ED_A, sizeof ED_A - 1);
    const char *line = arena_printf(&a, "ssh-ed25519 %s root@app1\n", b64);
    const char *padded = arena_printf(&a, "%s=", hash);

    (void)state;
    assert_null(strchr(hash, '='));
    assert_true(host_key_pin_is_valid(hash));
    assert_true(host_key_pin_matches(hash, ED_A, sizeof ED_A - 1));
    assert_true(host_key_pin_matches(padded, ED_A, sizeof ED_A - 1));
    assert_false(host_key_pin_matches(hash, ED_B, sizeof ED_B - 1));
    assert_null(host_key_pin_type(&a, hash));
    assert_true(host_key_pin_matches(line, ED_A, sizeof ED_A - 1));
    assert_false(host_key_pin_matches(line, ED_B, sizeof ED_B - 1));
    assert_string_equal(host_key_pin_type(&a, line), "ssh-ed25519");
    assert_false(host_key_pin_is_valid(""));
    assert_false(host_key_pin_is_valid("SHA256:"));
    assert_false(host_key_pin_is_valid("SHA256:abcd"));
    assert_false(host_key_pin_is_valid("ssh-ed25519"));
    assert_false(host_key_pin_is_valid("ssh-ed25519 !!"));
    assert_false(host_key_pin_is_valid(arena_printf(&a, "ssh-rsa %s", b64)));
    /* The type is also passed to a shell (program_keys.c). */
    static const char shell[] = "\0\0\0\x07ssh-$(x";
    assert_false(host_key_pin_is_valid(
        arena_printf(&a, "ssh-$(x %s", base64_encode(&a, shell, sizeof shell - 1))));
    arena_free(&a);
}

static int set_up(void **state)
{
    (void)state;
    /* What is said differs in a CI job. */
    unsetenv("CI");
    unsetenv("GITHUB_ACTIONS");
    unsetenv("GITLAB_CI");
    unsetenv("CRELEASE_KNOWN_HOSTS");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/known_hosts", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),   cmocka_unit_test(test_hashed),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_types),
        cmocka_unit_test(test_refusal), cmocka_unit_test(test_files),
        cmocka_unit_test(test_pin),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
