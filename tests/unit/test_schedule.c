/* The answer of src/stages/backup/upcoming.sh as it is read, and what a command is taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "stages/backup/commands.h"
#include "stages/backup/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define HEAD    "now 1795312560\noffset +0000\n" /* 2026-11-22 01:56 UTC */
#define TAIL    "end schedule\nended 0\n"

static struct arena arena;
static struct err err;
static struct schedule s;

static int setup(void **state)
{
    (void)state;
    err = (struct err){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bool parse(const char *answer, const struct strs *given, bool all)
{
    const struct schedule_of of = {
        .adapter = ADAPTER_POSTGRESQL, .answer = answer, .given = given, .read_all = all};

    return schedule_parse(&arena, &of, &s, &err);
}

static void read_all(const char *middle)
{
    assert_true(parse(arena_printf(&arena, HEAD "%s" TAIL, middle), NULL, true));
}

static void commands(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *script; /* "KIND WORD", or NULL */
        int is;             /* -1: no backup */
    } rows[] = {
        {"pg_dump shop | gzip > /b/shop.gz", NULL, BLOCKS_YES},
        {"/usr/lib/postgresql/15/bin/pg_dumpall>/b/all.sql", NULL, BLOCKS_YES},
        {"su postgres -c \"pg_dump shop\"", NULL, BLOCKS_YES},
        {"x=$(pg_dump shop)", NULL, BLOCKS_YES},
        {"/opt/nightly.sh", "pg_dump /opt/nightly.sh", BLOCKS_YES},
        {"cd / && run-parts --report /etc/cron.daily", "pg_dump /etc/cron.daily", BLOCKS_YES},
        {"cd / && run-parts --report /etc/cron.daily", "named /etc/cron.daily", BLOCKS_MAYBE},
        {"cd / && run-parts --report /etc/cron.daily", "none /etc/cron.daily", -1},
        {"pg_basebackup -D /b", NULL, BLOCKS_NO},
        {"sudo -u postgres pgbackrest --stanza=main backup", NULL, BLOCKS_NO},
        {"mysqldump shop > /b/x", NULL, BLOCKS_NO},
        {"/opt/nightly.sh", "other /opt/nightly.sh", BLOCKS_NO},
        {"mysqldump a; pg_dump b", NULL, BLOCKS_YES},
        {"/opt/backup.sh", "unreadable /opt/backup.sh", BLOCKS_MAYBE},
        {"/opt/backup.sh", NULL, BLOCKS_MAYBE},
        {"/opt/db-Dump --all", NULL, BLOCKS_MAYBE},
        {"nice -n 10 ionice -c3 /opt/backup.sh", NULL, BLOCKS_MAYBE},
        {"flock -n /run/backup.lock /opt/nightly", NULL, -1},
        {"flock -n /run/x.lock /opt/backup", NULL, BLOCKS_MAYBE},
        {"PGHOST=db /opt/backup", NULL, BLOCKS_MAYBE},
        {"test -x /opt/x && backup-shop", NULL, BLOCKS_MAYBE},
        {"bash /opt/backup.sh now", "none /opt/backup.sh", BLOCKS_MAYBE},
        {"ruby bin/x --to /var/backups", NULL, -1},
        {"cd /backup && ./rotate", NULL, -1},
        {"find /var/backups -mtime +7 -delete", NULL, -1},
        {"my_pg_dump_not shop", NULL, BLOCKS_MAYBE}, /* by its name */
        {"/usr/libexec/dpkg/dpkg-db-backup", "none /usr/libexec/dpkg/dpkg-db-backup", -1},
        {"/usr/local/bin/backup", "none /usr/local/bin/backup", BLOCKS_MAYBE},
        {"/usr/bin/updatedb", NULL, -1},
        {"echo pg_dump_is_late", NULL, -1},
        {"", NULL, -1},
        {"=", NULL, -1},
        {"'", NULL, -1},
    };

    for (size_t i = 0; i < N(rows); i++) {
        struct strs scripts = {0};
        enum blocks blocks = BLOCKS_NO;
        if (rows[i].script)
            strs_add(&arena, &scripts, rows[i].script);
        int is = schedule_is_backup(ADAPTER_POSTGRESQL, rows[i].command, &scripts, &blocks)
                     ? (int)blocks
                     : -1;
        if (is != rows[i].is)
            fail_msg("'%s' (%s) is %d instead of %d", rows[i].command, rows[i].script, is,
                     rows[i].is);
    }
}

static void of_mysql(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *script;
        int is; /* -1: no backup */
    } rows[] = {
        {"mysqldump shop | gzip > /b/x", NULL, BLOCKS_YES},
        {"/usr/bin/mariadb-dump shop > /b/x", NULL, BLOCKS_YES},
        {"/opt/nightly.sh", "mysqldump /opt/nightly.sh", BLOCKS_YES},
        {"pg_dump shop > /b/x", NULL, BLOCKS_NO},
        {"/opt/nightly.sh", "pg_dump /opt/nightly.sh", BLOCKS_NO},
        {"pg_dump a; mysqldump b", NULL, BLOCKS_YES},
        {"mariabackup --backup", NULL, BLOCKS_MAYBE},
        {"/opt/nightly.sh", "xtrabackup /opt/nightly.sh", BLOCKS_MAYBE},
        {"/opt/nightly.sh", "none /opt/nightly.sh", -1},
    };

    for (size_t i = 0; i < N(rows); i++) {
        struct strs scripts = {0};
        enum blocks blocks = BLOCKS_NO;
        if (rows[i].script)
            strs_add(&arena, &scripts, rows[i].script);
        int is = schedule_is_backup(ADAPTER_MYSQL, rows[i].command, &scripts, &blocks) ? (int)blocks
                                                                                       : -1;
        if (is != rows[i].is)
            fail_msg("'%s' (%s) is %d instead of %d", rows[i].command, rows[i].script, is,
                     rows[i].is);
    }
    /* One with both. */
    struct strs both = {0};
    enum blocks blocks = BLOCKS_NO;
    strs_add(&arena, &both, "pg_dump /opt/nightly.sh");
    strs_add(&arena, &both, "mysqldump /opt/nightly.sh");
    assert_true(schedule_is_backup(ADAPTER_MYSQL, "/opt/nightly.sh", &both, &blocks));
    assert_int_equal(blocks, BLOCKS_YES);
    blocks = BLOCKS_NO;
    assert_true(schedule_is_backup(ADAPTER_POSTGRESQL, "/opt/nightly.sh", &both, &blocks));
    assert_int_equal(blocks, BLOCKS_YES);
}

