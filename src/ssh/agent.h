/* agent.h -- the user's ssh-agents, that at $SSH_AUTH_SOCK and those of IdentityAgent, over the event
 * loop; nothing here blocks.
 *
 *     agent = agent_begin(loop, &hooks, path, patient); (hooks.wake is called on each change)
 *     READY:    keys = agent_keys(agent, &n);
 *     sign = agent_sign_begin(agent, &keys[i], data, len);  (until agent_sign_state is not WAITING)
 *     agent_sign_free(sign);
 *     agents_end();
 *
 * libssh2 has a client of its own, which blocks on the agent's socket once for each host.  This one
 * lists the keys once for all hosts, limits the time for each answer, and lets other hosts proceed
 * meanwhile.  The protocol is draft-miller-ssh-agent. */
#ifndef CRELEASE_SSH_AGENT_H
#define CRELEASE_SSH_AGENT_H

#include "edge/loop.h"
#include "ssh/keys.h"

enum agent_state {
    AGENT_ABSENT,  /* there is none, or it has failed: see agent_why */
    AGENT_WAITING, /* waiting for its list of keys */
    AGENT_READY,
};

struct agent_hooks {
    void (*wake)(void);             /* an answer has arrived, or will not arrive */
    void (*tell)(const char *line); /* shows the user a line */
};

struct agent;

/* Returns the agent with its socket at `path`, or at $SSH_AUTH_SOCK if that is NULL.  Connects and
 * requests the keys, unless that has been done.  `patient`: there is a user who can confirm a
 * signature or touch a token. */
struct agent *agent_begin(struct loop *loop, const struct agent_hooks *hooks, const char *path,
                          bool patient);

/* Closes all connections and forgets the agents.  Signatures still have to be freed by their
 * owners. */
void agents_end(void);

enum agent_state agent_state(const struct agent *agent);

/* The keys of an agent in state READY.  Valid until agents_end. */
const struct agent_key *agent_keys(const struct agent *agent, size_t *ret_n);

/* Why the agent cannot be used: "the agent at '/run/agent' did not answer within 5 s".  NULL if
 * there is no agent or no problem. */
const char *agent_why(const struct agent *agent);

/* A requested signature.  It may be freed at any time; a later answer is then ignored. */
struct agent_sign;

struct agent_sign *agent_sign_begin(struct agent *agent, const struct agent_key *key,
                                    const unsigned char *data, size_t len);
void agent_sign_free(struct agent_sign *sign); /* accepts NULL */

enum sign_state { SIGN_WAITING, SIGN_DONE, SIGN_FAILED };
enum sign_state agent_sign_state(const struct agent_sign *sign);

/* In state DONE: the signature as libssh2 wants it, without the name of its algorithm. */
const unsigned char *agent_sign_bytes(const struct agent_sign *sign, size_t *ret_len);

/* In state FAILED: "the agent refused to sign". */
const char *agent_sign_why(const struct agent_sign *sign);

#endif
