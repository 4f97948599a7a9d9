/* library.c -- libssh2's version and what it supports, for --version --json.  A session that is not
 * connected tells the algorithms. */
#include "ssh/carrier.h"
#include "ssh/link.h"

#if LIBSSH2_VERSION_NUM >= 0x010b00
static const char *engine(void)
{
    static const char *const names[] = {
        [libssh2_openssl] = "openssl", [libssh2_gcrypt] = "gcrypt", [libssh2_mbedtls] = "mbedtls"};
    size_t i = (size_t)libssh2_crypto_engine();

    return i < sizeof names / sizeof *names ? names[i] : NULL;
}
#else
static const char *engine(void)
{
    return NULL; /* cannot be asked */
}
#endif

static void add_algorithms(struct arena *a, LIBSSH2_SESSION *ssh, int method, struct strs *list)
{
    const char **names = NULL;
    int n = libssh2_session_supported_algs(ssh, method, &names);

    for (int i = 0; i < n; i++)
        strs_add(a, list, arena_strdup(a, names[i]));
    if (n > 0)
        libssh2_free(ssh, names);
}

struct library carrier_library(struct arena *a)
{
    struct library l = {
        .name = "libssh2", .version = libssh2_version(0), .built_with = LIBSSH2_VERSION};
    LIBSSH2_SESSION *ssh = libssh2_init(0) == 0 ? libssh2_session_init() : NULL;

    if (engine())
        strs_add(a, &l.features, engine());
    if (!ssh)
        return l;
    add_algorithms(a, ssh, LIBSSH2_METHOD_KEX, &l.features);
    add_algorithms(a, ssh, LIBSSH2_METHOD_HOSTKEY, &l.features);
    add_algorithms(a, ssh, LIBSSH2_METHOD_CRYPT_CS, &l.features);
    add_algorithms(a, ssh, LIBSSH2_METHOD_MAC_CS, &l.features);
    libssh2_session_free(ssh);
    libssh2_exit();
    return l;
}
