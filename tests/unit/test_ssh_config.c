#include "ssh/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Cut from the answers of OpenSSH 9.2: with no configuration, and with one. */
static const char plain[] =
    "host crelease\nuser ann\nhostname crelease\nport 22\n"
    "addressfamily any\nhashknownhosts no\nidentitiesonly no\n"
    "stricthostkeychecking ask\nserveralivecountmax 3\n"
    "serveraliveinterval 0\nciphers aes128-ctr,aes256-ctr\n"
    "hostkeyalgorithms ssh-ed25519,rsa-sha2-512\n"
    "identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519\n"
    "globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n"
    "userknownhostsfile /root/.ssh/known_hosts /root/.ssh/known_hosts2\n"
    "connecttimeout none\nrekeylimit 0 0\n";

static const struct ssh_target web = {.host = "web"};

static void test_defaults(void **state)
{
    struct arena a = {0};
    struct ssh_config c;

    (void)state;
    ssh_config_parse(&a, &web, plain, plain, &c);
    assert_string_equal(c.host, "crelease");
    assert_null(c.user);
    assert_int_equal(c.port, 22);
    assert_int_equal(c.identities.n, 0);
    assert_false(c.identities_only || c.hashed);
    assert_null(c.agent);
    assert_null(c.jump);
    assert_null(c.command);
    assert_null(c.known);
    assert_null(c.alias);
    assert_null(c.key_types);
    assert_null(c.bind);
    assert_int_equal(c.keys, STRICT_YES);
    assert_int_equal(c.connect_ms, 0);
    assert_int_equal(c.alive_ms, 0);
    assert_int_equal(c.family, AF_UNSPEC);
    assert_int_equal(c.ignored.n, 0);
    arena_free(&a);
}

static void test_values(void **state)
{
    struct arena a = {0};
    struct ssh_config c;
    static const char text[] =
        "host web\nuser deploy\nhostname 10.0.0.1\nport 2222\naddressfamily inet6\n"
        "hashknownhosts yes\nidentitiesonly yes\nstricthostkeychecking accept-new\n"
        "serveralivecountmax 5\nserveraliveinterval 20\nciphers aes256-ctr\n"
        "hostkeyalgorithms ssh-ed25519\nidentityfile ~/.ssh/%r@%h-%n_%p%%\nidentityfile /k/${WHERE}x\n"
        "globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n"
        "userknownhostsfile /srv/known\nconnecttimeout 7\nrekeylimit 0 0\nbindaddress 10.0.0.9\n"
        "hostkeyalias alias\nproxyjump ann@b1:2222,b2\nproxycommand nc -X %h %p %%h ${WHERE}\n"
        "identityagent none\nsetenv A=B\n";

    (void)state;
    setenv("HOME", "/home/ann", 1);
    setenv("WHERE", "here", 1);
    ssh_config_parse(&a, &web, text, plain, &c);
    assert_string_equal(c.host, "10.0.0.1");
    assert_string_equal(c.user, "deploy");
    assert_int_equal(c.port, 2222);
    assert_int_equal(c.identities.n, 2);
    assert_string_equal(c.identities.v[0], "/home/ann/.ssh/deploy@10.0.0.1-web_2222%");
    assert_string_equal(c.identities.v[1], "/k/herex");
    assert_true(c.identities_only && c.hashed);
    assert_string_equal(c.agent, "none");
    assert_string_equal(c.jump, "ann@b1:2222,b2");
    assert_string_equal(c.command, "nc -X 10.0.0.1 2222 %h ${WHERE}");
    assert_string_equal(c.known[0], "/srv/known");
    assert_string_equal(c.known[1], "/etc/ssh/ssh_known_hosts");
    assert_string_equal(c.known[2], "/etc/ssh/ssh_known_hosts2");
    assert_null(c.known[3]);
    assert_string_equal(c.alias, "alias");
    assert_string_equal(c.key_types, "ssh-ed25519");
    assert_int_equal(c.keys, STRICT_ACCEPT_NEW);
    assert_int_equal(c.connect_ms, 7000);
    assert_int_equal(c.alive_ms, 20000);
    assert_int_equal(c.alive_max, 5);
    assert_int_equal(c.family, AF_INET6);
    assert_string_equal(c.bind, "10.0.0.9");
    assert_string_equal(strs_joined(&a, &c.ignored, " "), "Ciphers SetEnv");
    /* What the recipe gives wins. */
    ssh_config_parse(&a, &(struct ssh_target){"web", "eve", 1}, text, plain, &c);
    assert_string_equal(c.user, "eve");
    assert_int_equal(c.port, 1);
    arena_free(&a);
}

static void test_hostile_answer(void **state)
{
    struct arena a = {0};
    struct ssh_config c;

    (void)state;
    ssh_config_parse(&a, &web, "", "", &c);
    assert_string_equal(c.host, "web");
    ssh_config_parse(&a, &web, "\n\nport\nport \nport 99999999999\nuser \nhostname\n\x01\xff\n",
                     plain, &c);
    assert_string_equal(c.host, "web");
    assert_int_equal(c.port, 0);
    arena_free(&a);
}

static void test_unusual_values(void **state)
{
    struct arena a = {0};
    struct ssh_config c;

    (void)state;
    setenv("HOME", "/home/ann", 1);
    setenv("SOCKET", "~/%h/agent", 1);
    setenv("NOTHING", "", 1);
    ssh_config_parse(&a, &web, "identityfile none\nidentityagent $SOCKET\n", plain, &c);
    assert_int_equal(c.identities.n, 0);
    assert_true(c.no_identities);
    assert_string_equal(c.agent, "~/%h/agent");
    ssh_config_parse(&a, &web, "identityfile none\nidentityfile /k\nidentityagent $NOTHING\n",
                     plain, &c);
    assert_int_equal(c.identities.n, 1);
    assert_false(c.no_identities);
    assert_string_equal(c.agent, "none");
    ssh_config_parse(&a, &web, "identityfile /k/%C\nproxycommand nc %h %Q %\nproxyusefdpass yes\n",
                     plain, &c);
    assert_string_equal(c.command, "nc web %Q %");
    static const char *const without[] = {"%C in IdentityFile", "%Q in ProxyCommand",
                                          "ProxyUseFdpass"};
    for (size_t i = 0; i < 3; i++)
        assert_true(strs_has(&c.ignored, without[i]));
    arena_free(&a);
}

static void test_targets(void **state)
{
    struct arena a = {0};
    struct ssh_target t;
    static const struct {
        const char *text;
        const char *user;
        const char *host;
        int port;
    } good[] = {{"b", NULL, "b", 0},
                {"ann@b:22", "ann", "b", 22},
                {"ssh://ann@b:2222", "ann", "b", 2222},
                {"a@corp@b", "a@corp", "b", 0},
                {"[fe80::1]:22", NULL, "fe80::1", 22},
                {"fe80::1", NULL, "fe80::1", 0}};
    static const char *const bad[] = {
        "",    "@b",      "b:",   "b:0",  "b:65536", "b:x", "-oProxyCommand=x",
        "a b", "-l@host", "[::1", "b;rm", "$(x)",    ":22"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ssh_target_parse(&a, good[i].text, strlen(good[i].text), &t));
        assert_string_equal(t.host, good[i].host);
        assert_int_equal(t.port, good[i].port);
        assert_true(good[i].user ? t.user && strcmp(t.user, good[i].user) == 0 : !t.user);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ssh_target_parse(&a, bad[i], strlen(bad[i]), &t));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_hostile_answer), cmocka_unit_test(test_unusual_values),
        cmocka_unit_test(test_targets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
