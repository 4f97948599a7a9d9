/* loop.h -- the event loop: time, signals, the keyboard and questions at the terminal.
 *
 *     struct loop *loop = loop_open();
 *     while (...)
 *         loop_turn(loop, deadline);       (fleet.c does this while scripts run)
 *     loop_close(loop);
 *
 * There is one loop and one thread in the process.  INT, TERM and HUP are only recorded here; code
 * that waits checks loop_signal between two turns.  PIPE is ignored. */
#ifndef CRELEASE_LOOP_H
#define CRELEASE_LOOP_H

#include "base/arena.h"
#include "base/library.h"

struct loop;

typedef void loop_tick(void *arg);

/* Creates the loop and installs the signal handlers.  Ends the process if that fails. */
struct loop *loop_open(void);
void loop_close(struct loop *loop); /* accepts NULL */

/* Counts the name lookups in progress, which cannot be cancelled: loop_close does not wait for
 * them. If loop_is_left_behind is true afterwards, the process must end with _exit. */
void loop_lookup(bool begins);
bool loop_is_left_behind(void);

/* Handles events that are ready; otherwise waits for one until loop_now reaches deadline_ms. */
void loop_turn(struct loop *loop, long long deadline_ms);

/* Returns milliseconds of a monotonic clock. */
long long loop_now(void);

/* Turns the loop for ms milliseconds.  Returns early, with false, on a signal or a key. */
bool loop_wait(struct loop *loop, long long ms);

/* The first signal that arrived, or 0; and the number of signals so far. */
int loop_signal(const struct loop *loop);
int loop_signal_count(const struct loop *loop);

/* Calls tick about every interval while the loop turns, for clocks and spinners.  NULL stops it. */
void loop_on_tick(struct loop *loop, long interval_ms, loop_tick *tick, void *arg);

/* While on, single keys are read from the terminal on standard input without echo; off restores the
 * terminal.  Has no effect without a terminal or in the background. */
void loop_keys(struct loop *loop, bool on);

/* While on, typed characters are not echoed, which would break lines that are redrawn.  They are
 * not read either, so the next reader of the terminal gets them.  Has no effect without a terminal
 * or in the background. */
void loop_quiet(struct loop *loop, bool on);

/* Whether the process was stopped and continued in the foreground since the last call.  If so, the
 * cursor is no longer where the last output left it. */
bool loop_was_continued(void);

/* Returns the next key, or 0. */
int loop_key(struct loop *loop);

/* Asks the user at the terminal for a secret, without echo.  The loop keeps turning, but the tick
 * is suspended.  `answered` is called later, with NULL if there is no answer: an empty line, end of
 * input, or a signal.  The prompt must stay valid until then.  False if there is no terminal,
 * another question is open, or a signal has arrived. */
typedef void loop_answer(void *arg, const char *answer);
bool loop_is_asking(const struct loop *loop);
bool loop_ask(struct loop *loop, const char *prompt, loop_answer *answered, void *arg);

/* Calls `noticed` with NULL from the loop on each signal. */
void loop_on_signal(struct loop *loop, loop_tick *noticed);

/* libuv, its version and features. */
struct library loop_library(struct arena *a);

#endif
