#include "ssh/keys.h"
#include "edge/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ED  "\0\0\0\013ssh-ed25519\0\0\0\004aaaa"
#define RSA "\0\0\0\007ssh-rsa\0\0\0\004bbbb"
#define SK  "\0\0\0\032sk-ssh-ed25519@openssh.com\0\0\0\004cccc"

static const struct ssh_library old = {"1.10.0", false};
static const struct ssh_library new = {"1.11.1", true};

static char dir[] = "/tmp/test_ssh_keys.XXXXXX";

static struct login_list list_of(struct arena *a, const char *identity,
                                 const struct ssh_library *library, const struct agent_key *agent,
                                 size_t n)
{
    struct login_wish wish = {.identity = identity, .library = library};

    return login_list_make(a, &wish, agent, n);
}

static const char *write_file(struct arena *a, const char *name, const char *text)
{
    const char *path = arena_printf(a, "%s/.ssh/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, 0600);
    return path;
}

static void add_string(struct buf *b, const char *s, size_t len)
{
    const char n[4] = {0, 0, (char)(len >> 8), (char)len};
    buf_add(b, n, 4);
    buf_add(b, s, len);
}

/* A key file of OpenSSH's own format; what would be secret is left out. */
static const char *openssh_key(struct arena *a, const char *cipher, const char *blob, size_t len)
{
    struct buf b = buf_make(10000);

    buf_add(&b, "openssh-key-v1", 15);
    add_string(&b, cipher, strlen(cipher));
    add_string(&b, "bcrypt", 6);
    add_string(&b, "", 0);
    buf_add(&b, "\0\0\0\1", 4);
    add_string(&b, blob, len);
    const char *b64 = base64_encode(a, b.text, b.len);
    buf_free(&b);
    return arena_printf(a,
                        "-----BEGIN OPENSSH PRIVATE KEY-----\n%.20s\n%s\n"
                        "-----END OPENSSH PRIVATE KEY-----\n",
                        b64, b64 + 20);
}

static void test_read(void **state)
{
    struct arena a = {0};
    const struct {
        const char *text;
        enum key_form form;
        const char *type;
        bool encrypted;
    } rows[] = {
        {openssh_key(&a, "none", ED, sizeof ED - 1), KEY_PRIVATE, "ssh-ed25519", false},
        {openssh_key(&a, "aes256-ctr", ED, sizeof ED - 1), KEY_PRIVATE, "ssh-ed25519", true},
        {arena_printf(&a, "ssh-ed25519 %s ann@laptop\n", base64_encode(&a, ED, sizeof ED - 1)),
         KEY_PUBLIC, "ssh-ed25519", false},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", KEY_PRIVATE, "ssh-rsa", true},
        {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", KEY_PRIVATE, "ssh-rsa", false},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", KEY_PRIVATE, NULL, true},
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAA\n-----END PRIVATE KEY-----\n",
         KEY_PRIVATE, "ssh-ed25519", false},
        {"PuTTY-User-Key-File-3: ssh-ed25519\n", KEY_UNKNOWN, NULL, false},
        {"", KEY_UNKNOWN, NULL, false},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\n", KEY_PRIVATE, NULL, false},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END", KEY_PRIVATE, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ssh_key key = ssh_key_read(&a, write_file(&a, "key", rows[i].text));
        if (key.form != rows[i].form || key.encrypted != rows[i].encrypted)
            fail_msg("row %zu: form %d, encrypted %d", i, (int)key.form, key.encrypted);
        if (rows[i].type)
            assert_string_equal(key.type, rows[i].type);
        else
            assert_null(key.type);
        assert_string_equal(key.label, "~/.ssh/key");
        assert_false(key.loose);
        ssh_key_wipe(&key);
    }
    assert_int_equal(ssh_key_read(&a, "/nonexistent").form, KEY_ABSENT);
    assert_int_equal(ssh_key_read(&a, dir).form, KEY_UNREADABLE);
    /* The public half may be beside it. */
    const char *path = write_file(&a, "key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n");
    write_file(&a, "key.pub",
               arena_printf(&a, "ssh-rsa %s", base64_encode(&a, RSA, sizeof RSA - 1)));
    chmod(path, 0644);
    struct ssh_key key = ssh_key_read(&a, path);
    assert_string_equal(key.type, "ssh-rsa");
    assert_int_equal(key.blob_len, sizeof RSA - 1);
    assert_true(key.loose);
    unlink(arena_printf(&a, "%s/.ssh/key.pub", dir));
    unlink(path);
    arena_free(&a);
}

