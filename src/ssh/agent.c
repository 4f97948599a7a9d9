/* agent.c -- a client of the ssh-agent protocol: one connection to each agent, one request at a
 * time (see agent.h).  The login steps of all hosts share it.
 *
 * A message is a length of four bytes, a type, and strings (encoding.h).  Nothing that the agent
 * sends is trusted, because the socket may belong to another program. */
#include "ssh/agent.h"

#include "base/buf.h"
#include "base/text.h"
#include "edge/loop_uv.h"
#include "ssh/encoding.h"

#include <sys/un.h>

enum {
    ANSWER_MS = 5000,  /* for connecting, and for each answer that needs no person */
    PERSON_MS = 60000, /* for a person to confirm a signature or touch a token */
    NOBODY_MS = 15000, /* the same without a terminal */
    MESSAGE_MAX = 256 * 1024,
    KEYS_MAX = 2048, /* same limit as ssh */
};

enum {
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
};

enum { FLAG_RSA_SHA2_256 = 2, FLAG_RSA_SHA2_512 = 4 };

struct agent_sign {
    struct agent *agent;     /* NULL once there is an end */
    struct agent_sign *next; /* in the queue */
    struct buf request;
    char algorithm[64]; /* expected in the signature */
    enum sign_state state;
    unsigned char *bytes;
    size_t len;
    const char *why;
    bool orphan; /* freed by its owner while the agent is still answering */
};

/* The connection.  It may outlive the agent, until libuv has closed it. */
struct socket {
    struct agent *agent; /* NULL once it is being closed */
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct buf out; /* the current request */
    char chunk[16 * 1024];
};

struct agent {
    struct agent *next;
    struct arena arena;
    struct loop *loop;
    struct agent_hooks hooks;
    enum agent_state state;
    const char *given; /* the path of IdentityAgent; NULL: that of SSH_AUTH_SOCK */
    const char *path;  /* as it is shown */
    const char *why;
    bool patient;
    bool told; /* the user was told that the agent waits for a confirmation */
    struct agent_key *keys;
    size_t n;
    struct socket *socket;
    uv_timer_t *timer;
    struct buf in;
    struct agent_sign *queue; /* the first one is being answered */
};

static struct agent *agents;

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

static void hang_up(struct agent *agent)
{
    if (agent->socket) {
        agent->socket->agent = NULL;
        uv_close((uv_handle_t *)&agent->socket->pipe, free_socket);
    }
    if (agent->timer)
        uv_close((uv_handle_t *)agent->timer, free_timer);
    agent->socket = NULL;
    agent->timer = NULL;
    buf_free(&agent->in);
}

/* Removes the first request from the queue. */
static struct agent_sign *unqueue(struct agent *agent)
{
    struct agent_sign *sign = agent->queue;

    agent->queue = sign->next;
    sign->next = NULL;
    return sign;
}

static void sign_end(struct agent_sign *sign, const char *why)
{
    sign->state = why ? SIGN_FAILED : SIGN_DONE;
    sign->why = why;
    sign->agent = NULL;
    if (sign->orphan)
        agent_sign_free(sign);
}

/* Marks the agent as unusable, and fails all signatures that wait for it. */
__attribute__((format(printf, 2, 3))) static void give_up(struct agent *agent, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    agent->why = arena_printf(&agent->arena, "the agent at '%s' %s", agent->path,
                              arena_vprintf(&agent->arena, fmt, ap));
    va_end(ap);
    hang_up(agent);
    while (agent->queue)
        sign_end(unqueue(agent), agent->why);
    agent->state = AGENT_ABSENT;
    agent->hooks.wake();
}

static void on_late(uv_timer_t *timer);

static void set_limit(struct agent *agent, int ms)
{
    uv_update_time(loop_uv(agent->loop));
    uv_timer_start(agent->timer, on_late, (uint64_t)ms, 0);
}

static void on_late(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    int limit = agent->patient ? PERSON_MS : NOBODY_MS;

    if (agent->state == AGENT_WAITING) {
        give_up(agent, "did not answer within %d s", ANSWER_MS / 1000);
        agent->hooks.tell(arena_printf(&agent->arena, "%s; continuing without it", agent->why));
    } else if (!agent->told) {
        agent->told = true;
        agent->hooks.tell("waiting for the agent to sign: confirm the request or touch the key");
        set_limit(agent, limit - ANSWER_MS);
    } else {
        give_up(agent, "did not sign within %d s", limit / 1000);
        agent->hooks.tell(arena_printf(&agent->arena, "%s; continuing without it", agent->why));
    }
}

