/* program_keys.c -- options that tell the ssh program which host keys are right (see
 * program_keys.h). */
#include "ssh/program_keys.h"

#include "base/buf.h"
#include "ssh/home.h"
#include "ssh/host_key.h"

enum { OPTION_BYTES_MAX = 16 * 1024 };

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

/* In quotes, because ssh splits the value at blanks. */
static const char *quoted(struct arena *a, const char *path, const char *percent)
{
    struct buf b = buf_make(OPTION_BYTES_MAX);

    buf_puts(&b, "\"");
    for (const char *s = home_expand(a, path); *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_puts(&b, "\\");
        if (*s == '%')
            buf_puts(&b, percent);
        else
            buf_add(&b, s, 1);
    }
    buf_puts(&b, "\"");
    const char *text = arena_strdup(a, b.text);
    buf_free(&b);
    return text;
}

const char *program_path(struct arena *a, const char *path)
{
    return quoted(a, path, "%%");
}

/* The command prints the pinned key, or the key at hand if it has the pinned fingerprint.  A pin
 * has no characters that are special to sh (host_key.h).  A fingerprint is that of a plain key, so no
 * certificate is asked for.  Nothing but the pin counts, so ssh must not look up the key in the DNS. */
static void pin_options(struct arena *a, const char *pin, struct strs *argv)
{
    add(a, argv, "-oGlobalKnownHostsFile=none");
    add(a, argv, "-oUserKnownHostsFile=none");
    add(a, argv, "-oStrictHostKeyChecking=yes");
    add(a, argv, "-oVerifyHostKeyDNS=no");
    add(a, argv, "-oUpdateHostKeys=no");
    add(a, argv, "-oHostKeyAlgorithms=-*-cert-v01@openssh.com");
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
                         "-oGlobalKnownHostsFile=%s /etc/ssh/ssh_known_hosts "
                         "/etc/ssh/ssh_known_hosts2",
                         quoted(a, value, "%"))); /* has no tokens */
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
            arena_printf(a, "-oUserKnownHostsFile=%s %s", program_path(a, "~/.ssh/known_hosts"),
                         program_path(a, "~/.ssh/known_hosts2")));
    add(a, argv,
        host->accept_new_key ? "-oStrictHostKeyChecking=accept-new"
                             : "-oStrictHostKeyChecking=yes");
}
