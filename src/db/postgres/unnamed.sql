-- Which sessions wait for a lock and may be the migration's under another name?  9.6 and later; asked at every
-- look of the watchdog, which compares both ends of the connection with the kernel's table (unnamed.sh).
-- Psql's variable checked lists those that were told already, as pairs of pid and start.
-- Rows: maybe PID START CLIENT_ADDRESS CLIENT_PORT SERVER_ADDRESS SERVER_PORT, in the kernel's hexadecimal
-- form; the server's address is - through a socket file.
--
-- Only sessions from where the watchdog itself connects: only there can the host tell whose they are.
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'maybe', a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint,
  upper(substr(encode(inet_send(a.client_addr), 'hex'), 9)), upper(lpad(to_hex(a.client_port), 4, '0')),
  coalesce(upper(substr(encode(inet_send(inet_server_addr()), 'hex'), 9)), '-'),
  upper(lpad(to_hex(coalesce(inet_server_port(), current_setting('port')::int)), 4, '0'))
 FROM pg_catalog.pg_stat_activity a WHERE a.datname = current_database()
  AND a.pid <> pg_backend_pid() AND a.wait_event_type = 'Lock' AND a.client_port > 0
  AND a.application_name NOT LIKE 'crelease-%'
  AND (inet_client_addr() IS NULL OR a.client_addr = inet_client_addr())
  AND (a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint) NOT IN (VALUES :checked) LIMIT 20;
COMMIT;
