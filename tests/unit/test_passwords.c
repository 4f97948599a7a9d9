/* What is taken out of a command line or a message before it is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/passwords.h"

#include <string.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static void hidden(void **state)
{
    (void)state;
    struct arena a = {0};
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"", ""},
        {"=", "="},
        {":", ":"},
        {"://:", "://:"},
        {"-p", "-p"},
        {"PGPASSWORD=hunter2 pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"PGPASSWORD='hunter 2' pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"PGPASSWORD=\"hunter 2\"x'y z' pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"PGPASSWORD=hunter\\ 2 pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"PGPASSWORD=hunter2;pg_dump shop", "PGPASSWORD=[secret];pg_dump shop"},
        {"sh -c \"PGPASSWORD=hunter2 pg_dump shop\"", "sh -c \"PGPASSWORD=[secret] pg_dump shop\""},
        {"PGPASSWORD= pg_dump shop", "PGPASSWORD= pg_dump shop"},
        {"pg_dump \"host=db password='hunter 2' dbname=shop\"",
         "pg_dump \"host=db password=[secret] dbname=shop\""},
        {"pg_dump postgresql://ann:hunter2@db/shop", "pg_dump postgresql://ann:[secret]@db/shop"},
        {"pg_dump postgresql://ann:hun/ter@2@db/shop", "pg_dump postgresql://ann:[secret]@db/shop"},
        {"pg_dump 'postgresql://ann:hun\"ter2@db/shop'",
         "pg_dump 'postgresql://ann:[secret]@db/shop'"},
        {"pg_dump postgresql://ann:12345@db/shop", "pg_dump postgresql://ann:[secret]@db/shop"},
        {"pg_dump postgresql://ann:hunter2", "pg_dump postgresql://ann:[secret]"}, /* cut off */
        {"pg_dump postgresql://db:5432/shop", "pg_dump postgresql://db:5432/shop"},
        {"pg_dump postgresql:///shop?user=ann&password=hunter2",
         "pg_dump postgresql:///shop?user=ann&password=[secret]"},
        {"x --password=hunter2 y", "x --password=[secret] y"},
        {"x --password hunter2 y", "x --password [secret] y"},
        {"pg_dump --no-password shop", "pg_dump --no-password shop"},
        {"mysqldump -u ann -phunter2 shop", "mysqldump -u ann -p[secret] shop"},
        {"pg_dump -p5432 shop", "pg_dump -p5432 shop"},
        {"pg_dump -p 5432 shop", "pg_dump -p 5432 shop"},
        {"sshpass -p hunter2 ssh db", "sshpass -p [secret] ssh db"},
        {"sshpass -phunter2 ssh db", "sshpass -p[secret] ssh db"},
        {"curl -u ann:hunter2 https://x", "curl -u [secret] https://x"},
        {"curl --user ann:hunter2 https://x", "curl --user [secret] https://x"},
        {"id -u ann:x", "id -u ann:x"},
        {"pg_dump -Z 9 --exclude-table=a:b@c x", "pg_dump -Z 9 --exclude-table=a:b@c x"},
        {"AWS_SECRET_ACCESS_KEY=abc /opt/backup", "AWS_SECRET_ACCESS_KEY=[secret] /opt/backup"},
        {"'PGPASSWORD=hunter2 false' ended with exit status 1",
         "'PGPASSWORD=[secret] false' ended with exit status 1"},
    };

    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(passwords_hidden(&a, rows[i].text), rows[i].shown);
    arena_free(&a);
}

/* Whatever stands around it. */
static void everywhere(void **state)
{
    (void)state;
    struct arena a = {0};
    static const char pieces[] = "\"'\\=:/@ \t-p;x";
    unsigned seed = 1;

    for (int i = 0; i < 20000; i++) {
        char before[9] = "";
        for (size_t k = 0; k < 8; k++) {
            seed = seed * 1103515245 + 12345;
            before[k] = pieces[(seed >> 16) % (sizeof pieces - 1)];
        }
        const char *text =
            arena_printf(&a, "%s PASSWORD=hunter2 postgres://u:hunter2@h %s", before, before);
        if (strstr(passwords_hidden(&a, text), "hunter2"))
            fail_msg("'%s' is shown as '%s'", text, passwords_hidden(&a, text));
        if (i % 100 == 0)
            arena_free(&a);
    }
    arena_free(&a);
}

/* Megabytes of what used to be looked at again from each place.  The walk takes a fraction of a
 * second; one that is not linear takes hours, and is ended. */
static void long_texts(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a:", "://a:\"", "://a:b:", " ", " -pa", "KEY=", "aKE", "-u a ",       "PASS=\"x ",
        "'",  "\"",      "\\",      "@", "\xff", "a:b@", "=",   "--password ", "://a:1"};

    for (size_t i = 0; i < N(units); i++) {
        struct arena a = {0};
        struct buf b = buf_make(8 << 20);
        buf_puts(&b, i % 2 ? "curl mysql " : "");
        while (b.len < 4 << 20)
            buf_puts(&b, units[i]);
        alarm(120);
        assert_non_null(passwords_hidden(&a, b.text));
        alarm(0);
        buf_free(&b);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hidden), cmocka_unit_test(everywhere),
                                       cmocka_unit_test(long_texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
