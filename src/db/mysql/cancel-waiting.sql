-- Cancel the statement of the migration that has waited too long for a metadata lock, or behind which too many
-- sessions queue.  The end of every look of the watchdog, in its session (blockers.sql).
-- Values: limit_ms and max_blocked, numbers.
-- Rows: cancelled PID time|crowd BEHIND; helpless PID ..., when this account is not permitted to.  A statement
-- that has ended by itself meanwhile is in none.
SET @crelease_crowd = @crelease_behind > :max_blocked, @crelease_limit = :limit_ms;
SET @crelease_it = NULL, @crelease_do = 'DO 0';
SELECT p.ID, concat('KILL QUERY ' /*M! , 'ID ', p.QUERY_ID */ /*!50700 , p.ID */)
  INTO @crelease_it, @crelease_do FROM information_schema.PROCESSLIST p
  WHERE find_in_set(p.ID, @crelease_own) > 0 AND :waits
  AND (@crelease_crowd OR :now_ms >= :waits_since_ms + @crelease_limit) LIMIT 1;
PREPARE crelease_do FROM @crelease_do;
EXECUTE crelease_do;
SET @crelease_failed = @@error_count;
SELECT concat_ws(char(31 using utf8mb4), if(@crelease_failed, 'helpless', 'cancelled'), @crelease_it,
  if(@crelease_crowd, 'crowd', 'time'), @crelease_behind) FROM DUAL
WHERE @crelease_it IS NOT NULL AND (NOT @crelease_failed
  OR EXISTS (SELECT 1 FROM information_schema.PROCESSLIST p WHERE p.ID = @crelease_it AND :waits));
