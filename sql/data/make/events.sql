-- events.parquet: the events of all logs of this folder in one table. Run from the folder of the project.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[\d+\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

CREATE EXTERNAL TABLE nginx STORED AS LOG LOCATION 'sql/data/nginx_error.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) \[(?<level>\w+)\] \d+#\d+: (?<message>.*)'
);

CREATE EXTERNAL TABLE api STORED AS LOG LOCATION 'sql/data/app.jsonl' OPTIONS (format 'json');

CREATE EXTERNAL TABLE worker STORED AS LOG LOCATION 'sql/data/app_python.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) (?<level>[A-Z]+) (?<logger>\S+) (?<message>.*)',
    multiline_start '^\d{4}-'
);

COPY (
    SELECT ts, source, level, message
    FROM (
        SELECT ts, 'postgresql' AS source, level, message, line_number FROM postgresql
        UNION ALL
        SELECT ts, 'nginx', CASE level WHEN 'warn' THEN 'WARNING' ELSE upper(level) END, message, line_number FROM nginx
        UNION ALL
        SELECT ts, 'api', level, message, line_number FROM api
        UNION ALL
        SELECT ts, 'worker', level, message, line_number FROM worker
    )
    ORDER BY ts, source, line_number
) TO 'sql/data/events.parquet' STORED AS PARQUET OPTIONS ('format.compression' 'zstd(9)');
