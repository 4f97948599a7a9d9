-- How much text will a dump write?  9.5 and later, for a psql of 9.6 and later.
-- Rows: table NAME BYTES, all tables in pg_dump's order; text NAME BYTES, an estimate for the largest ones.
--
-- A few pages of each of the largest tables are read, each in a subtransaction that is rolled back, so that its
-- lock is held for a quarter of a second at most.  What fails is left out, and so is what only the rules of
-- somebody's row security could read.  By pages and not by reltuples, which only ANALYZE maintains; by
-- format(), since a cast of the row to text may be the owner's.
\set ON_ERROR_STOP 0
BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL lock_timeout = '200ms';
SET LOCAL row_security = off;
SET LOCAL statement_timeout = '5s';
SELECT 'table', translate(quote_ident(n.nspname) || '.' || quote_ident(c.relname), chr(10) || chr(31), '  '),
  pg_table_size(c.oid)
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" LIMIT 5000;
SET LOCAL statement_timeout = '250ms';
SELECT 'SAVEPOINT one',
  format('SELECT ''text'', %L, (coalesce(sum(octet_length(format(''%%s'', crelease_row.*))), 0)'
   ' * %s / greatest(count(DISTINCT split_part(crelease_row.ctid::text, '','', 1)), 1))::bigint'
   ' FROM ONLY %s crelease_row TABLESAMPLE SYSTEM (%s)',
   translate(t.name, chr(10) || chr(31), '  '), t.pages, t.name, least(100, 3000.0 / greatest(t.pages, 1))),
  'ROLLBACK TO one'
 FROM (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
   pg_relation_size(c.oid) / current_setting('block_size')::int AS pages
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND has_table_privilege(c.oid, 'SELECT')
  ORDER BY pg_table_size(c.oid) DESC LIMIT 20) t
\gexec
COMMIT;