static void on_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status; /* a lost socket also ends the read */
}

static void send_request(struct agent *agent, const struct buf *request)
{
    struct socket *s = agent->socket;

    buf_free(&s->out);
    s->out = buf_make(request->len);
    buf_add(&s->out, request->text, request->len);
    uv_buf_t bytes = uv_buf_init(s->out.text, (unsigned)s->out.len);
    agent->told = false;
    set_limit(agent, ANSWER_MS);
    if (uv_write(&s->write, (uv_stream_t *)&s->pipe, &bytes, 1, on_written) != 0)
        give_up(agent, "closed the connection");
}

/* Sends the next queued request, if there is one. */
static void next_request(struct agent *agent)
{
    if (agent->queue)
        send_request(agent, &agent->queue->request);
    else
        uv_timer_stop(agent->timer);
}

static bool take_keys(struct agent *agent, struct decoder *r)
{
    size_t n;

    if (!decode_u32(r, &n) || n > KEYS_MAX)
        return false;
    agent->keys = arena_array(&agent->arena, n + 1, sizeof *agent->keys);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *blob;
        const unsigned char *comment;
        size_t len;
        size_t comment_len;
        if (!decode_string(r, &blob, &len) || !decode_string(r, &comment, &comment_len))
            return false;
        struct agent_key *key = &agent->keys[i];
        *key = (struct agent_key){
            .blob = arena_strndup(&agent->arena, (const char *)blob, len),
            .blob_len = len,
            .comment = arena_strndup(&agent->arena, (const char *)comment, comment_len),
            .id = key};
    }
    agent->n = n;
    return true;
}

/* A signature is a string that contains the name of its algorithm, as a string, and its bytes, as
 * another.  With a FIDO key, flags and a counter follow the bytes. */
static const char *take_signature(struct agent_sign *sign, struct decoder *r)
{
    struct decoder all;
    const unsigned char *name;
    const unsigned char *bytes;
    size_t name_len;

    if (!decode_string(r, &all.p, &all.left) || !decode_string(&all, &name, &name_len))
        return "the agent's answer is not a signature";
    if (name_len != strlen(sign->algorithm) || memcmp(name, sign->algorithm, name_len) != 0)
        return "the agent cannot sign with the requested algorithm";
    bytes = all.p;
    sign->len = all.left;
    if (strncmp(sign->algorithm, "sk-", 3) != 0 && !decode_string(&all, &bytes, &sign->len))
        return "the agent's answer is not a signature";
    sign->bytes = xcalloc(1, sign->len + 1);
    memcpy(sign->bytes, bytes, sign->len);
    return NULL;
}

