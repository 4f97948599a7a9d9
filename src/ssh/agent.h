/* ssh_agent.h -- the agent at $SSH_AUTH_SOCK, asked over the event loop: nothing here waits.
 *
 * libssh2 has a client of its own, which blocks on the agent's socket, once a host.  This one is
 * asked once for all hosts, has a time limit for each answer, and goes on while other hosts are
 * served. The protocol is that of draft-miller-ssh-agent. */
#ifndef CRELEASE_SSH_AGENT_H
#define CRELEASE_SSH_AGENT_H

#include "edge/loop.h"
#include "ssh/keys.h"

enum agent_state {
    AGENT_ABSENT,  /* there is none, or it has failed: see agent_why */
    AGENT_WAITING, /* it was asked for its keys */
    AGENT_READY,
};

struct agent_hooks {
    void (*wake)(void);             /* an answer has come, or will not come */
    void (*tell)(const char *line); /* for the person at the terminal */
};

/* Connects and asks for the keys, unless that was done before.  `patient`: somebody is there who
 * may have to confirm a signature or to touch a token. */
void agent_begin(struct loop *loop, const struct agent_hooks *hooks, bool patient);

/* Closes everything; agent_begin begins anew.  Signatures that were asked for are still to be
 * freed. */
void agent_end(void);

enum agent_state agent_state(void);

/* Of an agent that is READY; valid until agent_end. */
const struct agent_key *agent_keys(size_t *ret_n);

/* Why it cannot be used: "the agent at '/run/agent' did not answer within 5 s"; NULL when there is
 * none or nothing is wrong. */
const char *agent_why(void);

/* A signature that was asked for.  One that nobody wants any more is freed at once: the answer is
 * passed over when it comes. */
struct agent_sign;

struct agent_sign *agent_sign_begin(const struct agent_key *key, const unsigned char *data,
                                    size_t len);
void agent_sign_free(struct agent_sign *sign); /* accepts NULL */

enum sign_state { SIGN_WAITING, SIGN_DONE, SIGN_FAILED };
enum sign_state agent_sign_state(const struct agent_sign *sign);

/* When done: what libssh2 wants of the signature, without the name of its algorithm. */
const unsigned char *agent_sign_bytes(const struct agent_sign *sign, size_t *ret_len);

/* When it failed: "the agent refused to sign". */
const char *agent_sign_why(const struct agent_sign *sign);

#endif
