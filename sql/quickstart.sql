-- The top error templates of a PostgreSQL server's log, in one statement each: the log as a table, then the question.
-- Run from the folder of the project: datafusion-aiops -f sql/quickstart.sql

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log';

SELECT count(*) AS n, log_template(message) AS template
FROM postgresql
WHERE level IN ('ERROR', 'FATAL', 'PANIC')
GROUP BY template
ORDER BY n DESC, template
LIMIT 10;
