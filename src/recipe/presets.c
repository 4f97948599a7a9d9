/* presets.c -- builds the files of recipes/ into the program (see presets.h).  Called by
 * recipe.c. */
#include "recipe/presets.h"

/* The assembler reads the files, relative to the folder that the compiler runs in. */
#define BUILT_IN(name)                                                                             \
    __asm__(".section .rodata\n"                                                                   \
            ".global recipe_" #name "\n"                                                           \
            ".global recipe_" #name "_end\n"                                                       \
            "recipe_" #name ":\n"                                                                  \
            ".incbin \"recipes/" #name "/recipe.yml\"\n"                                           \
            "recipe_" #name "_end:\n"                                                              \
            ".byte 0\n"                                                                            \
            ".text\n");                                                                            \
    extern const char recipe_##name[] __attribute__((visibility("hidden")));                       \
    extern const char recipe_##name##_end[] __attribute__((visibility("hidden")));

#define BUILT_INS(X) X(rails) X(django) X(laravel) X(node) X(static) X(alembic) X(flyway) X(sqitch)

#define X(name) BUILT_IN(name)
BUILT_INS(X)
#undef X

const char *const built_in_names[] = {
#define X(name) #name,
    BUILT_INS(X)
#undef X
        NULL};

static const struct {
    const char *name;
    const char *file;
    const char *begin;
    const char *end;
} built_ins[] = {
#define X(name) {#name, "recipes/" #name "/recipe.yml", recipe_##name, recipe_##name##_end},
    BUILT_INS(X)
#undef X
};

bool built_in_find(const char *name, struct built_in *ret)
{
    for (size_t i = 0; i < sizeof built_ins / sizeof *built_ins; i++) {
        if (strcmp(built_ins[i].name, name) != 0)
            continue;
        *ret = (struct built_in){.name = built_ins[i].name,
                                 .file = built_ins[i].file,
                                 .bytes = built_ins[i].begin,
                                 .len = (size_t)(built_ins[i].end - built_ins[i].begin)};
        return true;
    }
    return false;
}
