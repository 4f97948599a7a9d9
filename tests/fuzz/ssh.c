/* ssh.c -- targets: files of the user's ~/.ssh, keys, and answers of `ssh -G`. */
#include "ssh/config.h"

#include "base/text.h"
#include "edge/digest.h"
#include "edge/rsa.h"
#include "fuzz_targets.h"
#include "ssh/agent.h"
#include "ssh/encoding.h"
#include "ssh/host_key.h"
#include "ssh/keys.h"
#include "ssh/known_hosts.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char key_a[] = "\0\0\0\013ssh-ed25519\0\0\0\004aaaa";
static const char key_b[] = "\0\0\0\013ssh-ed25519\0\0\0\004bbbb";

static enum known known_in(const struct input *in, const char *path, const struct known_host *host,
                           const char *key)
{
    struct known_hosts *k = known_hosts_open((const char *const[]){path, NULL});
    struct known_answer answer = known_hosts_check(k, host, key, sizeof key_a - 1);
    struct strs types = {0};

    known_hosts_types(k, host, in->arena, &types);
    for (size_t i = 0; i < types.n; i++)
        HOLDS(is_shown(types.v[i]));
    HOLDS(is_shown(known_hosts_refusal(k, in->arena, &answer)));
    enum known known = answer.known;
    known_hosts_close(k);
    return known;
}

/* The first line is the host.  A key that is not in the file is never known, and one that is added is,
 * unless the file revokes it. */
void fuzz_known_hosts(const struct input *in)
{
    const char *file = strchr(in->text, '\n');
    struct known_host host = {.port = 22};

    if (!file)
        return;
    host.name = arena_strndup(in->arena, in->text, (size_t)(file - in->text));
    file++;
    const char *path = file_of(file, strlen(file));
    const char *blob = base64_encode(in->arena, key_b, sizeof key_b - 1);
    enum known before = known_in(in, path, &host, key_b);
    if (!strstr(file, blob))
        HOLDS(before != KNOWN_YES);
    if (!*host.name || !is_shown(host.name) || strpbrk(host.name, " ,*?!|[]@#\t"))
        return;
    for (int hashed = 0; hashed < 2; hashed++) {
        path = file_of("", 0);
        HOLDS(!known_hosts_add(in->arena, path, &host, key_a, sizeof key_a - 1, hashed));
        HOLDS(known_in(in, path, &host, key_a) == KNOWN_YES);
        HOLDS(known_in(in, path, &host, key_b) == KNOWN_CHANGED);
        struct known_host other = {.name = arena_printf(in->arena, "x%s", host.name), .port = 22};
        HOLDS(known_in(in, path, &other, key_a) == KNOWN_UNKNOWN);
    }
}

void fuzz_key(const struct input *in)
{
    static const struct ssh_library library = {"1.10.0", false};
    const struct login_wish wish = {.variable = in->text, .no_files = true, .library = &library};
    const unsigned char *part;
    size_t len;

    struct ssh_key key = ssh_key_of_variable(in->arena, in->text);
    if (key.form == KEY_UNKNOWN)
        HOLDS(is_shown(key.why));
    if (key.type)
        HOLDS(is_shown(text_shown(in->arena, key.type)));
    if (key.form == KEY_PRIVATE && ssh_key_private_part(in->arena, &key, &part, &len))
        HOLDS(len < in->len);
    ssh_key_wipe(&key);
    struct login_list list = login_list_make(in->arena, &wish, NULL, 0);
    HOLDS(is_shown(login_list_story(&list, in->arena)));
    login_list_wipe(&list);
    struct rsa *rsa = rsa_read_pem(in->bytes, in->len, "");
    struct rsa_number n, e;
    if (rsa)
        HOLDS(rsa_public(rsa, in->arena, &n, &e) && n.len && e.len);
    rsa_close(rsa);
}

void fuzz_host_key(const struct input *in)
{
    const char *type = host_key_type(in->arena, in->bytes, in->len);

    if (type) {
        const char *blob = base64_encode(in->arena, in->bytes, in->len);
        const char *line = arena_printf(in->arena, "%s %s comment", type, blob);
        const char *print = host_key_fingerprint(in->arena, in->bytes, in->len);
        HOLDS(is_shown(host_key_kind(in->arena, type)));
        HOLDS(host_key_pin_is_valid(line) && host_key_pin_matches(line, in->bytes, in->len));
        HOLDS(host_key_pin_is_valid(print) && host_key_pin_matches(print, in->bytes, in->len));
    }
    if (!host_key_pin_is_valid(in->text))
        HOLDS(!host_key_pin_matches(in->text, key_a, sizeof key_a - 1));
    host_key_pin_type(in->arena, in->text);
}

