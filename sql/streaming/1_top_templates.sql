-- What goes wrong most often right now? The three most frequent error templates of every window, as soon as it closes.
--
-- This follows the log of the sample data, which is two days long: windows of six hours. What is there comes at once; then
-- the statement waits for more, and Ctrl-C ends it. For a log of yours the LOCATION is all that changes, and
-- INTERVAL '30 seconds'.

CREATE UNBOUNDED EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

SELECT window_start, count(*) AS n, log_template(message) AS template
FROM tumble(postgresql, ts, INTERVAL '6 hours')
WHERE level IN ('ERROR', 'FATAL', 'PANIC')
GROUP BY window_start, template
-- LIMIT would count across windows; this counts in each.
QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY n DESC, template) <= 3
ORDER BY window_start, n DESC, template;
