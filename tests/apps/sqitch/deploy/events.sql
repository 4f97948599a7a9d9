BEGIN;
CREATE TABLE events (place text);
CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock_timeout;
COMMIT;