/* The parts: what ssh says with the user's configuration, and with none. */
void fuzz_ssh_config(const struct input *in)
{
    static const struct ssh_target target = {.host = "web"};
    const char *at = in->text;
    const char *text = next_part(in, &at);
    const char *plain = next_part(in, &at);
    struct ssh_config c;

    ssh_config_parse(in->arena, &target, text, plain ? plain : "", &c);
    HOLDS(c.host && c.port >= 0 && c.port <= 65535);
    HOLDS(c.connect_ms >= 0 && c.alive_ms >= 0 && c.alive_max >= 0);
}

void fuzz_ssh_target(const struct input *in)
{
    struct ssh_target t;

    if (!ssh_target_parse(in->arena, in->bytes, in->len, &t))
        return;
    HOLDS(*t.host && *t.host != '-' && t.port >= 0 && t.port <= 65535);
    HOLDS(!t.user || (*t.user && *t.user != '-'));
}

void fuzz_login_data(const struct input *in)
{
    char name[32];

    if (userauth_algorithm((struct decoder){(const unsigned char *)in->bytes, in->len}, name,
                           sizeof name))
        HOLDS(strlen(name) < sizeof name);
}

/* ---- the agent ---- */

enum { TURNS = 20 };

/* An agent of which nothing is known but where its socket is. */
static int listen_at(struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(at->sun_path, sizeof at->sun_path, "/tmp/fuzz.agent.%ld", (long)getpid());
    unlink(at->sun_path);
    HOLDS(fd >= 0 && bind(fd, (struct sockaddr *)at, sizeof *at) == 0 && listen(fd, 4) == 0);
    return fd;
}

static void ignore_wake(void)
{
}

static void ignore_line(const char *line)
{
    (void)line;
}

/* Takes the next connection, or the next request, and answers with these bytes. */
static int answer(int fd, const char *bytes, size_t len, struct loop *loop)
{
    char request[4096];

    for (int i = 0; i < TURNS; i++) {
        loop_turn(loop, 0);
        if (recv(fd, request, sizeof request, MSG_DONTWAIT) > 0)
            break;
    }
    (void)!send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, 0);
    return fd;
}

/* The first two bytes are the length of its first answer, the list of keys; the rest is its signature. */
void fuzz_agent(const struct input *in)
{
    static const struct agent_hooks hooks = {ignore_wake, ignore_line};
    struct sockaddr_un at;
    size_t n = 0;

    if (in->len < 2)
        return;
    size_t first = (size_t)(unsigned char)in->bytes[0] << 8 | (unsigned char)in->bytes[1];
    first = first < in->len - 2 ? first : in->len - 2;
    struct loop *loop = loop_open();
    int listener = listen_at(&at);
    struct agent *agent = agent_begin(loop, &hooks, at.sun_path, false);
    int fd = accept(listener, NULL, NULL);
    answer(fd, in->bytes + 2, first, loop);
    const struct agent_key *keys = agent_keys(agent, &n);
    HOLDS(agent_state(agent) == AGENT_READY || n == 0);
    if (agent_why(agent))
        HOLDS(is_shown(agent_why(agent)));
    if (agent_state(agent) == AGENT_READY && n) {
        struct agent_sign *sign =
            agent_sign_begin(agent, &keys[0], (const unsigned char *)"data", 4);
        size_t len;
        answer(fd, in->bytes + 2 + first, in->len - 2 - first, loop);
        if (agent_sign_state(sign) == SIGN_DONE)
            HOLDS(agent_sign_bytes(sign, &len) && len < in->len);
        if (agent_sign_state(sign) == SIGN_FAILED)
            HOLDS(is_shown(agent_sign_why(sign)));
        agent_sign_free(sign);
    }
    close(fd);
    agents_end();
    loop_turn(loop, 0);
    loop_close(loop);
    close(listener);
    unlink(at.sun_path);
}
