/* program_keys.c -- options that tell the ssh program which host keys are right (see
 * program_keys.h). */
#include "ssh/program_keys.h"

#include "ssh/home.h"
#include "ssh/host_key.h"

static void add(struct arena *a, struct strs *argv, const char *option)
{
    strs_add(a, argv, option);
}

/* Length of the type and the key in "ssh-ed25519 AAAA... comment". */
static size_t key_length(const char *line)
{
    size_t type = strcspn(line, " \t");
    size_t key = type + strspn(line + type, " \t");

    return key + strcspn(line + key, " \t\r\n");
}

/* The command prints the pinned key, or the key at hand if it has the pinned fingerprint.  A pin
 * has no characters that are special to sh. */
static void pin_options(struct arena *a, const char *pin, struct strs *argv)
{
    add(a, argv, "-oGlobalKnownHostsFile=none");
    add(a, argv, "-oUserKnownHostsFile=none");
    add(a, argv, "-oStrictHostKeyChecking=yes");
    add(a, argv, "-oHostKeyAlias=crelease");
    add(a, argv, "-oFingerprintHash=sha256");
    if (host_key_pin_type(a, pin))
        add(a, argv,
            arena_printf(a, "-oKnownHostsCommand=/bin/sh -c 'echo \"crelease %.*s\"'",
                         (int)key_length(pin), pin));
    else
        add(a, argv,
            arena_printf(a,
                         "-oKnownHostsCommand=/bin/sh -c 'if [ \"$1\" = \"%.*s\" ]; then echo "
                         "\"crelease $2 $3\"; fi' sh %%f %%t %%K",
                         (int)strcspn(pin, "=\r\n"), pin));
}

static void variable_options(struct arena *a, struct strs *argv)
{
    const char *value = getenv("CRELEASE_KNOWN_HOSTS");

    if (!value || !*value)
        return;
    if (strpbrk(value, " \t\n"))
        add(a, argv, "-oKnownHostsCommand=/bin/sh -c 'echo \"$CRELEASE_KNOWN_HOSTS\"'");
    else
        add(a, argv,
            arena_printf(a,
                         "-oGlobalKnownHostsFile=\"%s\" /etc/ssh/ssh_known_hosts "
                         "/etc/ssh/ssh_known_hosts2",
                         home_expand(a, value)));
}

void program_key_options(struct arena *a, const struct fleet_host *host, struct strs *argv)
{
    if (host->host_key) {
        pin_options(a, host->host_key, argv);
        return;
    }
    variable_options(a, argv);
    if (!host->known_hosts && home_differs())
        add(a, argv,
            arena_printf(a, "-oUserKnownHostsFile=\"%s\" \"%s\"",
                         home_expand(a, "~/.ssh/known_hosts"),
                         home_expand(a, "~/.ssh/known_hosts2")));
    add(a, argv,
        host->accept_new_key ? "-oStrictHostKeyChecking=accept-new"
                             : "-oStrictHostKeyChecking=yes");
}