static void passwords(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *shown;
    } rows[] = {
        {"pg_dump shop", "pg_dump shop"},
        {"PGPASSWORD=hunter2 pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"PGPASSWORD='hunter 2' pg_dump shop", "PGPASSWORD=[secret] pg_dump shop"},
        {"pg_dump postgresql://ann:hunter2@db/shop", "pg_dump postgresql://ann:[secret]@db/shop"},
        {"x --password=hunter2 y", "x --password=[secret] y"},
        {"pg_dump -Z 9 --exclude-table=a:b@c x", "pg_dump -Z 9 --exclude-table=a:b@c x"},
        {"a\033[31mb", "a\\x1b[31mb"},
    };

    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(command_shown(&arena, rows[i].command), rows[i].shown);
    char *is_long = arena_alloc(&arena, 1001);
    memset(is_long, 'x', 1000);
    assert_true(strlen(command_shown(&arena, is_long)) < 200);
}

static void sources(void **state)
{
    (void)state;
    read_all("source read own crontab\n"
             "line MAILTO=ann\n"
             "line 0 2 * * * pg_dump shop\n"
             "line 5 2 * * * true\n"
             "source read system /etc/cron.d/nightly\n"
             "line 30 1 * * * root /opt/backup.sh\n"
             "script pg_dump /opt/backup.sh\n"
             "source unreadable own crontabs of other users\n"
             "why only root may\n");
    assert_int_equal(s.n, 2);
    assert_int_equal(s.v[0].unix_s, 1795312800);
    assert_string_equal(s.v[0].command, "pg_dump shop");
    assert_string_equal(s.v[0].source, "crontab");
    assert_string_equal(s.v[1].command, "/opt/backup.sh");
    assert_string_equal(s.v[1].source, "/etc/cron.d/nightly");
    assert_int_equal(s.v[1].unix_s, 1795397400); /* at 01:30 of the day after */
    assert_int_equal(s.unread.n, 1);
    assert_string_equal(s.unread.v[0], "crontabs of other users: only root may");
    assert_null(s.why);
    assert_ptr_equal(schedule_soon(&s, 240), &s.v[0]);
    assert_null(schedule_soon(&s, 239));
    assert_string_equal(schedule_clock(&arena, &s, s.v[0].unix_s), "02:00");
    assert_string_equal(schedule_clock(&arena, &s, s.v[0].unix_s + 7 * 86400), "2026-11-29 02:00");
}

