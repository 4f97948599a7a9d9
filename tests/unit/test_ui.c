#include "ui/ui.h"

#include "base/limits.h"
#include "base/text.h"
#include "edge/json.h"
#include "edge/loop.h"
#include "ui/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The clock of the test, instead of the loop's. */
static long long now_ms;

bool loop_was_continued(void)
{
    return false;
}

long long loop_now(void)
{
    return now_ms;
}

/* A reader with what it printed. */
struct shown {
    struct ui *ui;
    struct watcher w;
    FILE *files[2];
    char *out;
    char *err;
    size_t out_len;
    size_t err_len;
};

/* The streams write to where they were opened for. */
#define OPEN(s, ...)                                                                               \
    struct shown s = {0};                                                                          \
    open_into(&s, (struct ui_options){__VA_ARGS__})

static void open_into(struct shown *s, struct ui_options o)
{
    now_ms = 1000;
    o.out = s->files[0] = open_memstream(&s->out, &s->out_len);
    o.err = s->files[1] = open_memstream(&s->err, &s->err_len);
    s->ui = ui_open(&o);
    s->w = ui_watcher(s->ui);
}

static void close_ui(struct shown *s)
{
    ui_close(s->ui);
    fclose(s->files[0]);
    fclose(s->files[1]);
}

static void forget(struct shown *s)
{
    free(s->out);
    free(s->err);
}

/* 2026-11-22 15:30:12, and as long after it as the clock went on. */
static void tell(struct shown *s, struct event e)
{
    e.unix_ms = 1795361412000 + now_ms - 1000;
    e.run_id = "k7f2";
    s->w.tell(s->w.self, &e);
}

static void spend(struct shown *s, long long ms)
{
    now_ms += ms;
    ui_tick(s->ui);
}

/* A deploy. */

static const char *const all_hosts[] = {"app1", "app2", "db1", NULL};
static const char *const app_hosts[] = {"app1", "app2", NULL};
static const char *const db_hosts[] = {"db1", NULL};

static const struct run_info deploy = {.id = "k7f2",
                                       .command = "deploy",
                                       .application = "my_project",
                                       .environment = "production",
                                       .release = "20261122153012",
                                       .revision = "3f2a91c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0",
                                       .ref = "main",
                                       .subject = "Add notes to events",
                                       .by = "ann@laptop",
                                       .since_unix = 1795361412,
                                       .hosts = 3,
                                       .host_names = all_hosts};

static const struct backup dump = {.kind = BACKUP_PG_DUMP,
                                   .pid = 12345,
                                   .identity = {.transaction = "3/99"},
                                   .database = "my_production_database",
                                   .user = "postgres",
                                   .running_s = 3720,
                                   .since_unix = 1795357692,
                                   .percent = 31,
                                   .eta_s = 8400,
                                   .eta_from = "the last 5 backups and its size",
                                   .blocks_migrations = true};

#define TELL(s, ...)          tell(s, (struct event){__VA_ARGS__})
#define STAGE(s, of, on, ...) TELL(s, .kind = EVENT_STAGE, .stage = of, .hosts = on, __VA_ARGS__)
#define JOB(s, of, on, ...)   TELL(s, .kind = EVENT_JOB, .stage = of, .host = on, __VA_ARGS__)

static void print(struct shown *s, const char *stage, const char *host, const char *text)
{
    TELL(s, .kind = EVENT_OUTPUT, .stage = stage, .host = host, .bytes = text, .len = strlen(text));
}

static void begin(struct shown *s)
{
    TELL(s, .kind = EVENT_RUN, .run = &deploy, .fresh = true);
    STAGE(s, "lock", all_hosts, .state = EVENT_BEGUN);
    spend(s, 400);
    STAGE(s, "lock", all_hosts, .state = EVENT_DONE, .took_ms = 400);
    STAGE(s, "checkout", all_hosts, .state = EVENT_BEGUN);
    spend(s, 600);
    STAGE(s, "checkout", all_hosts, .state = EVENT_DONE, .took_ms = 600,
          .detail = "35 of 2,004 files, 0.4 MB");
    STAGE(s, "build", app_hosts, .state = EVENT_BEGUN, .detail = "the recipe's jobs");
    JOB(s, "build", "app1", .state = EVENT_BEGUN, .command = "bundle install");
    JOB(s, "build", "app2", .state = EVENT_BEGUN, .command = "bundle install");
    print(s, "build", "app1", "Fetching gem meta");
    print(s, "build", "app2", "Using rake 13.0.6\r\nUsing json 2.7\n");
    print(s, "build", "app1", "data\n10 %\r20 %\r\033[32m100 %\033[0m\n");
    spend(s, 8100);
}

static void deploy_well(struct shown *s)
{
    begin(s);
    print(s, "build", "app2", "no newline at the end");
    JOB(s, "build", "app1", .state = EVENT_DONE, .command = "bundle install");
    JOB(s, "build", "app2", .state = EVENT_DONE, .command = "bundle install");
    STAGE(s, "build", app_hosts, .state = EVENT_DONE, .took_ms = 8100,
          .detail = "the recipe's jobs");
    TELL(s, .kind = EVENT_WARNING,
         .detail = "the clock of app2 is 3 min 10 s behind that of this machine, "
                   "and names of releases come from clocks");
    STAGE(s, "backup-clear", db_hosts, .state = EVENT_BEGUN);
    for (int i = 0; i < 9; i++) {
        TELL(s, .kind = EVENT_BACKUP, .state = i ? EVENT_WAITING : EVENT_BEGUN,
             .stage = "backup-clear", .host = "db1", .backup = &dump, .waited_ms = i * 15000,
             .can_ask = true, .can_stop = true);
        spend(s, 15000);
    }
    TELL(s, .kind = EVENT_BACKUP, .state = EVENT_DONE, .stage = "backup-clear", .host = "db1",
         .backup = &dump, .waited_ms = 8400000, .detail = "ended by itself");
    STAGE(s, "backup-clear", db_hosts, .state = EVENT_DONE, .took_ms = 8400000);
    STAGE(s, "migrate", db_hosts, .state = EVENT_DONE, .took_ms = 2000,
          .detail = "2 pending: 20260103 AddNotesToEvents, 20260104 AddIndexToNotesOfEvents");
    STAGE(s, "switch", all_hosts, .state = EVENT_DONE, .took_ms = 200, .detail = "20261122153012");
    STAGE(s, "health", app_hosts, .state = EVENT_SKIPPED, .detail = "the recipe has no 'health'");
    struct step_time steps[] = {
        {"lock", 40, 50}, {"build", 34000, 21000}, {"migrate", 2000, -1}, {"health", 300, 4000}};
    const struct times times = {steps, 4};
    TELL(s, .kind = EVENT_END, .run = &deploy, .took_ms = 8460000, .behind_backup_ms = 8400000,
         .times = &times);
    close_ui(s);
}

