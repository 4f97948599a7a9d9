/* linked.c -- copies linked files from this machine to the hosts (linked.h).  Called by 'crelease
 * upload', and by 'crelease deploy' for those that are missing.  host/upload.sh does the host's part. */
#include "cli/linked.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"
#include "edge/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

EMBED(script_upload, "host/upload.sh");

enum { SOURCE_BYTES_MAX = 16 * 1024 * 1024, PUT_MS = 5 * 60 * 1000 };

static bool read_digest(struct source_file *f, struct err *err)
{
    struct digest *d = digest_open();
    unsigned char piece[16 * 1024];
    off_t at = 0;
    ssize_t n;

    while (at < f->size && (n = pread(f->fd, piece, sizeof piece, at)) > 0) {
        digest_add(d, piece, (size_t)n);
        at += n;
    }
    explicit_bzero(piece, sizeof piece);
    digest_hex(d, f->digest);
    digest_close(d);
    return at == f->size || err_set(err, ERR_FAILED, "it cannot be read, or is being changed");
}

static bool open_source(const char *path, struct source_file *f, struct err *err)
{
    struct stat st;

    /* A FIFO in its place would block otherwise. */
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return err_set(err, ERR_FAILED, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_FAILED, "it is not a regular file");
    if (st.st_size > SOURCE_BYTES_MAX)
        return err_set(err, ERR_FAILED, "it is larger than %s",
                       text_size(err->arena, SOURCE_BYTES_MAX));
    f->size = st.st_size;
    return read_digest(f, err);
}

static const char *source_path(struct session *s, const char *from)
{
    return *from == '/' ? from : arena_printf(s->arena, "%s/%s", s->recipe->project, from);
}

bool linked_is_here(struct session *s, const char *from)
{
    return access(source_path(s, from), R_OK) == 0;
}

bool linked_open(struct session *s, const char *path, const char *from, struct source_file *ret,
                 struct err *err)
{
    const char *at = source_path(s, from);

    *ret = (struct source_file){.path = path, .from = from, .fd = -1};
    ret->there = arena_array(s->arena, s->recipe->n_hosts, sizeof *ret->there);
    return open_source(at, ret, err) ||
           err_in(err, "the source '%s' of the linked file '%s'", text_shown(s->arena, at),
                  text_shown(s->arena, path));
}

void linked_close(struct source_file *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].fd >= 0)
            close(list[i].fd);
        list[i].fd = -1;
    }
}

static bool is_digest(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* A line "file INDEX STATE DIGEST".  False if it is not one. */
static bool take_line(struct session *s, const char *line, struct source_file *list, size_t n,
                      size_t host)
{
    static const char *const words[] = {"missing ", "there ", "unreadable ", "other "};
    static const enum linked_state states[] = {LINKED_MISSING, LINKED_SAME, LINKED_UNREADABLE,
                                               LINKED_OTHER};
    size_t digits = strcspn(line, " ");
    long long at;

    if (!number_part(line, digits, (long long)n - 1, &at) || !line[digits])
        return false;
    const char *word = line + digits + 1;
    for (size_t k = 0; k < 4; k++) {
        size_t len = strlen(words[k]);
        if (strncmp(word, words[k], len) != 0)
            continue;
        struct linked_there *there = &list[at].there[host];
        there->state = states[k];
        if (states[k] != LINKED_SAME)
            return true;
        if (!is_digest(word + len))
            return false;
        there->digest = arena_strdup(s->arena, word + len);
        if (strcmp(there->digest, list[at].digest) != 0)
            there->state = LINKED_DIFFERS;
        return true;
    }
    return false;
}

static bool take_answer(struct session *s, const char *answer, struct source_file *list, size_t n,
                        size_t host, struct err *err)
{
    size_t seen = 0;

    while (*answer) {
        size_t len = strcspn(answer, "\n");
        if (strncmp(answer, "file ", 5) == 0 &&
            take_line(s, arena_strndup(s->arena, answer + 5, len - 5), list, n, host))
            seen++;
        answer += len + (answer[len] == '\n');
    }
    return seen == n || err_set(err, ERR_FAILED, "%s: the answer about linked files is incomplete",
                                s->recipe->hosts[host].name);
}

bool linked_look(struct session *s, struct source_file *list, size_t n, struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    struct strs names = {0};
    struct reply *replies = NULL;
    size_t *hosts = arena_array(s->arena, s->recipe->n_hosts, sizeof *hosts);

    for (size_t i = 0; i < n; i++)
        strs_add(s->arena, &names, list[i].path);
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        hosts[h] = h;
    quote_assign(&b, "names", arena_printf(s->arena, "%s\n", strs_joined(s->arena, &names, "\n")));
    const struct trip t = {.script = script_upload,
                           .step = "upload",
                           .verb = "look",
                           .assignments = arena_strndup(s->arena, b.text, b.len),
                           .hosts = hosts,
                           .n_hosts = s->recipe->n_hosts,
                           .payload = -1};
    buf_free(&b);
    if (!run_scripts(&s->run, &t, &replies, err))
        return false;
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (!take_answer(s, replies[h].out, list, n, h, err))
            return false;
    return true;
}

/* Not in the frame of a session, where a shell without printf of its own would have the content in the
 * argument list of one. */
static struct call put_call(struct session *s, const struct source_file *file, size_t host)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    const struct linked_there *there = &file->there[host];

    quote_assign(&b, "name", file->path);
    quote_assign(&b, "digest", file->digest);
    quote_assign(&b, "replaces", there->state == LINKED_DIFFERS ? there->digest : "");
    const struct trip t = {.script = script_upload,
                           .step = "upload",
                           .verb = "put",
                           .assignments = arena_strndup(s->arena, b.text, b.len)};
    buf_free(&b);
    return (struct call){.host = host,
                         .script = run_script_text(&s->run, &t, host),
                         .payload = file->fd,
                         .payload_size = file->size,
                         .timeout_ms = PUT_MS};
}

