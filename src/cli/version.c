/* version.c -- what --version prints: the version, and with -v or --json those of the libraries and what the static
 * program lacks.  Called by main.c. */
#include "cli/cmd.h"

#include "base/version.h"
#include "edge/digest.h"
#include "edge/gzip.h"
#include "edge/webhook.h"
#include "edge/yaml.h"
#include "edge/zstd.h"
#include "git/repo.h"
#include "ssh/carrier.h"

typedef struct library library_of(struct arena *a);

static library_of *const libraries[] = {carrier_library, repo_library, yaml_library,
                                        loop_library,    json_library, digest_library,
                                        gzip_library,    zstd_library, webhook_library};

enum { LIBRARIES = sizeof libraries / sizeof *libraries };

/* What only the dynamic program can do. */
static const char *const lacks[] = {
#ifdef CRELEASE_STATIC
    "notifications ('notify'): they need libcurl",
    "Kerberos logins to a Git server",
    "names of users and hosts from elsewhere than /etc and DNS, such as LDAP",
#endif
    NULL,
};

static void put_library(struct json *o, const struct library *l)
{
    struct json *about = json_put_object(o, l->name);

    json_put_text(about, "version", l->version);
    json_put_text(about, "built_with", l->built_with);
    struct json *list = json_put_array(about, "features");
    for (size_t i = 0; i < l->features.n; i++)
        json_put_text(list, NULL, l->features.v[i]);
}

int version_print(struct arena *a, const struct options *options)
{
    struct json *o = json_open_object();

    json_put_text(o, "version", CRELEASE_VERSION);
    struct json *list = json_put_object(o, "libraries");
    struct json *without = json_put_array(o, "lacks");
    if (!options->json)
        printf("crelease %s%s\n", CRELEASE_VERSION, lacks[0] ? " (static)" : "");
    for (size_t i = 0; i < LIBRARIES && (options->json || options->verbose); i++) {
        struct library l = libraries[i](a);
        if (options->json && l.version)
            put_library(list, &l);
        else if (l.version)
            printf("%s %s\n", l.name, l.version);
    }
    for (size_t i = 0; lacks[i]; i++) {
        json_put_text(without, NULL, lacks[i]);
        if (options->verbose && !options->json)
            printf("lacks: %s\n", lacks[i]);
    }
    if (options->json)
        json_write(o, stdout, true);
    json_close(o);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return err_status(ERR_NONE);
    fprintf(stderr, "crelease: cannot write to standard output\n");
    return err_status(ERR_FAILED);
}