static void deploy_badly(struct shown *s)
{
    static const char *lines[] = {"Fetching gem metadata", "Could not find gem 'pg (~> 1.6)'"};
    static const char *now[] = {"users see no change: current is 20260822141503 on all 3 hosts"};
    static const char *next[] = {"fix it, then run 'crelease resume production'",
                                 "or 'crelease abort production'"};
    static const struct failure failure = {.stage = "build",
                                           .host = "app2",
                                           .command = "bundle install",
                                           .how = "ended with exit status 7",
                                           .lines = {lines, 2},
                                           .now = {now, 1},
                                           .next = {next, 2}};

    begin(s);
    JOB(s, "build", "app2", .state = EVENT_FAILED, .command = "bundle install",
        .detail = "ended with exit status 7");
    spend(s, 100);
    JOB(s, "build", "app1", .state = EVENT_DONE, .command = "bundle install");
    TELL(s, .kind = EVENT_STAGE, .state = EVENT_FAILED, .stage = "build", .host = "app2",
         .detail = "ended with exit status 7");
    STAGE(s, "build", app_hosts, .state = EVENT_FAILED, .took_ms = 8200);
    TELL(s, .kind = EVENT_END, .run = &deploy, .code = ERR_FAILED, .failure = &failure,
         .message = "stage 'build' on app2: 'bundle install' ended with exit status 7");
    close_ui(s);
}

/* A terminal that knows what is asked of ours and nothing else: whatever else comes, a
 * control or a line that would wrap, is a failure. */
struct terminal {
    char text[200][256];
    size_t row;
    size_t column;
    size_t rows; /* touched */
    size_t columns;
};

static size_t escape(struct terminal *t, const char *p)
{
    char *end;
    unsigned long n = strtoul(p + 2, &end, 10);

    if (strncmp(p, "\033]9;4;", 6) == 0) { /* progress, which takes no room */
        const char *stop = strstr(p, "\033\\");
        assert_non_null(stop);
        return (size_t)(stop + 2 - p);
    }
    assert_int_equal(p[1], '[');
    assert_non_null(strchr("AJm", *end));
    if (*end == 'A') {
        assert_true(n >= 1 && n <= t->row);
        t->row -= n;
    } else if (*end == 'J') {
        assert_int_equal(t->column, 0);
        memset(t->text[t->row], 0, (200 - t->row) * sizeof t->text[0]);
        t->rows = t->row;
    }
    return (size_t)(end + 1 - p);
}

static void feed(struct terminal *t, const char *p, size_t len)
{
    const char *end = p + len;

    assert_true(text_is_utf8(p, len));
    while (p < end) {
        if (*p == '\033') {
            p += escape(t, p);
            continue;
        }
        if (*p == '\n') {
            t->row++;
            t->column = 0;
            assert_true(t->row < 199);
            t->rows = t->row > t->rows ? t->row : t->rows;
        } else if (*p == '\r') {
            t->column = 0;
        } else {
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
            assert_true(t->column < t->columns);
            t->text[t->row][t->column++] = *p;
        }
        p++;
    }
}

static const char *screen_of(struct arena *a, const struct shown *s, size_t columns)
{
    static struct terminal t;
    const char *text = "";

    t = (struct terminal){.columns = columns};
    feed(&t, s->out, s->out_len);
    for (size_t i = 0; i < t.rows; i++) {
        size_t len = strlen(t.text[i]);
        while (len && t.text[i][len - 1] == ' ')
            len--;
        text = arena_printf(a, "%s%.*s\n", text, (int)len, t.text[i]);
    }
    return text;
}

static void screen_80(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80, .color = true);

    deploy_well(&s);
    assert_string_equal(
        screen_of(&a, &s, 79),
        "my_project -> production   3 hosts   3f2a91c \"Add notes to events\" (main)\n"
        "run k7f2   by ann@laptop\n"
        "\n"
        "  lock          app1 app2 db1                                             0.4 s\n"
        "  checkout      app1 app2 db1  35 of 2,004 files, 0.4 MB                  0.6 s\n"
        "  build         app1 app2      bundle install                             8.1 s\n"
        "  warning: the clock of app2 is 3 min 10 s behind that of this machine, and\n"
        "  names of releases come from clocks\n"
        "  backup        db1  pg_dump of my_production_database by postgres, pid 12345:\n"
        "                     ended by itself, waited 2 h 20 min\n"
        "  migrate       db1            2 pending: 20260103 AddNotesToEvents,      2.0 s\n"
        "                               20260104 AddIndexToNotesOfEvents\n"
        "  switch        app1 app2 db1  20261122153012                             0.2 s\n"
        "  health        app1 app2      skipped: the recipe has no 'health'\n"
        "\n"
        "took: build 34 s (usually 21 s), migrate 2.0 s, health 0.3 s (usually 4.0 s)\n"
        "live on 3 hosts in 2 h 21 min, 2 h 20 min of it waiting for the backup\n");
    assert_string_equal(s.err, "");
    forget(&s);
    arena_free(&a);
}

/* In the tab or task bar: something runs, a backup is waited for, nothing. */
static void screen_progress_sequences(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80, .progress = true);
    struct backup b = {.kind = BACKUP_PG_DUMP, .pid = 1, .percent = 31, .eta_s = -1};

    TELL(&s, .kind = EVENT_STAGE, .stage = "build", .state = EVENT_BEGUN);
    TELL(&s, .kind = EVENT_STAGE, .stage = "build", .state = EVENT_DONE);
    TELL(&s, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "db1", .state = EVENT_WAITING,
         .backup = &b);
    ui_tick(s.ui);
    b.percent = 130;
    TELL(&s, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "db1", .state = EVENT_WAITING,
         .backup = &b);
    close_ui(&s);
    const char *seen = "";
    for (const char *p = s.out; (p = strstr(p, "\033]9;4;")); p++)
        seen = arena_printf(&a, "%s%.*s ", seen, (int)strcspn(p + 6, "\033"), p + 6);
    assert_string_equal(seen, "3;0 4;31 4;100 0;0 ");
    screen_of(&a, &s, 79);
    forget(&s);
    OPEN(other, .mode = UI_TTY, .columns = 80);
    TELL(&other, .kind = EVENT_STAGE, .stage = "build", .state = EVENT_BEGUN);
    close_ui(&other);
    assert_null(strstr(other.out, "\033]"));
    forget(&other);
    arena_free(&a);
}

