/* share.c -- state that all connections of the process share (see share.h).  Called by carrier.c,
 * connection.c and login.c. */
#include "ssh/share.h"

#include <assert.h>
#include <string.h>

/* One for the process, like libssh2's own state, so that a passphrase is typed only once. */
static struct {
    size_t users;
    struct known_hosts *known;
    struct arena arena; /* for `files` */
    struct strs files;
    bool files_given;
    struct secret *secrets;
    void (*wake)(void);
} share;

void share_forget_known_hosts(void)
{
    known_hosts_close(share.known);
    share.known = NULL;
    arena_free(&share.arena);
    share.files = (struct strs){0};
}

void share_join(void (*wake)(void))
{
    share.wake = wake;
    share.users++;
}

void share_leave(void)
{
    assert(share.users > 0);
    if (--share.users)
        return;
    share_forget_known_hosts();
    while (share.secrets) {
        struct secret *s = share.secrets;
        share.secrets = s->next;
        explicit_bzero(s->text, sizeof s->text);
        free(s->name);
        free(s);
    }
}

static bool same_files(const char *const *files)
{
    size_t n = 0;

    if (!files || !share.files_given)
        return !files && !share.files_given;
    for (; files[n]; n++)
        if (n == share.files.n || strcmp(files[n], share.files.v[n]) != 0)
            return false;
    return n == share.files.n;
}

const struct known_hosts *share_known_hosts(const char *const *files)
{
    if (share.known && same_files(files))
        return share.known;
    share_forget_known_hosts();
    share.known = known_hosts_open(files);
    share.files_given = files != NULL;
    for (const char *const *f = files; f && *f; f++)
        strs_add(&share.arena, &share.files, arena_strdup(&share.arena, *f));
    return share.known;
}

static struct secret *secret_find(const char *name)
{
    struct secret *s = share.secrets;
    size_t len = strlen(name);

    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    if (s)
        return s;
    s = xcalloc(1, sizeof *s);
    s->name = xcalloc(1, len + 1);
    memcpy(s->name, name, len);
    s->next = share.secrets;
    share.secrets = s;
    return s;
}

static void on_answer(void *arg, const char *answer)
{
    struct secret *s = NULL;

    /* The secret may have been freed in the meantime. */
    for (struct secret *one = share.secrets; one && !s; one = one->next)
        s = one == arg ? one : NULL;
    if (!s)
        return;
    s->state = answer ? SECRET_GIVEN : SECRET_REFUSED;
    snprintf(s->text, sizeof s->text, "%s", answer ? answer : "");
    share.wake();
}

struct secret *share_secret(struct loop *loop, const char *name, const char *what,
                            const struct fleet_options *options)
{
    struct secret *s = secret_find(name);
    char again[SECRET_BYTES_MAX / 2] = "";

    if (s->state != SECRET_UNKNOWN || loop_is_asking(loop))
        return s;
    if (s->wrong)
        snprintf(again, sizeof again, "wrong %s, try again (%d of %d)\n", what, s->wrong + 1,
                 PASSPHRASE_TRIES);
    snprintf(s->prompt, sizeof s->prompt, "%s%s: ", again, what);
    bool can_ask = options->ask && options->ask(options->ask_arg);
    s->state = can_ask && loop_ask(loop, s->prompt, on_answer, s) ? SECRET_ASKED : SECRET_REFUSED;
    return s;
}

void share_wrong(struct secret *secret)
{
    explicit_bzero(secret->text, sizeof secret->text);
    secret->state = ++secret->wrong < PASSPHRASE_TRIES ? SECRET_UNKNOWN : SECRET_REFUSED;
    share.wake();
}
