-- How is every service now? One row a host: the last verdict, what was expected, and what happened before.
-- Without OVER, ts_anomaly(ts, value) takes a whole series and returns its verdicts as a list.

CREATE TABLE verdicts AS
SELECT host, unnest(ts_anomaly(ts, qps)) AS a
FROM 'sql/data/metrics.parquet'
-- Now is 2026-02-25 11:45, and cart-1 has been down for half an hour.
WHERE ts < '2026-02-25T11:45:00'
GROUP BY host;

CREATE TABLE points AS
SELECT host, a['ts'] AS ts, a['value'] AS qps, a['is_anomaly'] AS is_anomaly, a['kind'] AS kind, a['score'] AS score,
       a['expected'] AS expected, a['status'] AS status, a['is_ongoing'] AS is_ongoing
FROM verdicts;

SELECT host,
       -- The first points of an anomaly have a kind; is_ongoing holds until values return to normal.
       coalesce(
           last_value(kind ORDER BY ts),
           CASE WHEN last_value(is_ongoing ORDER BY ts) THEN 'goes on' END,
           last_value(status ORDER BY ts)
       ) AS state,
       last_value(qps ORDER BY ts) AS qps,
       round(last_value(expected ORDER BY ts), 1) AS expected,
       -- An incident begins where an anomaly follows half an hour without one.
       count(*) FILTER (WHERE is_anomaly AND since_last > INTERVAL '30 minutes') AS incidents,
       round(max(score), 2) AS worst_score,
       max(ts) FILTER (WHERE is_anomaly) AS last_anomaly,
       count(*) FILTER (WHERE status = 'missing') AS missing
FROM (
    SELECT *, coalesce(
        ts - max(ts) FILTER (WHERE is_anomaly) OVER (PARTITION BY host ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        INTERVAL '1 day'
    ) AS since_last
    FROM points
)
GROUP BY host
ORDER BY last_value(is_ongoing ORDER BY ts) DESC NULLS LAST, incidents DESC, host;
