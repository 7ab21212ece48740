-- What is unusual? Every value of a live metric is judged as it comes, by the values before it; anomalies alone are shown,
-- with their kind.
--
-- Metrics come as files that a collector drops into a folder. This follows one of the sample data, where a file waits; each
-- further one is read as soon as it is complete. Ctrl-C ends the statement.

CREATE UNBOUNDED EXTERNAL TABLE metrics STORED AS PARQUET LOCATION 'sql/data/live_metrics/';

SELECT ts, host, a['kind'] AS kind, qps, round(a['expected'], 1) AS expected
FROM (
    SELECT *, ts_anomaly(qps) OVER (PARTITION BY host ORDER BY ts) AS a
    FROM metrics
    QUALIFY a['is_anomaly']
);