static void test_order(void **state)
{
    struct arena a = {0};
    int id[3];
    const struct agent_key agent[] = {{RSA, sizeof RSA - 1, "rsa", &id[0]},
                                      {ED, sizeof ED - 1, "ed\033[1m", &id[1]},
                                      {SK, sizeof SK - 1, "touch", &id[2]}};

    (void)state;
    write_file(&a, "id_ed25519", openssh_key(&a, "aes256-ctr", "\0\0\0\013ssh-ed25519z", 16));
    const char *ecdsa = write_file(&a, "id_ecdsa", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n");
    struct login_list list = list_of(&a, NULL, &old, agent, 3);
    assert_int_equal(list.n, 5);
    assert_int_equal(list.key[2].fate, KEY_PASSED_OVER);
    struct login_key *k = login_list_next(&list);
    assert_ptr_equal(k->agent_id, &id[0]);
    k->fate = KEY_REFUSED;
    k->why = "not accepted";
    k = login_list_next(&list);
    assert_ptr_equal(k->agent_id, &id[1]);
    assert_string_equal(k->label, "agent key 'ed\\x1b[1m' (ED25519)");
    k->fate = KEY_REFUSED;
    k->why = "not accepted";
    /* encrypted ones come last */
    k = login_list_next(&list);
    assert_string_equal(k->label, "~/.ssh/id_ecdsa");
    k->fate = KEY_REFUSED;
    k->why = "not accepted";
    k = login_list_next(&list);
    assert_string_equal(k->label, "~/.ssh/id_ed25519");
    k->fate = KEY_REFUSED;
    k->why = "not accepted";
    assert_null(login_list_next(&list));
    assert_int_equal(login_list_tried(&list), 4);
    assert_non_null(strstr(login_list_story(&list, &a), "~/.ssh/id_ecdsa: not accepted"));

    list = list_of(&a, NULL, &new, agent, 3);
    assert_int_equal(list.key[0].fate, KEY_TO_TRY);
    assert_int_equal(list.key[2].fate, KEY_TO_TRY);

    /* an identity: nothing else */
    list = list_of(&a, ecdsa, &old, agent, 3);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.key[0].label, "~/.ssh/id_ecdsa");
    /* an identity that the agent has comes from there first */
    write_file(&a, "id_ed25519", openssh_key(&a, "aes256-ctr", ED, sizeof ED - 1));
    list = list_of(&a, "~/.ssh/id_ed25519", &old, agent, 3);
    assert_int_equal(list.n, 2);
    assert_ptr_equal(list.key[0].agent_id, &id[1]);
    /* and is then not tried a second time from its file */
    list = list_of(&a, NULL, &old, agent, 3);
    assert_int_equal(list.n, 5);
    assert_ptr_equal(login_list_next(&list)->agent_id, &id[0]);
    assert_int_equal(list.key[3].fate, KEY_SPARE);
    /* but when the agent does not sign with it */
    list.key[0].fate = KEY_REFUSED;
    list.key[0].why = "not accepted";
    login_list_unsigned(&list, &list.key[1], "refused");
    assert_string_equal(login_list_next(&list)->label, "~/.ssh/id_ed25519");
    unlink(ecdsa);
    unlink(arena_printf(&a, "%s/.ssh/id_ed25519", dir));
    arena_free(&a);
}

static void test_limit(void **state)
{
    struct arena a = {0};
    int id;
    struct agent_key agent[8];
    int tries = 0;

    (void)state;
    for (int i = 0; i < 8; i++)
        agent[i] = (struct agent_key){ED, sizeof ED - 1, "k", &id};
    struct login_list list = list_of(&a, NULL, &old, agent, 8);
    for (struct login_key *k; (k = login_list_next(&list)); tries++) {
        k->fate = KEY_REFUSED;
        k->why = "not accepted";
    }
    assert_int_equal(tries, LOGIN_TRIES_MAX);
    list = list_of(&a, NULL, &old, NULL, 0);
    assert_null(login_list_next(&list));
    assert_non_null(strstr(login_list_story(&list, &a), "no key in the agent"));
    arena_free(&a);
}

static void test_unreadable_ciphers(void **state)
{
    struct arena a = {0};
    static const struct {
        const char *cipher;
        bool works_old;
        bool works_new;
    } rows[] = {{"aes256-ctr", true, true},
                {"aes256-gcm@openssh.com", false, true},
                {"chacha20-poly1305@openssh.com", false, false}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *path =
            write_file(&a, "key", openssh_key(&a, rows[i].cipher, ED, sizeof ED - 1));
        struct login_list list = list_of(&a, path, &old, NULL, 0);
        assert_int_equal(login_list_next(&list) != NULL, rows[i].works_old);
        if (!rows[i].works_old)
            assert_non_null(strstr(list.key[0].why, rows[i].cipher));
        list = list_of(&a, path, &new, NULL, 0);
        assert_int_equal(login_list_next(&list) != NULL, rows[i].works_new);
        unlink(path);
    }
    arena_free(&a);
}

static int set_up(void **state)
{
    char ssh[64];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    setenv("HOME", dir, 1);
    snprintf(ssh, sizeof ssh, "%s/.ssh", dir);
    return mkdir(ssh, 0700);
}