static void screen_40(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 40);

    deploy_well(&s);
    assert_null(strstr(s.out, "\033[0m"));
    assert_string_equal(screen_of(&a, &s, 39), "my_project -> production   3 hosts\n"
                                               "3f2a91c \"Add notes to events\" (main)\n"
                                               "run k7f2   by ann@laptop\n"
                                               "\n"
                                               "  lock                            0.4 s\n"
                                               "  checkout                        0.6 s\n"
                                               "    35 of 2,004 files, 0.4 MB\n"
                                               "  build         bundle install    8.1 s\n"
                                               "  warning: the clock of app2 is 3 min\n"
                                               "  10 s behind that of this machine, and\n"
                                               "  names of releases come from clocks\n"
                                               "  backup        db1\n"
                                               "    pg_dump of my_production_database\n"
                                               "    by postgres, pid 12345: ended by\n"
                                               "    itself, waited 2 h 20 min\n"
                                               "  migrate                         2.0 s\n"
                                               "    2 pending: 20260103\n"
                                               "    AddNotesToEvents, 20260104\n"
                                               "    AddIndexToNotesOfEvents\n"
                                               "  switch        20261122153012    0.2 s\n"
                                               "  health\n"
                                               "    skipped: the recipe has no 'health'\n"
                                               "\n"
                                               "took: build 34 s (usually 21 s),\n"
                                               "migrate 2.0 s, health 0.3 s (usually\n"
                                               "4.0 s)\n"
                                               "live on 3 hosts in 2 h 21 min, 2 h 20\n"
                                               "min of it waiting for the backup\n");
    forget(&s);
    arena_free(&a);
}

static const char *const block =
    "crelease: stage 'build' on app2: 'bundle install' ended with exit status 7\n"
    "  | Fetching gem metadata\n"
    "  | Could not find gem 'pg (~> 1.6)'\n"
    "  users see no change: current is 20260822141503 on all 3 hosts\n"
    "  next: fix it, then run 'crelease resume production'\n"
    "        or 'crelease abort production'\n";

static void screen_of_a_failure(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80, .color = true);

    deploy_badly(&s);
    assert_string_equal(
        screen_of(&a, &s, 79),
        "my_project -> production   3 hosts   3f2a91c \"Add notes to events\" (main)\n"
        "run k7f2   by ann@laptop\n"
        "\n"
        "  lock          app1 app2 db1                                             0.4 s\n"
        "  checkout      app1 app2 db1  35 of 2,004 files, 0.4 MB                  0.6 s\n"
        "x build         app2           failed                                     8.2 s\n"
        "\n");
    assert_string_equal(s.err, block);
    forget(&s);
    arena_free(&a);
}

static const char *live_screen(struct arena *a, struct shown *s, size_t columns)
{
    fflush(s->files[0]);
    return screen_of(a, s, columns);
}

static void screen_while_it_runs(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80);

    begin(&s);
    assert_non_null(strstr(
        live_screen(&a, &s, 79),
        "\\ build         app1 app2      bundle install                             8.1 s\n"
        "    \\ app1  100 %                                                         8.1 s\n"
        "    \\ app2  Using json 2.7                                                8.1 s\n"));
    JOB(&s, "build", "app1", .state = EVENT_DONE, .command = "bundle install");
    assert_null(strstr(live_screen(&a, &s, 79), "100 %"));
    ui_pause(s.ui);
    assert_null(strstr(live_screen(&a, &s, 79), "build"));
    spend(&s, 100);
    assert_null(strstr(live_screen(&a, &s, 79), "build"));
    JOB(&s, "build", "app2", .state = EVENT_FAILED, .command = "bundle install",
        .detail = "ended with exit status 7");
    assert_non_null(strstr(live_screen(&a, &s, 79), "    x app2  ended with exit status 7\n"));
    close_ui(&s);
    assert_null(strstr(screen_of(&a, &s, 79), "build"));
    forget(&s);
    arena_free(&a);
}

static void screen_behind_a_backup(void **state)
{
    (void)state;
    struct arena a = {0};
    struct backup b = dump;
    OPEN(s, .mode = UI_TTY, .columns = 100);

    TELL(&s, .kind = EVENT_RUN, .run = &deploy);
    STAGE(&s, "backup-clear", db_hosts, .state = EVENT_BEGUN);
    TELL(&s, .kind = EVENT_BACKUP, .state = EVENT_BEGUN, .stage = "backup-clear", .host = "db1",
         .backup = &b, .waited_ms = 2000, .can_ask = true, .can_stop = true);
    spend(&s, 61000);
    assert_string_equal(
        live_screen(&a, &s, 99),
        "my_project -> production   3 hosts   3f2a91c \"Add notes to events\" (main)   run k7f2, "
        "resumed\n"
        "by ann@laptop\n"
        "\n"
        "/ backup        db1  pg_dump of my_production_database by postgres, pid 12345, for 1 h 03 "
        "min\n"
        "                     [########----------------]  31 %  about 2 h 18 min left,\n"
        "                     from the last 5 backups and its size\n"
        "                     waited 1 min 03 s   w wait   k kill   q stop, resume later\n");
    b.percent = -1;
    b.eta_s = -1;
    b.running_s = -1;
    TELL(&s, .kind = EVENT_BACKUP, .state = EVENT_WAITING, .stage = "backup-clear", .host = "db1",
         .backup = &b, .waited_ms = 63000);
    spend(&s, 100);
    assert_non_null(strstr(live_screen(&a, &s, 99),
                           "pid 12345\n"
                           "                     [--####------------------]  "
                           "expected end unknown\n"
                           "                     waited 1 min 03 s\n"));
    b.eta_s = 1;
    TELL(&s, .kind = EVENT_BACKUP, .state = EVENT_WAITING, .stage = "backup-clear", .host = "db1",
         .backup = &b, .waited_ms = 63000);
    spend(&s, 5000);
    assert_non_null(strstr(live_screen(&a, &s, 99), "should end any moment"));
    spend(&s, 120000);
    assert_non_null(strstr(live_screen(&a, &s, 99), "overdue by 2 min 04 s,"));
    close_ui(&s);
    forget(&s);
    arena_free(&a);
}

