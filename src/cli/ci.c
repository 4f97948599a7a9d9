/* ci.c -- what the variables of a CI system say about the job that runs crelease: who started it, where
 * its log is, and when it will be ended; and what GitHub is told about the run.  Called by session.c and
 * main.c. */
#include "base/number.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "edge/clock.h"

#include <stdio.h>

enum {
    GITHUB_JOB_S = 360 * 60, /* the limit of a hosted runner */
    SPARE_S = 3 * 60,        /* to stop in order and print how to go on */
};

static const char *set(const char *value)
{
    return value && *value ? value : NULL;
}

enum ui_ci ci_kind(void)
{
    return set(getenv("GITHUB_ACTIONS")) ? UI_CI_GITHUB
           : set(getenv("GITLAB_CI"))    ? UI_CI_GITLAB
                                         : UI_CI_NONE;
}

const char *ci_user(struct arena *a)
{
    const char *const users[] = {getenv("GITHUB_ACTOR"), getenv("GITLAB_USER_NAME"),
                                 getenv("GITLAB_USER_LOGIN"), getenv("CIRCLE_USERNAME"),
                                 getenv("DRONE_BUILD_TRIGGER")};

    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (set(users[i])) /* one word, as revisions.log needs it */
            return text_shown(a, text_word(a, users[i]));
    return NULL;
}

static bool is_url(const char *s)
{
    size_t len = strlen(s);

    if (len > 500 || (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f)
            return false;
    return true;
}

const char *ci_url(struct arena *a)
{
    const char *server = set(getenv("GITHUB_SERVER_URL"));
    const char *repository = set(getenv("GITHUB_REPOSITORY"));
    const char *run = set(getenv("GITHUB_RUN_ID"));
    const char *const urls[] = {getenv("CI_JOB_URL"), getenv("CIRCLE_BUILD_URL"),
                                getenv("DRONE_BUILD_LINK"), getenv("BUILD_URL")};
    const char *url = server && repository && run
                          ? arena_printf(a, "%s/%s/actions/runs/%s", server, repository, run)
                          : NULL;

    for (size_t i = 0; !url && i < sizeof urls / sizeof *urls; i++)
        url = set(urls[i]);
    return url && is_url(url) ? url : NULL;
}

long long ci_deadline_ms(void)
{
    const char *timeout = getenv("CI_JOB_TIMEOUT");
    const char *started = getenv("CI_JOB_STARTED_AT");
    long long seconds;

    if (timeout && started && number_read(timeout, NUMBER_SPAN_MAX, &seconds)) {
        long long now = clock_now_ms() / 1000;
        long long began = clock_read(started, now);
        if (began > 0 && began <= now)
            return loop_now() + (began + seconds - SPARE_S - now) * 1000;
    }
    return set(getenv("GITHUB_ACTIONS")) ? loop_now() + (GITHUB_JOB_S - SPARE_S) * 1000LL : 0;
}

/* A value of a workflow command of GitHub; `property` escapes the separators of properties, too. */
static void put_escaped(FILE *out, const char *s, size_t len, bool property)
{
    for (size_t i = 0; i < len; i++) {
        bool special = s[i] == '%' || s[i] == '\r' || s[i] == '\n' ||
                       (property && (s[i] == ':' || s[i] == ','));
        fprintf(out, special ? "%%%02X" : "%c", (unsigned char)s[i]);
    }
}

void ci_mask(const struct strs *secrets)
{
    if (!set(getenv("GITHUB_ACTIONS")))
        return;
    for (size_t i = 0; i < secrets->n; i++)
        for (const char *line = secrets->v[i]; *line;) {
            size_t len = strcspn(line, "\r\n");
            if (len) {
                fputs("::add-mask::", stderr);
                put_escaped(stderr, line, len, false);
                fputc('\n', stderr);
            }
            line += len + strspn(line + len, "\r\n");
        }
    fflush(stderr);
}

void ci_mistake(const char *mistake)
{
    size_t file = strcspn(mistake, ":");
    const char *at = mistake + file + (mistake[file] != '\0');
    size_t line = strcspn(at, ":");
    const char *next = at + line + (at[line] != '\0');
    size_t column = strcspn(next, ":");
    long long n;
    long long m;

    if (!set(getenv("GITHUB_ACTIONS")) || strncmp(next + column, ": ", 2) != 0 ||
        !number_part(at, line, NUMBER_SPAN_MAX, &n) ||
        !number_part(next, column, NUMBER_SPAN_MAX, &m))
        return;
    fputs("::error file=", stderr);
    put_escaped(stderr, mistake, file, true);
    fprintf(stderr, ",line=%lld,col=%lld::", n, m);
    put_escaped(stderr, next + column + 2, strlen(next + column + 2), false);
    fputc('\n', stderr);
}

/* The file that GitHub names in a variable, to append to; NULL: there is none. */
static FILE *open_named(const char *path)
{
    return set(path) ? fopen(path, "ae") : NULL;
}

bool ci_has_summary(void)
{
    return set(getenv("GITHUB_STEP_SUMMARY")) != NULL;
}

/* What is live, if that is the same everywhere. */
static const struct site *live_site(const struct session *s)
{
    const struct site *first = s->run.sites;

    for (size_t h = 0; first && h < s->recipe->n_hosts; h++) {
        const struct site *site = &s->run.sites[h];
        if (!site->live || !site->live_revision || !is_revision(site->live_revision) ||
            strcmp(site->live, first->live) != 0 ||
            strcmp(site->live_revision, first->live_revision) != 0)
            return NULL;
    }
    return first;
}

/* All five outputs in any case, so that a workflow can rely on them. */
static void put_outputs(const struct session *s, const struct err *err, FILE *out)
{
    const struct what none = {.run = "", .release = "", .revision = ""};
    const struct what *w = s->run.begun ? &s->run.plan->what : &none;
    const struct site *live = s->run.begun || err->code != ERR_NONE ? NULL : live_site(s);

    fprintf(out, "status=%d\nword=%s\nrun=%s\nrelease=%s\nrevision=%s\n", err_status(err->code),
            err_word(err->code), w->run, live ? live->live : w->release,
            live ? live->live_revision : w->revision);
}

void ci_report(struct session *s, const struct err *err)
{
    FILE *out = open_named(getenv("GITHUB_OUTPUT"));

    if (out) {
        put_outputs(s, err, out);
        fclose(out);
    }
    out = s->reports ? open_named(getenv("GITHUB_STEP_SUMMARY")) : NULL;
    if (!out)
        return;
    reports_markdown(s->reports, out);
    fputs("\n", out);
    fclose(out);
}
