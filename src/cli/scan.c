/* scan.c -- 'crelease check --scan': the host keys that the hosts present, as lines for the recipe and
 * for known_hosts.  cmd_check.c calls it.  Nothing is verified, and nobody logs in, except on jump
 * hosts. */
#include "base/text.h"
#include "cli/cmd.h"
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

    if (s->recipe->transport != TRANSPORT_LIBSSH2)
        return err_set(
            err, ERR_USAGE,
            "--scan needs 'transport: libssh2' in the recipe; ssh-keyscan prints the keys "
            "of hosts that are reached directly");
    for (size_t h = 0; h < scan.n; h++)
        s->reached[h].scan = true;
    scan.found = arena_array(s->arena, scan.n, sizeof *scan.found);
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