/* What is expected, as each of the three readers has it. */
static void expected_end(void **state)
{
    (void)state;
    struct arena a = {0};
    static const struct {
        long long eta, low, high, overdue, stuck;
        const char *from;
        const char *text;
    } rows[] = {
        {8400, 7500, 10200, 0, 0, "the last 5 backups",
         "about 2 h 20 min left (2 h 05 min to 2 h 50 min), from the last 5 backups"},
        {60, 0, 300, 0, 0, "the last backup",
         "about 1 min 00 s left (at most 5 min 00 s), from the last backup"},
        {60, 0, 0, 0, 0, "the last backup", "about 1 min 00 s left, from the last backup"},
        {0, 0, 0, 720, 0, "the last 5 backups", "overdue by 12 min 00 s, from the last 5 backups"},
        {0, 0, 0, 5, 0, "the last backup", "overdue by 5.0 s, from the last backup"},
        {-1, 0, 0, 0, 0, NULL, "expected end unknown"},
        {-1, 0, 0, 0, 360, NULL, "stuck: no progress for 6 min 00 s"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct backup b = dump;
        b.eta_s = rows[i].eta;
        b.eta_low_s = rows[i].low;
        b.eta_high_s = rows[i].high;
        b.overdue_s = rows[i].overdue;
        b.stuck_s = rows[i].stuck;
        b.eta_from = rows[i].from;
        assert_string_equal(ui_backup_expected(&a, &b), rows[i].text);
        OPEN(s, .mode = UI_PLAIN);
        TELL(&s, .kind = EVENT_BACKUP, .state = EVENT_WAITING, .stage = "backup-clear",
             .host = "db1", .backup = &b, .waited_ms = 2000);
        assert_non_null(strstr(s.out, rows[i].text));
        close_ui(&s);
        forget(&s);
    }
    arena_free(&a);
}

/* Nobody tells the end of a backup: then its stage's end is it. */
static void screen_after_a_backup(void **state)
{
    (void)state;
    struct arena a = {0};

    for (int well = 0; well < 2; well++) {
        OPEN(s, .mode = UI_TTY, .columns = 100);
        STAGE(&s, "backup-clear", db_hosts, .state = EVENT_BEGUN, .detail = "wait for it");
        TELL(&s, .kind = EVENT_BACKUP, .state = EVENT_WAITING, .stage = "backup-clear",
             .host = "db1", .backup = &dump, .waited_ms = 2000);
        spend(&s, 3000);
        STAGE(&s, "backup-clear", db_hosts, .state = well ? EVENT_DONE : EVENT_WAITING,
              .took_ms = 5000, .detail = "wait for it");
        if (well)
            STAGE(&s, "switch", db_hosts, .state = EVENT_DONE);
        else
            TELL(&s, .kind = EVENT_END, .code = ERR_BACKUP, .message = "in the way");
        const char *text = live_screen(&a, &s, 99);
        assert_int_equal(
            strncmp(
                text,
                "  backup        db1  pg_dump of my_production_database by postgres, pid 12345: "
                "waited 5.0 s\n"
                "  backup-clear  db1 ",
                111),
            0);
        assert_int_equal(strstr(text, "not finished") == NULL, well);
        assert_null(strstr(text, "#"));
        close_ui(&s);
        forget(&s);
    }
    arena_free(&a);
}

static void screen_of_many_hosts(void **state)
{
    (void)state;
    struct arena a = {0};
    const char *hosts[21] = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80);

    for (int i = 0; i < 20; i++)
        hosts[i] = arena_printf(&a, "web%02d", i + 1);
    STAGE(&s, "build", hosts, .state = EVENT_BEGUN);
    for (int i = 0; i < 20; i++)
        JOB(&s, "build", hosts[i], .state = EVENT_BEGUN, .command = "make");
    const char *text = live_screen(&a, &s, 79);
    assert_non_null(strstr(text, "  20 hosts "));
    assert_non_null(strstr(text, "| web08"));
    assert_null(strstr(text, "web09"));
    assert_non_null(strstr(text, "      and 12 more\n"));
    JOB(&s, "build", hosts[0], .state = EVENT_DONE, .command = "make");
    assert_non_null(strstr(live_screen(&a, &s, 79), "| web09"));
    close_ui(&s);
    forget(&s);
    arena_free(&a);
}

static void verbose_keeps_output(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 60, .verbose = 1);

    deploy_well(&s);
    const char *text = screen_of(&a, &s, 59);
    assert_non_null(strstr(text, "    app1 | Fetching gem metadata\n"));
    assert_non_null(strstr(text, "    app1 | 100 %\n"));
    assert_non_null(strstr(text, "    app2 | no newline at the end\n"));
    forget(&s);
    arena_free(&a);
}

static void plain(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_PLAIN);

    deploy_well(&s);
    assert_string_equal(
        s.out,
        "15:30:12 my_project -> production, 3 hosts, 3f2a91c \"Add notes to events\" (main), run "
        "k7f2, by ann@laptop\n"
        "15:30:12 lock app1 app2 db1: done (0.4 s)\n"
        "15:30:13 checkout app1 app2 db1: 35 of 2,004 files, 0.4 MB (0.6 s)\n"
        "15:30:13 build app1 app2: started: the recipe's jobs\n"
        "15:30:13 build app1: bundle install: started\n"
        "15:30:13 build app2: bundle install: started\n"
        "15:30:13 app2 | Using rake 13.0.6\n"
        "15:30:13 app2 | Using json 2.7\n"
        "15:30:13 app1 | Fetching gem metadata\n"
        "15:30:13 app1 | 100 %\n"
        "15:30:21 build app1: bundle install: done\n"
        "15:30:21 app2 | no newline at the end\n"
        "15:30:21 build app2: bundle install: done\n"
        "15:30:21 build app1 app2: done (8.1 s)\n"
        "15:30:21 warning: the clock of app2 is 3 min 10 s behind that of this machine, and names "
        "of releases come from clocks\n"
        "15:30:21 backup-clear db1: started\n"
        "15:30:21 backup db1: pg_dump of my_production_database by postgres, pid 12345, for 1 h 02 "
        "min, 31 %, about 2 h 20 min left, from the last 5 backups and its size\n"
        "15:31:21 backup db1: pg_dump of my_production_database by postgres, pid 12345, for 1 h 02 "
        "min, 31 %, about 2 h 20 min left, from the last 5 backups and its size, waited 1 min 00 "
        "s\n"
        "15:32:21 backup db1: pg_dump of my_production_database by postgres, pid 12345, for 1 h 02 "
        "min, 31 %, about 2 h 20 min left, from the last 5 backups and its size, waited 2 min 00 "
        "s\n"
        "15:32:36 backup db1: pg_dump of my_production_database by postgres, pid 12345: ended by "
        "itself, waited 2 h 20 min\n"
        "15:32:36 backup-clear db1: done (2 h 20 min)\n"
        "15:32:36 migrate db1: 2 pending: 20260103 AddNotesToEvents, 20260104 "
        "AddIndexToNotesOfEvents (2.0 s)\n"
        "15:32:36 switch app1 app2 db1: 20261122153012 (0.2 s)\n"
        "15:32:36 health app1 app2: skipped: the recipe has no 'health'\n"
        "15:32:36 took: build 34 s (usually 21 s), migrate 2.0 s, health 0.3 s (usually 4.0 s)\n"
        "15:32:36 live on 3 hosts in 2 h 21 min, 2 h 20 min of it waiting for the backup\n");
    assert_string_equal(s.err, "");
    forget(&s);
}

