/* offer.c -- parses the first bytes from a server to explain a failed handshake (see offer.h).
 * connection.c calls it. */
#include "ssh/offer.h"
#include "base/text.h"

enum { LINE_SHOWN_MAX = 120, LIST_SHOWN_MAX = 400, KEXINIT = 20, COOKIE = 16 };

static unsigned long read_number(const unsigned char *b)
{
    return (unsigned long)b[0] << 24 | (unsigned long)b[1] << 16 | (unsigned long)b[2] << 8 | b[3];
}

static const char *shown(struct arena *a, const char *s, size_t len, size_t max)
{
    if (len <= max)
        return text_shown(a, arena_strndup(a, s, len));
    return arena_printf(a, "%s...", text_shown(a, arena_strndup(a, s, max)));
}

/* Reads the name lists of the packet at p (RFC 4253, 7.1). */
static void read_lists(struct arena *a, struct offer *o, const unsigned char *p, size_t len)
{
    if (len < 6 + COOKIE || p[5] != KEXINIT)
        return;
    unsigned long packet = read_number(p);
    if (packet > len - 4)
        return;
    len = 4 + packet;
    size_t at = 6 + COOKIE;
    for (int i = 0; i < OFFER_LISTS; i++) {
        if (at > len || len - at < 4)
            return;
        unsigned long n = read_number(p + at);
        at += 4;
        if (n > len - at)
            return;
        o->list[i] = arena_strndup(a, (const char *)p + at, n);
        at += n;
    }
    o->lists = true;
}

struct offer offer_read(struct arena *a, const void *bytes, size_t len)
{
    struct offer o = {0};
    const char *s = bytes;
    const char *end = s + len;

    while (s < end) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((eol ? eol : end) - s);
        size_t text = n && s[n - 1] == '\r' ? n - 1 : n;

        if (n >= 4 && memcmp(s, "SSH-", 4) == 0) {
            o.banner = shown(a, s, text, LINE_SHOWN_MAX);
            if (eol)
                read_lists(a, &o, (const unsigned char *)eol + 1, (size_t)(end - eol - 1));
            break;
        }
        if (!o.before)
            o.before = shown(a, s, text, LINE_SHOWN_MAX);
        if (!eol)
            break;
        s = eol + 1;
    }
    return o;
}

static bool list_has(const char *list, const char *name, size_t len)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");

        if (n == len && memcmp(list, name, len) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

bool offer_has(const struct offer *o, enum offer_list list, const char *name)
{
    return o->lists && list_has(o->list[list], name, strlen(name));
}

static bool have_common(const char *ours, const char *theirs)
{
    while (*ours) {
        size_t n = strcspn(ours, ",");

        if (n && list_has(theirs, ours, n))
            return true;
        ours += n + (ours[n] == ',');
    }
    return false;
}

const char *offer_gap(const struct offer *o, struct arena *a, const char *const ours[OFFER_LISTS])
{
    static const char *const what[OFFER_LISTS] = {
        [OFFER_KEX] = "key exchange", [OFFER_HOST_KEY] = "host key algorithm",
        [OFFER_CIPHER_TO] = "cipher", [OFFER_CIPHER_FROM] = "cipher",
        [OFFER_MAC_TO] = "MAC",       [OFFER_MAC_FROM] = "MAC"};

    if (!o->lists)
        return NULL;
    for (int i = 0; i < OFFER_LISTS; i++) {
        if (!ours[i] || have_common(ours[i], o->list[i]))
            continue;
        return arena_printf(a, "no %s in common: the server offers %s; crelease supports %s",
                            what[i], shown(a, o->list[i], strlen(o->list[i]), LIST_SHOWN_MAX),
                            shown(a, ours[i], strlen(ours[i]), LIST_SHOWN_MAX));
    }
    return NULL;
}
