/* gss_none.c -- what libgit2 needs of Kerberos, for the static program only: Debian has no static library of it.
 * A Git server that asks for Kerberos is told that there is none; other logins work. */
#include <stddef.h>

typedef int not_empty; /* ISO C wants a declaration in each file */

#ifdef CRELEASE_STATIC

/* As gssapi.h has them. */
typedef unsigned int OM_uint32;

enum { GSS_S_FAILURE = 13 << 16 };

struct gss_oid_set {
    size_t count;
    void *elements;
};

OM_uint32 gss_indicate_mechs(OM_uint32 *minor, struct gss_oid_set **set);
OM_uint32 gss_release_oid_set(OM_uint32 *minor, struct gss_oid_set **set);
OM_uint32 gss_import_name(void);
OM_uint32 gss_init_sec_context(void);
OM_uint32 gss_delete_sec_context(void);
OM_uint32 gss_release_name(void);
OM_uint32 gss_release_buffer(void);
OM_uint32 gss_display_status(void);

extern void *GSS_C_NT_HOSTBASED_SERVICE;
void *GSS_C_NT_HOSTBASED_SERVICE = NULL;

/* libgit2 asks for the mechanisms first, and goes no further when there are none. */
OM_uint32 gss_indicate_mechs(OM_uint32 *minor, struct gss_oid_set **set)
{
    static struct gss_oid_set none;

    *minor = 0;
    *set = &none;
    return 0;
}

OM_uint32 gss_release_oid_set(OM_uint32 *minor, struct gss_oid_set **set)
{
    *minor = 0;
    *set = NULL;
    return 0;
}

OM_uint32 gss_import_name(void)
{
    return GSS_S_FAILURE;
}

OM_uint32 gss_init_sec_context(void)
{
    return GSS_S_FAILURE;
}

OM_uint32 gss_delete_sec_context(void)
{
    return 0;
}

OM_uint32 gss_release_name(void)
{
    return 0;
}

OM_uint32 gss_release_buffer(void)
{
    return 0;
}

OM_uint32 gss_display_status(void)
{
    return GSS_S_FAILURE;
}

#endif