static void take_message(struct agent *agent, const unsigned char *bytes, size_t len)
{
    struct decoder r = {bytes + 1, len - 1};

    if (agent->state == AGENT_WAITING) {
        if (bytes[0] != IDENTITIES_ANSWER || !take_keys(agent, &r)) {
            give_up(agent, "is not an ssh-agent: unexpected answer");
            return;
        }
        agent->state = AGENT_READY;
    } else if (!agent->queue) {
        give_up(agent, "sent an answer without a request");
        return;
    } else {
        struct agent_sign *sign = unqueue(agent);
        sign_end(sign, bytes[0] == SIGN_RESPONSE ? take_signature(sign, &r)
                                                 : "the agent refused to sign");
    }
    next_request(agent);
    agent->hooks.wake();
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
    struct agent *agent = s->agent;

    if (!agent || n == 0)
        return;
    if (n < 0) {
        give_up(agent, "closed the connection");
        return;
    }
    buf_add(&agent->in, chunk->base, (size_t)n);
    while (s->agent && agent->in.len >= 4) {
        struct decoder r = {(const unsigned char *)agent->in.text, agent->in.len};
        size_t len = 0;
        decode_u32(&r, &len);
        if (len == 0 || len > MESSAGE_MAX || agent->in.full) {
            give_up(agent, "is not an ssh-agent: unexpected answer");
            return;
        }
        if (r.left < len)
            return;
        /* take_message may close the connection and free agent->in, so it gets a copy. */
        struct buf message = buf_make(len);
        buf_add(&message, r.p, len);
        buf_drop(&agent->in, 4 + len);
        take_message(agent, (const unsigned char *)message.text, len);
        buf_free(&message);
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    static const unsigned char list[] = {0, 0, 0, 1, REQUEST_IDENTITIES};
    struct socket *s = connect->handle->data;
    struct agent *agent = s->agent;
    struct buf request = buf_make(sizeof list);

    if (!agent)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
    if (status != 0) {
        give_up(agent, "cannot be reached: %s", uv_strerror(status));
        return;
    }
    buf_add(&request, list, sizeof list);
    send_request(agent, &request);
    buf_free(&request);
}

static struct agent *agent_find(const char *given)
{
    for (struct agent *agent = agents; agent; agent = agent->next)
        if (given ? agent->given && strcmp(agent->given, given) == 0 : !agent->given)
            return agent;
    return NULL;
}

struct agent *agent_begin(struct loop *loop, const struct agent_hooks *hooks, const char *given,
                          bool patient)
{
    const char *path = given ? given : getenv("SSH_AUTH_SOCK");
    struct agent *agent = agent_find(given);

    if (agent)
        return agent;
    agent = xcalloc(1, sizeof *agent);
    agent->next = agents;
    agents = agent;
    agent->loop = loop;
    agent->hooks = *hooks;
    agent->patient = patient;
    agent->state = AGENT_ABSENT;
    agent->given = given ? arena_strdup(&agent->arena, given) : NULL;
    if (!path || !*path)
        return agent;
    agent->path = text_shown(&agent->arena, path);
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        agent->why = arena_printf(&agent->arena,
                                  "the agent at '%s' cannot be reached: the path is too"
                                  " long for a socket",
                                  agent->path);
        return agent;
    }
    agent->state = AGENT_WAITING;
    agent->in = buf_make(MESSAGE_MAX + sizeof agent->socket->chunk);
    agent->timer = xcalloc(1, sizeof *agent->timer);
    uv_timer_init(loop_uv(loop), agent->timer);
    agent->timer->data = agent;
    agent->socket = xcalloc(1, sizeof *agent->socket);
    agent->socket->agent = agent;
    agent->socket->out = buf_make(0);
    uv_pipe_init(loop_uv(loop), &agent->socket->pipe, 0);
    agent->socket->pipe.data = agent->socket;
    set_limit(agent, ANSWER_MS);
    uv_pipe_connect(&agent->socket->connect, &agent->socket->pipe, path, on_connected);
    return agent;
}

void agents_end(void)
{
    while (agents) {
        struct agent *agent = agents;
        agents = agent->next;
        hang_up(agent);
        while (agent->queue)
            sign_end(unqueue(agent), "the agent connection was closed");
        arena_free(&agent->arena);
        free(agent);
    }
}

enum agent_state agent_state(const struct agent *agent)
{
    return agent->state;
}

const struct agent_key *agent_keys(const struct agent *agent, size_t *ret_n)
{
    *ret_n = agent->state == AGENT_READY ? agent->n : 0;
    return *ret_n ? agent->keys : NULL;
}

const char *agent_why(const struct agent *agent)
{
    return agent->why;
}

struct agent_sign *agent_sign_begin(struct agent *agent, const struct agent_key *key,
                                    const unsigned char *data, size_t len)
{
    struct agent_sign *sign = xcalloc(1, sizeof *sign);
    struct agent_sign **at = &agent->queue;
    struct buf body = buf_make(MESSAGE_MAX);
    const unsigned char type = SIGN_REQUEST;
    size_t flags = 0;

    sign->agent = agent;
    sign->request = buf_make(MESSAGE_MAX + 4);
    if (agent->state != AGENT_READY ||
        !userauth_algorithm((struct decoder){data, len}, sign->algorithm, sizeof sign->algorithm)) {
        sign_end(sign, agent->why ? agent->why : "the agent could not be asked to sign");
        buf_free(&body);
        return sign;
    }
    if (strcmp(sign->algorithm, "rsa-sha2-512") == 0)
        flags = FLAG_RSA_SHA2_512;
    if (strcmp(sign->algorithm, "rsa-sha2-256") == 0)
        flags = FLAG_RSA_SHA2_256;
    buf_add(&body, &type, 1);
    encode_string(&body, key->blob, key->blob_len);
    encode_string(&body, data, len);
    encode_u32(&body, flags);
    encode_string(&sign->request, body.text, body.len);
    buf_free(&body);
    while (*at)
        at = &(*at)->next;
    *at = sign;
    if (agent->queue == sign)
        next_request(agent);
    return sign;
}

void agent_sign_free(struct agent_sign *sign)
{
    struct agent *agent = sign ? sign->agent : NULL;

    if (!sign)
        return;
    if (agent && sign == agent->queue) {
        sign->orphan = true;
        return;
    }
    for (struct agent_sign **at = agent ? &agent->queue : NULL; at && *at; at = &(*at)->next)
        if (*at == sign) {
            *at = sign->next;
            break;
        }
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