static const char *told(struct shown *s)
{
    fflush(s->files[0]);
    return s->out;
}

/* The line of a start waits for a second, for output or for news about a wait. */
static void plain_tells_starts_of_what_takes_long(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_PLAIN);

    STAGE(&s, "switch", all_hosts, .state = EVENT_BEGUN, .detail = "current to 20261122153012");
    spend(&s, 900);
    assert_string_equal(told(&s), "");
    STAGE(&s, "switch", all_hosts, .state = EVENT_DONE, .took_ms = 900,
          .detail = "current to 20261122153012");
    STAGE(&s, "link", app_hosts, .state = EVENT_BEGUN, .detail = "link the shared files");
    spend(&s, 1100);
    TELL(&s, .kind = EVENT_STAGE, .stage = "link", .hosts = app_hosts, .state = EVENT_WAITING,
         .progress = true, .detail = "3 of 9");
    STAGE(&s, "link", app_hosts, .state = EVENT_DONE, .took_ms = 1100,
          .detail = "link the shared files");
    STAGE(&s, "backup-clear", db_hosts, .state = EVENT_BEGUN);
    TELL(&s, .kind = EVENT_STAGE, .stage = "backup-clear", .host = "db1", .state = EVENT_WAITING,
         .detail = "the host is asked again");
    STAGE(&s, "backup-clear", db_hosts, .state = EVENT_WAITING, .took_ms = 20000,
          .detail = "waited for 20 s, the limit");
    STAGE(&s, "build", app_hosts, .state = EVENT_FAILED, .stopped = true, .took_ms = 200,
          .detail = "interrupted by SIGINT");
    close_ui(&s);
    assert_string_equal(s.out, "15:30:12 switch app1 app2 db1: current to 20261122153012 (0.9 s)\n"
                               "15:30:12 link app1 app2: started: link the shared files\n"
                               "15:30:14 link app1 app2: 3 of 9\n"
                               "15:30:14 link app1 app2: done (1.1 s)\n"
                               "15:30:14 backup-clear db1: started\n"
                               "15:30:14 backup-clear db1: waiting: the host is asked again\n"
                               "15:30:14 backup-clear db1: gave up: waited for 20 s, the limit\n"
                               "15:30:14 build app1 app2: stopped (0.2 s)\n");
    forget(&s);
}

/* A job that failed is said once, and why in the closing block. */
static void plain_says_nothing_twice(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_PLAIN);

    STAGE(&s, "build", app_hosts, .state = EVENT_BEGUN, .detail = "the recipe's jobs");
    JOB(&s, "build", "app1", .state = EVENT_BEGUN, .command = "make");
    JOB(&s, "build", "app2", .state = EVENT_BEGUN, .command = "make");
    JOB(&s, "build", "app1", .state = EVENT_DONE, .command = "make");
    JOB(&s, "build", "app2", .state = EVENT_FAILED, .command = "make",
        .detail = "ended with exit status 2");
    TELL(&s, .kind = EVENT_WARNING, .host = "app2", .detail = "'make' ended with exit status 2");
    STAGE(&s, "build", app_hosts, .state = EVENT_FAILED, .took_ms = 200,
          .detail = "app2: 'make' ended with exit status 2");
    close_ui(&s);
    assert_string_equal(s.out, "15:30:12 build app1: make: done\n"
                               "15:30:12 build app2: make: failed: ended with exit status 2\n"
                               "15:30:12 build app1 app2: failed (0.2 s)\n");
    forget(&s);
}

/* The start of a stage is not told after the end of its first job. */
static void plain_keeps_the_order(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_PLAIN);

    STAGE(&s, "build", app_hosts, .state = EVENT_BEGUN, .detail = "the recipe's jobs");
    JOB(&s, "build", "app1", .state = EVENT_BEGUN, .command = "mkdir tmp");
    JOB(&s, "build", "app1", .state = EVENT_DONE, .command = "mkdir tmp");
    JOB(&s, "build", "app1", .state = EVENT_BEGUN, .command = "make");
    spend(&s, 1100);
    JOB(&s, "build", "app1", .state = EVENT_DONE, .command = "make");
    STAGE(&s, "build", app_hosts, .state = EVENT_DONE, .took_ms = 1200,
          .detail = "the recipe's jobs");
    close_ui(&s);
    assert_string_equal(s.out, "15:30:12 build app1: mkdir tmp: done\n"
                               "15:30:12 build app1: make: started\n"
                               "15:30:13 build app1: make: done\n"
                               "15:30:13 build app1 app2: done (1.2 s)\n");
    forget(&s);
}

static void failure_in_each_mode(void **state)
{
    (void)state;
    for (int mode = UI_TTY; mode <= UI_JSON; mode++) {
        OPEN(loud, .mode = (enum ui_mode)mode, .columns = 80);
        deploy_badly(&loud);
        assert_string_equal(loud.err, block);
        forget(&loud);
        OPEN(quiet, .mode = (enum ui_mode)mode, .columns = 80, .quiet = true);
        deploy_badly(&quiet);
        assert_string_equal(quiet.err, "crelease: stage 'build' on app2: 'bundle install' "
                                       "ended with exit status 7\n");
        assert_int_equal(quiet.out_len > 0, mode == UI_JSON);
        forget(&quiet);
    }
}

