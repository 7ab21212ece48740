-- Which rows are in no window, and is the delay long enough? A row that comes when its window has closed is late: it is
-- kept and counted, not lost. Send yesterday's log through before you choose the delay for today's:
--     datafusion-aiops -f sql/streaming/6_late_rows.sql < sql/data/nginx_access.log
-- All of that log is in order, as its program wrote it. What if a collector delivers the first 300 lines after the others?
--     L=sql/data/nginx_access.log
--     (tail -n +301 $L; sleep 1; head -n 300 $L) | datafusion-aiops -f sql/streaming/6_late_rows.sql
-- A statement over standard input ends with it, so that the next ones can ask what became of its rows; at the prompt
-- Ctrl-C ends any statement.

CREATE UNBOUNDED EXTERNAL TABLE access STORED AS LOG LOCATION '/dev/stdin' OPTIONS (
    pattern '^(?<client>\S+) \S+ \S+ \[(?<ts>[^\]]+)\] "(?<method>\S+) (?<path>\S+) [^"]*" (?<status>\d+) ',
    timestamp_format '%d/%b/%Y:%H:%M:%S %z',
    delay '1 minute'
);

SELECT window_start, min(ts) AS first_ts, count(*) AS requests, count(*) FILTER (WHERE status >= '500') AS failed
FROM tumble(access, ts, INTERVAL '6 hours')
GROUP BY window_start;

SELECT rows_read, rows_late, rows_without_time, rows_malformed, closed_windows FROM aiops_streams();

-- Of a late row the columns are kept that the statement reads.
SELECT reason, count(*) AS n, min(ts) AS first_ts, max(ts) AS last_ts FROM aiops_late('access') GROUP BY reason;
