/* known_hosts_add.c -- adds a host key to a known_hosts file (see known_hosts.h).  connection.c calls it
 * for an unknown key with host_keys: accept-new. */
#include "ssh/known_hosts.h"

#include "edge/digest.h"
#include "ssh/home.h"
#include "ssh/host_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *hashed_name(struct arena *a, const char *name)
{
    unsigned char salt[20];
    unsigned char hash[20];

    if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        return name;
    digest_hmac_sha1(salt, sizeof salt, name, strlen(name), hash);
    return arena_printf(a, "|1|%s|%s", base64_encode(a, salt, sizeof salt),
                        base64_encode(a, hash, sizeof hash));
}

const char *known_hosts_add(struct arena *a, const char *file, const struct known_host *host,
                            const void *key, size_t len, bool hashed)
{
    const char *path = home_expand(a, file);
    const char *type = host_key_type(a, key, len);
    const char *name = known_hosts_name(a, host->name, host->port);
    char *dir = arena_strdup(a, path);
    char last = '\n';

    if (!type || strpbrk(name, " \t\r\n,"))
        return "the name or the key is not valid";
    char *slash = strrchr(dir, '/');
    if (slash && slash > dir) {
        *slash = '\0';
        (void)mkdir(dir, 0700); /* else open reports it */
    }
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return strerror(errno);
    /* A last line without its newline must not swallow ours. */
    off_t end = lseek(fd, 0, SEEK_END);
    if (end > 0 && pread(fd, &last, 1, end - 1) != 1)
        last = '\n';
    const char *line =
        arena_printf(a, "%s%s %s %s\n", last == '\n' ? "" : "\n",
                     hashed ? hashed_name(a, name) : name, type, base64_encode(a, key, len));
    ssize_t n = write(fd, line, strlen(line));
    const char *why = n == (ssize_t)strlen(line) ? NULL : n < 0 ? strerror(errno) : "disk full";
    if (close(fd) != 0 && !why)
        why = strerror(errno);
    return why;
}
