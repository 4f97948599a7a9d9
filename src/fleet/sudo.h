/* sudo.h -- the password that sudo asks for on a host with `become`.
 *
 * A script is first started through `sudo -n`.  If its shell does not begin, sudo is started again with -S:
 * it then prints a prompt that nothing else can print (greeting.h), and is sent the password after that
 * prompt, never before.  fleet_run calls sudo_retry after each trip, which asks the user once for all
 * hosts.
 *
 * The password stays in struct sudo until crelease ends, for the scripts that follow.  Copies are wiped after use:
 * what was typed (loop_ask), the script of a job with `become`, which contains it (core/job/jobs.c), and every
 * buffer (base/buf.h).  Out of reach are the kernel's buffers of terminals, pipes and sockets, the memory of the ssh
 * program with `transport: openssh`, and that of sudo and the shell on the host.  libssh2 encrypts its copy in
 * place. */
#ifndef CRELEASE_SUDO_H
#define CRELEASE_SUDO_H

#include "fleet/fleet.h"

enum { SUDO_TRIES = 3, SUDO_PASSWORD_MAX = 1024 };

/* What is known of sudo on one host (fleet_host.sudo). */
struct sudo {
    bool asks; /* it may ask for a password: use -S */
    bool given;
    char password[SUDO_PASSWORD_MAX]; /* and a line end.  sudo_forget wipes it */
    /* Set by exchange.c when the shell of the last script did not begin. */
    bool refused;
    bool prompted; /* sudo had asked */
    bool answered; /* and had been sent the password */
};

void sudo_forget(struct sudo *sudo); /* accepts NULL */

/* Whom to ask, and what keeps running meanwhile. */
struct sudo_user {
    fleet_ask *ask; /* NULL: nobody */
    void *ask_arg;
    struct loop *loop;
    struct fleet *fleet; /* its held scripts get their heartbeats */
};

/* Asks the user for a password.  names: the hosts; tries: how often the user was asked before.  False without
 * an answer. */
bool sudo_ask(const struct sudo_user *user, struct arena *a, const char *login, const char *names,
              int tries, struct sudo *ret);

/* A trip that has just ended. */
struct sudo_trip {
    const struct fleet_host *hosts;
    struct sudo_user user;
    struct arena *arena;
    const struct call *calls;
    struct reply *replies;
    size_t n;
    int asked; /* how often the user was asked so far */
};

/* Sets again, which has room for n, to the calls that have to be repeated, and returns their number.
 * Those that sudo refused for good get a `why` that says so. */
size_t sudo_retry(struct sudo_trip *trip, size_t *again);

#endif
