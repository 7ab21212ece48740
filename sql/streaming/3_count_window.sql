-- How many of the last requests failed? One row for every 200 requests, however long they took to come: at night a window
-- is long and in a rush it is short, but there is always enough in it for a share to mean something.
--
-- This follows an access log of the sample data; then it waits for more, and Ctrl-C ends it.

CREATE UNBOUNDED EXTERNAL TABLE access STORED AS LOG LOCATION 'sql/data/nginx_access.log' OPTIONS (
    pattern '^(?<client>\S+) \S+ \S+ \[(?<ts>[^\]]+)\] "(?<method>\S+) (?<path>\S+) [^"]*" (?<status>\d+) ',
    timestamp_format '%d/%b/%Y:%H:%M:%S %z'
);

-- window_start and window_end are numbers of rows here.
SELECT window_start, min(ts) AS first_ts, max(ts) AS last_ts,
       count(*) FILTER (WHERE status >= '500') AS failed,
       round(100.0 * count(*) FILTER (WHERE status >= '500') / count(*), 1) AS failed_percent
FROM count_window(access, 200)
GROUP BY window_start;
