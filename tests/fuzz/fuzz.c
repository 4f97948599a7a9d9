/* fuzz.c -- the table of all targets, and the entry of libFuzzer.  FUZZ names the target. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include "base/text.h"
#include "fuzz_targets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

const struct target targets[] = {
#define X(name) {#name, fuzz_##name},
    TARGETS(X)
#undef X
        {NULL, NULL}};

void fuzz_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

bool is_shown(const char *s)
{
    struct buf b = buf_make(strlen(s) * 4 + 1);

    text_visible(&b, s, strlen(s), false);
    bool same = strcmp(b.text, s) == 0;
    buf_free(&b);
    return same;
}

void holds_err(const struct err *err)
{
    HOLDS(err->code != ERR_NONE && err->msg && *err->msg);
    HOLDS(!strchr(err->msg, '\n'));
}

const char *next_part(const struct input *in, const char **at)
{
    const char *from = *at;

    if (!from)
        return NULL;
    const char *end = strstr(from, "\n%%\n");
    *at = end ? end + 4 : NULL;
    return arena_strndup(in->arena, from, end ? (size_t)(end + 1 - from) : strlen(from));
}

const char *file_of(const char *bytes, size_t len)
{
    static int fd = -1;
    static char path[40];

    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    HOLDS(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct target *target;
    struct arena arena = {0};

    for (const struct target *t = targets; !target && t->name && getenv("FUZZ"); t++)
        if (strcmp(t->name, getenv("FUZZ")) == 0)
            target = t;
    HOLDS(target);
    char *text = xcalloc(len + 1, 1);
    if (len)
        memcpy(text, bytes, len);
    const struct input in = {(const char *)bytes, len, text, &arena};
    target->run(&in);
    free(text);
    arena_free(&arena);
    return 0;
}
