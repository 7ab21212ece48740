-- Who had a bad time? One row for each visit of a client in which four or more requests failed. A visit ends when the
-- client has asked for nothing for half an hour.
--
-- This follows an access log of the sample data; then it waits for more, and Ctrl-C ends it.

CREATE UNBOUNDED EXTERNAL TABLE access STORED AS LOG LOCATION 'sql/data/nginx_access.log' OPTIONS (
    pattern '^(?<client>\S+) \S+ \S+ \[(?<ts>[^\]]+)\] "(?<method>\S+) (?<path>\S+) [^"]*" (?<status>\d+) ',
    timestamp_format '%d/%b/%Y:%H:%M:%S %z'
);

SELECT client, window_start AS first_ts, max(ts) AS last_ts, count(*) AS requests,
       count(*) FILTER (WHERE status >= '500') AS failed,
       first_value(path ORDER BY ts) FILTER (WHERE status >= '500') AS first_failed_path
FROM session(access, ts, INTERVAL '30 minutes', client)
GROUP BY client, window_start
HAVING failed >= 4
-- Visits whose end is noticed at one moment are answered together.
ORDER BY first_ts, client;
