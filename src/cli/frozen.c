/* frozen.c -- what forbids deploys at the moment: a freeze that somebody put on the hosts, one of the CI
 * system, or a recipe whose windows are closed.  deploy ends with status 9; rollback, resume and abort
 * warn, since they repair a site; status, plan and check show it. */
#include "base/text.h"
#include "cli/cmd.h"
#include "edge/clock.h"
#include "forecast/window.h"

#include <errno.h>

enum { ZONE_BYTES_MAX = 64 * 1024 };
static const char zones[] = "/usr/share/zoneinfo";

static bool read_zone(struct session *s, const char *name, struct zone **ret, struct err *err)
{
    const char *path = arena_printf(s->arena, "%s/%s", zones, name);
    unsigned char *bytes = arena_alloc(s->arena, ZONE_BYTES_MAX);

    if (strcmp(name, "UTC") == 0) {
        *ret = zone_fixed(s->arena, 0);
        return true;
    }
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(bytes, 1, ZONE_BYTES_MAX, file) : 0;
    const char *why = file ? "it is not a time zone" : strerror(errno);
    if (file)
        fclose(file);
    *ret = len ? zone_read(s->arena, bytes, len) : NULL;
    return *ret || err_set(err, ERR_USAGE, "windows.zone is '%s', but '%s' cannot be used: %s",
                           name, path, why);
}

/* "2026-12-03 09:00 Europe/Berlin" */
static const char *in_zone(struct session *s, const struct zone *zone, const char *name,
                           long long unix_s)
{
    const char *utc = clock_rfc3339(s->arena, (unix_s + zone_offset(zone, unix_s)) * 1000, false);

    return arena_printf(s->arena, "%.10s %.5s %s", utc, utc + 11, name);
}

/* Why the recipe forbids deploys now; NULL: a window is open, or there are none. */
static bool closed_windows(struct session *s, const char **ret, struct err *err)
{
    const struct recipe *r = s->recipe;
    long long now = clock_now_ms() / 1000;
    long long next = -1;
    const char *opens = NULL;

    *ret = NULL;
    for (size_t i = 0; i < r->n_windows; i++) {
        const struct window *w = &r->windows[i];
        struct window_times times = {0};
        struct zone *zone = NULL;
        bool good = window_days(w->days, &times.days) && window_time(w->from, &times.from) &&
                    window_time(w->to, &times.to);
        if (!good || !read_zone(s, w->zone, &zone, err))
            return err->code == ERR_NONE && err_set(err, ERR_USAGE, "a window cannot be read");
        if (window_is_open(&times, zone, now))
            return true;
        long long at = window_opens(&times, zone, now);
        if (at >= 0 && (next < 0 || at < next)) {
            next = at;
            opens = in_zone(s, zone, w->zone, at);
        }
    }
    if (r->n_windows)
        *ret = arena_printf(s->arena, "deploys are only allowed in the recipe's windows%s%s",
                            opens ? "; the next one opens at " : "", opens ? opens : "");
    return true;
}

bool frozen_here(struct session *s, const char **ret, struct err *err)
{
    const char *ci = getenv("CI_DEPLOY_FREEZE");

    if (ci && *ci) {
        *ret = "CI_DEPLOY_FREEZE is set: the CI system has a deploy freeze now";
        return true;
    }
    return closed_windows(s, ret, err);
}

/* A freeze ends by itself, without a change on the host. */
static bool is_frozen(const struct survey *sv, size_t host)
{
    const struct site *site = &sv->sites[host];
    long long until = site->freeze.until_unix;

    return sv->reached[host] && site->freeze.there && (!until || until > clock_now_ms() / 1000);
}

/* The first host that is frozen; -1: there is none. */
static long first_frozen(const struct session *s, const struct survey *sv)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (is_frozen(sv, h))
            return (long)h;
    return -1;
}

const char *frozen_hosts(struct session *s, const struct survey *sv)
{
    struct strs names = {0};
    long first = first_frozen(s, sv);

    if (first < 0)
        return NULL;
    const struct site *site = &sv->sites[first];
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (is_frozen(sv, h))
            strs_add(s->arena, &names, s->recipe->hosts[h].name);
    const char *on = names.n == s->recipe->n_hosts
                         ? ""
                         : arena_printf(s->arena, " on %s", strs_joined(s->arena, &names, ", "));
    if (!site->freeze.good)
        return arena_printf(s->arena, "deploys are frozen%s: '.crelease/freeze' is damaged", on);
    return arena_printf(
        s->arena, "deploys are frozen%s by %s since %s%s%s: %s", on,
        text_by(s->arena, site->freeze.by),
        clock_date_zoned(s->arena, site->freeze.since_unix * 1000),
        site->freeze.until_unix ? " until " : "",
        site->freeze.until_unix ? clock_date_zoned(s->arena, site->freeze.until_unix * 1000) : "",
        text_shown(s->arena, site->freeze.why ? site->freeze.why : "no reason given"));
}

bool frozen_check(struct session *s, const char *why, struct err *err)
{
    if (!why)
        return true;
    if (s->options.dry_run)
        session_note(s, "frozen", why);
    else if (s->options.force)
        run_warn(&s->run, NULL, "%s; deploying nevertheless (--force)", why);
    else
        return err_set(err, ERR_FROZEN, "%s", why);
    return true;
}

struct strs frozen_reasons(struct session *s, const struct survey *sv)
{
    struct err unknown = {.arena = s->arena};
    const char *here = NULL;
    const char *hosts = frozen_hosts(s, sv);
    struct strs list = {0};

    if (!frozen_here(s, &here, &unknown))
        here = unknown.msg;
    if (here)
        strs_add(s->arena, &list, here);
    if (hosts)
        strs_add(s->arena, &list, hosts);
    return list;
}

void frozen_warn(struct session *s, const struct survey *sv)
{
    struct strs why = frozen_reasons(s, sv);

    for (size_t i = 0; i < why.n; i++)
        run_warn(&s->run, NULL, "%s; '%s' is possible nevertheless", why.v[i], s->command->name);
}

void frozen_put_json(struct session *s, struct json *o, const struct survey *sv)
{
    long first = first_frozen(s, sv);

    if (first < 0) {
        json_put_null(o, "freeze");
        return;
    }
    const struct site *site = &sv->sites[first];
    struct json *j = json_put_object(o, "freeze");
    json_put_text(j, "reason", site->freeze.why);
    json_put_text(j, "by", site->freeze.by);
    json_put_text(j, "since", clock_rfc3339(s->arena, site->freeze.since_unix * 1000, false));
    json_put_text(j, "until",
                  site->freeze.until_unix
                      ? clock_rfc3339(s->arena, site->freeze.until_unix * 1000, false)
                      : NULL);
}