static void nothing_read(void **state)
{
    (void)state;
    read_all("source unreadable own crontab\nwhy not allowed\n");
    assert_non_null(s.why); /* not: none */
    read_all("source none own crontab\nsource none system /etc/crontab\n");
    assert_null(s.why);
    assert_int_equal(s.n, 0);
    assert_false(parse("now 1\n", NULL, true));
    err_clear(&err);
    assert_false(parse("", NULL, true));
    err_clear(&err);
    assert_false(parse("offset +0000\nend schedule\n", NULL, true));
}

static void timers(void **state)
{
    (void)state;
    read_all("source read timers systemd's timers\n"
             "line Sun 2026-11-22 03:00:00 UTC 1h 3min left Sat 2026-11-21 03:00:11 UTC 22h ago "
             "backup.timer backup.service\n"
             "line Sun 2026-11-22 04:00:00 UTC 2h 3min - - pg@a.timer pg@a.service\n"
             "line n/a n/a n/a n/a gone.timer backup.service\n"
             "line Sun 2026-11-22 02:00:00 UTC 4min left n/a n/a apt.timer apt.service\n"
             "unit Id=backup.service\n"
             "unit ExecStart={ path=/opt/x ; argv[]=/opt/x --all ; ignore_errors=no ; "
             "start_time=[n/a] }\n"
             "unit Id=pg@a.service\n"
             "unit ExecStart={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; }\n"
             "unit ExecStart={ path=/usr/bin/pg_dump ; argv[]=/usr/bin/pg_dump a ; "
             "ignore_errors=no ; }\n"
             "unit Id=apt.service\n"
             "unit ExecStart={ path=/usr/lib/apt/apt.systemd.daily ; "
             "argv[]=/usr/lib/apt/apt.systemd.daily update ; }\n"
             "unit ExecStart=\n"
             "script other /opt/x\n");
    assert_int_equal(s.n, 2);
    assert_int_equal(s.v[0].unix_s, 1795316400);
    assert_string_equal(s.v[0].command, "/opt/x --all");
    assert_int_equal(s.v[0].blocks, BLOCKS_NO);
    assert_string_equal(s.v[1].command, "/usr/bin/pg_dump a");
    assert_ptr_equal(schedule_soon(&s, 99999), &s.v[1]); /* not the one that blocks nothing */
}

