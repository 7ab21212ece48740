-- Top errors by stable id. template_hash is the same number in every run, release and program, so a ticket, a dashboard
-- or a runbook can name an error by it.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

SELECT template_hash(template) AS id, n, first_seen, last_seen, template
FROM (
    SELECT log_template(message) AS template, count(*) AS n, min(ts) AS first_seen, max(ts) AS last_seen
    FROM postgresql
    WHERE level IN ('ERROR', 'FATAL')
    GROUP BY template
)
ORDER BY n DESC, id
LIMIT 15;