void linked_put(struct session *s, const struct source_file *file, const size_t *hosts, size_t n,
                struct reply *ret)
{
    struct call *calls = arena_array(s->arena, n, sizeof *calls);

    for (size_t i = 0; i < n; i++)
        calls[i] = put_call(s, file, hosts[i]);
    fleet_run(s->fleet, s->arena, calls, n, ret);
}

const char *linked_hint(struct session *s, const char *path, const char *from)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    buf_puts(&b, run_hint(&s->run, "upload", NULL));
    if (!from) {
        buf_puts(&b, " ");
        quote_typed(&b, path);
    }
    const char *text = arena_strndup(s->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static void forget(struct strs *list, const char *path)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], path) != 0)
            list->v[n++] = list->v[i];
    list->n = n;
}

/* Sends one linked file to the hosts that lack it.  err holds the first failure. */
static bool send(struct session *s, const struct source_file *file, const size_t *hosts, size_t n,
                 struct err *err)
{
    struct reply *replies = arena_array(s->arena, n, sizeof *replies);
    bool ok = true;

    linked_put(s, file, hosts, n, replies);
    for (size_t i = 0; ok && i < n; i++)
        ok = run_judge(&s->run, hosts[i], &replies[i], err);
    return ok;
}

static bool fill(struct session *s, struct source_file *file, const struct survey *sv,
                 struct err *err)
{
    size_t *hosts = arena_array(s->arena, s->recipe->n_hosts, sizeof *hosts);
    struct strs names = {0};
    size_t n = 0;

    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (strs_has(&sv->sites[h].missing, file->path)) {
            file->there[h].state = LINKED_MISSING;
            strs_add(s->arena, &names, s->recipe->hosts[h].name);
            hosts[n++] = h;
        }
    if (!s->options.dry_run && !send(s, file, hosts, n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        forget(&sv->sites[hosts[i]].missing, file->path);
    session_note(s, "linked files",
                 arena_printf(s->arena,
                              "the linked file '%s' %s on %s: %s from '%s' of this machine",
                              file->path, s->options.dry_run ? "is missing" : "was missing",
                              strs_joined(s->arena, &names, ", "),
                              s->options.dry_run ? "deploy uploads it" : "uploaded", file->from));
    return true;
}

bool linked_fill(struct session *s, const struct survey *sv, struct err *err)
{
    const struct recipe *r = s->recipe;

    for (size_t i = 0; i < r->linked_files.n; i++) {
        struct source_file file;
        bool missing = false;
        for (size_t h = 0; h < r->n_hosts; h++)
            missing = missing || strs_has(&sv->sites[h].missing, r->linked_files.v[i]);
        if (!missing || !r->linked_from.v[i])
            continue;
        bool ok = linked_open(s, r->linked_files.v[i], r->linked_from.v[i], &file, err) &&
                  fill(s, &file, sv, err);
        linked_close(&file, 1);
        if (!ok)
            return false;
    }
    return true;
}
