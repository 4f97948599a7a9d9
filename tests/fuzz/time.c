/* time.c -- targets: crontabs, timers, time zones, windows, and estimates. */
#include "forecast/cron.h"

#include "base/text.h"
#include "forecast/estimate.h"
#include "forecast/window.h"
#include "fuzz_targets.h"
#include "stages/backup/rerun.h"
#include "stages/backup/schedule.h"

enum { DAY = 86400, LATEST = 8 * 366 };

/* A start is after the time that was asked for, and at a minute that the line names. */
void fuzz_cron(const struct input *in)
{
    const long long now = 1795312560;
    const struct zone *utc = zone_fixed(in->arena, 0);
    struct cron_line line;

    for (int has_user = 0; has_user < 2; has_user++) {
        if (cron_parse(in->arena, in->text, has_user, &line) != CRON_COMMAND || line.at_boot)
            continue;
        HOLDS(line.command && (!has_user || line.user));
        long long t = now;
        for (int i = 0; i < 3 && (t = cron_next(&line, utc, t)) > 0; i++) {
            long long year;
            int month;
            int day;
            zone_date(t / DAY, &year, &month, &day);
            HOLDS(t > now && t % 60 == 0 && t < now + (long long)LATEST * 3 * DAY);
            HOLDS(line.minutes & (uint64_t)1 << (t / 60 % 60));
            HOLDS(line.hours & (uint32_t)1 << (t / 3600 % 24));
            HOLDS(line.months & 1u << month);
        }
    }
}

/* The first eight bytes are a time, the rest is the file. */
void fuzz_zone(const struct input *in)
{
    long long t = 0;

    if (in->len < 8)
        return;
    for (size_t i = 0; i < 8; i++)
        t = (long long)((unsigned long long)t << 8 | (unsigned char)in->bytes[i]);
    t %= 1LL << 40;
    struct zone *z = zone_read(in->arena, (const unsigned char *)in->bytes + 8, in->len - 8);
    if (!z)
        return;
    long long when[2];
    long skipped;
    long offset = zone_offset(z, t);
    HOLDS(offset > -8 * DAY && offset < 8 * DAY);
    int n = zone_when(z, t + offset, when, &skipped);
    HOLDS(n >= 0 && n <= 2);
    for (int i = 0; i < n; i++)
        HOLDS(when[i] + zone_offset(z, when[i]) == t + offset);
}

/* The parts: days, from, to. */
void fuzz_window(const struct input *in)
{
    const struct zone *utc = zone_fixed(in->arena, 0);
    const long long now = 1795312560;
    struct window_times w;
    unsigned days;
    const char *at = in->text;
    const char *parts[3];

    for (size_t i = 0; i < 3; i++) {
        parts[i] = next_part(in, &at);
        parts[i] = parts[i] ? arena_strndup(in->arena, parts[i], strcspn(parts[i], "\n")) : "";
    }
    if (!window_days(parts[0], &days) || !window_time(parts[1], &w.from) ||
        !window_time(parts[2], &w.to))
        return;
    w.days = days;
    HOLDS(days && days < 128 && w.from >= 0 && w.from <= 1440 && w.to >= 0 && w.to <= 1440);
    long long opens = window_opens(&w, utc, now);
    if (opens >= 0)
        HOLDS(opens > now && opens <= now + 14 * DAY && window_is_open(&w, utc, opens));
}

void fuzz_schedule(const struct input *in)
{
    struct err err = {.arena = in->arena};
    struct schedule_of of = {.adapter = in->len % 2 ? ADAPTER_POSTGRESQL : ADAPTER_MYSQL,
                             .answer =
                                 arena_printf(in->arena, "%send schedule\nended 0\n", in->text),
                             .read_all = true,
                             .back_s = 60};
    struct schedule s;
    const char *why;

    if (!schedule_parse(in->arena, &of, &s, &err)) {
        holds_err(&err);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        HOLDS(is_shown(s.v[i].command) && s.v[i].unix_s >= s.now_unix - of.back_s);
        HOLDS(i == 0 || s.v[i].unix_s >= s.v[i - 1].unix_s);
        HOLDS(is_shown(schedule_clock(in->arena, &s, s.v[i].unix_s)));
    }
    for (size_t i = 0; i < s.notes.n; i++)
        HOLDS(is_shown(s.notes.v[i]));
    for (size_t i = 0; i < s.unread.n; i++)
        HOLDS(is_shown(s.unread.v[i]));
    schedule_soon(&s, 3600);
    rerun_line(&s, "shop", &why);
}

void fuzz_estimate(const struct input *in)
{
    long long n[40] = {0};
    struct sample past[6];
    const size_t words = in->len / 8 < 40 ? in->len / 8 : 40;

    for (size_t i = 0; i < words; i++) {
        memcpy(&n[i], in->bytes + 8 * i, 8);
        n[i] = n[i] < 0 ? -1 : n[i] % (1LL << 53);
    }
    for (size_t i = 0; i < 6; i++)
        past[i] = (struct sample){n[10 + 4 * i], n[11 + 4 * i], n[12 + 4 * i], n[13 + 4 * i]};
    const struct estimate_of of = {past, (size_t)n[0] % 7, n[1], n[2], n[3], n[4], n[5], n[6],
                                   n[7]};
    struct estimate e = estimate_make(in->arena, &of);
    HOLDS(e.percent >= -1 && e.percent <= 100 && e.eta_s >= -1);
    HOLDS(e.low_s >= 0 && e.high_s >= e.low_s && e.overdue_s >= 0 && e.stuck_s >= 0);
    if (e.from)
        HOLDS(is_shown(e.from));
}
