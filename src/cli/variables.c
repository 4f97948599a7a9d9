/* variables.c -- warns of a variable CRELEASE_... that looks like a misspelt option, which would otherwise be
 * ignored silently.  Others are the user's own, for a recipe or its jobs.  Called by main.c. */
#include "base/text.h"
#include "cli/cmd.h"

enum { SHORT = 5 /* shorter names are near to too many others */ };

extern char **environ;

/* These are no options: keys, and what jobs are given, as they may call crelease. */
static const char *const others[] = {"ssh-key", "known-hosts", "application", "environment",
                                     "host",    "message",     "release",     "revision",
                                     "run",     "status",      "word",        NULL};

/* "WAIT_LOCK" as "wait-lock", and back. */
static const char *as_word(struct arena *a, const char *name, size_t len)
{
    char *word = arena_strndup(a, name, len);

    for (char *c = word; *c; c++)
        *c = (char)(*c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    return word;
}

static const char *as_name(struct arena *a, const char *word)
{
    char *name = arena_strdup(a, word);

    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    return name;
}

struct strs variables_misspelt(struct arena *a)
{
    static const char begin[] = "CRELEASE_";
    struct strs known = {0};
    struct strs found = {0};
    struct option_about option;

    for (size_t i = 0; option_at(i, &option); i++)
        strs_add(a, &known, option.word);
    for (size_t i = 0; others[i]; i++)
        strs_add(a, &known, others[i]);
    size_t n = known.n;
    strs_add(a, &known, NULL);
    for (char **v = environ; *v; v++) {
        if (strncmp(*v, begin, strlen(begin)) != 0)
            continue;
        const char *word = as_word(a, *v + strlen(begin), strcspn(*v, "=") - strlen(begin));
        const char *near = strlen(word) < SHORT ? NULL : text_nearest(word, known.v);
        for (size_t i = 0; near && i < n; i++)
            near = strcmp(known.v[i], word) == 0 ? NULL : near;
        if (near)
            strs_add(a, &found,
                     arena_printf(a, "the variable %s%s is not known; did you mean %s%s?", begin,
                                  text_shown(a, as_name(a, word)), begin, as_name(a, near)));
    }
    return found;
}
