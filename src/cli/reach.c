/* reach.c -- how each host is reached: what the recipe says, else what the ssh configuration says.
 * session.c calls it when a session is opened.  Jump hosts are resolved like hosts, in rounds, until
 * no configuration names another one. */
#include "cli/cmd.h"

#include "base/text.h"
#include "fleet/sudo.h"
#include "ssh/carrier.h"
#include "ssh/config.h"
#include "ssh/home.h"
#include "ssh/host_key.h"
#include "ssh/program_keys.h"

#include <errno.h>
#include <unistd.h>

enum { HOPS_MAX = 8, HOPS_TOTAL_MAX = 256, ALIVE_DEFAULT_MS = 15000 };

/* One jump host.  Hosts that go the same way share it, and with it the connection. */
struct hop {
    struct ssh_target target;
    const struct fleet_host *via; /* the hop before it, if the recipe or a configuration lists it */
    struct fleet_host *host;
};

struct reach {
    struct session *session;
    struct arena *arena;
    const char *config; /* file to read, "none", or NULL */
    struct hop hop[HOPS_TOTAL_MAX];
    size_t n_hops;
    struct strs ignored;     /* options without effect */
    const char *ignored_for; /* the first host for which they are set */
};

static bool is_none(const char *s)
{
    return s && strcmp(s, "none") == 0;
}

/* Returns the hop for that target behind `via`, made on first use.  NULL if there are too many. */
static struct fleet_host *hop_get(struct reach *re, const struct ssh_target *t,
                                  const struct fleet_host *via)
{
    for (size_t i = 0; i < re->n_hops; i++) {
        const struct ssh_target *have = &re->hop[i].target;
        bool same_user = !have->user == !t->user && (!t->user || !strcmp(have->user, t->user));
        if (same_user && have->port == t->port && re->hop[i].via == via &&
            strcmp(have->host, t->host) == 0)
            return re->hop[i].host;
    }
    if (re->n_hops == HOPS_TOTAL_MAX)
        return NULL;
    struct hop *hop = &re->hop[re->n_hops++];
    hop->target = *t;
    hop->via = via;
    hop->host = arena_alloc(re->arena, sizeof *hop->host);
    hop->host->name = t->host;
    return hop->host;
}

static size_t length(const struct fleet_host *host)
{
    size_t n = 0;

    for (; host && n <= HOPS_MAX; host = host->via)
        n++;
    return n;
}

/* Puts the hops of "ann@b1:2222,b2" in front of the host. */
static bool set_jump(struct reach *re, struct fleet_host *host, const char *jump, struct err *err)
{
    const struct fleet_host *via = NULL;

    for (const char *s = jump; *s;) {
        size_t len = strcspn(s, ",");
        struct ssh_target target;
        if (!ssh_target_parse(re->arena, s, len, &target))
            return err_set(err, ERR_USAGE, "the jump host '%.*s' of '%s' is not 'user@host:port'",
                           (int)len, s, text_shown(re->arena, host->name));
        via = hop_get(re, &target, via);
        if (!via)
            return err_set(err, ERR_USAGE, "more than %d jump hosts", HOPS_TOTAL_MAX);
        s += len + (s[len] == ',');
    }
    host->via = via;
    return true;
}

static void note_ignored(struct reach *re, const struct ssh_config *c, const char *host)
{
    for (size_t i = 0; i < c->ignored.n; i++) {
        if (strs_has(&re->ignored, c->ignored.v[i]))
            continue;
        strs_add(re->arena, &re->ignored, c->ignored.v[i]);
        if (!re->ignored_for)
            re->ignored_for = host;
    }
}

/* Fills in what the recipe did not give. */
static bool merge(struct reach *re, struct fleet_host *host, const struct ssh_config *c,
                  struct err *err)
{
    const struct recipe *r = re->session->recipe;

    host->address = c->host;
    host->port = c->port;
    host->user = c->user ? c->user : login_user(re->arena);
    if (!host->user)
        return err_set(err, ERR_USAGE,
                       "host '%s' has no login user, and your user id %lld has no entry in passwd;"
                       " set 'user:' at the host in the recipe, or write it as 'user@host'",
                       text_shown(re->arena, host->name), (long long)getuid());
    host->identities = c->identities;
    host->no_identities = c->no_identities;
    host->identities_only = c->identities_only;
    host->no_agent = is_none(c->agent);
    host->agent = host->no_agent ? NULL : c->agent;
    host->known_hosts = c->known;
    host->host_key_alias = c->alias;
    host->host_key_types = c->key_types;
    host->hash_names = c->hashed;
    host->accept_new_key = r->host_keys == HOST_KEYS_ACCEPT_NEW ||
                           (r->host_keys == HOST_KEYS_UNSET && c->keys == STRICT_ACCEPT_NEW);
    host->connect_ms = c->connect_ms;
    /* connection.alive wins if the recipe says anything but the default. */
    if (r->connection.alive_ms == ALIVE_DEFAULT_MS) {
        host->alive_interval_ms = c->alive_ms;
        host->alive_max = c->alive_ms ? c->alive_max : 0;
    }
    host->family = c->family;
    host->bind = c->bind;
    note_ignored(re, c, host->name);
    return true;
}

