/* greeting.c -- finds the beginning of a script's output behind whatever the login shell prints
 * (see greeting.h).  exchange.c calls it for each script. */
#include "fleet/greeting.h"

#include "base/text.h"

#include <string.h>
#include <sys/random.h>

enum {
    NOISE_KEPT = 4096,
    NOISE_CHUNK = 16 * 1024,
    LINES_SHOWN = 4,
    WORDS_MAX = 400, /* bytes */
};

static void make_word(char ret[GREETING_WORD + 1])
{
    unsigned char bytes[GREETING_WORD / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

struct greeting greeting_make(void)
{
    struct greeting g = {0};

    make_word(g.tag);
    make_word(g.token);
    for (int i = 0; i < 2; i++)
        g.heard[i].noise = buf_make(NOISE_KEPT + NOISE_CHUNK);
    return g;
}

void greeting_free(struct greeting *g)
{
    buf_free(&g->heard[0].noise);
    buf_free(&g->heard[1].noise);
}

/* Only uses syntax that every shell, including csh and fish, reads alike.
 *
 * The script's shell reads its standard input up to the line "TAG TOKEN" and answers "TOKEN TAG".
 * A login shell that prints its command or echoes its input cannot produce that.  If the connection
 * is gone, the answer cannot be written and the script is not run.
 *
 * The script is padded to whole blocks so that dd reads exactly the script and leaves what follows
 * in standard input to it.  A shell that reads a script from standard input, or busybox's head -c,
 * would read ahead.  The second dd is for a dd without iflag, which refuses before it reads.  A session, in
 * whose input only shell text follows, is such a shell; "crelease" is for those who read the list of processes.
 *
 * The prompt and the "ready" do not stand in the command as they are printed, since a login shell may
 * print its command.  sudo prints "%" for "%%".
 *
 * A terminal changes, echoes and limits the lines that it is sent, so it is set to raw mode before it is sent
 * anything.  The shell waits for the user's command and has to outlive its Ctrl-C.  Both streams are the
 * terminal, so the answer is given only once. */
char *greeting_command(const struct greeting *g, const struct greeting_of *of)
{
    const char *account = of->account;
    size_t script_len = of->script_len;
    bool asks = account && of->asks;
    struct buf b = buf_make(1024);

    buf_puts(&b, "exec ");
    if (asks)
        buf_printf(&b, "sudo -S -p '%s%%%%password' -H -u %s ", g->tag, account);
    else if (account)
        buf_printf(&b, "sudo -n -H -u %s ", account);
    buf_puts(&b, "/bin/sh -c '");
    if (of->terminal)
        buf_puts(&b, "trap : INT QUIT; terminal_modes=$(stty -g); stty raw -echo; ");
    if (asks || of->terminal)
        buf_printf(&b, "echo %s\"\"ready >&2; ", g->tag);
    buf_printf(&b,
               "for i in 1 2 3 4 5 6 7 8 9; do read -r a b || exit %d;"
               " if [ \"$a\" = %s ]; then %secho \"$b $a\" && ",
               GREETING_INPUT_LOST, g->tag, of->terminal ? "" : "echo \"$b $a\" >&2; ");
    if (of->reads)
        buf_puts(&b, "exec /bin/sh -s crelease");
    else
        buf_printf(&b,
                   "eval \"$(dd bs=%d count=%zu iflag=fullblock 2>/dev/null ||"
                   " dd bs=1 count=%zu 2>/dev/null)\"",
                   SCRIPT_BLOCK, script_len / SCRIPT_BLOCK, script_len);
    buf_printf(&b, "; exit; fi; done; exit %d'", GREETING_INPUT_LOST);
    return b.text;
}

/* The empty lines are for a start-up file that reads a line or two.  The command is repeated for
 * one that starts another shell ("exec zsh"), which takes its commands from standard input. */
void greeting_lead(const struct greeting *g, const char *command, struct buf *input)
{
    buf_printf(input, "\n\n\n\n%s\n%s %s\n", command, g->tag, g->token);
}

static const char *find(const char *in, size_t len, const char *what, size_t what_len)
{
    const char *end = in + len;

    for (; (size_t)(end - in) >= what_len; in++) {
        in = memchr(in, *what, (size_t)(end - in) - what_len + 1);
        if (!in || memcmp(in, what, what_len) == 0)
            return in;
    }
    return NULL;
}

bool greeting_hear(struct greeting *g, int stream, const char **bytes, size_t *len)
{
    struct heard *h = &g->heard[stream - 1];
    struct buf *noise = &h->noise;
    char line[2 * GREETING_WORD + 3];

    if (h->greeted)
        return *len > 0;
    size_t line_len = (size_t)snprintf(line, sizeof line, "%s %s\n", g->token, g->tag);
    while (*len) {
        size_t n = *len < NOISE_CHUNK ? *len : NOISE_CHUNK;
        if (noise->len > NOISE_KEPT)
            buf_drop(noise, noise->len - NOISE_KEPT);
        /* The line may begin in the previous piece. */
        size_t from = noise->len >= line_len ? noise->len - line_len + 1 : 0;
        buf_add(noise, *bytes, n);
        const char *at = find(noise->text + from, noise->len - from, line, line_len);
        size_t rest = at ? noise->len - (size_t)(at - noise->text) - line_len : 0;
        *bytes += n - rest;
        *len -= n - rest;
        h->size += n;
        if (!at)
            continue;
        h->greeted = true;
        h->size -= rest + line_len;
        noise->len = (size_t)(at - noise->text);
        noise->text[noise->len] = '\0';
        return *len > 0;
    }
    return false;
}

static int count(const struct buf *in, const char *what)
{
    size_t len = strlen(what);
    const char *at = in->text;
    int n = 0;

    while ((at = find(at, in->len - (size_t)(at - in->text), what, len))) {
        at += len;
        n++;
    }
    return n;
}

int greeting_prompts(const struct greeting *g)
{
    char prompt[GREETING_WORD + 16];

    snprintf(prompt, sizeof prompt, "%s%%password", g->tag);
    return count(&g->heard[0].noise, prompt) + count(&g->heard[1].noise, prompt);
}

bool greeting_is_ready(const struct greeting *g)
{
    char ready[GREETING_WORD + 16];

    snprintf(ready, sizeof ready, "%sready", g->tag);
    return count(&g->heard[0].noise, ready) + count(&g->heard[1].noise, ready) > 0;
}

bool greeting_is_over(const struct greeting *g)
{
    return g->heard[0].greeted;
}

/* Length of the terminal control sequence at s: a colour, or a title, which ends with BEL or ESC \.
 * 0 if there is none. */
static size_t sequence_len(const char *s, size_t len)
{
    size_t n = 2;

    if (len < 2 || s[0] != '\033')
        return 0;
    if (s[1] == ']') {
        while (n < len && s[n] != '\007' && s[n] != '\033')
            n++;
        return n + 1 < len && s[n] == '\033' && s[n + 1] == '\\' ? n + 2 : n < len ? n + 1 : len;
    }
    if (s[1] != '[')
        return 2;
    while (n < len && (unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x40)
        n++;
    return n < len ? n + 1 : len;
}

/* The text of a line without control sequences; NULL if nothing is left. */
static const char *line_words(struct arena *a, const char *line, size_t len)
{
    struct buf kept = buf_make(len + 1);
    const char *text = NULL;

    for (size_t i = 0; i < len;) {
        size_t skip = sequence_len(line + i, len - i);
        if (!skip && line[i] != '\r' && line[i] != '\a' && line[i] != '\0')
            buf_add(&kept, line + i, 1);
        i += skip ? skip : 1;
    }
    if (kept.text[strspn(kept.text, " \t")])
        text = text_shown(a, kept.text + strspn(kept.text, " \t"));
    buf_free(&kept);
    return text;
}

/* Appends the last lines of one stream. */
static void add_words(const struct heard *h, struct arena *a, struct strs *words)
{
    const char *lines[LINES_SHOWN];
    size_t n = 0;

    for (size_t end = h->noise.len; end && n < LINES_SHOWN;) {
        size_t begin = end;
        while (begin && h->noise.text[begin - 1] != '\n')
            begin--;
        const char *text = line_words(a, h->noise.text + begin, end - begin);
        if (text)
            lines[n++] = text;
        end = begin ? begin - 1 : 0;
    }
    while (n)
        strs_add(a, words, lines[--n]);
}

const char *greeting_words(const struct greeting *g, struct arena *a)
{
    struct strs words = {0};
    struct buf b = buf_make((size_t)2 * LINES_SHOWN * (4 * NOISE_KEPT + 16 * 1024));

    add_words(&g->heard[0], a, &words);
    add_words(&g->heard[1], a, &words);
    for (size_t i = 0; i < words.n; i++)
        buf_printf(&b, "%s%s", i ? "; " : "", words.v[i]);
    size_t cut = b.len;
    if (cut > WORDS_MAX) {
        cut = WORDS_MAX;
        while (cut && ((unsigned char)b.text[cut] & 0xc0) == 0x80)
            cut--; /* keep characters whole */
    }
    const char *text = arena_printf(a, "%.*s%s", (int)cut, b.text, cut < b.len ? "..." : "");
    buf_free(&b);
    return text;
}
