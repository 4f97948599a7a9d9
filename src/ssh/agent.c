/* ssh_agent.c -- a client of the ssh-agent protocol: one connection, one request at a time.
 *
 * Each message is a length of four bytes, a type, and strings with lengths of four bytes.  Nothing
 * that the agent sends is trusted: it may be another program's socket. */
#include "ssh/agent.h"

#include "base/buf.h"
#include "base/text.h"
#include "edge/loop_uv.h"

#include <sys/un.h>

enum {
    ANSWER_MS = 5000,  /* for the connection, and for each answer that needs no person */
    PERSON_MS = 60000, /* to confirm, or to touch a token */
    NOBODY_MS = 15000, /* the same, when no terminal is there */
    MESSAGE_MAX = 256 * 1024,
    KEYS_MAX = 2048, /* as ssh */
};

enum {
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
};

enum { FLAG_RSA_SHA2_256 = 2, FLAG_RSA_SHA2_512 = 4 };

struct agent_sign {
    struct agent_sign *next; /* in the queue */
    struct buf request;
    char algorithm[64]; /* that the signature must be of */
    enum sign_state state;
    unsigned char *bytes;
    size_t len;
    const char *why;
    bool orphan; /* being answered, and wanted no more */
};

/* The connection; it outlives the agent until libuv has closed it. */
struct socket {
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct buf out; /* of the request under way */
    char chunk[16 * 1024];
};

static struct {
    struct arena arena;
    struct loop *loop;
    struct agent_hooks hooks;
    enum agent_state state;
    const char *path;
    const char *why;
    bool begun;
    bool patient;
    bool told; /* that a person may have to do something */
    struct agent_key *keys;
    size_t n;
    struct socket *socket;
    uv_timer_t *timer;
    struct buf in;
    struct agent_sign *queue; /* the first one is being answered */
} agent;

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

static void free_socket(uv_handle_t *handle)
{
    struct socket *s = handle->data;

    buf_free(&s->out);
    free(s);
}

static void hang_up(void)
{
    if (agent.socket)
        uv_close((uv_handle_t *)&agent.socket->pipe, free_socket);
    if (agent.timer)
        uv_close((uv_handle_t *)agent.timer, free_timer);
    agent.socket = NULL;
    agent.timer = NULL;
    buf_free(&agent.in);
}

/* Takes the first request out of the queue. */
static struct agent_sign *unqueue(void)
{
    struct agent_sign *sign = agent.queue;

    agent.queue = sign->next;
    sign->next = NULL;
    return sign;
}

static void sign_end(struct agent_sign *sign, const char *why)
{
    sign->state = why ? SIGN_FAILED : SIGN_DONE;
    sign->why = why;
    if (sign->orphan)
        agent_sign_free(sign);
}

/* It is of no use any more; whoever waits for it hears why. */
__attribute__((format(printf, 1, 2))) static void give_up(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    agent.why = arena_printf(&agent.arena, "the agent at '%s' %s", agent.path,
                             arena_vprintf(&agent.arena, fmt, ap));
    va_end(ap);
    hang_up();
    while (agent.queue)
        sign_end(unqueue(), agent.why);
    agent.state = AGENT_ABSENT;
    agent.hooks.wake();
}

static void put_u32(struct buf *b, size_t n)
{
    const unsigned char bytes[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 8), (unsigned char)n};

    buf_add(b, bytes, sizeof bytes);
}

static void put_string(struct buf *b, const void *bytes, size_t len)
{
    put_u32(b, len);
    buf_add(b, bytes, len);
}

/* What is left of a message. */
struct reader {
    const unsigned char *p;
    size_t left;
};

static bool take_u32(struct reader *r, size_t *ret)
{
    if (r->left < 4)
        return false;
    *ret = (size_t)r->p[0] << 24 | (size_t)r->p[1] << 16 | (size_t)r->p[2] << 8 | r->p[3];
    r->p += 4;
    r->left -= 4;
    return true;
}

static bool take_string(struct reader *r, const unsigned char **ret, size_t *ret_len)
{
    if (!take_u32(r, ret_len) || *ret_len > r->left)
        return false;
    *ret = r->p;
    r->p += *ret_len;
    r->left -= *ret_len;
    return true;
}

static void on_late(uv_timer_t *timer);

static void set_limit(int ms)
{
    uv_update_time(loop_uv(agent.loop));
    uv_timer_start(agent.timer, on_late, (uint64_t)ms, 0);
}

static void on_late(uv_timer_t *timer)
{
    int limit = agent.patient ? PERSON_MS : NOBODY_MS;

    (void)timer;
    if (agent.state == AGENT_WAITING) {
        give_up("did not answer within %d s", ANSWER_MS / 1000);
        agent.hooks.tell(arena_printf(&agent.arena, "%s; going on without it", agent.why));
    } else if (!agent.told) {
        agent.told = true;
        agent.hooks.tell("waiting for the agent to sign: confirm it, or touch the key");
        set_limit(limit - ANSWER_MS);
    } else {
        give_up("did not sign within %d s", limit / 1000);
        agent.hooks.tell(arena_printf(&agent.arena, "%s; going on without it", agent.why));
    }
}

