/* job.c -- reads jobs, hooks, tasks, windows and notifications (see reader.h).  Called by value.c. */
#include "recipe/reader.h"

#include "base/text.h"
#include "edge/webhook.h"
#include "recipe/check.h"

/* A job on the deploying machine has no hosts to choose from, and no sudo in front of it. */
static void local_check(struct reader *rd, const struct node *node)
{
    static const char *const keys[] = {"roles", "once", "become"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct node *value = node_get(node, keys[i]);
        if (value && !node_is_null(value))
            mistake_add(rd->m, value, "'%s' has no meaning for a job with 'where: local'", keys[i]);
    }
}

/* Only what a hook does has to be undone: a release is removed with what was built in it. */
static void undo_check(struct reader *rd, const struct recipe_key *key, const struct node *node,
                       const struct job *job)
{
    if (job->undo && strcmp(key->path, "hooks") != 0)
        mistake_add(rd->m, node_get(node, "undo"),
                    "'undo' has no meaning in '%s', expected it in a hook", key->path);
    if (job->keep_if_half_migrated && !job->undo)
        mistake_add(rd->m, node_get(node, "keep_if_half_migrated"),
                    "'keep_if_half_migrated' is given, expected 'undo' too");
}

static void job_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                     struct job *ret)
{
    const char *text;

    defaults_set(rd, "job.", ret);
    if (node->kind == NODE_MAP) {
        map_read(rd, node, "job.", node, ret);
        if (ret->where == WHERE_LOCAL)
            local_check(rd, node);
        undo_check(rd, key, node, ret);
    } else if (node->kind == NODE_LIST || node_is_missing(node) || node_is_null(node)) {
        value_wrong(rd, key, node, "a command, or a map with 'run'");
    } else if (value_text(rd, key, node, &text)) {
        const char *expected = check_not_empty(rd->a, &text);
        if (expected)
            value_wrong(rd, key, node, "a command");
        ret->run = text;
    }
    if (ret->name || ret->run)
        ret->name = text_command(rd->a, ret->name ? ret->name : ret->run);
}

void job_list_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct jobs *ret)
{
    bool list = node->kind == NODE_LIST;
    struct jobs jobs = {.n = list ? node->n : 1};

    if (!value_fits(rd, key, node))
        return;
    jobs.v = arena_array(rd->a, jobs.n, sizeof *jobs.v);
    for (size_t i = 0; i < jobs.n; i++)
        job_read(rd, key, list ? node->item[i] : node, &jobs.v[i]);
    *ret = jobs;
}

/* Why there can be no hook at this place, or NULL. */
static const char *refusal(const char *stage, bool after)
{
    if (!after && strcmp(stage, "lock") == 0)
        return "another run may be active before the lock; expected 'after lock' or later";
    if (after && strcmp(stage, "unlock") == 0)
        return "another run may be active after the unlock; expected 'before unlock' or earlier";
    return NULL;
}

static void hook_unknown(struct reader *rd, const struct node *key, const char *stage)
{
    const char *near = value_nearest(rd, stage, recipe_hook_stages);
    const char *list = "";

    for (size_t i = 0; recipe_hook_stages[i]; i++)
        list = arena_printf(rd->a, "%s%s%s", list, i ? ", " : "", recipe_hook_stages[i]);
    mistake_add(rd->m, key, "hook '%s' does not name a stage, expected one of: %s%s",
                value_shown(rd->a, key->text), list,
                near ? arena_printf(rd->a, "; did you mean '%s'?", near) : "");
}

/* Splits "after switch".  False if a mistake was recorded. */
static bool hook_name(struct reader *rd, const struct node *key, struct hook *ret)
{
    const char *text = key->text;

    ret->after = strncmp(text, "after ", 6) == 0;
    if (!ret->after && strncmp(text, "before ", 7) != 0) {
        mistake_add(
            rd->m, key,
            "hook '%s', expected 'before STAGE', 'after STAGE', 'on failure', 'on success' or 'on abort'",
            value_shown(rd->a, text));
        return false;
    }
    text += ret->after ? 6 : 7;
    for (size_t i = 0; recipe_hook_stages[i]; i++)
        if (strcmp(recipe_hook_stages[i], text) == 0)
            ret->stage = recipe_hook_stages[i];
    if (!ret->stage) {
        hook_unknown(rd, key, text);
        return false;
    }
    const char *why = refusal(ret->stage, ret->after);
    if (why)
        mistake_add(rd->m, key, "hook '%s': %s", key->text, why);
    return !why;
}

static bool is_map(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    if (node->kind == NODE_MAP)
        return value_fits(rd, key, node);
    value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
    return false;
}

