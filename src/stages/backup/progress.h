/* progress.h -- how far a backup has come, and when it should end. */
#ifndef CRELEASE_PROGRESS_H
#define CRELEASE_PROGRESS_H

#include "forecast/estimate.h"
#include "stages/backup/running.h"

/* progress.sh: functions that look at a backup from its host. */
extern const char script_backup_host[];

/* One backup, followed from look to look. */
struct trace {
    struct backup of;     /* pid and identity of the backup; pid 0: none yet */
    long client_pid;      /* 0: its process was not seen */
    struct strs pipeline; /* event.h */
    const char *path;     /* of its output; NULL: not seen */
    long long bytes;      /* of it; -1: not seen */
    long long bytes_s;    /* for how long the backup had run then */
    long long age_s;      /* of the process on the host that makes it, when it was told; -1 */
    long long age_ms;
    long long copied;
    const char *query;
    long long moved_ms; /* when something about it changed last */
    long long asked_ms; /* when its host was asked last */
    long long db_bytes; /* -1: not known */
    long long eta_s;    /* as it was told last */
    struct sample *past;
    size_t n_past;
    const struct sampled *sampled; /* NULL: not known */
    bool sampled_asked;
};

/* With all that it refers to. */
struct trace trace_copy(struct arena *a, const struct trace *t);

/* Takes what backup_host.sh answered about b. */
void trace_read(struct arena *a, struct trace *t, const struct backup *b, const char *answer);

/* Fills in what is expected of b; asks the host now and then.  Nothing known is no error. */
void trace_follow(struct run *r, size_t host, struct trace *t, struct backup *b);

/* Whether a process of the host makes a dump of the recipe's database. */
bool trace_has_client(struct run *r, size_t host, enum backup_kind kind);

/* Adds the backup, which has ended after so many seconds, to the record on its host. */
void trace_record(struct run *r, const struct step *s, const struct trace *t,
                  const struct backup *b, long long seconds);

/* Fills in what is expected of those that block migrations, for one look. */
void backup_expect(struct run *r, size_t host, struct backups *b);

#endif
