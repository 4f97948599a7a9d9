/* scan.c -- 'crelease check --scan': the host keys that the hosts present, as lines for the recipe and
 * for known_hosts.  cmd_check.c calls it.  Nothing is verified, and nobody logs in, except on jump
 * hosts.  The ssh program is made to print the
 * key by a KnownHostsCommand, and refuses it. */
#include "base/text.h"
#include "cli/cmd.h"
#include "edge/capture.h"
#include "edge/digest.h"
#include "ssh/carrier.h"
#include "ssh/host_key.h"
#include "ssh/known_hosts.h"

/* What one host presented. */
struct scanned {
    const char *key; /* "ssh-ed25519 AAAA..."; NULL: none */
    const char *fingerprint;
    const char *line; /* of a known_hosts file */
    const char *why;  /* there is no key */
};

struct scan {
    struct arena *arena;
    const struct fleet_host *hosts;
    size_t n;
    struct scanned *found;
};

static void on_key(void *arg, const struct fleet_host *host, const void *key, size_t len)
{
    struct scan *scan = arg;
    struct arena *a = scan->arena;
    struct scanned *found = &scan->found[host - scan->hosts];
    const char *type = host_key_type(a, key, len);

    if (!type)
        return;
    found->key = arena_printf(a, "%s %s", type, base64_encode(a, key, len));
    found->fingerprint = host_key_fingerprint(a, key, len);
    found->line =
        arena_printf(a, "%s %s",
                     host->host_key_alias ? host->host_key_alias
                                          : known_hosts_name(a, host->address, host->port),
                     found->key);
}

/* Connects to all hosts; each connection ends with the key exchange. */
static void scan_run(struct session *s, struct scan *scan)
{
    const struct fleet_options options = {.carriers = {[TRANSPORT_LIBSSH2] = &carrier_libssh2},
                                          .scanned = on_key,
                                          .scanned_arg = scan};
    struct call *calls = arena_array(s->arena, scan->n, sizeof *calls);
    struct reply *replies = arena_array(s->arena, scan->n, sizeof *replies);
    struct fleet *fleet = fleet_open(s->loop, scan->hosts, scan->n, &options);

    for (size_t h = 0; h < scan->n; h++)
        calls[h] = (struct call){.host = h, .script = "exit 0\n", .payload = -1};
    fleet_impatient(fleet, true);
    fleet_run(fleet, s->arena, calls, scan->n, replies);
    fleet_close(fleet);
    for (size_t h = 0; h < scan->n; h++)
        scan->found[h].why = scan->found[h].key ? NULL : replies[h].why;
}

/* What ssh prints before the key that a KnownHostsCommand is asked about. */
#define KEY_MARK "crelease-key "

enum { PROGRAM_MS = 20000, PROGRAM_AT_ONCE = 8 /* sshd's MaxStartups drops some from 10 on */ };

/* The arguments that make ssh print the host's key and refuse it.  They stand before the host's own, since
 * the first value of an option counts. */
static const char *const *program_call(struct arena *a, const struct fleet_host *host)
{
    static const char *const own[] = {"ssh",
                                      "-T",
                                      "-S",
                                      "none",
                                      "-oControlMaster=no",
                                      "-oStrictHostKeyChecking=yes",
                                      "-oUserKnownHostsFile=none",
                                      "-oGlobalKnownHostsFile=none",
                                      "-oVerifyHostKeyDNS=no",
                                      "-oHostKeyAlgorithms=-*-cert-v01@openssh.com",
                                      "-oKnownHostsCommand=/bin/sh -c 'echo \"" KEY_MARK
                                      "$1 $2\" >&2' sh %t %K"};
    struct strs argv = {0};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        strs_add(a, &argv, own[i]);
    for (size_t i = 0; i < host->program.n; i++)
        strs_add(a, &argv, host->program.v[i]);
    strs_add(a, &argv, "--");
    strs_add(a, &argv, host->destination);
    strs_add(a, &argv, "exit");
    strs_add(a, &argv, NULL);
    return argv.v;
}

