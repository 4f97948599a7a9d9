/* record.h -- what a report is written from: the events of one command, kept.
 *
 *     struct record *r = record_open();
 *     record_tell(r, e);                  (each event; copies what is needed)
 *     ... html.c, junit.c, markdown.c and report_json.c read the struct ...
 *     record_close(r);
 *
 * A wait of a day takes no more memory than one of a minute: estimates are thinned out, output is kept
 * as its beginning and its end, and lists have a maximum beyond which entries are only counted.  Texts
 * are as the events had them; each writer escapes them. */
#ifndef CRELEASE_REPORT_RECORD_H
#define CRELEASE_REPORT_RECORD_H

#include "base/buf.h"
#include "core/event.h"

enum {
    RECORD_SAMPLES = 48, /* estimates kept of one wait */
    RECORD_WAITS = 50,
    RECORD_BLOCKERS = 50,
    RECORD_WARNINGS = 200,
};

/* A stage on some of its hosts: all of them, or a batch of a rolling deploy. */
struct span {
    struct strs hosts;
    enum event_state state; /* BEGUN: not ended */
    long long begun_ms;     /* Unix time, as all times here */
    long long ended_ms;
};

/* What became of a stage on one host, if that is known of the host alone. */
struct host_note {
    const char *host;
    enum event_state state;
    const char *detail;
};

struct stage_record {
    struct stage_record *next;
    const char *name;
    enum event_state state; /* of the span that ended last, or BEGUN */
    const char *word; /* for it: also "stopped" and "gave up"; "" if there is nothing to say */
    bool stopped;     /* FAILED, since a signal has stopped it */
    const char *detail;
    struct strs hosts;
    struct span *spans;
    size_t n_spans;
    struct host_note *notes;
    size_t n_notes;
};

/* The beginning and the end of what a job printed. */
struct log {
    struct buf head;
    struct buf tail;
    unsigned long long left_out; /* bytes between them */
};

/* One of the user's commands on one host, with all of its attempts. */
struct job_record {
    struct job_record *next;
    size_t group; /* of those with the same stage and command, in the order of their first jobs */
    size_t place; /* of its host among the run's */
    const char *stage;
    const char *host;
    const char *command;
    enum event_state state;
    const char *detail;
    long attempts;
    long long begun_ms;
    long long ended_ms; /* 0: it has not ended */
    struct log log;
};

struct sample {
    long long unix_ms;
    struct backup estimate; /* only its percent, eta_*, overdue_s, stuck_s and eta_from are kept */
    const char *detail;
};

/* A wait for one backup. */
struct wait_record {
    const char *host;
    const char *stage;
    const char *what; /* "pg_dump of shop by postgres, pid 12345" */
    struct backup backup;
    enum event_state state;
    const char *detail; /* how it ended */
    long long begun_ms;
    long long ended_ms; /* the time of the last event about it */
    long long waited_ms;
    struct sample samples[RECORD_SAMPLES];
    size_t n_samples;
    long long every_ms; /* between two samples */
};

struct blocker_record {
    const char *host;
    const char *text;
    const char *kind;
    long pid;
    const char *start;
    bool over;
    long long first_ms;
    long long last_ms;
};

/* A pending migration, and when the output of a job mentioned it. */
struct migration_record {
    const char *database; /* "-orders"; "": the only one */
    const char *name;
    const char *word;   /* what is searched for: its number, or else its name */
    long long first_ms; /* 0: never */
    long long last_ms;
};

struct warning_record {
    long long unix_ms;
    const char *host;
    const char *text;
};

struct record {
    struct arena a;
    const char *command; /* as typed, and the environment; "" if not known */
    const char *environment;
    bool begun; /* there was a run; `run` is filled in */
    struct run_info run;
    bool fresh;
    struct changes *changes; /* NULL: not known */
    long long begun_ms;      /* the first event, */
    long long last_ms;       /* and the last one */
    struct stage_record *stages;
    struct job_record *jobs;
    size_t log_bytes; /* of all logs */
    struct wait_record *waits;
    size_t n_waits;
    size_t more_waits; /* not kept */
    struct blocker_record *blockers;
    size_t n_blockers;
    size_t more_blockers;
    struct migration_record *migrations;
    size_t n_migrations;
    struct warning_record *warnings;
    size_t n_warnings;
    size_t more_warnings;
    bool ended;
    enum err_code code;
    const char *message;
    struct failure failure;
    long long took_ms;
    long long behind_backup_ms;
};

struct record *record_open(const char *command, const char *environment);
void record_tell(struct record *r, const struct event *e);
void record_close(struct record *r); /* accepts NULL */

/* The state of the stage on one host: EVENT_NONE if it is not known there, because the stage failed
 * and nothing tells on which hosts. */
enum event_state record_host_state(const struct record *r, const struct stage_record *s,
                                   const char *host, const char **ret_detail);

/* How long the stage took, all spans together; and of one host those with it. */
long long record_took(const struct stage_record *s, const char *host);

/* "live on 3 hosts in 4 min 02 s", or why it failed; and its word: "done", "failed", or "running". */
const char *record_headline(struct arena *a, const struct record *r);
const char *record_word(const struct record *r);

/* The jobs by group, and in each group by host. */
struct job_records {
    const struct job_record **v;
    size_t n;
};
struct job_records record_jobs(struct arena *a, const struct record *r);

/* The job whose failure is the failure of the run, or NULL. */
const struct job_record *record_failed_job(const struct record *r);

/* Lines of output as a terminal would finally show them, one after the other.  *at starts at 0; false
 * at the end. */
bool log_line(struct arena *a, const struct buf *part, size_t *at, const char **ret);

/* waits.c: the parts of record_tell about backups, blockers and migrations. */
void record_wait(struct record *r, const struct event *e);
void record_blocker(struct record *r, const struct event *e);
void record_migrations(struct record *r, const char *stage, const struct strs *names);
void record_mentions(struct record *r, const struct event *e);

/* A copy in the record; NULL for NULL. */
const char *record_text(struct record *r, const char *s);

#endif
