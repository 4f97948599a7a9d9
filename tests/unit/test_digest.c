#include "edge/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void hex(const unsigned char *bytes, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void test_sha256(void **state)
{
    static const struct {
        const char *text;
        const char *sum; /* FIPS 180-2, appendix B, and the empty message */
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct digest *d = digest_open();
    char sum[65];
    unsigned char raw[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].text);
        digest_add(d, cases[i].text, len);
        digest_hex(d, sum);
        assert_string_equal(sum, cases[i].sum);
        for (size_t k = 0; k < len; k++) /* the same, byte by byte, in the same digest */
            digest_add(d, cases[i].text + k, 1);
        digest_hex(d, sum);
        assert_string_equal(sum, cases[i].sum);
        digest_sha256(cases[i].text, len, raw);
        hex(raw, 32, sum);
        assert_string_equal(sum, cases[i].sum);
    }
    digest_close(d);
    digest_close(NULL);
}

static void test_sha256_million(void **state)
{
    struct digest *d = digest_open();
    char block[1000];
    char sum[65];

    (void)state;
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++)
        digest_add(d, block, sizeof block);
    digest_hex(d, sum);
    assert_string_equal(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    digest_close(d);
}

static void check_hmac(const void *key, size_t key_len, const char *text, const char *want)
{
    unsigned char raw[20];
    char sum[41];

    digest_hmac_sha1(key, key_len, text, strlen(text), raw);
    hex(raw, 20, sum);
    assert_string_equal(sum, want);
}

static void test_hmac_sha1(void **state)
{
    unsigned char key[80]; /* RFC 2202 */

    (void)state;
    memset(key, 0x0b, 20);
    check_hmac(key, 20, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
    check_hmac("Jefe", 4, "what do ya want for nothing?",
               "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(key, 0xaa, 80);
    check_hmac(key, 80, "Test Using Larger Than Block-Size Key - Hash Key First",
               "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    check_hmac("", 0, "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    check_hmac(NULL, 0, "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void test_git_blob(void **state)
{
    unsigned char raw[20];
    char sum[41];

    (void)state;
    digest_git_blob("", 0, raw);
    hex(raw, 20, sum);
    assert_string_equal(sum, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    digest_git_blob("hello\n", 6, raw);
    hex(raw, 20, sum);
    assert_string_equal(sum, "ce013625030ba8dba906f756967f9e9ca394464a");
}

static void test_base64(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, /* RFC 4648 */
    };
    struct arena a = {0};
    unsigned char *out = NULL;
    size_t len = 99;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *coded = cases[i][1];
        assert_string_equal(base64_encode(&a, cases[i][0], strlen(cases[i][0])), coded);
        assert_true(base64_decode(&a, coded, strlen(coded), &out, &len));
        assert_int_equal(len, strlen(cases[i][0]));
        assert_memory_equal(out, cases[i][0], len);
        assert_true(base64_decode(&a, coded, strcspn(coded, "="), &out, &len)); /* no padding */
        assert_int_equal(len, strlen(cases[i][0]));
        assert_memory_equal(out, cases[i][0], len);
    }
    arena_free(&a);
}

static void test_base64_all_bytes(void **state)
{
    struct arena a = {0};
    unsigned char all[256];
    unsigned char *out = NULL;
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (unsigned char)(255 - i);
    for (size_t n = 0; n <= sizeof all; n++) {
        const char *coded = base64_encode(&a, all, n);
        assert_int_equal(strlen(coded), (n + 2) / 3 * 4);
        assert_true(base64_decode(&a, coded, strlen(coded), &out, &len));
        assert_int_equal(len, n);
        assert_memory_equal(out, all, n);
    }
    arena_free(&a);
}

static void test_base64_refused(void **state)
{
    static const char *const bad[] = {"Z",        "Zg=",  "Zg===", "Zm8==",    "=",
                                      "==",       "====", "Zm9v=", "Zm9v====", "Zm 9v",
                                      "Zm9v\n",   "Zm-v", "Zm_v",  "Z===",     "Zm9vZ",
                                      "Zg==Zg==", "Zh==", "Zm9=",  "Zm\377v",  "Zh"};
    struct arena a = {0};
    unsigned char *out = NULL;
    size_t len = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(&a, bad[i], strlen(bad[i]), &out, &len))
            fail_msg("'%s' was taken for base64", bad[i]);
    assert_false(base64_decode(&a, "Zm\0v", 4, &out, &len));
    assert_null(out);
    assert_int_equal(len, 7);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),         cmocka_unit_test(test_sha256_million),
        cmocka_unit_test(test_hmac_sha1),      cmocka_unit_test(test_git_blob),
        cmocka_unit_test(test_base64),         cmocka_unit_test(test_base64_all_bytes),
        cmocka_unit_test(test_base64_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
