-- What is in the schema, and did a migration that failed change it?  DDL is not rolled back here.
-- Rows: table|column|routine NAME DIGEST, with a digest of all that a statement can change about it, without
-- what changes with every row.  Columns only while there are not too many to keep.
:begin
SET @crelease_columns = (SELECT count(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = database());
SELECT concat_ws(char(31 using utf8mb4), 'table', replace(replace(replace(replace(coalesce(t.TABLE_NAME, ''),
  char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' '), md5(concat_ws('|', t.TABLE_TYPE,
  coalesce(t.ENGINE, ''), coalesce(t.ROW_FORMAT, ''), coalesce(t.TABLE_COLLATION, ''), coalesce(t.CREATE_OPTIONS,
  ''), if(t.TABLE_TYPE = 'VIEW', '', t.TABLE_COMMENT), coalesce(c.d, ''), coalesce(i.d, ''), coalesce(k.d, ''),
  coalesce(g.d, ''), coalesce(v.d, ''), coalesce(s.d, ''))))
FROM information_schema.TABLES t
LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE,
  coalesce(COLUMN_DEFAULT, '~'), EXTRA) ORDER BY ORDINAL_POSITION)) AS d FROM information_schema.COLUMNS WHERE
  TABLE_SCHEMA = database() GROUP BY TABLE_NAME) c ON c.TABLE_NAME = t.TABLE_NAME
LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME,
  coalesce(SUB_PART, ''), NON_UNIQUE, INDEX_TYPE) ORDER BY INDEX_NAME, SEQ_IN_INDEX)) AS d FROM
  information_schema.STATISTICS WHERE TABLE_SCHEMA = database() GROUP BY TABLE_NAME) i ON i.TABLE_NAME =
  t.TABLE_NAME
LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', CONSTRAINT_NAME, COLUMN_NAME,
  coalesce(REFERENCED_TABLE_NAME, ''), coalesce(REFERENCED_COLUMN_NAME, '')) ORDER BY CONSTRAINT_NAME,
  ORDINAL_POSITION)) AS d FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = database() GROUP BY
  TABLE_NAME) k ON k.TABLE_NAME = t.TABLE_NAME
LEFT JOIN (SELECT EVENT_OBJECT_TABLE AS TABLE_NAME, md5(group_concat(concat_ws('|', TRIGGER_NAME, ACTION_TIMING,
  EVENT_MANIPULATION, md5(ACTION_STATEMENT)) ORDER BY TRIGGER_NAME)) AS d FROM information_schema.TRIGGERS WHERE
  EVENT_OBJECT_SCHEMA = database() GROUP BY EVENT_OBJECT_TABLE) g ON g.TABLE_NAME = t.TABLE_NAME
LEFT JOIN (SELECT TABLE_NAME, md5(VIEW_DEFINITION) AS d FROM information_schema.VIEWS WHERE TABLE_SCHEMA =
  database()) v ON v.TABLE_NAME = t.TABLE_NAME
LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', coalesce(PARTITION_NAME, ''),
  coalesce(SUBPARTITION_NAME, ''), coalesce(PARTITION_DESCRIPTION, '')) ORDER BY PARTITION_ORDINAL_POSITION,
  SUBPARTITION_ORDINAL_POSITION)) AS d FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = database() GROUP BY
  TABLE_NAME) s ON s.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA = database() AND t.TABLE_NAME :not_records ORDER BY t.TABLE_NAME;
SELECT concat_ws(char(31 using utf8mb4), 'column', concat(replace(replace(replace(replace(coalesce(t.TABLE_NAME,
  ''), char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' '), '.',
  replace(replace(replace(replace(coalesce(t.COLUMN_NAME, ''), char(10), ' '), char(13), ' '), char(9), ' '),
  char(31), ' ')), left(md5(concat_ws('|', COLUMN_TYPE, IS_NULLABLE, coalesce(COLUMN_DEFAULT, '~'), EXTRA,
  coalesce(COLLATION_NAME, ''), COLUMN_COMMENT)), 8)) FROM information_schema.COLUMNS t WHERE TABLE_SCHEMA =
  database() AND @crelease_columns <= 10000 AND TABLE_NAME :not_records ORDER BY TABLE_NAME, ORDINAL_POSITION;
SELECT concat_ws(char(31 using utf8mb4), 'routine', replace(replace(replace(replace(coalesce(ROUTINE_NAME, ''),
  char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' '), md5(concat_ws('|', ROUTINE_TYPE,
  coalesce(ROUTINE_DEFINITION, '')))) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = database() ORDER BY
  ROUTINE_TYPE, ROUTINE_NAME;
