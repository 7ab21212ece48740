-- From a log to an archive of its templates: one row a template and hour, in Parquet, a folder a day. It answers how
-- often and since when long after the log is deleted. A job like this runs once a day; running it again replaces the
-- days that it writes, and leaves the others.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

CREATE VIEW templates AS
SELECT date_trunc('hour', ts) AS hour, level, template_hash(template) AS template_hash, template, count(*) AS n
FROM (SELECT ts, level, log_template(message) AS template FROM postgresql)
GROUP BY hour, level, template;

COPY (SELECT CAST(hour AS DATE) AS day, * FROM templates ORDER BY hour, template)
TO 'target/archive/' STORED AS PARQUET PARTITIONED BY (day) OPTIONS (mode 'overwrite_partitions');

CREATE EXTERNAL TABLE archive STORED AS PARQUET PARTITIONED BY (day) LOCATION 'target/archive/';

SELECT day, level, sum(n) AS n, count(DISTINCT template_hash) AS templates
FROM archive
GROUP BY day, level
ORDER BY day, n DESC, level;
