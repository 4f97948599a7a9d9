/* config.c -- asks the ssh program what its configuration says of the hosts (see config.h).
 * cli/reach.c calls it before the first connection. */
#include "ssh/config.h"

#include "base/text.h"
#include "edge/capture.h"
#include "ssh/home.h"

#include <pwd.h>
#include <unistd.h>

enum { ASK_MS = 20000 };

/* The configuration files that ssh reads if crelease names none.  ssh takes the home directory from
 * passwd; where $HOME differs, its ~/.ssh/config is meant. */
static const char *file_argument(struct arena *a)
{
    const char *own = arena_printf(a, "%s/.ssh/config", home_dir());

    if (!home_differs())
        return NULL;
    if (access(own, R_OK) == 0)
        return own;
    return access("/etc/ssh/ssh_config", R_OK) == 0 ? "/etc/ssh/ssh_config" : "none";
}

bool ssh_config_program_works(void)
{
    const char *path = getenv("PATH");
    struct arena a = {0};
    bool found = false;

    for (const char *s = path ? path : "/usr/bin:/bin"; *s && !found; s += *s == ':') {
        size_t len = strcspn(s, ":");
        found = access(arena_printf(&a, "%.*s/ssh", (int)len, s), X_OK) == 0;
        s += len;
    }
    arena_free(&a);
    return found && getpwuid(getuid()) != NULL;
}

void ssh_config_arguments(struct arena *a, const char *file, const struct ssh_target *target,
                          struct strs *argv)
{
    file = file ? file : file_argument(a);
    if (file) {
        strs_add(a, argv, "-F");
        strs_add(a, argv, file);
    }
    if (target->port) {
        strs_add(a, argv, "-p");
        strs_add(a, argv, arena_printf(a, "%d", target->port));
    }
    if (target->user) {
        strs_add(a, argv, "-l");
        strs_add(a, argv, target->user);
    }
}

/* The arguments of ssh -G.  -T, or it warns that standard input is no terminal. */
static const char *const *question(struct arena *a, const char *file,
                                   const struct ssh_target *target)
{
    struct strs argv = {0};

    strs_add(a, &argv, "ssh");
    strs_add(a, &argv, "-T");
    strs_add(a, &argv, "-G");
    ssh_config_arguments(a, file, target, &argv);
    strs_add(a, &argv, "--");
    strs_add(a, &argv, target->host);
    strs_add(a, &argv, NULL);
    return argv.v;
}

/* Without ssh there is only what was given. */
static void take_given(const struct ssh_config_query *query, struct ssh_config *ret)
{
    for (size_t i = 0; i < query->n; i++)
        ret[i] = (struct ssh_config){.host = query->target[i].host,
                                     .user = query->target[i].user,
                                     .port = query->target[i].port,
                                     .alive_max = 3};
}

/* The configuration that is passed over, or NULL if there is none. */
static const char *passed_over(struct arena *a, const char *file)
{
    const char *path = file ? file : arena_printf(a, "%s/.ssh/config", home_dir());

    return access(path, F_OK) == 0 ? home_shorten(a, path) : NULL;
}

static bool failed(struct arena *a, const struct capture *c, const char *host, struct err *err)
{
    const char *shown = text_shown(a, host);
    const char *said = text_shown(a, text_joined(a, c->err_out));

    switch (c->end) {
    case CAPTURE_EXIT:
        if (c->status == 0)
            return false;
        err_set(err, ERR_USAGE, "the ssh configuration cannot be used for '%s': %s", shown,
                *said ? said : arena_printf(a, "'ssh -G' ended with status %d", c->status));
        return true;
    case CAPTURE_LATE:
        err_set(err, ERR_USAGE,
                "'ssh -G %s' did not end within %d s; does a 'Match exec' in the ssh "
                "configuration hang?",
                shown, ASK_MS / 1000);
        return true;
    case CAPTURE_STOPPED:
        err_set(err, ERR_INTERRUPTED, "interrupted while reading the ssh configuration");
        return true;
    case CAPTURE_MISSING:
    case CAPTURE_FAILED:
        err_set(err, ERR_FAILED, "cannot run 'ssh -G %s': %s", shown, c->why);
        return true;
    }
    return true;
}

bool ssh_config_read(struct loop *loop, struct arena *a, const struct ssh_config_query *query,
                     struct ssh_config *ret, const char **ret_why, struct err *err)
{
    const struct ssh_target nobody = {.host = "crelease"};
    const char *file = query->file ? query->file : file_argument(a);
    struct capture *calls = arena_array(a, query->n + 1, sizeof *calls);
    bool known = getpwuid(getuid()) != NULL;

    *ret_why = NULL;
    take_given(query, ret);
    if (file && strcmp(file, "none") == 0)
        return true;
    for (size_t i = 0; i < query->n; i++)
        calls[i] = (struct capture){.argv = question(a, file, &query->target[i]), .by_line = true};
    /* What ssh says without any configuration shows which values are defaults. */
    calls[query->n] = (struct capture){.argv = question(a, "none", &nobody), .by_line = true};
    if (known)
        capture_run(loop, a, calls, query->n + 1, ASK_MS);
    if (!known || calls[0].end == CAPTURE_MISSING) {
        const char *path = passed_over(a, query->file);
        if (path)
            *ret_why =
                arena_printf(a, "%s is not read: %s", text_shown(a, path),
                             known ? "there is no ssh program here"
                                   : "ssh does not work for a user id without an entry in passwd");
        return true;
    }
    for (size_t i = 0; i <= query->n; i++)
        if (failed(a, &calls[i], i < query->n ? query->target[i].host : nobody.host, err))
            return false;
    for (size_t i = 0; i < query->n; i++)
        ssh_config_parse(a, &query->target[i], calls[i].out, calls[query->n].out, &ret[i]);
    return true;
}
