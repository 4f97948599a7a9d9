/* A script over a libssh2 that fails at each call in turn: whatever happens, there is an answer, and it
 * is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/digest.h"
#include "fake/libssh2.h"
#include "fleet/fleet.h"
#include "ssh/carrier.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { CONNECT_MS = 20000, CALLS_MAX = 400 };

static struct loop *loop;
static struct arena arena;
static struct fake_ssh fake;

/* A socket that takes connections, for fake_wake; the kernel completes them. */
static int listen_here(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static struct reply run_with(int at, enum fake_fault fault)
{
    int port;
    int listener = listen_here(&port);
    const char *pin = arena_printf(&arena, "ssh-ed25519 %s",
                                   base64_encode(&arena, fake_host_key, sizeof fake_host_key));
    const struct fleet_host host = {.name = "one",
                                    .address = "127.0.0.1",
                                    .user = "ann",
                                    .port = port,
                                    .host_key = pin,
                                    .no_agent = true};
    const struct fleet_options options = {.carriers = {[TRANSPORT_LIBSSH2] = &carrier_libssh2},
                                          .connect_ms = CONNECT_MS};
    const struct call call = {.script = "echo out; echo err >&2; exit 3\n", .payload = -1};
    struct reply reply;

    fake = (struct fake_ssh){.at = at, .fault = fault};
    fake_ssh_begin(&fake, listener);
    struct fleet *fleet = fleet_open(loop, &host, 1, &options);
    fleet_run(fleet, &arena, &call, 1, &reply);
    fleet_close(fleet);
    fake_ssh_end();
    close(listener);
    return reply;
}

static void assert_whole(const struct reply *r, int at)
{
    if (r->kind != REPLY_EXIT || r->status != 3 || strcmp(r->out, "out\n") != 0 ||
        strcmp(r->err_out, "err\n") != 0)
        fail_msg("call %d: kind %d, status %d, out '%s', err '%s', why '%s'", at, (int)r->kind,
                 r->status, r->out, r->err_out, r->why ? r->why : "");
}

static void works(void **state)
{
    struct reply r = run_with(0, FAKE_NONE);

    (void)state;
    assert_whole(&r, 0);
}

static void asked_again(void **state)
{
    (void)state;
    for (int at = 1; at < CALLS_MAX; at++) {
        struct reply r = run_with(at, FAKE_AGAIN);
        if (fake.calls < at)
            return;
        assert_whole(&r, at);
    }
    fail_msg("more than %d calls", CALLS_MAX);
}

/* An answer counts only if the script has ended; "never sent" is said only if it was not started. */
static void loses_at_each_call(enum fake_fault fault)
{
    for (int at = 1; at < CALLS_MAX; at++) {
        struct reply r = run_with(at, fault);
        if (fake.calls < at)
            return;
        bool ok = r.kind == REPLY_EXIT
                      ? fake.status == 3 && r.status == 3
                      : r.kind == (fake.opened ? REPLY_LOST : REPLY_UNREACHED) && r.why;
        if (!ok)
            fail_msg("call %d: kind %d, status %d, opened %d, started %d, why '%s'", at,
                     (int)r.kind, r.status, fake.opened, fake.started, r.why ? r.why : "");
        arena_free(&arena);
    }
    fail_msg("more than %d calls", CALLS_MAX);
}

static void fails(void **state)
{
    (void)state;
    loses_at_each_call(FAKE_FAILS);
}

static void is_cut(void **state)
{
    (void)state;
    loses_at_each_call(FAKE_CUT);
}

static void lacks_memory(void **state)
{
    (void)state;
    loses_at_each_call(FAKE_ALLOC);
}

static int begin(void **state)
{
    (void)state;
    setenv("HOME", "/nonexistent", 1);
    setenv("CRELEASE_SSH_KEY",
           "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 1);
    unsetenv("SSH_AUTH_SOCK");
    loop = loop_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_close(loop);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(works, begin, end),
        cmocka_unit_test_setup_teardown(asked_again, begin, end),
        cmocka_unit_test_setup_teardown(fails, begin, end),
        cmocka_unit_test_setup_teardown(is_cut, begin, end),
        cmocka_unit_test_setup_teardown(lacks_memory, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
