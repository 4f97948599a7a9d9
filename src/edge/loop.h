/* loop.h -- the one event loop: time, signals and the keyboard.
 *
 *     struct loop *loop = loop_open();
 *     while (...)
 *         loop_turn(loop, deadline);       (fleet.c does this while scripts run)
 *     loop_close(loop);
 *
 * INT, TERM and HUP are noted, never acted on here; PIPE is ignored.  Whoever
 * waits looks at loop_signal between two turns. */
#ifndef CRELEASE_LOOP_H
#define CRELEASE_LOOP_H

#include "base/arena.h"

struct loop;

typedef void loop_tick(void *arg);

struct loop *loop_open(void);
void loop_close(struct loop *loop); /* accepts NULL */

/* Told of each name that is being looked up: loop_close does not wait for it.  After that the
 * process is to end by _exit. */
void loop_lookup(bool begins);
bool loop_is_left_behind(void);

/* Handles what is ready; waits for it until loop_now reaches deadline_ms. */
void loop_turn(struct loop *loop, long long deadline_ms);

/* Milliseconds of a clock that only goes forward. */
long long loop_now(void);

/* Waits ms milliseconds while everything goes on; ends at once, with false, when a
 * signal or a key comes. */
bool loop_wait(struct loop *loop, long long ms);

/* The signal that came and was not yet taken by loop_forget_signal, or 0; and how many came. */
int loop_signal(const struct loop *loop);
int loop_signal_count(const struct loop *loop);

/* Calls tick about every interval while the loop turns (for clocks and spinners); NULL ends it. */
void loop_on_tick(struct loop *loop, long interval_ms, loop_tick *tick, void *arg);

/* From on to off, single keys of the terminal on standard input are read without
 * echo; off gives the terminal back as it was.  No effect without a terminal. */
void loop_keys(struct loop *loop, bool on);

/* While on, what is typed is not echoed: it would tear the lines that are drawn again and again.
 * Nothing of it is read, so it is there for whoever reads next.  No effect without a terminal, or
 * in the background. */
void loop_quiet(struct loop *loop, bool on);

/* Whether the process was stopped and is in the foreground again, since this was last asked: what
 * was drawn before is not where it was. */
bool loop_was_continued(void);

/* The next key, or 0. */
int loop_key(struct loop *loop);

/* Asks the person at the terminal for a secret, without echo; the loop goes on meanwhile, but for
 * the tick.  The answer comes later, NULL when there was none: an empty line, the end of the input,
 * or a signal.  The prompt must live as long.  False when nobody is there, another question is
 * open, or a signal has come. */
typedef void loop_answer(void *arg, const char *answer);
bool loop_is_asking(const struct loop *loop);
bool loop_ask(struct loop *loop, const char *prompt, loop_answer *answered, void *arg);

/* Called at each signal, from the loop, with NULL. */
void loop_on_signal(struct loop *loop, loop_tick *noticed);

#endif
