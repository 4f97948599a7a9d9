-- End exactly one session.  Row: signalled PID; none when it is another session by now.
-- Values: session, a condition on p that names it (fragments.sql: same_session).
--
-- KILL takes no condition, so one session looks and kills; in between that number can only disappear.
:begin
:start
SET @crelease_it = (SELECT p.ID FROM information_schema.PROCESSLIST p WHERE :session);
SET @crelease_do = if(@crelease_it IS NULL, 'DO 0', concat('KILL CONNECTION ', @crelease_it));
:execute
SELECT concat_ws(char(31 using utf8mb4), 'signalled', @crelease_it) FROM DUAL WHERE @crelease_it IS NOT NULL;
