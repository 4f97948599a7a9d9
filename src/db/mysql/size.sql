-- How large is this database in bytes?  Row: size NUMBER.
SELECT concat_ws(char(31), 'size', cast(coalesce(sum(DATA_LENGTH + INDEX_LENGTH), 0) AS unsigned))
FROM information_schema.TABLES WHERE TABLE_SCHEMA = database();