static void on_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status; /* a socket that is gone ends the reading, too */
}

static void send_request(const struct buf *request)
{
    struct socket *s = agent.socket;

    buf_free(&s->out);
    s->out = buf_make(request->len);
    buf_add(&s->out, request->text, request->len);
    uv_buf_t bytes = uv_buf_init(s->out.text, (unsigned)s->out.len);
    agent.told = false;
    set_limit(ANSWER_MS);
    if (uv_write(&s->write, (uv_stream_t *)&s->pipe, &bytes, 1, on_written) != 0)
        give_up("hung up");
}

/* Goes on with the next signature, when no other is under way. */
static void next_request(void)
{
    if (agent.queue)
        send_request(&agent.queue->request);
    else
        uv_timer_stop(agent.timer);
}

static bool take_keys(struct reader *r)
{
    size_t n;

    if (!take_u32(r, &n) || n > KEYS_MAX)
        return false;
    agent.keys = arena_array(&agent.arena, n + 1, sizeof *agent.keys);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *blob;
        const unsigned char *comment;
        size_t len;
        size_t comment_len;
        if (!take_string(r, &blob, &len) || !take_string(r, &comment, &comment_len))
            return false;
        struct agent_key *key = &agent.keys[i];
        *key = (struct agent_key){
            .blob = arena_strndup(&agent.arena, (const char *)blob, len),
            .blob_len = len,
            .comment = arena_strndup(&agent.arena, (const char *)comment, comment_len),
            .id = key};
    }
    agent.n = n;
    return true;
}

/* A signature is a string with the algorithm's name, and its bytes as another; of a FIDO key flags
 * and a counter follow. */
static const char *take_signature(struct agent_sign *sign, struct reader *r)
{
    struct reader all;
    const unsigned char *name;
    const unsigned char *bytes;
    size_t name_len;

    if (!take_string(r, &all.p, &all.left) || !take_string(&all, &name, &name_len))
        return "the agent's answer is no signature";
    if (name_len != strlen(sign->algorithm) || memcmp(name, sign->algorithm, name_len) != 0)
        return "the agent cannot sign with the algorithm that was asked for";
    bytes = all.p;
    sign->len = all.left;
    if (strncmp(sign->algorithm, "sk-", 3) != 0 && !take_string(&all, &bytes, &sign->len))
        return "the agent's answer is no signature";
    sign->bytes = xcalloc(1, sign->len + 1);
    memcpy(sign->bytes, bytes, sign->len);
    return NULL;
}