/* Sets the way to a host: the recipe's jump hosts, or the configuration's, or its command. */
static bool set_way(struct reach *re, struct fleet_host *host, const char *jump,
                    const struct ssh_config *c, struct err *err)
{
    if (jump && !is_none(jump))
        return set_jump(re, host, jump, err);
    if (jump)
        return true;
    if (c->jump)
        return set_jump(re, host, c->jump, err);
    host->proxy_command = c->command;
    return true;
}

static bool ask(struct reach *re, const struct ssh_target *targets, size_t n,
                struct ssh_config *ret, struct err *err)
{
    struct session *s = re->session;
    struct ssh_config_query query = {re->config, targets, n};
    const char *why;

    if (!ssh_config_read(s->loop, re->arena, &query, ret, &why, err)) {
        /* The signal decides the exit status. */
        if (loop_signal(s->loop)) {
            err_clear(err);
            run_is_stopped(&s->run, "while reading the ssh configuration", err);
        }
        return false;
    }
    if (why && !re->n_hops)
        run_warn(&s->run, NULL, "%s", why);
    return true;
}

enum held { HELD_NONE, HELD_PATH, HELD_TEXT };

/* Tells what CRELEASE_SSH_KEY holds.  The ssh program can only be given a path, since a key must not be written
 * to disk. */
static enum held variable_key(void)
{
    const char *value = getenv("CRELEASE_SSH_KEY");

    if (!value || !*value)
        return HELD_NONE;
    return (value[0] == '/' || value[0] == '~') && !strchr(value, '\n') ? HELD_PATH : HELD_TEXT;
}

/* Options of the ssh program that are crelease's own decision, and the keys of $HOME where ssh does
 * not look for them by itself. */
