-- How large is this database in bytes?  Row: size NUMBER.
BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = '5s';
SELECT 'size', pg_catalog.pg_database_size(pg_catalog.current_database());
COMMIT;
