-- What has never been seen before? tail -f that shows a line only if no line like it is in the archive, and only the first
-- of its kind: what the release of 2026-03-03 00:00 brought.
--
-- This follows the log of the sample data; then it waits for more, and Ctrl-C ends it.

CREATE UNBOUNDED EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

CREATE TABLE known AS
SELECT DISTINCT template_hash(log_template(message)) AS id
FROM 'sql/data/events.parquet'
WHERE source = 'postgresql' AND ts < '2026-03-03';

SELECT ts, level, message
FROM (
    SELECT *, template_hash(log_template(message)) AS line_id
    FROM postgresql
    WHERE level IN ('ERROR', 'FATAL', 'PANIC')
)
LEFT JOIN known ON id = line_id
WHERE id IS NULL
QUALIFY row_number() OVER (PARTITION BY line_id ORDER BY ts) = 1;