static void last_words(void **state)
{
    (void)state;
    static const struct run_info back = {
        .command = "rollback", .release = "20260822141503", .hosts = 1, .environment = "p"};
    static const struct failure make = {.stage = "build", .host = "web2", .command = "make"};
    static const struct {
        struct event e;
        const char *out;
        const char *err;
    } cases[] = {
        {{.message = "nothing to do: 3f2a91c is live everywhere"},
         "nothing to do: 3f2a91c is live everywhere\n",
         ""},
        {{.run = &deploy, .took_ms = 41000}, "\nlive on 3 hosts in 41 s\n", ""},
        {{.run = &back, .took_ms = 3000},
         "\nrolled back to 20260822141503 on 1 host in 3.0 s\n",
         ""},
        {{.run = NULL}, "done\n", ""},
        {{.code = ERR_LOCKED, .message = "bob\n deploys"}, "", "crelease: bob\\x0a deploys\n"},
        {{.code = ERR_FAILED},
         "",
         "crelease: a stage failed; the run is kept and can be resumed or aborted\n"},
        {{.code = ERR_FAILED, .failure = &make},
         "",
         "crelease: stage 'build' on web2: 'make' failed\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OPEN(s, .mode = UI_TTY, .columns = 80);
        struct event e = cases[i].e;
        e.kind = EVENT_END;
        s.w.tell(s.w.self, &e);
        s.w.tell(s.w.self, &e); /* there is one end */
        close_ui(&s);
        assert_string_equal(s.out, cases[i].out);
        assert_string_equal(s.err, cases[i].err);
        forget(&s);
    }
}

/* What was under way when it stopped is in the record. */
static void stopped_in_the_middle(void **state)
{
    (void)state;
    struct arena a = {0};
    OPEN(s, .mode = UI_TTY, .columns = 80);

    begin(&s);
    TELL(&s, .kind = EVENT_END, .run = &deploy, .code = ERR_INTERRUPTED, .message = "stopped");
    close_ui(&s);
    assert_non_null(strstr(
        screen_of(&a, &s, 79),
        "  build         app1 app2      not finished                               8.1 s\n\n"));
    assert_string_equal(s.err, "crelease: stopped\n");
    forget(&s);
    arena_free(&a);
}

/* config/event.schema.json, as far as it uses JSON schema. */

static struct json *schema;

static bool type_fits(const char *type, const struct json *v)
{
    static const char *const names[] = {
        [JSON_IS_NULL] = "null",    [JSON_IS_BOOL] = "boolean", [JSON_IS_INT] = "integer",
        [JSON_IS_REAL] = "number",  [JSON_IS_TEXT] = "string",  [JSON_IS_ARRAY] = "array",
        [JSON_IS_OBJECT] = "object"};

    return strcmp(type, names[json_is(v)]) == 0;
}

static bool equal(const struct json *a, const struct json *b)
{
    if (json_is(a) != json_is(b))
        return false;
    if (json_is(a) == JSON_IS_TEXT)
        return strcmp(json_get_text(a), json_get_text(b)) == 0;
    return json_get_int(a) == json_get_int(b);
}

static bool fits(const struct json *rule, const struct json *v);

static bool one_fits(const struct json *list, const struct json *v)
{
    size_t n = 0;

    for (size_t i = 0; i < json_count(list); i++)
        n += fits(json_at(list, i), v);
    return n == 1;
}

static bool members_fit(const struct json *rule, const struct json *v)
{
    const struct json *required = json_get(rule, "required");
    const struct json *properties = json_get(rule, "properties");

    for (size_t i = 0; i < json_count(required); i++)
        if (!json_get(v, json_get_text(json_at(required, i))))
            return false;
    for (size_t i = 0; i < json_count(v); i++) {
        const char *key = json_key(v, i);
        const struct json *sub = json_get(properties, key);
        if (!sub || !fits(sub, json_get(v, key)))
            return false;
    }
    return true;
}

static bool fits(const struct json *rule, const struct json *v)
{
    const char *ref = json_get_text(json_get(rule, "$ref"));
    const struct json *type = json_get(rule, "type");
    const struct json *values = json_get(rule, "enum");
    bool ok = true;

    if (ref && !fits(json_get(json_get(schema, "$defs"), ref + strlen("#/$defs/")), v))
        return false;
    if (json_get_text(type))
        ok = type_fits(json_get_text(type), v);
    for (size_t i = 0; i < json_count(type); i++)
        ok = (i && ok) || type_fits(json_get_text(json_at(type, i)), v);
    if (!ok || (json_get(rule, "const") && !equal(json_get(rule, "const"), v)))
        return false;
    for (size_t i = 0; i < json_count(values); i++)
        ok = (i && ok) || equal(json_at(values, i), v);
    if (json_get(rule, "oneOf"))
        ok = ok && one_fits(json_get(rule, "oneOf"), v);
    for (size_t i = 0; json_get(rule, "items") && i < json_count(v); i++)
        ok = ok && fits(json_get(rule, "items"), json_at(v, i));
    return ok && (!json_get(rule, "properties") || members_fit(rule, v));
}

static int read_schema(void **state)
{
    (void)state;
    struct arena a = {0};
    struct err err = {.arena = &a};
    static char text[64 * 1024];
    FILE *f = fopen("config/event.schema.json", "r");

    setenv("TZ", "UTC", 1);
    tzset();
    if (!f)
        return -1;
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    schema = json_read(text, len, &err);
    if (!schema)
        print_error("%s\n", err.msg);
    arena_free(&a);
    return schema ? 0 : -1;
}

static int close_schema(void **state)
{
    (void)state;
    json_close(schema);
    return 0;
}

static bool is_harmless(const char *s, size_t len)
{
    if (!text_is_utf8(s, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x20 && c != '\n') || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)
            return false;
        if (c == 0xe2 &&
            (strncmp(s + i, "\xe2\x80\xae", 3) == 0 || strncmp(s + i, "\xe2\x81\xa6", 3) == 0))
            return false;
    }
    return true;
}

/* The last line that was read. */
static struct json *last;

static void forget_lines(void)
{
    json_close(last);
    last = NULL;
}

/* Holds each line against the schema. */
static const struct json *lines_of(const struct shown *s, size_t *ret_n)
{
    struct arena a = {0};
    struct err err = {.arena = &a};
    size_t n = 0;

    assert_true(is_harmless(s->out, s->out_len));
    for (const char *p = s->out; *p;) {
        size_t len = strcspn(p, "\n");
        json_close(last);
        last = json_read(p, len, &err);
        assert_non_null(last);
        if (!fits(schema, last))
            fail_msg("does not fit the schema: %.*s", (int)len, p);
        assert_int_equal(p[len], '\n');
        p += len + 1;
        n++;
    }
    *ret_n = n;
    arena_free(&a);
    return last;
}

static const char *text_in(const struct json *o, const char *key)
{
    const char *s = json_get_text(json_get(o, key));

    assert_non_null(s);
    return s;
}

