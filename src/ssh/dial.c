/* dial.c -- resolves a host name and connects to its addresses in turn (see dial.h).  carrier.c
 * opens one dial per link; uses libuv for the lookup and getaddrinfo's order of addresses. */
#include "ssh/dial.h"
#include "edge/loop_uv.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 16, WHY_BYTES_MAX = 1000 };

struct address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* A running name lookup cannot always be cancelled.  It then outlives its dial, with dial NULL. */
struct lookup {
    uv_getaddrinfo_t req;
    struct dial *dial;
};

struct dial {
    uv_loop_t *uv;
    enum dial_state state;
    int port;
    struct dial_watch watch;
    struct lookup *lookup;
    struct address from; /* len 0: any */
    struct address address[ADDRESSES_MAX];
    size_t n;
    size_t at;    /* the address being tried, or the one that answered */
    size_t tried; /* number of addresses tried since dial_connect */
    int fd;
    uv_poll_t *poll;
    uv_timer_t *timer;
    long long deadline_ms;
    int last_error;
    bool errors_differ;
    struct buf why;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_timer(uv_timer_t *timer);
static void try_next(struct dial *d);

/* Reports from the loop, so that no caller is called back before its own call has returned. */
static void tell(struct dial *d, enum dial_state state)
{
    d->state = state;
    uv_timer_start(d->timer, on_timer, 0, 0);
}

static void stop_trying(struct dial *d)
{
    if (d->poll) {
        uv_close((uv_handle_t *)d->poll, free_handle);
        d->poll = NULL;
    }
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

static void add_address(struct dial *d, const struct sockaddr *sa, socklen_t len)
{
    if (d->n == ADDRESSES_MAX || len > sizeof d->address[0].at)
        return;
    memcpy(&d->address[d->n].at, sa, len);
    d->address[d->n++].len = len;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *lookup = req->data;
    struct dial *d = lookup->dial;

    free(lookup);
    loop_lookup(false);
    if (d) {
        d->lookup = NULL;
        for (struct addrinfo *ai = status == 0 ? list : NULL; ai; ai = ai->ai_next)
            add_address(d, ai->ai_addr, ai->ai_addrlen);
        if (d->n) {
            d->state = DIAL_RESOLVED;
        } else {
            d->state = DIAL_FAILED;
            buf_clear(&d->why);
            if (status == UV_EAI_NONAME || status == UV_EAI_NODATA || status == 0)
                buf_puts(&d->why, "host name not found");
            else if (status == UV_EAI_AGAIN)
                buf_puts(&d->why,
                         "the name could not be resolved (the name server did not answer)");
            else
                buf_printf(&d->why, "the name could not be resolved: %s", uv_strerror(status));
        }
        d->watch.changed(d->watch.arg);
    }
    uv_freeaddrinfo(list);
}

static bool add_numeric(struct dial *d, const char *host)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (uv_ip4_addr(host, d->port, &v4) == 0)
        add_address(d, (const struct sockaddr *)&v4, sizeof v4);
    else if (!strchr(host, '%') && uv_ip6_addr(host, d->port, &v6) == 0)
        add_address(d, (const struct sockaddr *)&v6, sizeof v6);
    return d->n > 0;
}

struct dial *dial_open(uv_loop_t *uv, const struct dial_to *to, struct dial_watch watch)
{
    struct dial *d = xcalloc(1, sizeof *d);
    struct addrinfo hints = {.ai_family = to->family, .ai_socktype = SOCK_STREAM};
    const char *host = to->host;
    char service[16];

    *d = (struct dial){
        .uv = uv, .port = to->port, .watch = watch, .fd = -1, .why = buf_make(WHY_BYTES_MAX)};
    if (to->bind) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&d->from.at;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&d->from.at;
        if (uv_ip4_addr(to->bind, 0, v4) == 0)
            d->from.len = sizeof *v4;
        else if (uv_ip6_addr(to->bind, 0, v6) == 0)
            d->from.len = sizeof *v6;
    }
    d->timer = xcalloc(1, sizeof *d->timer);
    uv_timer_init(uv, d->timer);
    d->timer->data = d;
    if (to->bind && !d->from.len) {
        buf_puts(&d->why, "BindAddress of the ssh configuration is not a numeric address");
        tell(d, DIAL_FAILED);
        return d;
    }
    if (add_numeric(d, host)) {
        tell(d, DIAL_RESOLVED);
        return d;
    }
    d->lookup = xcalloc(1, sizeof *d->lookup);
    d->lookup->dial = d;
    d->lookup->req.data = d->lookup;
    snprintf(service, sizeof service, "%d", to->port);
    int r = uv_getaddrinfo(uv, &d->lookup->req, on_lookup, host, service, &hints);
    if (r == 0)
        loop_lookup(true);
    if (r != 0) {
        free(d->lookup);
        d->lookup = NULL;
        buf_printf(&d->why, "the name could not be resolved: %s", uv_strerror(r));
        tell(d, DIAL_FAILED);
    }
    return d;
}

