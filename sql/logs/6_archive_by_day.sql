-- From a log to an archive of its templates: one row a template and hour, in Parquet, a folder a day. It answers how
-- often and since when long after the log is deleted. COPY adds to what is there: a day is archived once.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

COPY (
    SELECT
        CAST(CAST(ts AS DATE) AS TEXT) AS day,
        date_trunc('hour', ts) AS hour,
        level,
        template_hash(log_template(message)) AS template_hash,
        log_template(message) AS template,
        count(*) AS n
    FROM postgresql
    WHERE ts IS NOT NULL
    GROUP BY day, hour, level, template
    ORDER BY hour, template
) TO 'target/archive/' STORED AS PARQUET PARTITIONED BY (day);

CREATE EXTERNAL TABLE archive STORED AS PARQUET PARTITIONED BY (day) LOCATION 'target/archive/';

SELECT day, level, sum(n) AS n, count(DISTINCT template_hash) AS templates
FROM archive
GROUP BY day, level
ORDER BY day, n DESC, level;
