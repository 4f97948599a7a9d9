/* Scripts on several hosts at once: here each of them is a shell of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/script.h"
#include "fleet/carrier.h"
#include "fleet/fleet.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOSTS = 3, MOST_MS = 60000 };

static struct loop *loop;
static struct fleet *fleet;
static struct arena arena;
static struct reply replies[HOSTS];

static int open_fleet(void **state)
{
    static const struct fleet_host hosts[HOSTS] = {
        {.name = "one", .transport = TRANSPORT_LOCAL},
        {.name = "two", .transport = TRANSPORT_LOCAL},
        {.name = "three", .transport = TRANSPORT_LOCAL},
    };
    static const struct fleet_options options = {.carriers = {[TRANSPORT_LOCAL] = &carrier_local}};

    (void)state;
    loop = loop_open();
    fleet = fleet_open(loop, hosts, HOSTS, &options);
    return 0;
}

static int close_fleet(void **state)
{
    (void)state;
    fleet_close(fleet);
    loop_close(loop);
    arena_free(&arena);
    return 0;
}

static void run(const char *const *scripts, bool hold)
{
    struct call calls[HOSTS] = {0};

    for (size_t i = 0; i < HOSTS; i++)
        calls[i] = (struct call){
            .host = i, .script = scripts[i], .payload = -1, .timeout_ms = MOST_MS, .hold = hold};
    fleet_run(fleet, &arena, calls, HOSTS, replies);
}

/* Until the file that its last word names is there. */
#define WAITS(file) "until [ -e " file " ]; do sleep 0.01 2>/dev/null || sleep 1; done\n"
#define STAYS       "while read -r line; do :; done\n"

static void answers(void **state)
{
    static const char *const scripts[HOSTS] = {
        "echo out; echo err >&2; exit 3\n",
        "kill -s KILL $$\n",
        "cat\n",
    };

    (void)state;
    run(scripts, false);
    assert_int_equal(replies[0].kind, REPLY_EXIT);
    assert_int_equal(replies[0].status, 3);
    assert_string_equal(replies[0].out, "out\n");
    assert_string_equal(replies[0].err_out, "err\n");
    assert_int_equal(replies[1].kind, REPLY_SIGNAL);
    assert_string_equal(replies[1].signal, "KILL");
    assert_int_equal(replies[2].kind, REPLY_EXIT);
    assert_string_equal(replies[2].out, "");
}

/* A keeper that is lost while another host has not answered yet: its reply is read later. */
static void keeper_lost_while_others_lock(void **state)
{
    char dir[] = "/tmp/crelease-fleet-XXXXXX";
    struct {
        const char *end;
        const char *why;
    } const rows[] = {
        {"exit 0", "the script that was held there ended with exit status 0"},
        {"exit 72", "the script that was held there ended with exit status 72"},
        {"kill -s KILL $$", "the script that was held there was ended by signal KILL"},
    };

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *gone = arena_printf(&arena, "%s/%zu", dir, i);
        const char *const scripts[HOSTS] = {
            "echo held one\n" STAYS,
            arena_printf(&arena,
                         "(while kill -0 $$; do sleep 0.01 || sleep 1; done; : >%s) 2>/dev/null "
                         ">/dev/null </dev/null &\necho held two\n%s\n",
                         gone, rows[i].end),
            arena_printf(&arena, WAITS("%s") "echo held three\n" STAYS, gone),
        };
        run(scripts, true);
        assert_int_equal(replies[0].kind, REPLY_EXIT);
        assert_int_equal(replies[0].status, 0);
        assert_int_equal(replies[2].kind, REPLY_EXIT);
        assert_int_equal(replies[1].kind, REPLY_LOST);
        assert_string_equal(replies[1].why, rows[i].why);
        assert_string_equal(replies[1].out, "held two\n");
        assert_false(fleet_hold_is_lost(fleet, 0));
        assert_false(fleet_hold_is_lost(fleet, 2));
        /* Those that stay do so until they are let go of; the next round is in their place. */
        if (i != 1)
            fleet_let_go(fleet);
        unlink(gone);
    }
    rmdir(dir);
}

/* One that is lost later is noticed, and its place can be taken. */
static void keeper_lost_later(void **state)
{
    static const char *const scripts[HOSTS] = {
        "echo held one\n" STAYS,
        "echo held two\nsleep 0.1 2>/dev/null || sleep 1\n",
        "echo held three\n" STAYS,
    };
    long long deadline = loop_now() + MOST_MS;

    (void)state;
    run(scripts, true);
    while (!fleet_hold_is_lost(fleet, 1) && loop_now() < deadline)
        fleet_wait(fleet, 10);
    assert_true(fleet_hold_is_lost(fleet, 1));
    assert_false(fleet_hold_is_lost(fleet, 0));
    static const char *const again[HOSTS] = {
        "echo held one\n" STAYS,
        "echo held two\n" STAYS,
        "echo busy\nexit 1\n",
    };
    run(again, true);
    assert_int_equal(replies[1].kind, REPLY_EXIT);
    assert_int_equal(replies[2].kind, REPLY_EXIT);
    assert_int_equal(replies[2].status, 1);
    assert_false(fleet_hold_is_lost(fleet, 1));
    fleet_let_go(fleet);
    assert_false(fleet_hold_is_lost(fleet, 0));
    assert_false(fleet_hold_is_lost(fleet, 1));
}