enum dial_state dial_state(const struct dial *d)
{
    return d->state;
}

const struct sockaddr_storage *dial_address(const struct dial *d)
{
    return &d->address[d->at].at;
}

bool dial_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

static void address_name(const struct address *at, char *ret, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&at->at, at->len, ret, (socklen_t)size, NULL, 0,
                    NI_NUMERICHOST) != 0)
        snprintf(ret, size, "?");
}

const char *dial_address_text(const struct dial *d, struct arena *a)
{
    char name[NI_MAXHOST];

    address_name(&d->address[d->at], name, sizeof name);
    return arena_printf(a, "%s port %d", name, d->port);
}

/* Records why this address failed and tries the next. */
static void try_failed(struct dial *d, int error)
{
    char name[NI_MAXHOST];

    address_name(&d->address[d->at], name, sizeof name);
    d->errors_differ = d->errors_differ || (d->last_error && d->last_error != error);
    d->last_error = error;
    buf_printf(&d->why, "%s%s: %s", d->why.len ? "; " : "", name, strerror(error));
    stop_trying(d);
    d->tried++;
    d->at = (d->at + 1) % d->n;
    try_next(d);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct dial *d = poll->data;
    int error = 0;
    socklen_t len = sizeof error;

    (void)status; /* libuv turns POLLERR into EBADF; the socket has the real error */
    (void)events;
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error) {
        try_failed(d, error);
        return;
    }
    uv_close((uv_handle_t *)d->poll, free_handle);
    d->poll = NULL;
    uv_timer_stop(d->timer);
    d->state = DIAL_CONNECTED;
    d->watch.changed(d->watch.arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct dial *d = timer->data;

    if (d->state == DIAL_CONNECTING)
        try_failed(d, ETIMEDOUT);
    else
        d->watch.changed(d->watch.arg);
}

static int begin_connect(struct dial *d)
{
    const struct address *to = &d->address[d->at];

    d->fd = socket(to->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0)
        return errno;
    if (d->from.len && bind(d->fd, (const struct sockaddr *)&d->from.at, d->from.len) < 0)
        return errno;
    if (connect(d->fd, (const struct sockaddr *)&to->at, to->len) < 0 && errno != EINPROGRESS)
        return errno;
    d->poll = xcalloc(1, sizeof *d->poll);
    d->poll->data = d;
    if (uv_poll_init(d->uv, d->poll, d->fd) != 0) {
        free(d->poll);
        d->poll = NULL;
        return EMFILE;
    }
    uv_poll_start(d->poll, UV_WRITABLE, on_poll);
    return 0;
}

static void try_next(struct dial *d)
{
    long long now = loop_now();
    int error;

    if (d->tried == d->n || now >= d->deadline_ms) {
        if (!d->errors_differ) {
            buf_clear(&d->why);
            buf_puts(&d->why, strerror(d->last_error ? d->last_error : ETIMEDOUT));
        }
        tell(d, DIAL_FAILED);
        return;
    }
    error = begin_connect(d);
    if (error) {
        try_failed(d, error);
        return;
    }
    /* An address that never answers must leave time for the others. */
    long long share = (d->deadline_ms - now) / (long long)(d->n - d->tried);
    uv_timer_start(d->timer, on_timer, (uint64_t)share + 1, 0);
}

void dial_connect(struct dial *d, long long timeout_ms)
{
    assert(d->n > 0 && d->state != DIAL_CONNECTING);
    stop_trying(d);
    d->state = DIAL_CONNECTING;
    d->deadline_ms = loop_now() + timeout_ms;
    d->tried = 0;
    d->last_error = 0;
    d->errors_differ = false;
    buf_clear(&d->why);
    try_next(d);
}

int dial_take(struct dial *d)
{
    int fd = d->fd;

    d->fd = -1;
    return fd;
}

const char *dial_why(const struct dial *d)
{
    return d->why.text;
}

void dial_close(struct dial *d)
{
    if (!d)
        return;
    stop_trying(d);
    uv_close((uv_handle_t *)d->timer, free_handle);
    if (d->lookup) {
        d->lookup->dial = NULL;
        uv_cancel((uv_req_t *)&d->lookup->req);
    }
    buf_free(&d->why);
    free(d);
}
