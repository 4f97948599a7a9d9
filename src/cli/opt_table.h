/* opt_table.h -- the table of options, which reading (opt.c), the help and the completion share. */
#ifndef CRELEASE_OPT_TABLE_H
#define CRELEASE_OPT_TABLE_H

#include "base/text.h"
#include "cli/opt.h"

enum opt_kind {
    OPT_FLAG,
    OPT_COUNT_UP,
    OPT_TEXT,
    OPT_DURATION,
    OPT_LIMIT,
    OPT_WORD,
    OPT_NUMBER,
    OPT_REPORT
};

struct option_row {
    char letter;
    const char *word;
    enum opt_kind kind;
    size_t at;
    unsigned takes;
    const char *arg;
    const char *about;
    const char *const *words;
};

extern const struct option_row option_rows[];
extern const size_t option_rows_n;

/* What other programs call these options; ends with NULL. */
extern const struct synonym option_synonyms[];

/* The first row of that word; NULL: there is none. */
const struct option_row *option_by_word(const char *word, size_t len);

/* The commands of all rows of that word. */
unsigned option_takers(const char *word);

/* The row of that letter; NULL: there is none. */
const struct option_row *option_by_letter(char letter);

#endif
