/* number.c -- the only parser of numbers (see number.h).  Called wherever a number is read from a
 * recipe, a host, a database or the command line. */
#include "base/number.h"

bool number_part(const char *s, size_t len, long long max, long long *ret)
{
    long long n = 0;

    if (!len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int digit = s[i] - '0';
        if (digit < 0 || digit > 9 || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (n > max)
        return false;
    *ret = n;
    return true;
}

bool number_read(const char *s, long long max, long long *ret)
{
    return number_part(s, strlen(s), max, ret);
}

long long number_or(const char *s, long long max, long long otherwise)
{
    long long n;

    return number_read(s, max, &n) ? n : otherwise;
}
