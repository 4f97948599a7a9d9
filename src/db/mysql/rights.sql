-- What may this account see and end?  Row: rights ACCOUNT SUPER SIGNAL STATS, each "yes" or empty.  Privileges that
-- it has through a role are not listed.
:begin
SELECT concat_ws(char(31 using utf8mb4), 'rights', current_user(),
  if(sum(PRIVILEGE_TYPE = 'SUPER'), 'yes', ''),
  if(sum(PRIVILEGE_TYPE IN ('CONNECTION ADMIN', 'CONNECTION_ADMIN')), 'yes', ''),
  if(sum(PRIVILEGE_TYPE = 'PROCESS'), 'yes', ''))
FROM information_schema.USER_PRIVILEGES
WHERE GRANTEE = concat(quote(substring_index(current_user(), '@', 1)), '@', quote(substring_index(current_user(), '@', -1)));