static void json_of_a_deploy(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_JSON);
    size_t n;

    deploy_well(&s);
    const struct json *end = lines_of(&s, &n);
    assert_int_equal(n, 33);
    assert_int_equal(
        strncmp(s.out, "{\"event\":\"run\",\"time\":\"2026-11-22T15:30:12.000Z\",\"run\":\"k7f2\",",
                62),
        0);
    assert_non_null(
        strstr(s.out, "\n{\"event\":\"end\",\"status\":0,\"word\":\"done\",\"time\":\""));
    assert_string_equal(text_in(end, "release"), "20261122153012");
    assert_string_equal(text_in(end, "revision"), deploy.revision);
    assert_string_equal(text_in(end, "run"), "k7f2");
    assert_null(json_get(end, "error"));
    assert_non_null(strstr(s.out, "\"host\":\"app1\",\"data\":\"Fetching gem metadata\"}"));
    assert_non_null(strstr(s.out, "\"host\":\"app2\",\"data\":\"no newline at the end\"}"));
    assert_string_equal(s.err,
                        "crelease: warning: the clock of app2 is 3 min 10 s behind that of this "
                        "machine, and names of releases come from clocks\n");
    forget(&s);
    forget_lines();
}

static void json_of_a_failure(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_JSON);
    size_t n;

    deploy_badly(&s);
    const struct json *end = lines_of(&s, &n);
    assert_int_equal(json_get_int(json_get(end, "status")), 1);
    assert_string_equal(text_in(end, "word"), "failed");
    const struct json *error = json_get(end, "error");
    assert_string_equal(text_in(error, "stage"), "build");
    assert_string_equal(text_in(error, "host"), "app2");
    assert_string_equal(text_in(error, "command"), "bundle install");
    assert_string_equal(text_in(error, "how"), "ended with exit status 7");
    assert_int_equal(json_count(json_get(error, "lines")), 2);
    assert_int_equal(json_count(json_get(error, "now")), 1);
    assert_int_equal(json_count(json_get(error, "next")), 2);
    forget(&s);
    forget_lines();
}

/* Every kind in every state in every mode, with all fields and with none, with texts that
 * are as bad as they get. */

static const char bad[] = "a\033]0;t\007\033[2J\xc2\x9b"
                          "31m\xe2\x80\xae\xe2\x81\xa6\xff\xc3\r\nb\x7f\t\b";

struct texts {
    struct run_info run;
    struct backup backup;
    struct failure failure;
    struct event event;
};

static void fill(struct texts *t, const char *text)
{
    static const char *list[3];

    list[0] = list[1] = text;
    *t = (struct texts){0};
    t->run = (struct run_info){text, text, text, text, text, text, text, text, text, 1, 2, list};
    t->backup = (struct backup){.kind = BACKUP_PG_DUMP,
                                .pid = 1,
                                .identity = {text, text},
                                .database = text,
                                .user = text,
                                .application = text,
                                .query = text,
                                .since_unix = 1,
                                .running_s = 1,
                                .percent = 50,
                                .eta_s = 1,
                                .eta_from = text,
                                .blocks_migrations = true};
    t->failure = (struct failure){text, text, text, text, {list, 2}, text, {list, 2}, {list, 2}};
    t->event = (struct event){.unix_ms = 1,
                              .run_id = text,
                              .stage = text,
                              .detail = text,
                              .command = text,
                              .hosts = list,
                              .bytes = text,
                              .len = strlen(text),
                              .run = &t->run,
                              .backup = &t->backup,
                              .can_ask = true,
                              .can_stop = true,
                              .message = text,
                              .failure = &t->failure,
                              .waited_ms = 5000};
}

static void check_shown(const struct shown *s, enum ui_mode mode)
{
    static struct terminal t;
    size_t n;

    assert_true(is_harmless(s->err, s->err_len));
    if (mode == UI_TTY) {
        t = (struct terminal){.columns = sizeof t.text[0]};
        feed(&t, s->out, s->out_len);
        for (size_t i = 0; i < s->out_len; i++)
            assert_false((unsigned char)s->out[i] == 0xc2 && (unsigned char)s->out[i + 1] < 0xa0);
    } else if (mode == UI_PLAIN) {
        assert_true(is_harmless(s->out, s->out_len));
    } else {
        lines_of(s, &n);
        assert_true(n > 0);
        forget_lines();
    }
}

static void each_event(const struct ui_options *o, const struct texts *t, bool on_host)
{
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        for (int of = 0; of < EVENT_STATES; of++) {
            OPEN(s, .mode = o->mode, .columns = o->columns, .color = o->color, .quiet = o->quiet,
                 .verbose = o->verbose);
            for (int twice = 0; twice < 2; twice++) {
                struct event e = t->event;
                e.kind = (enum event_kind)kind;
                e.state = (enum event_state)of;
                e.host = on_host ? t->event.stage : NULL;
                s.w.tell(s.w.self, &e);
                spend(&s, 100);
            }
            struct event end = t->event;
            end.kind = EVENT_END;
            end.code = ERR_FAILED;
            s.w.tell(s.w.self, &end);
            close_ui(&s);
            check_shown(&s, o->mode);
            forget(&s);
        }
}

static void every_event_in_every_mode(void **state)
{
    (void)state;
    static const char *const texts[] = {NULL, "", "text", bad};
    static const int columns[] = {20, 40, 100, 200};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int mode = UI_TTY; mode <= UI_JSON; mode++)
            for (int how = 0; how < 8; how++) {
                struct texts t = {0};
                struct ui_options o = {.mode = (enum ui_mode)mode,
                                       .columns = columns[how % 4],
                                       .progress = how & 1,
                                       .verbose = how & 1,
                                       .color = how & 1,
                                       .quiet = (how & 6) == 6};
                if (texts[i])
                    fill(&t, texts[i]);
                each_event(&o, &t, how & 2);
            }
}

/* One bad text at a time, so that one cannot hide behind another; a newline in it makes no line. */
static void each_bad_text_alone(void **state)
{
    (void)state;
    static const char *fields[] = {"run_id", "stage", "host", "detail", "command", "message"};

    for (int mode = UI_TTY; mode <= UI_JSON; mode++)
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
            struct texts t;
            fill(&t, "text");
            const char **at[] = {&t.event.run_id, &t.event.stage,   &t.event.host,
                                 &t.event.detail, &t.event.command, &t.event.message};
            *at[f] = bad;
            struct ui_options o = {.mode = (enum ui_mode)mode, .columns = 80};
            each_event(&o, &t, false);
        }
    OPEN(s, .mode = UI_PLAIN);
    TELL(&s, .kind = EVENT_WARNING, .detail = bad);
    close_ui(&s);
    assert_ptr_equal(strchr(s.out, '\n'), s.out + s.out_len - 1);
    forget(&s);
}

