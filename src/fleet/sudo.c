/* sudo.c -- decides what follows when sudo did not start a script, and asks the user for the password
 * (see sudo.h).  Called by fleet.c after each trip. */
#include "fleet/sudo.h"

#include "base/text.h"

#include <string.h>

enum { TURN_MS = 200 };

struct asked {
    struct sudo *sudo; /* gets the answer */
    bool over;
};

void sudo_forget(struct sudo *sudo)
{
    if (!sudo)
        return;
    explicit_bzero(sudo->password, sizeof sudo->password);
    sudo->given = false;
}

static struct sudo *sudo_of(const struct sudo_trip *t, size_t i)
{
    return t->hosts[t->calls[i].host].sudo;
}

static bool was_refused(const struct sudo_trip *t, size_t i)
{
    const struct sudo *s = sudo_of(t, i);

    return s && s->refused && t->replies[i].kind == REPLY_UNREACHED;
}

/* Whether sudo did not start the script because it has no password, or a wrong one. */
static bool needs_password(const struct sudo_trip *t, size_t i)
{
    return was_refused(t, i) && sudo_of(t, i)->asks && sudo_of(t, i)->prompted;
}

static void on_answer(void *arg, const char *answer)
{
    struct asked *asked = arg;
    struct sudo *s = asked->sudo;

    asked->over = true;
    s->given = answer && strlen(answer) < sizeof s->password - 1;
    if (s->given)
        snprintf(s->password, sizeof s->password, "%s\n", answer);
}

static const char *login_of(const struct sudo_trip *t, size_t i)
{
    const struct fleet_host *h = &t->hosts[t->calls[i].host];

    return h->user ? text_shown(t->arena, h->user) : "the login user";
}

bool sudo_ask(const struct sudo_user *user, struct arena *a, const char *login, const char *names,
              int tries, struct sudo *ret)
{
    struct asked asked = {.sudo = ret};
    const char *again =
        tries ? arena_printf(a, "wrong password, try again (%d of %d)\n", tries + 1, SUDO_TRIES)
              : "";
    const char *prompt = arena_printf(a, "%ssudo password of %s on %s: ", again, login, names);

    sudo_forget(ret);
    if (!user->ask || !user->ask(user->ask_arg) || !loop_ask(user->loop, prompt, on_answer, &asked))
        return false;
    while (!asked.over) {
        loop_turn(user->loop, loop_now() + TURN_MS);
        fleet_beat(user->fleet);
    }
    return ret->given;
}

/* Asks for one password for all hosts that need one.  False without an answer. */
static bool ask(struct sudo_trip *t)
{
    struct strs names = {0};
    size_t first = t->n;

    for (size_t i = 0; i < t->n; i++) {
        if (!needs_password(t, i))
            continue;
        if (first == t->n)
            first = i;
        sudo_forget(sudo_of(t, i));
        strs_add(t->arena, &names, text_shown(t->arena, t->hosts[t->calls[i].host].name));
    }
    const struct sudo *given = sudo_of(t, first);
    if (!sudo_ask(&t->user, t->arena, login_of(t, first), strs_joined(t->arena, &names, ", "),
                  t->asked, sudo_of(t, first)))
        return false;
    t->asked++;
    for (size_t i = 0; i < t->n; i++) {
        struct sudo *s = sudo_of(t, i);
        if (!needs_password(t, i) || s == given)
            continue;
        memcpy(s->password, given->password, sizeof s->password);
        s->given = true;
    }
    return true;
}

static const char *refusal(const struct sudo_trip *t, size_t i)
{
    const struct fleet_host *h = &t->hosts[t->calls[i].host];
    const char *what = h->sudo->answered ? "rejected the password of" : "needs the password of";
    const char *why = h->sudo->answered ? ""
                      : !t->user.ask
                          ? ", and there is no terminal to type it on; run crelease on a "
                            "terminal, or allow /bin/sh without a password (NOPASSWD) there"
                          : ", and none was given";

    return arena_printf(t->arena, "'become: %s': sudo on %s %s '%s'%s", h->become,
                        text_shown(t->arena, h->name), what, login_of(t, i), why);
}

size_t sudo_retry(struct sudo_trip *t, size_t *again)
{
    size_t n = 0;
    bool needed = false;

    for (size_t i = 0; i < t->n; i++)
        needed = needed || needs_password(t, i);
    bool given = needed && t->asked < SUDO_TRIES && ask(t);
    for (size_t i = 0; i < t->n; i++) {
        if (!was_refused(t, i))
            continue;
        bool repeat = !sudo_of(t, i)->asks || (given && needs_password(t, i));
        if (!repeat && needs_password(t, i))
            t->replies[i].why = refusal(t, i);
        if (repeat)
            again[n++] = i;
        sudo_of(t, i)->refused = !repeat;
        sudo_of(t, i)->asks = true;
    }
    return n;
}
