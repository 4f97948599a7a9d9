-- What did migrations leave when they ended halfway?
-- Rows: index NAME, an invalid one; detach PARENT PARTITION (14 and later); deadlocks NUMBER (9.2 and later).
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'index', regexp_replace(quote_ident(n.nspname) || '.' || quote_ident(c.relname), '[[:cntrl:]]', ' ', 'g')
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (NOT i.indisvalid OR NOT i.indisready)
\if :known_12
-- One that is being built at this moment is not valid either.
 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
\endif
 ORDER BY 2;
\if :known_14
SELECT 'detach', regexp_replace(h.inhparent::regclass::text, '[[:cntrl:]]', ' ', 'g'),
  regexp_replace(h.inhrelid::regclass::text, '[[:cntrl:]]', ' ', 'g')
 FROM pg_catalog.pg_inherits h WHERE h.inhdetachpending ORDER BY 2, 3;
\endif
\if :known_9_2
SELECT 'deadlocks', d.deadlocks FROM pg_catalog.pg_stat_database d
 WHERE d.datname = current_database();
\endif
COMMIT;