static int open_with_sessions(void **state)
{
    static const struct fleet_host hosts[HOSTS] = {
        {.name = "one", .transport = TRANSPORT_LOCAL},
        {.name = "two", .transport = TRANSPORT_LOCAL},
        {.name = "three", .transport = TRANSPORT_LOCAL},
    };
    const struct fleet_options options = {.carriers = {[TRANSPORT_LOCAL] = &carrier_local},
                                          .session = script_session(&arena)};

    (void)state;
    loop = loop_open();
    fleet = fleet_open(loop, hosts, HOSTS, &options);
    return 0;
}

/* Runs the same frame in the session of each host. */
static void run_frame(const char *text, bool keep)
{
    struct call calls[HOSTS] = {0};

    for (size_t i = 0; i < HOSTS; i++)
        calls[i] = (struct call){.host = i,
                                 .script = "exit 99\n",
                                 .frame = arena_printf(&arena, "begin_script \"$@\"\n%s\n", text),
                                 .keep = keep ? ":\n" : NULL,
                                 .hold = keep,
                                 .payload = -1,
                                 .timeout_ms = MOST_MS};
    fleet_run(fleet, &arena, calls, HOSTS, replies);
}

static void one_shell_for_all(void **state)
{
    (void)state;
    run_frame("echo $$; echo err >&2; given=yes; exit 3", false);
    assert_int_equal(replies[0].kind, REPLY_EXIT);
    assert_int_equal(replies[0].status, 3);
    assert_string_equal(replies[0].err_out, "err\n");
    assert_non_null(strstr(replies[0].out, "\nended 3\n"));
    const char *shell = arena_strndup(&arena, replies[0].out, strcspn(replies[0].out, "\n"));
    /* What a script sets is gone with it, and the end may stand behind an incomplete line. */
    run_frame("printf '%s %s' $$ \"${given-no}\"", false);
    assert_int_equal(replies[0].status, 0);
    assert_string_equal(replies[0].out, arena_printf(&arena, "%s noended 0\n", shell));
}

static void much_output_in_a_session(void **state)
{
    (void)state;
    run_frame("i=0; while [ $i -lt 20000 ]; do echo 'a line of some length'; i=$((i + 1)); done",
              false);
    assert_int_equal(replies[1].kind, REPLY_EXIT);
    assert_int_equal(replies[1].out_len, 20000 * 22 + 8);
}

static void shell_killed(void **state)
{
    (void)state;
    run_frame("echo held", true);
    assert_int_equal(replies[2].status, 0);
    assert_false(fleet_hold_is_lost(fleet, 2));
    run_frame("echo begun; kill -s KILL $$; exit 0", false);
    fleet_wait(fleet, 10);
    assert_true(fleet_hold_is_lost(fleet, 2));
    /* The next script has a shell of its own again. */
    run_frame("exit 4", false);
    assert_int_equal(replies[2].kind, REPLY_EXIT);
    assert_int_equal(replies[2].status, 4);
}

/* While the session is busy, the next script has a channel of its own, and its payload is sent there. */
static void busy_session(void **state)
{
    FILE *payload = tmpfile();

    (void)state;
    assert_non_null(payload);
    fputs("payload\n", payload);
    fflush(payload);
    const struct call calls[] = {
        {.host = 0, .script = "exit 99\n", .frame = "begin_script \"$@\"\nexit 5\n", .payload = -1},
        {.host = 0,
         .script = "cat\n",
         .frame = "exit 99\n",
         .payload = fileno(payload),
         .payload_size = 8,
         .timeout_ms = MOST_MS},
    };
    fleet_run(fleet, &arena, calls, 2, replies);
    assert_int_equal(replies[0].status, 5);
    assert_int_equal(replies[1].status, 0);
    assert_string_equal(replies[1].out, "payload\n");
    fclose(payload);
}

/* ---- a long wait ---- */

static size_t open_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* One look at a host: in its session, and with a shell of its own. */
static void look_at_host(void)
{
    struct arena turn = {0};
    struct reply reply[2];
    const struct call calls[2] = {{.host = 0,
                                   .script = "exit 99\n",
                                   .frame = "begin_script \"$@\"\necho session\n",
                                   .payload = -1,
                                   .timeout_ms = MOST_MS},
                                  {.host = 1, .script = "echo shell\n", .payload = -1}};

    fleet_run(fleet, &turn, calls, 2, reply);
    assert_string_equal(reply[0].out, "session\nended 0\n");
    assert_string_equal(reply[1].out, "shell\n");
    arena_free(&turn);
}

/* LOOKS=10000 for as many; they take what one takes. */
static void many_looks(void **state)
{
    const long looks = getenv("LOOKS") ? atol(getenv("LOOKS")) : 100;
    const long some = looks / 10;
    size_t descriptors = 0;
    size_t memory = 0;

    (void)state;
    for (long i = 0; i < looks; i++) {
        if (i == some) {
            descriptors = open_descriptors();
            memory = mallinfo2().uordblks;
        }
        look_at_host();
    }
    assert_int_equal(open_descriptors(), descriptors);
    assert_in_range(mallinfo2().uordblks, 0, memory + 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(keeper_lost_while_others_lock, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(keeper_lost_later, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(one_shell_for_all, open_with_sessions, close_fleet),
        cmocka_unit_test_setup_teardown(much_output_in_a_session, open_with_sessions, close_fleet),
        cmocka_unit_test_setup_teardown(shell_killed, open_with_sessions, close_fleet),
        cmocka_unit_test_setup_teardown(busy_session, open_with_sessions, close_fleet),
        cmocka_unit_test_setup_teardown(many_looks, open_with_sessions, close_fleet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
