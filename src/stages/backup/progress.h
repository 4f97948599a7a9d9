/* progress.h -- how far a running backup has come, and its expected end. */
#ifndef CRELEASE_BACKUP_PROGRESS_H
#define CRELEASE_BACKUP_PROGRESS_H

#include "forecast/estimate.h"
#include "stages/backup/running.h"

/* The script of progress.sh: functions that inspect a backup on its host. */
extern const char script_backup_host[];

/* What is known of one backup, kept from one look to the next. */
struct trace {
    struct backup of;     /* pid and identity of the backup; pid 0: none yet */
    long client_pid;      /* 0: its process was not found */
    struct strs pipeline; /* see core/backup.h */
    const char *path;     /* of its output; NULL: unknown */
    long long bytes;      /* size of the output; -1: unknown */
    long long bytes_s;    /* how long the backup had run at that size */
    long long age_s;      /* of the client process, at the last answer; -1: unknown */
    long long age_ms;
    long long copied;
    const char *query;
    long long moved_ms; /* when the output or the position last changed */
    long long asked_ms; /* when the host was last asked */
    long long db_bytes; /* -1: unknown */
    long long eta_s;    /* the last estimate that was shown */
    struct sample *past;
    size_t n_past;
    const struct sampled *sampled; /* NULL: unknown */
    bool sampled_asked;
};

/* A copy with everything it refers to. */
struct trace trace_copy(struct arena *a, const struct trace *t);

/* Takes the answer of progress.sh about b. */
void trace_read(struct arena *a, struct trace *t, const struct backup *b, const char *answer);

/* Fills in the estimates of b, and asks the host if the last answer is old.  Missing information is
 * not an error. */
void trace_follow(struct run *r, size_t host, struct trace *t, struct backup *b);

/* Whether a process on the host is dumping the recipe's database. */
bool trace_has_client(struct run *r, size_t host, enum backup_kind kind);

/* Adds the backup, which has ended after that many seconds, to the record on its host. */
void trace_record(struct run *r, const struct step *s, const struct trace *t,
                  const struct backup *b, long long seconds);

/* Fills in the estimates of all backups that block migrations, for a single look. */
void backup_expect(struct run *r, size_t host, struct backups *b);

#endif