static void wide_characters_do_not_wrap(void **state)
{
    (void)state;
    OPEN(s, .mode = UI_TTY, .columns = 60);

    STAGE(&s, "build", app_hosts, .state = EVENT_BEGUN);
    JOB(&s, "build", "app1", .state = EVENT_BEGUN, .command = "make");
    for (int i = 0; i < 3; i++)
        print(&s, "build", "app1",
              "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
              "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
              "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
              "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\n");
    spend(&s, 100);
    fflush(s.files[0]);
    /* 12 columns before it, 7 for the time: 40 remain, less the dots. */
    const char *line = strstr(s.out, "\xe6\x97\xa5");
    assert_non_null(line);
    size_t bytes = strcspn(line, ".");
    assert_int_equal(strncmp(line + bytes, "...", 3), 0);
    assert_true(bytes / 3 * 2 <= 37);
    assert_true(bytes / 3 * 2 >= 34);
    close_ui(&s);
    forget(&s);
}

static void output_is_bounded(void **state)
{
    (void)state;
    struct arena a = {0};
    char *long_line = arena_alloc(&a, LINE_BYTES_MAX * 2 + 100);

    memset(long_line, 'x', LINE_BYTES_MAX * 2 + 99);
    for (int mode = UI_TTY; mode <= UI_JSON; mode++) {
        OPEN(s, .mode = (enum ui_mode)mode, .columns = 80);
        size_t n;
        for (int i = 0; i < 3; i++)
            print(&s, "build", "app1", long_line);
        TELL(&s, .kind = EVENT_END);
        close_ui(&s);
        if (mode == UI_JSON) {
            lines_of(&s, &n);
            assert_int_equal(n, 8); /* 6 full ones, what is left of them, and the end */
            forget_lines();
        }
        forget(&s);
    }
    arena_free(&a);
}

static void exit_words(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODES; code++) {
        OPEN(s, .mode = UI_JSON, .quiet = true);
        size_t n;
        TELL(&s, .kind = EVENT_END, .code = (enum err_code)code);
        close_ui(&s);
        const struct json *end = lines_of(&s, &n);
        assert_int_equal(n, 1);
        assert_int_equal(json_get_int(json_get(end, "status")), err_status((enum err_code)code));
        assert_string_equal(text_in(end, "word"), err_word((enum err_code)code));
        assert_int_equal(json_get(end, "error") != NULL, code != ERR_NONE);
        forget_lines();
        forget(&s);
    }
}

static void lines_are(const struct changes *c, const char *want)
{
    struct arena a = {0};
    struct strs lines = changes_lines(&a, c);

    assert_string_equal(strs_joined(&a, &lines, "\n"), want);
    arena_free(&a);
}

/* Whoever can push writes authors and subjects. */
static void lines_of_what_goes_live(void **state)
{
    struct commit many[12];
    const char *files[] = {"db/migrate/1\x1b[2J.rb"};
    struct changes c = {.from = "0123456789012345678901234567890123456789", .known = true};

    (void)state;
    for (size_t i = 0; i < 12; i++)
        many[i] = (struct commit){"abcdef0123456789012345678901234567890123",
                                  i % 2 ? "Ann"
                                  : i   ? "Bob"
                                        : "E\x1b]0;x\x07",
                                  "one\ntwo"};
    c.added = (struct commits){.v = many, .n = 2, .more = 0};
    c.files = 3;
    c.migrations = (struct strs){files, 1};
    lines_are(&c, "2 commits since 0123456, by E\\x1b]0;x\\x07 and Ann; 3 files changed, 1 of"
                  " them a migration\n  abcdef0 one\\x0atwo (E\\x1b]0;x\\x07)\n"
                  "  abcdef0 one\\x0atwo (Ann)\n  migration db/migrate/1\\x1b[2J.rb");
    c.added = (struct commits){.v = many + 2, .n = 10, .more = 7};
    c.removed = (struct commits){.v = many + 2, .n = 1};
    c.migrations.n = 0;
    c.files = -1;
    struct arena a = {0};
    struct strs lines = changes_lines(&a, &c);
    assert_int_equal(lines.n, 1 + 10 + 1 + 1 + 1);
    assert_string_equal(lines.v[0],
                        "17 commits since 0123456, by Bob and Ann; the changed files are"
                        " not known");
    assert_string_equal(lines.v[11], "  and 7 earlier commits");
    assert_string_equal(lines.v[12], "1 commit that is live will be gone");
    arena_free(&a);
    lines_are(&(struct changes){.from = "0123456789", .files = 1},
              "the commits since 0123456, which is live, are not known: the repository lacks the"
              " history between them; 1 file changed");
    assert_string_equal(changes_summary(&a, &(struct changes){.from = ""}), "the first release");
    assert_string_equal(changes_summary(&a, &(struct changes){.from = "0123456789", .known = true}),
                        "no new commits");
    assert_string_equal(changes_summary(&a, &(struct changes){.from = "0123456789", .files = 2}),
                        "0123456 before; 2 files changed");
    arena_free(&a);
    lines_are(&(struct changes){.from = "", .known = true},
              "nothing is live yet: the first deploy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screen_80),
        cmocka_unit_test(screen_progress_sequences),
        cmocka_unit_test(screen_40),
        cmocka_unit_test(screen_of_a_failure),
        cmocka_unit_test(screen_while_it_runs),
        cmocka_unit_test(screen_behind_a_backup),
        cmocka_unit_test(expected_end),
        cmocka_unit_test(screen_after_a_backup),
        cmocka_unit_test(screen_of_many_hosts),
        cmocka_unit_test(verbose_keeps_output),
        cmocka_unit_test(plain),
        cmocka_unit_test(plain_tells_starts_of_what_takes_long),
        cmocka_unit_test(plain_says_nothing_twice),
        cmocka_unit_test(plain_keeps_the_order),
        cmocka_unit_test(failure_in_each_mode),
        cmocka_unit_test(last_words),
        cmocka_unit_test(stopped_in_the_middle),
        cmocka_unit_test(json_of_a_deploy),
        cmocka_unit_test(json_of_a_failure),
        cmocka_unit_test(every_event_in_every_mode),
        cmocka_unit_test(each_bad_text_alone),
        cmocka_unit_test(wide_characters_do_not_wrap),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(exit_words),
        cmocka_unit_test(lines_of_what_goes_live),
    };
    return cmocka_run_group_tests_name("ui", tests, read_schema, close_schema);
}
