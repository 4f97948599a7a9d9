/* webhook.c -- posts JSON to a web address in a child process (webhook.h).  ui/notify calls it.  libcurl is
 * loaded with dlopen in the child: crelease starts no slower for it, and works where it is missing. */
#include "edge/webhook.h"

#include "base/version.h"
#include "edge/fork.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The process ends itself a little later than libcurl, whose message is better. */
enum { CURL_MS = WEBHOOK_MS - 500 };

struct curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*setopt)(CURL *c, CURLoption option, ...);
    CURLcode (*perform)(CURL *c);
    CURLcode (*getinfo)(CURL *c, CURLINFO info, ...);
    const char *(*strerror)(CURLcode code);
    struct curl_slist *(*append)(struct curl_slist *list, const char *text);
};

/* ---- loading ---- */

/* ISO C has no conversion from an object pointer to a function pointer. */
static bool find(void *library, const char *name, void *ret, size_t size)
{
    void *symbol = dlsym(library, name);

    memcpy(ret, &symbol, size);
    return symbol != NULL;
}

/* The static program loads nothing: that needs the very glibc it was linked with. */
#ifdef CRELEASE_STATIC
#define NOT_LOADED "the static crelease sends no notifications"

static void *open_curl(void)
{
    return NULL;
}
#else
#define NOT_LOADED "libcurl (libcurl.so.4) is not installed"

static void *open_curl(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *lib = NULL;

    for (size_t i = 0; !lib && i < sizeof names / sizeof *names; i++)
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return lib;
}
#endif

static bool load(struct curl *c)
{
    void *lib = open_curl();

    return lib && find(lib, "curl_global_init", &c->global_init, sizeof c->global_init) &&
           find(lib, "curl_easy_init", &c->easy_init, sizeof c->easy_init) &&
           find(lib, "curl_easy_setopt", &c->setopt, sizeof c->setopt) &&
           find(lib, "curl_easy_perform", &c->perform, sizeof c->perform) &&
           find(lib, "curl_easy_getinfo", &c->getinfo, sizeof c->getinfo) &&
           find(lib, "curl_easy_strerror", &c->strerror, sizeof c->strerror) &&
           find(lib, "curl_slist_append", &c->append, sizeof c->append);
}

struct library webhook_library(struct arena *a)
{
    struct library l = {.name = "libcurl", .built_with = LIBCURL_VERSION};
    void *lib = open_curl();
    curl_version_info_data *(*version_info)(CURLversion) = NULL;

    if (!lib || !find(lib, "curl_version_info", &version_info, sizeof version_info))
        return l;
    const curl_version_info_data *info = version_info(CURLVERSION_NOW);
    l.version = arena_strdup(a, info->version);
    if (info->ssl_version)
        strs_add(a, &l.features, arena_strdup(a, info->ssl_version));
    for (size_t i = 0; info->protocols[i]; i++)
        strs_add(a, &l.features, arena_strdup(a, info->protocols[i]));
    dlclose(lib);
    return l;
}

/* ---- the child ---- */

/* The answer is of no use. */
static size_t drop(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * n;
}

/* A redirect is not followed, so the URL alone decides where the message goes. */
static bool prepare(const struct curl *c, CURL *easy, const char *url, const char *body)
{
    struct curl_slist *headers = c->append(NULL, "Content-Type: application/json");

    return headers && c->setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           c->setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           c->setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           c->setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           c->setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           c->setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           c->setopt(easy, CURLOPT_TIMEOUT_MS, (long)CURL_MS) == CURLE_OK &&
           c->setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           c->setopt(easy, CURLOPT_USERAGENT, "crelease/" CRELEASE_VERSION) == CURLE_OK &&
           c->setopt(easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
           c->setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
}

/* Nothing that libcurl says about the URL is passed on: only its fixed sentence for the error. */
static void post(const char *url, const char *body, char *why, size_t size)
{
    struct curl c;
    CURL *easy = NULL;
    long status = 0;

    if (!load(&c)) {
        snprintf(why, size, "%s", NOT_LOADED);
        return;
    }
    if (c.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        easy = c.easy_init();
    if (!easy || !prepare(&c, easy, url, body)) {
        snprintf(why, size, "libcurl could not be set up");
        return;
    }
    CURLcode code = c.perform(easy);
    c.getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(why, size, "no answer within %d s", WEBHOOK_MS / 1000);
    else if (code != CURLE_OK)
        snprintf(why, size, "%s", c.strerror(code));
    else if (status < 200 || status > 299)
        snprintf(why, size, "the server answered with HTTP status %ld", status);
}

static _Noreturn void child_main(int to, const char *url, const char *body)
{
    char why[WEBHOOK_WHY] = "";

    alarm(WEBHOOK_MS / 1000);
    post(url, body, why, sizeof why);
    size_t len = strlen(why);
    _exit(len && write(to, why, len) == (ssize_t)len ? 1 : len ? 2 : 0);
}

/* ---- the parent ---- */

bool webhook_takes(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;

    if (!scheme || strchr("/?#@:", url[scheme])) /* strchr finds the end, too */
        return false;
    for (const char *s = url; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 127)
            return false;
    return true;
}

void webhook_start(struct webhook *w, const char *url, const char *body)
{
    int ends[2];

    *w = (struct webhook){.from = -1};
    if (pipe(ends) != 0) {
        webhook_stop(w, strerror(errno));
        return;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    w->pid = fork_helper();
    if (w->pid == 0)
        child_main(ends[1], url, body);
    int error = errno;
    close(ends[1]);
    w->from = ends[0];
    if (w->pid < 0) {
        w->pid = 0;
        webhook_stop(w, strerror(error));
    }
}

static void take_end(struct webhook *w, int status)
{
    ssize_t n = 0;

    w->pid = 0;
    w->over = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(w->why, sizeof w->why, "no answer within %d s", WEBHOOK_MS / 1000);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        n = read(w->from, w->why, sizeof w->why - 1);
        w->why[n > 0 ? n : 0] = '\0';
        if (n <= 0)
            snprintf(w->why, sizeof w->why, "the sending process ended unexpectedly");
    }
    close(w->from);
    w->from = -1;
}

bool webhook_is_over(struct webhook *w)
{
    int status;

    if (w->over)
        return true;
    pid_t ended = waitpid(w->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR))
        return false;
    take_end(w, ended == w->pid ? status : SIGKILL);
    return true;
}

void webhook_stop(struct webhook *w, const char *why)
{
    if (w->over)
        return;
    if (w->pid > 0) {
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (w->from >= 0)
        close(w->from);
    w->pid = 0;
    w->from = -1;
    w->over = true;
    snprintf(w->why, sizeof w->why, "%s", why);
}