/* Reads "on failure" and its like.  False when the key is none of them. */
static bool outcome_read(struct reader *rd, const struct recipe_key *key, const struct node *name,
                         const struct node *node)
{
    size_t i = 0;

    if (strncmp(name->text, "on ", 3) != 0)
        return false;
    while (recipe_outcomes[i] && strcmp(recipe_outcomes[i], name->text + 3) != 0)
        i++;
    if (!recipe_outcomes[i])
        return false;
    struct jobs *jobs = &rd->recipe->outcome[i];
    *jobs = (struct jobs){0};
    if (node_is_null(node))
        return true;
    job_list_read(rd, key, node, jobs);
    for (size_t k = 0; k < jobs->n; k++)
        if (jobs->v[k].undo) {
            mistake_add(rd->m, name, "hook '%s' is for the end of the run, which nothing undoes",
                        name->text);
            break;
        }
    for (size_t k = 0; k < jobs->n; k++)
        if (jobs->v[k].run && jobs->v[k].where != WHERE_LOCAL) {
            mistake_add(
                rd->m, name,
                "the jobs of hook '%s' run on the deploying machine, expected 'where: local' in each",
                name->text);
            break;
        }
    return true;
}

void hooks_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    struct recipe *r = rd->recipe;

    if (!is_map(rd, key, node))
        return;
    r->n_hooks = 0;
    r->hooks = arena_array(rd->a, node->n, sizeof *r->hooks);
    for (size_t i = 0; i < node->n; i++) {
        struct hook hook = {0};
        const struct node *jobs = node->pair[i].value;
        if (outcome_read(rd, key, node->pair[i].key, jobs))
            continue;
        bool known = hook_name(rd, node->pair[i].key, &hook);
        if (node_is_null(jobs))
            continue;
        job_list_read(rd, key, jobs, &hook.jobs);
        if (known && hook.jobs.n)
            r->hooks[r->n_hooks++] = hook;
    }
}

void tasks_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    struct recipe *r = rd->recipe;

    if (!is_map(rd, key, node))
        return;
    r->n_tasks = 0;
    r->tasks = arena_array(rd->a, node->n, sizeof *r->tasks);
    for (size_t i = 0; i < node->n; i++) {
        const struct node *name = node->pair[i].key;
        struct task task = {.name = name->text};
        const char *expected = check_name(rd->a, &task.name);
        if (expected)
            mistake_add(rd->m, name, "task '%s', expected a name of %s",
                        value_shown(rd->a, name->text), expected);
        if (node_is_null(node->pair[i].value))
            continue;
        job_read(rd, key, node->pair[i].value, &task.job);
        if (task.job.where == WHERE_LOCAL)
            mistake_add(rd->m, node_get(node->pair[i].value, "where"),
                        "task '%s': tasks run on the hosts, expected 'where: hosts'",
                        value_shown(rd->a, name->text));
        r->tasks[r->n_tasks++] = task;
    }
}

void windows_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    struct recipe *r = rd->recipe;

    if (node->kind != NODE_LIST) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, node))
        return;
    r->windows = arena_array(rd->a, node->n, sizeof *r->windows);
    r->n_windows = node->n;
    for (size_t i = 0; i < node->n; i++) {
        const struct node *one = node->item[i];
        defaults_set(rd, "windows.", &r->windows[i]);
        if (one->kind == NODE_MAP)
            map_read(rd, one, "windows.", one, &r->windows[i]);
        else
            value_wrong(rd, key, one, recipe_key_expected(rd->a, key));
    }
}

/* The URL is a secret: a mistake in it does not show it. */
static void notification_read(struct reader *rd, const struct recipe_key *key,
                              const struct node *node, struct notification *ret)
{
    *ret = (struct notification){.url = ""};
    defaults_set(rd, "notify.", ret);
    if (node->kind != NODE_MAP) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    map_read(rd, node, "notify.", node, ret);
    if (*ret->url && !webhook_takes(ret->url))
        mistake_add(rd->m, node_get(node, "url"),
                    "'url' of 'notify' is not a URL that begins with https:// or http://");
    if (!ret->on.n) {
        strs_add(rd->a, &ret->on, notify_on_words[NOTIFY_LIVE]);
        strs_add(rd->a, &ret->on, notify_on_words[NOTIFY_FAILED]);
    }
}

void notify_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    struct recipe *r = rd->recipe;

    if (node->kind != NODE_LIST) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (node->n > NOTIFY_MAX) {
        mistake_add(rd->m, node, "'notify' has %zu members, expected at most %d", node->n,
                    NOTIFY_MAX);
        return;
    }
    r->notify = arena_array(rd->a, node->n, sizeof *r->notify);
    r->n_notify = node->n;
    for (size_t i = 0; i < node->n; i++)
        notification_read(rd, key, node->item[i], &r->notify[i]);
}