static void take_message(const unsigned char *bytes, size_t len)
{
    struct reader r = {bytes + 1, len - 1};

    if (agent.state == AGENT_WAITING) {
        if (bytes[0] != IDENTITIES_ANSWER || !take_keys(&r)) {
            give_up("does not answer as an agent does");
            return;
        }
        agent.state = AGENT_READY;
    } else if (!agent.queue) {
        give_up("answers what it was not asked");
        return;
    } else {
        struct agent_sign *sign = unqueue();
        sign_end(sign, bytes[0] == SIGN_RESPONSE ? take_signature(sign, &r)
                                                 : "the agent refused to sign");
    }
    next_request();
    agent.hooks.wake();
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct socket *s = handle->data;

    (void)size;
    *ret = uv_buf_init(s->chunk, sizeof s->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
    struct socket *s = stream->data;

    if (s != agent.socket || n == 0)
        return;
    if (n < 0) {
        give_up("hung up");
        return;
    }
    buf_add(&agent.in, chunk->base, (size_t)n);
    while (agent.socket == s && agent.in.len >= 4) {
        struct reader r = {(const unsigned char *)agent.in.text, agent.in.len};
        size_t len = 0;
        take_u32(&r, &len);
        if (len == 0 || len > MESSAGE_MAX || agent.in.full) {
            give_up("does not answer as an agent does");
            return;
        }
        if (r.left < len)
            return;
        /* What it says may end the connection, and with it the buffer. */
        struct buf message = buf_make(len);
        buf_add(&message, r.p, len);
        buf_drop(&agent.in, 4 + len);
        take_message((const unsigned char *)message.text, len);
        buf_free(&message);
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    static const unsigned char list[] = {0, 0, 0, 1, REQUEST_IDENTITIES};
    struct socket *s = connect->handle->data;
    struct buf request = buf_make(sizeof list);

    if (s != agent.socket)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
    if (status != 0) {
        give_up("cannot be reached: %s", uv_strerror(status));
        return;
    }
    buf_add(&request, list, sizeof list);
    send_request(&request);
    buf_free(&request);
}

void agent_begin(struct loop *loop, const struct agent_hooks *hooks, bool patient)
{
    const char *path = getenv("SSH_AUTH_SOCK");

    if (agent.begun)
        return;
    agent.begun = true;
    agent.loop = loop;
    agent.hooks = *hooks;
    agent.patient = patient;
    agent.state = AGENT_ABSENT;
    if (!path || !*path)
        return;
    agent.path = text_shown(&agent.arena, path);
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        agent.why = arena_printf(&agent.arena,
                                 "the agent at '%s' cannot be reached: the path is too"
                                 " long for a socket",
                                 agent.path);
        return;
    }
    agent.state = AGENT_WAITING;
    agent.in = buf_make(MESSAGE_MAX + sizeof agent.socket->chunk);
    agent.timer = xcalloc(1, sizeof *agent.timer);
    uv_timer_init(loop_uv(loop), agent.timer);
    agent.socket = xcalloc(1, sizeof *agent.socket);
    agent.socket->out = buf_make(0);
    uv_pipe_init(loop_uv(loop), &agent.socket->pipe, 0);
    agent.socket->pipe.data = agent.socket;
    set_limit(ANSWER_MS);
    uv_pipe_connect(&agent.socket->connect, &agent.socket->pipe, path, on_connected);
}

void agent_end(void)
{
    hang_up();
    while (agent.queue)
        sign_end(unqueue(), "the agent is asked no more");
    arena_free(&agent.arena);
    memset(&agent, 0, sizeof agent);
}

enum agent_state agent_state(void)
{
    return agent.state;
}

const struct agent_key *agent_keys(size_t *ret_n)
{
    *ret_n = agent.state == AGENT_READY ? agent.n : 0;
    return *ret_n ? agent.keys : NULL;
}

const char *agent_why(void)
{
    return agent.why;
}

/* What is signed is the request to log in: session, type, user, service, "publickey", TRUE, the
 * algorithm, the key.  libssh2 chooses the algorithm and tells it nowhere else. */
static bool algorithm_of(const unsigned char *data, size_t len, char *ret, size_t size)
{
    static const char certificate[] = "-cert-v01@openssh.com";
    struct reader r = {data, len};
    const unsigned char *s;
    size_t n;

    if (!take_string(&r, &s, &n) || r.left < 1)
        return false;
    r.p++;
    r.left--;
    for (int i = 0; i < 3; i++)
        if (!take_string(&r, &s, &n))
            return false;
    if (r.left < 1)
        return false;
    r.p++;
    r.left--;
    if (!take_string(&r, &s, &n) || n >= size)
        return false;
    memcpy(ret, s, n);
    ret[n] = '\0';
    /* The signature of a certificate's key is named as the key's own. */
    char *suffix = strstr(ret, certificate);
    if (suffix)
        memcpy(suffix, strncmp(ret, "sk-", 3) == 0 ? "@openssh.com" : "",
               strncmp(ret, "sk-", 3) == 0 ? sizeof "@openssh.com" : 1);
    return true;
}

struct agent_sign *agent_sign_begin(const struct agent_key *key, const unsigned char *data,
                                    size_t len)
{
    struct agent_sign *sign = xcalloc(1, sizeof *sign);
    struct agent_sign **at = &agent.queue;
    struct buf body = buf_make(MESSAGE_MAX);
    const unsigned char type = SIGN_REQUEST;
    size_t flags = 0;

    sign->request = buf_make(MESSAGE_MAX + 4);
    if (agent.state != AGENT_READY ||
        !algorithm_of(data, len, sign->algorithm, sizeof sign->algorithm)) {
        sign_end(sign, agent.why ? agent.why : "the agent was not asked to sign");
        buf_free(&body);
        return sign;
    }
    if (strcmp(sign->algorithm, "rsa-sha2-512") == 0)
        flags = FLAG_RSA_SHA2_512;
    if (strcmp(sign->algorithm, "rsa-sha2-256") == 0)
        flags = FLAG_RSA_SHA2_256;
    buf_add(&body, &type, 1);
    put_string(&body, key->blob, key->blob_len);
    put_string(&body, data, len);
    put_u32(&body, flags);
    put_string(&sign->request, body.text, body.len);
    buf_free(&body);
    while (*at)
        at = &(*at)->next;
    *at = sign;
    if (agent.queue == sign)
        next_request();
    return sign;
}

void agent_sign_free(struct agent_sign *sign)
{
    struct agent_sign **at = &agent.queue;

    if (!sign)
        return;
    if (sign == agent.queue) {
        sign->orphan = true;
        return;
    }
    while (*at && *at != sign)
        at = &(*at)->next;
    if (*at)
        *at = sign->next;
    buf_free(&sign->request);
    free(sign->bytes);
    free(sign);
}

enum sign_state agent_sign_state(const struct agent_sign *sign)
{
    return sign->state;
}

const unsigned char *agent_sign_bytes(const struct agent_sign *sign, size_t *ret_len)
{
    *ret_len = sign->len;
    return sign->bytes;
}

const char *agent_sign_why(const struct agent_sign *sign)
{
    return sign->why;
}
