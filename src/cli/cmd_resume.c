/* cmd_resume.c -- 'crelease resume': continues the unfinished run, in the environment that has one. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "core/survey.h"

/* Without ENV: the one environment that has an unfinished run. */
static bool find_environment(struct session *s, const char **ret, struct err *err)
{
    struct strs all = s->recipe->environments;
    struct err unseen = {.arena = s->arena};

    *ret = NULL;
    for (size_t i = 0; i < all.n; i++) {
        struct survey sv;
        struct err one = {.arena = s->arena};
        long holder = -1;
        fleet_close(s->fleet);
        s->fleet = NULL;
        if (s->loop) {
            ui_close(s->ui);
            s->ui = NULL;
            loop_close(s->loop);
            s->loop = NULL;
        }
        if (!session_recipe(s, all.v[i], err))
            return false;
        if (!session_open(s, err))
            return false;
        if (!session_survey(s, false, &sv, &one) || !holder_find(s, &sv, &holder, &one)) {
            if (!s->options.quiet)
                fprintf(stderr, "crelease: %s: %s\n", all.v[i], text_shown(s->arena, one.msg));
            if (unseen.code == ERR_NONE)
                err_set(&unseen, one.code, "%s: %s", all.v[i], one.msg);
            continue;
        }
        if (holder < 0)
            continue;
        if (*ret)
            return err_set(err, ERR_USAGE, "both '%s' and '%s' have an unfinished run; name one",
                           *ret, all.v[i]);
        *ret = all.v[i];
    }
    if (!*ret && unseen.code != ERR_NONE)
        *err = unseen;
    return err->code == ERR_NONE;
}

bool cmd_resume(struct session *s, struct err *err)
{
    const char *nothing;

    if (s->options.words.n < 2) {
        const char *env;
        if (!find_environment(s, &env, err))
            return false;
        if (!env)
            return session_end(s, "nothing to do: no environment has an unfinished run", err);
        if (strcmp(env, s->recipe->environment) != 0) {
            session_close(s);
            s->export_open = false;
            s->repo = NULL;
            if (!session_recipe(s, env, err))
                return false;
            if (!session_open(s, err))
                return false;
        }
    }
    if (!unfinished_open(s, false, &nothing, err))
        return false;
    if (nothing)
        return session_end(s, nothing, err);
    if (s->options.dry_run) {
        struct survey sv = {.sites = s->run.sites};
        return plan_print(s, s->run.plan, &sv, err);
    }
    if (engine_is_turning_back(&s->run))
        return session_back(s, err);
    return session_forward(s, false, err);
}
