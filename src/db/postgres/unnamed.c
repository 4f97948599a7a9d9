#include "db/postgres/unnamed.h"

#define START        "(extract(epoch FROM a.backend_start) * 1000000)::bigint"
#define FOUND        "(a.pid, " START ") IN (VALUES :adopted)"
#define HEX(address) "upper(substr(encode(inet_send(" address "), 'hex'), 9))"
#define PORT(port)   "upper(lpad(to_hex(" port "), 4, '0'))"
/* Both ends, as the kernel's table has them; the server's address is - through a socket file. */
#define CLIENT      HEX("a.client_addr") ", " PORT("a.client_port")
#define SERVER      "coalesce(" HEX("inet_server_addr()") ", '-'), " PORT(SERVER_PORT)
#define SERVER_PORT "coalesce(inet_server_port(), current_setting('port')::int)"

const char *adopt_tag(struct arena *a, const char *own)
{
    return arena_printf(a, "(a.application_name = '%s' OR " FOUND ") AND a.pid <> pg_backend_pid()",
                        own);
}

/* From where the watch itself comes: only there can the host tell whose it is. */
const char adopt_look_sql[] =
    "SELECT 'maybe', a.pid, " START ", " CLIENT ",\n"
    "  " SERVER "\n"
    " FROM pg_catalog.pg_stat_activity a WHERE a.datname = current_database()\n"
    "  AND a.pid <> pg_backend_pid() AND a.wait_event_type = 'Lock' AND a.client_port > 0\n"
    "  AND a.application_name NOT LIKE 'crelease-%'\n"
    "  AND (inet_client_addr() IS NULL OR a.client_addr = inet_client_addr())\n"
    "  AND (a.pid, " START ") NOT IN (VALUES :asked) LIMIT 20;";

const char adopt_last_sql[] = "SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a"
                              " WHERE " FOUND " AND a.wait_event_type = 'Lock';";