/* Takes the key out of what ssh printed.  Its other words say why there is none. */
static void program_took(struct scan *scan, size_t h, const struct capture *c)
{
    struct arena *a = scan->arena;
    const char *words = "";

    for (const char *line = c->err_out ? c->err_out : ""; *line;) {
        size_t len = strcspn(line, "\n");
        const char *key = line + strlen(KEY_MARK);
        unsigned char *blob;
        size_t blob_len;
        if (len <= strlen(KEY_MARK) || strncmp(line, KEY_MARK, strlen(KEY_MARK)) != 0) {
            words = len ? arena_strndup(a, line, len) : words;
        } else {
            const char *b64 = key + strcspn(key, " \n");
            b64 += *b64 == ' ';
            if (base64_decode(a, b64, strcspn(b64, " \r\n"), &blob, &blob_len))
                on_key(scan, &scan->hosts[h], blob, blob_len);
        }
        line += len + (line[len] == '\n');
    }
    if (scan->found[h].key)
        return;
    scan->found[h].why = c->end == CAPTURE_EXIT && *words ? words
                         : c->end == CAPTURE_LATE         ? "the ssh program did not end in time"
                         : c->end == CAPTURE_EXIT ? "the ssh program ended without a message"
                                                  : "the ssh program could not be run";
}

/* With the ssh program, which reaches hosts in its own way.  It presents one key, that which it prefers. */
static void scan_run_program(struct session *s, struct scan *scan)
{
    struct capture *calls = arena_array(s->arena, scan->n, sizeof *calls);

    for (size_t h = 0; h < scan->n; h++)
        calls[h].argv = program_call(s->arena, &scan->hosts[h]);
    for (size_t h = 0; h < scan->n && !loop_signal(s->loop); h += PROGRAM_AT_ONCE) {
        size_t left = scan->n - h;
        capture_run(s->loop, s->arena, &calls[h], left < PROGRAM_AT_ONCE ? left : PROGRAM_AT_ONCE,
                    PROGRAM_MS);
    }
    for (size_t h = 0; h < scan->n; h++)
        program_took(scan, h, &calls[h]);
}

static void print_text(const struct session *s, const struct scan *scan)
{
    struct arena *a = s->arena;

    printf(
        "# These keys were presented just now, and not verified.  Compare them with what the hosts "
        "say of themselves:\n# ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n\n"
        "# In the recipe, at each host:\n");
    for (size_t h = 0; h < scan->n; h++) {
        const struct scanned *found = &scan->found[h];
        const char *name = text_shown(a, scan->hosts[h].name);
        if (found->key)
            printf("#   %s, %s\nhost_key: \"%s\"\n", name, found->fingerprint, found->key);
        else
            printf("#   %s: %s\n", name, text_shown(a, found->why));
    }
    printf("\n# In known_hosts:\n");
    for (size_t h = 0; h < scan->n; h++)
        if (scan->found[h].key)
            printf("%s\n", text_shown(a, scan->found[h].line));
}

static void print_json(struct session *s, const struct scan *scan)
{
    struct json *o = json_open_object();
    struct json *list = json_put_array(o, "host_keys");

    for (size_t h = 0; h < scan->n; h++) {
        const struct scanned *found = &scan->found[h];
        struct json *one = json_put_object(list, NULL);
        json_put_text(one, "host", scan->hosts[h].name);
        json_put_text(one, "host_key", found->key);
        json_put_text(one, "fingerprint", found->fingerprint);
        json_put_text(one, "known_hosts", found->line);
        json_put_text(one, "error", found->why);
    }
    session_answer(s, o);
    json_close(o);
}

bool scan_hosts(struct session *s, struct err *err)
{
    struct scan scan = {.arena = s->arena, .hosts = s->reached, .n = s->n_reached};
    size_t missing = 0;

    if (s->recipe->transport == TRANSPORT_LOCAL)
        return err_set(err, ERR_USAGE, "--scan is about hosts, and 'transport: local' has none");
    for (size_t h = 0; h < scan.n; h++)
        s->reached[h].scan = true;
    scan.found = arena_array(s->arena, scan.n, sizeof *scan.found);
    if (s->recipe->transport == TRANSPORT_OPENSSH)
        scan_run_program(s, &scan);
    else
        scan_run(s, &scan);
    if (s->options.json)
        print_json(s, &scan);
    else
        print_text(s, &scan);
    for (size_t h = 0; h < scan.n; h++)
        missing += scan.found[h].key == NULL;
    if (missing && run_is_stopped(&s->run, "while reading host keys", err))
        return false;
    return !missing || err_set(err, ERR_UNREACHABLE, "%s presented no key",
                               text_count(s->arena, missing, "host"));
}
