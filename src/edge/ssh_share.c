#include "edge/ssh_share.h"

#include <assert.h>
#include <string.h>

/* One for the process, like the library's own state: passphrases are typed once, not per fleet. */
static struct {
    size_t users;
    struct known_hosts *known;
    struct arena arena; /* of the names of the files that `known` was read from */
    struct strs files;
    bool files_given;
    struct secret *secrets;
} share;

static void forget_known_hosts(void)
{
    known_hosts_close(share.known);
    share.known = NULL;
    arena_free(&share.arena);
    share.files = (struct strs){0};
}

void share_join(void)
{
    share.users++;
}

void share_leave(void)
{
    assert(share.users > 0);
    if (--share.users)
        return;
    forget_known_hosts();
    while (share.secrets)
        share_forget(share.secrets);
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
    forget_known_hosts();
    share.known = known_hosts_open(files);
    share.files_given = files != NULL;
    for (const char *const *f = files; f && *f; f++)
        strs_add(&share.arena, &share.files, arena_strdup(&share.arena, *f));
    return share.known;
}

struct secret *share_secret(const char *name, const char *prompt, fleet_ask *ask, void *ask_arg)
{
    struct secret *s = share.secrets;

    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    if (s)
        return s->refused ? NULL : s;
    if (!ask)
        return NULL;
    size_t len = strlen(name);
    s = xcalloc(1, sizeof *s);
    s->name = xcalloc(1, len + 1);
    memcpy(s->name, name, len);
    s->next = share.secrets;
    share.secrets = s;
    s->refused = !ask(ask_arg, prompt, s->text, sizeof s->text) || !s->text[0];
    s->text[sizeof s->text - 1] = '\0';
    return s->refused ? NULL : s;
}

void share_forget(struct secret *secret)
{
    struct secret **at = &share.secrets;

    while (*at && *at != secret)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = secret->next;
    explicit_bzero(secret->text, sizeof secret->text);
    free(secret->name);
    free(secret);
}
