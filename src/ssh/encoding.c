/* encoding.c -- encodes and decodes SSH strings (see encoding.h).  Called by agent.c and keys.c. */
#include "ssh/encoding.h"

void encode_u32(struct buf *b, size_t n)
{
    const unsigned char bytes[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 8), (unsigned char)n};

    buf_add(b, bytes, sizeof bytes);
}

void encode_string(struct buf *b, const void *bytes, size_t len)
{
    encode_u32(b, len);
    buf_add(b, bytes, len);
}

bool decode_u32(struct decoder *d, size_t *ret)
{
    if (d->left < 4)
        return false;
    *ret = (size_t)d->p[0] << 24 | (size_t)d->p[1] << 16 | (size_t)d->p[2] << 8 | d->p[3];
    d->p += 4;
    d->left -= 4;
    return true;
}

bool decode_string(struct decoder *d, const unsigned char **ret, size_t *ret_len)
{
    if (!decode_u32(d, ret_len) || *ret_len > d->left)
        return false;
    *ret = d->p;
    d->p += *ret_len;
    d->left -= *ret_len;
    return true;
}

static bool skip_byte(struct decoder *d)
{
    if (d->left < 1)
        return false;
    d->p++;
    d->left--;
    return true;
}

bool userauth_algorithm(struct decoder data, char *ret, size_t size)
{
    static const char certificate[] = "-cert-v01@openssh.com";
    const unsigned char *s;
    size_t n;

    if (!decode_string(&data, &s, &n) || !skip_byte(&data))
        return false;
    for (int i = 0; i < 3; i++)
        if (!decode_string(&data, &s, &n))
            return false;
    if (!skip_byte(&data) || !decode_string(&data, &s, &n) || n >= size)
        return false;
    memcpy(ret, s, n);
    ret[n] = '\0';
    char *suffix = strstr(ret, certificate);
    if (suffix)
        memcpy(suffix, strncmp(ret, "sk-", 3) == 0 ? "@openssh.com" : "",
               strncmp(ret, "sk-", 3) == 0 ? sizeof "@openssh.com" : 1);
    return true;
}