static void timers_of_now(void **state)
{
    (void)state;
    static const char unit[] =
        "unit Id=x.service\n"
        "unit ExecStart={ path=/bin/sh ; argv[]=/bin/sh -c cd / ; pg_dump x ; ignore_errors=no ; }\n";
    static const struct {
        const char *line;
        long long back_s;
        long long in_s; /* 0: none */
    } rows[] = {
        {"Sun 2026-11-22 02:56:00 UTC 1h left -", 20, 3600},
        /* As of systemd 252 until AccuracySec has run out. */
        {"Sun 2026-11-22 01:55:20 UTC 40s ago -", 20, 1},
        {"Sun 2026-11-22 01:56:00 UTC 139ms ago -", 0, 1},
        {"Sun 2026-11-22 01:55:20 UTC 40s ago Sat 2026-11-21 01:55:20 UTC 1 day ago", 20, 1},
        /* While it runs there is no next one; the last one counts when that was a moment ago. */
        {"- - Sun 2026-11-22 01:55:51 UTC 9s ago", 20, -9},
        {"n/a n/a Sun 2026-11-22 01:55:40 UTC 20s ago", 20, -20},
        {"- - Sun 2026-11-22 01:55:39 UTC 21s ago", 20, 0},
        {"- - Sun 2026-11-22 01:56:00 UTC 0s ago", 0, 0},
        {"- - Sun 2026-11-22 01:56:01 UTC 1s left", 20, 0},
        {"Mon 2026-11-23 01:55:51 UTC 23h left Sun 2026-11-22 01:55:51 UTC 9s ago", 20, -9},
        {"Mon 2026-11-23 01:55:51 UTC 23h left Sun 2026-11-22 01:55:51 UTC 9s ago", 0, 86391},
        {"Mon 2026-11-23 01:55:51 CET 23h left Sun 2026-11-22 01:55:51 CET 9s ago", 20, 0},
    };

    for (size_t i = 0; i < N(rows); i++) {
        const struct schedule_of of = {.adapter = ADAPTER_POSTGRESQL,
                                       .answer =
                                           arena_printf(&arena,
                                                        HEAD "source read timers systemd's timers\n"
                                                             "line %s x.timer x.service\n%s" TAIL,
                                                        rows[i].line, unit),
                                       .read_all = true,
                                       .back_s = rows[i].back_s};
        assert_true(schedule_parse(&arena, &of, &s, &err));
        assert_int_equal(s.n, rows[i].in_s ? 1 : 0);
        if (!rows[i].in_s)
            continue;
        assert_int_equal(s.v[0].unix_s - s.now_unix, rows[i].in_s);
        assert_string_equal(s.v[0].command, "/bin/sh -c cd / ; pg_dump x");
    }
}

static void given(void **state)
{
    (void)state;
    const char *texts[] = {"0 2 * * *", "30 2 * * * /opt/night", "@daily pg_basebackup x"};
    const struct strs list = {texts, N(texts)};

    assert_true(parse(HEAD TAIL, &list, false));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.v[0].command, "a backup");
    assert_int_equal(s.v[0].blocks, BLOCKS_YES);
    assert_string_equal(s.v[1].command, "/opt/night");
    assert_int_equal(s.v[1].blocks, BLOCKS_YES);
    assert_int_equal(s.v[2].blocks, BLOCKS_NO);
    assert_null(s.why);
}

