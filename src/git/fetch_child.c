/* fetch_child.c -- runs a fetch in a child process and relays its questions and progress (see
 * fetch_child.h).  fetch.c calls it.  Each message is one packet: a letter, then its bytes.
 *
 *     child to parent   p PROGRESS     a PROMPT     e CODE MESSAGE     d (done)
 *     parent to child   y ANSWER       n (no answer) */
#include "git/fetch_child.h"

#include "base/text.h"
#include "edge/fork.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PACKET_BYTES = 8192,
    LOOK_MS = 50,
    SILENT_MS = 5 * 60 * 1000, /* a server that counts objects reports it about every 5 s */
};

struct progress {
    unsigned received;
    unsigned total;
    size_t bytes;
};

/* ---- the child ---- */

static int parent = -1; /* in the child: the socket to the parent */

static bool send_packet(int fd, char letter, const void *bytes, size_t len)
{
    char packet[PACKET_BYTES];

    if (len > sizeof packet - 1)
        len = sizeof packet - 1;
    packet[0] = letter;
    if (len)
        memcpy(packet + 1, bytes, len);
    ssize_t n;
    do
        n = send(fd, packet, len + 1, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    explicit_bzero(packet, sizeof packet);
    return n >= 0;
}

static void child_progress(void *arg, const char *shown, unsigned received, unsigned total,
                           size_t bytes)
{
    struct progress p;

    (void)arg;
    (void)shown;
    memset(&p, 0, sizeof p);
    p.received = received;
    p.total = total;
    p.bytes = bytes;
    send_packet(parent, 'p', &p, sizeof p);
}

static bool child_ask(void *arg, const char *prompt, char *ret, size_t size)
{
    char packet[PACKET_BYTES] = "";
    ssize_t n = -1;

    (void)arg;
    if (send_packet(parent, 'a', prompt, strlen(prompt)))
        do
            n = recv(parent, packet, sizeof packet - 1, 0);
        while (n < 0 && errno == EINTR);
    bool given = n > 0 && packet[0] == 'y';
    snprintf(ret, size, "%s", given ? packet + 1 : "");
    explicit_bzero(packet, sizeof packet);
    return given;
}

static _Noreturn void child_main(repo_work *work, void *arg, const struct repo_options *options)
{
    struct repo_options own = *options;
    struct arena a = {0};
    struct err err = {.arena = &a};

    own.progress = options->progress ? child_progress : NULL;
    own.ask = options->ask ? child_ask : NULL;
    own.stop = NULL;
    if (work(arg, &own, &err)) {
        send_packet(parent, 'd', NULL, 0);
    } else {
        struct buf b = buf_make(PACKET_BYTES - 2);
        char code = (char)err.code;
        buf_add(&b, &code, 1);
        buf_add(&b, err.msg,
                strlen(err.msg) < PACKET_BYTES - 4 ? strlen(err.msg) : PACKET_BYTES - 4);
        send_packet(parent, 'e', b.text, b.len);
    }
    _exit(0);
}

/* ---- the parent ---- */

struct child {
    pid_t pid;
    int fd;
    const struct repo_options *options;
    long long heard_ms;
};

static long long monotonic_ms(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void answer(struct child *c, const char *prompt)
{
    char word[1024] = "";

    if (c->options->ask && c->options->ask(c->options->arg, prompt, word, sizeof word))
        send_packet(c->fd, 'y', word, strlen(word));
    else
        send_packet(c->fd, 'n', NULL, 0);
    explicit_bzero(word, sizeof word);
}

enum word { WORD_NONE, WORD_DONE, WORD_FAILED };

/* Handles one packet.  A child that ends without 'd' or 'e' has failed. */
static enum word take_packet(struct child *c, struct err *err)
{
    char packet[PACKET_BYTES + 1];
    ssize_t n = recv(c->fd, packet, PACKET_BYTES, MSG_DONTWAIT);
    struct progress p;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return WORD_NONE;
    if (n <= 0) {
        err_set(err, ERR_FAILED,
                "cannot fetch '%s': the fetching process ended unexpectedly (out of memory?)",
                c->options->url);
        return WORD_FAILED;
    }
    packet[n] = '\0';
    c->heard_ms = monotonic_ms();
    switch (packet[0]) {
    case 'p':
        memcpy(&p, packet + 1, sizeof p);
        c->options->progress(c->options->arg, c->options->url, p.received, p.total, p.bytes);
        return WORD_NONE;
    case 'a':
        answer(c, packet + 1);
        c->heard_ms = monotonic_ms();
        return WORD_NONE;
    case 'e':
        err_set(err, (enum err_code)packet[1], "%s", packet + 2);
        return WORD_FAILED;
    default:
        return WORD_DONE;
    }
}

static enum word serve(struct child *c, struct err *err)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    enum word word = WORD_NONE;

    c->heard_ms = monotonic_ms();
    while (word == WORD_NONE) {
        int n = poll(&ready, 1, LOOK_MS);
        if (n > 0)
            word = take_packet(c, err);
        if (word != WORD_NONE)
            break;
        if (c->options->stop && c->options->stop(c->options->arg)) {
            repo_stopped(err);
            err_in(err, "fetching '%s'", c->options->url);
            return WORD_FAILED;
        }
        if (monotonic_ms() - c->heard_ms > SILENT_MS) {
            err_set(err, ERR_UNREACHABLE, "cannot fetch '%s': no answer for %d min",
                    c->options->url, SILENT_MS / 60000);
            return WORD_FAILED;
        }
    }
    return word;
}

bool repo_in_child(repo_work *work, void *arg, const struct repo_options *options, struct err *err)
{
    struct child c = {.options = options};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, ERR_FAILED, "cannot fetch '%s': cannot start a process: %s",
                       options->url, strerror(errno));
    fflush(NULL); /* or the child would write it again */
    c.pid = fork_helper();
    if (c.pid == 0) {
        close(ends[0]);
        parent = ends[1];
        child_main(work, arg, options);
    }
    int error = errno;
    close(ends[1]);
    c.fd = ends[0];
    if (c.pid < 0) {
        close(c.fd);
        return err_set(err, ERR_FAILED, "cannot fetch '%s': cannot start a process: %s",
                       options->url, strerror(error));
    }
    bool done = serve(&c, err) == WORD_DONE;
    close(c.fd);
    kill(c.pid, SIGKILL);
    while (waitpid(c.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return done;
}
