#include "ssh/offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void add_number(struct buf *b, unsigned long n)
{
    const unsigned char bytes[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 8), (unsigned char)n};
    buf_add(b, bytes, 4);
}

/* What a server sends first: text, then a KEXINIT with six lists and four empty ones. */
static struct buf hello(const char *text, const char *const lists[OFFER_LISTS])
{
    struct buf body = buf_make(100000);
    struct buf b = buf_make(100000);
    static const char zeros[32];

    buf_add(&body, "\010\024", 2); /* padding of 8, KEXINIT */
    buf_add(&body, zeros, 16);
    for (int i = 0; i < 10; i++) {
        const char *list = i < OFFER_LISTS ? lists[i] : "";
        add_number(&body, strlen(list));
        buf_puts(&body, list);
    }
    buf_add(&body, zeros, 5 + 8);
    buf_puts(&b, text);
    add_number(&b, body.len);
    buf_add(&b, body.text, body.len);
    buf_free(&body);
    return b;
}

static const char *const usual[OFFER_LISTS] = {"curve25519-sha256", "rsa-sha2-512,ssh-ed25519",
                                               "aes128-ctr",        "aes128-ctr",
                                               "hmac-sha2-256",     "hmac-sha2-256"};

static void test_lists(void **state)
{
    struct arena a = {0};
    struct buf b = hello("Welcome\r\nSSH-2.0-OpenSSH_9.2p1 Debian\r\n", usual);
    struct offer o = offer_read(&a, b.text, b.len);

    (void)state;
    assert_string_equal(o.banner, "SSH-2.0-OpenSSH_9.2p1 Debian");
    assert_string_equal(o.before, "Welcome");
    assert_true(o.lists);
    for (int i = 0; i < OFFER_LISTS; i++)
        assert_string_equal(o.list[i], usual[i]);
    assert_true(offer_has(&o, OFFER_HOST_KEY, "ssh-ed25519"));
    assert_true(offer_has(&o, OFFER_HOST_KEY, "rsa-sha2-512"));
    assert_false(offer_has(&o, OFFER_HOST_KEY, "rsa-sha2"));
    /* Any beginning of it is read without harm, and has no lists. */
    for (size_t len = 0; len < b.len; len++) {
        char *copy = xcalloc(1, len + 1);
        memcpy(copy, b.text, len);
        o = offer_read(&a, copy, len);
        assert_false(o.lists);
        free(copy);
    }
    /* Neither does any length in it matter that is a lie. */
    for (size_t i = 39; i + 4 < b.len; i++) {
        char *copy = xcalloc(1, b.len);
        memcpy(copy, b.text, b.len);
        memset(copy + i, 0xff, 4);
        offer_read(&a, copy, b.len);
        free(copy);
    }
    buf_free(&b);
    arena_free(&a);
}

static void test_gap(void **state)
{
    static const struct {
        int list;
        const char *ours;
        const char *say; /* NULL: there is none */
    } rows[] = {
        {OFFER_KEX, "x,curve25519-sha256", NULL},
        {OFFER_KEX, "x",
         "no key exchange in common: the server offers curve25519-sha256; crelease "
         "supports x"},
        {OFFER_HOST_KEY, "ssh-ed25519", NULL},
        {OFFER_HOST_KEY, "ecdsa-sha2-nistp256,ssh-rsa",
         "no host key algorithm in common: the server offers rsa-sha2-512,ssh-ed25519; crelease supports "
         "ecdsa-sha2-nistp256,ssh-rsa"},
        {OFFER_MAC_FROM, "hmac-sha2-512",
         "no MAC in common: the server offers hmac-sha2-256; crelease supports hmac-sha2-512"},
        {OFFER_CIPHER_TO, "aes128",
         "no cipher in common: the server offers aes128-ctr; crelease supports "
         "aes128"},
    };
    struct arena a = {0};
    struct buf b = hello("SSH-2.0-x\r\n", usual);
    struct offer o = offer_read(&a, b.text, b.len);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *ours[OFFER_LISTS];
        memcpy(ours, usual, sizeof ours);
        ours[rows[i].list] = rows[i].ours;
        const char *gap = offer_gap(&o, &a, ours);
        if (rows[i].say)
            assert_string_equal(gap, rows[i].say);
        else
            assert_null(gap);
    }
    buf_free(&b);
    arena_free(&a);
}

static void test_no_server(void **state)
{
    static const char page[] = "HTTP/1.1 400 Bad Request\r\nX: y\r\n\r\n";
    static const char evil[] = "\033[2JSSH\n";
    struct arena a = {0};
    const char *ours[OFFER_LISTS] = {0};
    struct offer o = offer_read(&a, page, sizeof page - 1);

    (void)state;
    assert_null(o.banner);
    assert_string_equal(o.before, "HTTP/1.1 400 Bad Request");
    assert_null(offer_gap(&o, &a, ours));
    o = offer_read(&a, evil, sizeof evil - 1);
    assert_string_equal(o.before, "\\x1b[2JSSH");
    o = offer_read(&a, "", 0);
    assert_null(o.before);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_no_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