static const char *hex_of(const char *zone)
{
    unsigned char bytes[8192];
    FILE *f = fopen(arena_printf(&arena, "/usr/share/zoneinfo/%s", zone), "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    char *hex = arena_alloc(&arena, 2 * n + 1);
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return hex;
}

static void zones(void **state)
{
    (void)state;
    const char *table = "source read own crontab\nline 30 3 * * * pg_dump x\n";

    read_all(arena_printf(&arena, "zone %s\n%s", hex_of("Europe/Berlin"), table));
    assert_int_equal(s.v[0].unix_s, 1795314600); /* 02:30 UTC */
    assert_string_equal(schedule_clock(&arena, &s, s.v[0].unix_s), "03:30");
    assert_int_equal(s.notes.n, 0);
    /* No rules: the present offset, and it is said. */
    assert_true(
        parse(arena_printf(&arena, "now 1795312560\noffset +0100\nzone 545a\n%s" TAIL, table), NULL,
              true));
    assert_int_equal(s.v[0].unix_s, 1795314600);
    assert_int_equal(s.notes.n, 1);
    assert_true(
        parse(arena_printf(&arena, "now 1795312560\noffset +01x0\n%s" TAIL, table), NULL, true));
    assert_int_equal(s.notes.n, 1);
    assert_int_equal(s.v[0].unix_s, 1795318200);
    /* The table's own. */
    table = "source read own crontab\nline CRON_TZ=America/New_York\nline 0 22 * * * pg_dump x\n";
    read_all(arena_printf(&arena, "tz America/New_York %s\n%s", hex_of("America/New_York"), table));
    assert_int_equal(s.v[0].unix_s, 1795316400); /* 03:00 UTC */
    assert_int_equal(s.notes.n, 0);
    read_all(arena_printf(&arena, "cron_tz no\ntz America/New_York %s\n%s",
                          hex_of("America/New_York"), table));
    assert_int_equal(s.v[0].unix_s, 1795384800); /* 22:00 UTC */
    assert_int_equal(s.notes.n, 1);
    read_all(table);
    assert_int_equal(s.v[0].unix_s, 1795384800);
    assert_int_equal(s.notes.n, 1);
}

static void odd_lines(void **state)
{
    (void)state;
    read_all("source read own crontab\n"
             "line 61 2 * * * pg_dump x\n"
             "line nonsense\n"
             "line @reboot pg_dump x\n"
             "line 0 0 30 2 * pg_dump x\n"
             "source\nsource read\nsource read own\nline 0 2 * * * pg_dump x\nwhy\nunit "
             "Id\nscript\ntz\nline\n");
    assert_int_equal(s.notes.n, 1);
    assert_non_null(strstr(s.notes.v[0], "61 2 * * * pg_dump x"));
    struct buf b = buf_make(1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_puts(&b, "line * * * * * pg_dump x\n");
    read_all(arena_printf(&arena, "source read own crontab\n%s", b.text));
    assert_in_range(s.n, 1, 200);
    buf_free(&b);
}

/* `n` such lines in front of another. */
static void read_lines(const char *first, const char *line, int n, const char *last)
{
    struct buf b = buf_make(16 << 20);

    buf_puts(&b, first);
    for (int i = 0; i < n; i++)
        buf_puts(&b, line);
    buf_puts(&b, last);
    assert_false(b.full);
    read_all(b.text);
    buf_free(&b);
}

static bool is_unread(const char *what)
{
    for (size_t i = 0; i < s.unread.n; i++)
        if (strstr(s.unread.v[i], what))
            return true;
    return false;
}

#define OWN "source read own crontab\n"

/* What is left out is reported, since it may contain a backup. */
static void too_much(void **state)
{
    (void)state;
    read_lines(OWN, "line 0 2 * * * true\n", 5000, "");
    assert_int_equal(s.unread.n, 0);
    read_lines(OWN, "line 0 2 * * * true\n", 5001, "line 0 2 * * * pg_dump x\n");
    assert_true(is_unread("crontab: too many lines"));
    assert_int_equal(s.unread.n, 1);
    read_lines(OWN "line 0 2 * * * ", "pg_dump ", 8200, "\n");
    assert_true(is_unread("crontab: a line is too long"));
    assert_int_equal(s.n, 0);
    read_lines(OWN, "line 0 2 * * * pg_dump x\n", 201, "");
    assert_true(is_unread("crontab: too many backups"));
    read_lines("", "script named /opt/x\n", 501, OWN "line 0 2 * * * true\n");
    assert_true(is_unread("scripts: too many"));
    read_lines("", "unit Id=a\nunit ExecStart={ path=/x ; argv[]=/x ; ignore_errors=no\n", 501,
               OWN);
    assert_true(is_unread("timers: a service is ignored"));
    /* A command is whole with all its settings, or is not run again. */
    read_lines(OWN, "line PGHOST=db\n", 100, "line 0 2 * * * pg_dump x\n");
    assert_non_null(strstr(s.v[0].text, "export PGHOST='db'\n"));
    read_lines(OWN, "line PGHOST=db\n", 600, "line 0 2 * * * pg_dump x\n");
    assert_int_equal(s.n, 1);
    assert_null(s.v[0].text);
}

/* Each of these takes a fraction of a second; read so that its time grows with the square of its
 * length, hours. */
static void long_answers(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *line;
        const char *last;
    } rows[] = {
        {OWN "line 0 2 * * * ", "a ", "\n"},
        {OWN "line 0 2 * * * ", "a:", "\n"},
        {OWN "line x pg_dump ", "a:", "\n"},
        {OWN, "line A=12345678901234567890\n", ""},
        {OWN, "line 0 0 30 2 * pg_dump x\n", ""},
        {"source read timers timers\nline ", "Mon 2026 ", "\n"},
        {"unit Id=", "a", "\nsource read timers timers\n"},
    };

    for (size_t i = 0; i < N(rows); i++) {
        struct buf b = buf_make(8 << 20);
        for (int k = 0; k < 400; k++)
            buf_printf(&b, "script named /opt/x%d\n", k);
        buf_puts(&b, rows[i].first);
        while (b.len < 4 << 20)
            buf_puts(&b, rows[i].line);
        buf_puts(&b, rows[i].last);
        alarm(120);
        read_all(b.text);
        alarm(0);
        buf_free(&b);
        arena_free(&arena);
    }
    /* Zones are large, and each is read once. */
    struct buf b = buf_make(8 << 20);
    buf_puts(&b, "tz X ");
    for (int i = 0; i < 100000; i++)
        buf_puts(&b, "54");
    buf_puts(&b, "\n" OWN);
    for (int i = 0; i < 5000; i++)
        buf_puts(&b, "line CRON_TZ=X\n");
    alarm(120);
    read_all(b.text);
    alarm(0);
    assert_int_equal(s.unread.n, 0);
    buf_free(&b);
}

/* In the times of timers, too, what is no time is none. */
static void timers_that_lie(void **state)
{
    (void)state;
    static const char *const none[] = {"Mon 9999999999-11-23 00:00:00 UTC",
                                       "Mon 2026-13-23 00:00:00 UTC",
                                       "Mon 2026-11-32 00:00:00 UTC",
                                       "Mon 2026-11-23 24:00:00 UTC",
                                       "Mon 2026-11-23 00:60:00 UTC",
                                       "Mon 2026-11--3 00:00:00 UTC",
                                       "Mon 2026-11-23 00:00:00 CET",
                                       "Mon 2026-11-23 00:00:00 UTCX",
                                       "Mon 0000-11-23 00:00:00 UTC",
                                       "Mon -999-11-23 00:00:00 UTC",
                                       "Mon",
                                       "Mon 2026-11-23 00:00:0",
                                       "\xff\xfe\xff 2026-11-23 00:00:00 UTC"};

    for (size_t i = 0; i < N(none); i++) {
        read_all(arena_printf(
            &arena,
            "unit Id=x.service\nunit ExecStart={ path=/x ; argv[]=pg_dump x ; ignore_errors=no\n"
            "source read timers timers\nline %s - - - x.timer x.service\n",
            none[i]));
        if (s.n)
            fail_msg("'%s' is taken for %lld", none[i], s.v[0].unix_s);
    }
}

static void migrations(void **state)
{
    (void)state;
    read_all("migration 12\nmigration 90\nmigration -4\nmigration x\nmigration 3\n");
    assert_int_equal(s.migration_s, 90);
    read_all("");
    assert_int_equal(s.migration_s, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands, setup, teardown),
        cmocka_unit_test_setup_teardown(of_mysql, setup, teardown),
        cmocka_unit_test_setup_teardown(passwords, setup, teardown),
        cmocka_unit_test_setup_teardown(sources, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_read, setup, teardown),
        cmocka_unit_test_setup_teardown(timers, setup, teardown),
        cmocka_unit_test_setup_teardown(timers_of_now, setup, teardown),
        cmocka_unit_test_setup_teardown(given, setup, teardown),
        cmocka_unit_test_setup_teardown(zones, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(migrations, setup, teardown),
        cmocka_unit_test_setup_teardown(too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(timers_that_lie, setup, teardown),
        cmocka_unit_test_setup_teardown(long_answers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
