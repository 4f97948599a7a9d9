/* fakes.h -- a loop and a fleet that do as they are told, for tests of what talks to hosts.
 *
 * Included by one test program each: it defines the functions of edge/loop.h and fleet/fleet.h, so
 * that those of the library are not linked, and that of edge/companion.h, which needs the real loop.  fleet_run is the test's own; it says what hosts answer.
 * Time passes only in waits. */
#ifndef CRELEASE_FAKES_H
#define CRELEASE_FAKES_H

#include "edge/companion.h"
#include "edge/loop.h"
#include "fleet/fleet.h"
#include "fleet/sudo.h"

static long long clock_ms;
static int signal_that_came;
static int stops_set; /* fleet_stop_when with a function, less those without */

long long loop_now(void)
{
    return clock_ms;
}

int loop_signal(const struct loop *loop)
{
    (void)loop;
    return signal_that_came;
}

int loop_signal_count(const struct loop *loop)
{
    (void)loop;
    return signal_that_came ? 1 : 0;
}

int loop_key(struct loop *loop)
{
    (void)loop;
    return 0;
}

void loop_keys(struct loop *loop, bool on)
{
    (void)loop;
    (void)on;
}

void loop_turn(struct loop *loop, long long deadline_ms)
{
    (void)loop;
    (void)deadline_ms;
}

bool loop_wait(struct loop *loop, long long ms)
{
    (void)loop;
    clock_ms += ms;
    return true;
}

bool companion_run(struct loop *loop, const struct companion *c, struct companion_end *ret,
                   struct err *err)
{
    (void)loop;
    (void)ret;
    return err_set(err, ERR_FAILED, "cannot start '%s'", c->argv[0]);
}

bool fleet_wait(struct fleet *fleet, long long ms)
{
    (void)fleet;
    clock_ms += ms;
    return true;
}

void fleet_impatient(struct fleet *fleet, bool on)
{
    (void)fleet;
    (void)on;
}

void fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg)
{
    (void)fleet;
    (void)progress;
    (void)arg;
}

bool sudo_ask(const struct sudo_user *user, struct arena *a, const char *login, const char *names,
              int tries, struct sudo *ret)
{
    (void)user;
    (void)a;
    (void)login;
    (void)names;
    (void)tries;
    (void)ret;
    return false;
}

void fleet_let_go(struct fleet *fleet)
{
    (void)fleet;
}

/* A signal, when there is one, comes while the job is followed. */
void fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg)
{
    (void)fleet;
    stops_set += stop ? 1 : -1;
    if (stop)
        assert_int_equal(stop(arg), signal_that_came != 0);
}

#endif
