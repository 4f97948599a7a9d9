-- Which of these sessions are still there?  Rows: there PID.
-- Values: or_session, a condition on p for each, as " OR (...)" (fragments.sql: same_session).
:begin
:start
SELECT concat_ws(char(31 using utf8mb4), 'there', p.ID) FROM information_schema.PROCESSLIST p
WHERE p.ID = 0 :or_session;
