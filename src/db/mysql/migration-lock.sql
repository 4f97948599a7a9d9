-- Try to take the migration lock, which a migration and a 'backups --hold' exclude each other with.
-- Values: idle_s, how long this session may be idle; migrates, 1 for a migration, which takes the mark besides.
-- Row: lock t|f.
:begin
SET SESSION wait_timeout = :idle_s;
SELECT concat('lock ', CASE WHEN get_lock(:lock_name, 0) = 1
  THEN if(:migrates AND get_lock(:mark_name, 0) = 1, 't', 't') ELSE 'f' END);