static int tear_down(void **state)
{
    char ssh[64];

    (void)state;
    snprintf(ssh, sizeof ssh, "%s/.ssh", dir);
    return rmdir(ssh) || rmdir(dir);
}

/* What an ssh configuration names comes first, wherever it is; then the agent's other keys. */
static void test_configured(void **state)
{
    struct arena a = {0};
    int id[3];
    const struct agent_key agent[] = {{SK, sizeof SK - 1, "touch", &id[0]},
                                      {ED, sizeof ED - 1, "ed", &id[1]}};
    struct login_wish wish = {.library = &new};

    (void)state;
    strs_add(&a, &wish.configured, write_file(&a, "plain", "-----BEGIN EC PRIVATE KEY-----\nAA\n"));
    strs_add(&a, &wish.configured,
             write_file(&a, "both", openssh_key(&a, "aes256-ctr", ED, sizeof ED - 1)));
    strs_add(&a, &wish.configured, "~/.ssh/absent");
    struct login_list list = login_list_make(&a, &wish, agent, 2);
    assert_int_equal(list.n, 5);
    assert_ptr_equal(list.key[0].agent_id, &id[1]);
    assert_string_equal(list.key[1].label, "~/.ssh/plain");
    assert_string_equal(list.key[2].why, "no such file");
    assert_int_equal(list.key[3].fate, KEY_SPARE);
    assert_ptr_equal(list.key[4].agent_id, &id[0]);
    wish.configured_only = true;
    assert_int_equal(login_list_make(&a, &wish, agent, 2).n, 4);
    /* IdentitiesOnly with ssh's own defaults: the usual files, also through the agent. */
    write_file(&a, "id_ed25519", openssh_key(&a, "aes256-ctr", ED, sizeof ED - 1));
    wish.configured = (struct strs){0};
    list = login_list_make(&a, &wish, agent, 2);
    assert_ptr_equal(list.key[0].agent_id, &id[1]);
    for (size_t i = 1; i < list.n; i++)
        assert_null(list.key[i].agent_id);
    unlink(arena_printf(&a, "%s/.ssh/id_ed25519", dir));
    unlink(arena_printf(&a, "%s/.ssh/plain", dir));
    unlink(arena_printf(&a, "%s/.ssh/both", dir));
    arena_free(&a);
}

/* However a CI system has mangled it. */
static void test_variable(void **state)
{
    struct arena a = {0};
    const char *text = openssh_key(&a, "none", ED, sizeof ED - 1);
    const char *path = write_file(&a, "variable", text);
    struct buf lines = buf_make(10000);
    struct buf literal = buf_make(10000);
    const char *whole = base64_encode(&a, text, strlen(text));

    (void)state;
    for (const char *s = text; *s; s++) {
        buf_printf(&lines, *s == '\n' ? "\r\n" : "%c", *s);
        buf_printf(&literal, *s == '\n' ? "\\n" : "%c", *s);
    }
    const char *const values[] = {
        text,  arena_strndup(&a, text, strlen(text) - 1),          lines.text, literal.text,
        whole, arena_printf(&a, "%.70s\n%s\n", whole, whole + 70), path};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ssh_key key = ssh_key_of_variable(&a, values[i]);
        assert_int_equal(key.form, KEY_PRIVATE);
        assert_string_equal(key.type, "ssh-ed25519");
        assert_string_equal(key.text, text);
        assert_int_equal(strncmp(key.label, "CRELEASE_SSH_KEY", 16), 0);
    }
    struct ssh_key none = ssh_key_of_variable(&a, "oops");
    assert_int_equal(none.form, KEY_UNKNOWN);
    assert_string_equal(none.why,
                        "is neither a private key, nor one in base64, nor the path of one");
    for (char *s = literal.text; (s = strstr(s, "\\n"));)
        memcpy(s, "  ", 2);
    none = ssh_key_of_variable(&a, literal.text);
    assert_int_equal(none.form, KEY_UNKNOWN);
    assert_string_equal(
        none.why, "has lost its line breaks: store the key as a file or in base64 (base64 -w0)");
    assert_int_equal(ssh_key_of_variable(&a, "/no/such/file").form, KEY_ABSENT);
    /* It is tried first, also before an identity of the recipe. */
    struct login_wish wish = {.variable = text, .identity = "~/.ssh/absent", .library = &old};
    struct login_list list = login_list_make(&a, &wish, NULL, 0);
    assert_int_equal(list.n, 2);
    assert_string_equal(login_list_next(&list)->label, "CRELEASE_SSH_KEY");
    unlink(path);
    buf_free(&lines);
    buf_free(&literal);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_configured), cmocka_unit_test(test_variable),
        cmocka_unit_test(test_limit),      cmocka_unit_test(test_unreadable_ciphers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
