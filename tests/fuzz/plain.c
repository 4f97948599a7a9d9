/* plain.c -- runs the targets without libFuzzer: all files of tests/fuzz/seeds/NAME, for each target.
 *
 *     build/release/fuzz tests/fuzz/seeds            (the arguments: the folder, names of targets)
 *     build/release/fuzz FILE recipe                 (one file) */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 20 };

static size_t files;

static void run_one(const struct target *t, const char *path)
{
    struct arena arena = {0};
    FILE *f = fopen(path, "rb");
    char *bytes = xcalloc(INPUT_MAX, 1);

    if (!f) {
        perror(path);
        exit(1);
    }
    const size_t len = fread(bytes, 1, INPUT_MAX, f);
    fclose(f);
    char *exact = xcalloc(len ? len : 1, 1);
    char *text = xcalloc(len + 1, 1);
    memcpy(exact, bytes, len);
    memcpy(text, bytes, len);
    free(bytes);
    t->run(&(struct input){exact, len, text, &arena});
    free(exact);
    free(text);
    arena_free(&arena);
    files++;
}

static void run_all_in(const struct target *t, const char *folder)
{
    struct dirent **names;
    struct arena paths = {0};
    int n = scandir(folder, &names, NULL, alphasort);

    if (n < 0) {
        perror(folder);
        exit(1);
    }
    for (int i = 0; i < n; i++) {
        if (*names[i]->d_name != '.') {
            const char *path = arena_printf(&paths, "%s/%s", folder, names[i]->d_name);
            /* The last line says which one it was, when the process ends. */
            printf("%s\n", path);
            fflush(stdout);
            run_one(t, path);
        }
        free(names[i]);
    }
    free(names);
    arena_free(&paths);
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    struct stat st;
    bool folder = argc > 1 && stat(argv[1], &st) == 0 && S_ISDIR(st.st_mode);

    if (argc < 2 || (!folder && argc != 3)) {
        fputs("usage: fuzz FOLDER [TARGET...] | FILE TARGET\n", stderr);
        return 2;
    }
    if (!realpath(argv[1], path))
        return 2;
    for (const struct target *t = targets; t->name; t++) {
        bool wanted = argc == 2;
        for (int i = 2; i < argc; i++)
            wanted = wanted || strcmp(argv[i], t->name) == 0;
        if (!wanted)
            continue;
        struct arena a = {0};
        if (folder)
            run_all_in(t, arena_printf(&a, "%s/%s", path, t->name));
        else
            run_one(t, path);
        arena_free(&a);
    }
    printf("%zu inputs\n", files);
    return files ? 0 : 1;
}