static void add_own_options(struct arena *a, const struct fleet_host *host, struct strs *argv)
{
    static const char *const own[] = {"-oClearAllForwardings=yes",
                                      "-oPermitLocalCommand=no",
                                      "-oRemoteCommand=none",
                                      "-oRequestTTY=no",
                                      "-oTunnel=no",
                                      "-oEscapeChar=none",
                                      "-oForwardAgent=no",
                                      "-oForwardX11=no",
                                      "-oNoHostAuthenticationForLocalhost=no",
                                      "-oControlPersist=no"};
    static const char *const usual[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa",
                                        "~/.ssh/id_ed25519_sk", "~/.ssh/id_ecdsa_sk"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        strs_add(a, argv, own[i]);
    program_key_options(a, host, argv);
    if (variable_key() == HELD_PATH)
        strs_add(a, argv,
                 arena_printf(a, "-oIdentityFile=%s", program_path(a, getenv("CRELEASE_SSH_KEY"))));
    if (host->identity) {
        strs_add(a, argv, arena_printf(a, "-oIdentityFile=%s", program_path(a, host->identity)));
        strs_add(a, argv, "-oIdentitiesOnly=yes");
    } else if (home_differs() && !host->identities.n && !host->no_identities) {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
            strs_add(a, argv, arena_printf(a, "-oIdentityFile=%s", program_path(a, usual[i])));
    }
    if (!host->connect_ms)
        strs_add(a, argv, "-oConnectTimeout=15");
}

/* The ssh program takes everything that neither the recipe nor crelease decides from its own
 * configuration. */
static bool set_program(struct reach *re, struct fleet_host *host, const struct ssh_target *target,
                        const char *jump, struct err *err)
{
    struct session *s = re->session;
    long alive_ms = (long)s->recipe->connection.alive_ms;
    struct strs *argv = &host->program;
    struct arena *a = re->arena;

    if (host->host_key && !host_key_pin_is_valid(host->host_key))
        return err_set(err, ERR_USAGE,
                       "the host_key: given for '%s' is neither 'SHA256:...' nor a public key line",
                       text_shown(a, host->name));
    if (variable_key() == HELD_TEXT && !host->identity)
        return err_set(
            err, ERR_USAGE,
            "CRELEASE_SSH_KEY holds a key, which cannot be passed to the ssh program of "
            "'transport: openssh'; set it to the path of the key, or load the key into an "
            "agent with ssh-add and unset it");
    ssh_config_arguments(a, re->config, target, argv);
    strs_add(a, argv, "-oBatchMode=yes");
    strs_add(a, argv, "-oSessionType=default");
    strs_add(a, argv, s->options.verbose > 0 ? "-oLogLevel=VERBOSE" : "-oLogLevel=ERROR");
    add_own_options(a, host, argv);
    if (jump)
        strs_add(a, argv, arena_printf(a, "-oProxyJump=%s", jump));
    if (alive_ms != ALIVE_DEFAULT_MS || !host->alive_interval_ms) {
        strs_add(a, argv, arena_printf(a, "-oServerAliveInterval=%ld", (alive_ms + 999) / 1000));
        strs_add(a, argv, "-oServerAliveCountMax=3");
    }
    host->destination = target->host;
    return true;
}

/* Resolves the hops that are new, which may bring further ones. */
static bool resolve_hops(struct reach *re, struct err *err)
{
    for (size_t begin = 0; begin < re->n_hops;) {
        size_t n = re->n_hops - begin;
        struct ssh_target *targets = arena_array(re->arena, n, sizeof *targets);
        struct ssh_config *configs = arena_array(re->arena, n, sizeof *configs);

        for (size_t i = 0; i < n; i++)
            targets[i] = re->hop[begin + i].target;
        if (!ask(re, targets, n, configs, err))
            return false;
        for (size_t i = 0; i < n; i++) {
            struct hop *hop = &re->hop[begin + i];
            if (!merge(re, hop->host, &configs[i], err))
                return false;
            hop->host->via = hop->via;
            /* A hop that is listed behind another one is reached through that. */
            if (!hop->via && !set_way(re, hop->host, NULL, &configs[i], err))
                return false;
        }
        begin += n;
    }
    return true;
}

static const char *config_file(struct arena *a, const struct recipe *r)
{
    if (strcmp(r->ssh_config, "default") == 0)
        return NULL;
    if (r->ssh_config[0] == '/' || r->ssh_config[0] == '~' || is_none(r->ssh_config))
        return home_expand(a, r->ssh_config);
    return arena_printf(a, "%s/%s", r->dir, r->ssh_config);
}

static bool resolve(struct reach *re, struct fleet_host *hosts, struct err *err)
{
    struct recipe *r = re->session->recipe;
    struct ssh_target *targets = arena_array(re->arena, r->n_hosts, sizeof *targets);
    struct ssh_config *configs = arena_array(re->arena, r->n_hosts, sizeof *configs);

    for (size_t h = 0; h < r->n_hosts; h++)
        targets[h] = (struct ssh_target){r->hosts[h].address, r->hosts[h].user, r->hosts[h].port};
    re->config = config_file(re->arena, r);
    if (re->config && !is_none(re->config) && access(re->config, R_OK) != 0)
        return err_set(err, ERR_USAGE, "cannot read the ssh configuration '%s': %s",
                       text_shown(re->arena, re->config), strerror(errno));
    if (!ask(re, targets, r->n_hosts, configs, err))
        return false;
    for (size_t h = 0; h < r->n_hosts; h++) {
        const char *jump = r->hosts[h].proxy_jump ? r->hosts[h].proxy_jump : r->proxy_jump;
        if (!merge(re, &hosts[h], &configs[h], err))
            return false;
        if (r->transport == TRANSPORT_OPENSSH ? !set_program(re, &hosts[h], &targets[h], jump, err)
                                              : !set_way(re, &hosts[h], jump, &configs[h], err))
            return false;
        r->hosts[h].user = hosts[h].user;
    }
    if (!resolve_hops(re, err))
        return false;
    for (size_t h = 0; h < r->n_hosts; h++)
        if (length(&hosts[h]) > HOPS_MAX)
            return err_set(err, ERR_USAGE,
                           "host '%s' is behind more than %d jump hosts; does a ProxyJump lead "
                           "back to itself?",
                           text_shown(re->arena, hosts[h].name), HOPS_MAX - 1);
    return true;
}

bool reach_hosts(struct session *s, struct fleet_host **ret, struct err *err)
{
    struct recipe *r = s->recipe;
    struct reach *re = arena_alloc(s->arena, sizeof *re);
    struct fleet_host *hosts = arena_array(s->arena, r->n_hosts, sizeof *hosts);

    re->session = s;
    re->arena = s->arena;
    for (size_t h = 0; h < r->n_hosts; h++)
        hosts[h] = (struct fleet_host){
            .name = r->hosts[h].name,
            .host_key = r->hosts[h].host_key,
            .identity = r->hosts[h].identity,
            .become = r->become,
            .sudo = r->become ? arena_alloc(s->arena, sizeof(struct sudo)) : NULL,
            .transport = r->transport};
    *ret = hosts;
    if (r->transport == TRANSPORT_LOCAL)
        return true;
    if (!resolve(re, hosts, err))
        return false;
    if (re->ignored.n && r->transport == TRANSPORT_LIBSSH2)
        run_warn(&s->run, NULL, "the ssh configuration of '%s' sets %s, which crelease ignores",
                 text_shown(s->arena, re->ignored_for), strs_joined(s->arena, &re->ignored, ", "));
    return true;
}

const struct strs *reach_repository(struct session *s)
{
    const struct fleet_host nothing = {0};
    const struct ssh_target nobody = {0};
    struct arena *a = s->arena;
    struct strs *argv = arena_alloc(a, sizeof *argv);

    if (!ssh_config_program_works() || variable_key() == HELD_TEXT)
        return NULL;
    *argv = (struct strs){0};
    ssh_config_arguments(a, config_file(a, s->recipe), &nobody, argv);
    strs_add(a, argv, isatty(STDIN_FILENO) ? "-oBatchMode=no" : "-oBatchMode=yes");
    /* A connection of the user's own may be used, but others must not depend on this one. */
    strs_add(a, argv, "-oControlMaster=no");
    add_own_options(a, &nothing, argv);
    return argv;
}
