-- Step 1: preprocess and hash. Variables are stripped, first those that a line shows by itself, then those that only the
-- other lines show; what remains is a template, known by its hash.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

-- A model is a value: keep it in a table or a Parquet file, and use it for tomorrow's lines.
CREATE TABLE mined AS SELECT log_mine(message) AS model FROM postgresql WHERE level IN ('ERROR', 'FATAL');

SELECT t['template_hash'] AS id, t['count'] AS n, t['template'] AS template
FROM (SELECT unnest(log_templates(model)) AS t FROM mined)
LIMIT 10;

-- What the model makes of lines, also of one that it has not seen.
SELECT log_match(column1, (SELECT model FROM mined))['template'] AS template
FROM (VALUES ('permission denied for table payments'), ('relation "refunds" does not exist at character 15'), ('no such line'));
