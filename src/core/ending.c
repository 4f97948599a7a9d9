/* ending.c -- the last event of a command: what happened, and after a failure what users see now.
 * Called once, when a run or a command that wanted one is over. */
#include "core/ending.h"

#include "base/text.h"
#include "core/mark.h"
#include "core/trip.h"

enum { LOOK_MS = 8000 };

static const char *where_current_is(struct run *r, const struct reply *reply)
{
    const char *is =
        reply->kind == REPLY_EXIT ? answer_value(r->arena, reply->out, "current") : NULL;

    if (!is)
        return "unknown (the host did not answer)";
    const char *live = answer_value(r->arena, reply->out, "live");
    return *is ? arena_printf(r->arena, "current is %s", text_shown(r->arena, live ? live : is))
               : "nothing is live";
}

/* Asks all hosts at once. If there is an error, also leaves it on the hosts for status. */
static bool ask_all(struct run *r, const char *error, struct reply *replies)
{
    size_t n = r->recipe->n_hosts;
    struct call *calls = arena_array(r->arena, n, sizeof *calls);
    const struct trip t = {.script = script_mark,
                           .step = "look",
                           .verb = error ? "run" : "look",
                           .assignments = mark_assignments(r, &(struct new_mark){.error = error}),
                           .payload = -1};

    for (size_t h = 0; h < n; h++) {
        calls[h] = (struct call){.host = h,
                                 .script = run_script_text(r, &t, h),
                                 .frame = run_frame_text(r, &t, h),
                                 .payload = -1,
                                 .timeout_ms = LOOK_MS};
        if (!t.assignments || !calls[h].script)
            return false;
    }
    fleet_run(r->fleet, r->arena, calls, n, replies);
    return true;
}

/* Whether current points on every host to what it did before the run: before this command, or if that
 * continued the run, to another release than the run's. */
static bool is_same_as_before(struct run *r, const struct reply *replies)
{
    for (size_t h = 0; h < r->recipe->n_hosts; h++) {
        const char *now = replies[h].kind == REPLY_EXIT
                              ? answer_value(r->arena, replies[h].out, "current")
                              : NULL;
        const char *then = r->sites[h].current ? r->sites[h].current : "";
        const char *live = now ? answer_value(r->arena, replies[h].out, "live") : NULL;
        if (!now || strcmp(now, then) != 0 ||
            (r->resumed && live && strcmp(live, r->plan->what.release) == 0))
            return false;
    }
    return true;
}

/* Adds one line for each distinct answer, with the hosts that gave it. */
static void look_now(struct run *r, const char *error)
{
    size_t n = r->recipe->n_hosts;
    const char **is = arena_array(r->arena, n, sizeof *is);
    struct reply *replies = arena_array(r->arena, n, sizeof *replies);

    if (!ask_all(r, error, replies))
        return;
    for (size_t h = 0; h < n; h++)
        is[h] = where_current_is(r, &replies[h]);
    const char *change = is_same_as_before(r, replies) ? " no change" : "";
    for (size_t h = 0; h < n; h++) {
        const char *names = "";
        size_t same = 0;
        bool told = false;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(is[k], is[h]) != 0)
                continue;
            told = told || k < h;
            names = arena_printf(r->arena, "%s%s%s", names, same++ ? ", " : "",
                                 r->recipe->hosts[k].name);
        }
        if (same == n && n > 1)
            names = n == 2 ? "both hosts" : arena_printf(r->arena, "all %zu hosts", n);
        if (!told)
            strs_add(r->arena, &r->failure.now,
                     arena_printf(r->arena, "users see%s: %s on %s", change, is[h], names));
    }
}

/* For example "stage 'build' on web2: what happened"; stage and host are named only once. */
static const char *whole_message(struct run *r, const struct err *err)
{
    const struct failure *f = &r->failure;
    const char *msg = err->msg;
    size_t len = f->host ? strlen(f->host) : 0;

    if (!f->stage || r->left_out.reached_end)
        return msg;
    if (len && strncmp(msg, f->host, len) == 0 && strncmp(msg + len, ": ", 2) == 0)
        msg += len + 2;
    return arena_printf(r->arena, "stage '%s'%s%s: %s", f->stage, len ? " on " : "",
                        len ? f->host : "", msg);
}

void ending_tell(struct run *r, const struct err *err, const struct ending *end)
{
    struct run_info info = run_info(r);

    /* After a usage error no host is contacted. Hosts that were never looked at are left alone. */
    if (r->sites && err->code != ERR_NONE && err->code != ERR_UNREACHABLE && err->code != ERR_USAGE)
        look_now(r, end->note ? arena_printf(r->arena, "%s %s",
                                             err_word(r->quit ? ERR_INTERRUPTED : err->code),
                                             text_shown(r->arena, run_redact(r, err->msg)))
                              : NULL);
    run_tell(r,
             (struct event){.kind = EVENT_END,
                            .run = r->begun ? &info : NULL,
                            .run_id = r->begun ? info.id : NULL,
                            .code = err->code,
                            .message = err->code == ERR_NONE ? end->message : whole_message(r, err),
                            .failure = err->code == ERR_NONE ? NULL : &r->failure,
                            .changes = err->code == ERR_NONE ? end->changes : NULL,
                            .times = err->code == ERR_NONE && r->begun ? &r->times : NULL,
                            .took_ms = loop_now() - end->began_ms,
                            .behind_backup_ms = run_behind_backup_ms(r)});
}
