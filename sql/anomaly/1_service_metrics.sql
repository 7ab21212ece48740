-- What is wrong with which service? Every value of nine hosts is judged by the values before it, as it would have been
-- when it came. incidents.parquet says what really happened (sql/data/README.md).

-- The strongest points. QUALIFY is a WHERE that sees verdicts.
SELECT ts, host, qps, a['kind'] AS kind, round(a['score'], 2) AS score, round(a['expected']) AS expected,
       round(a['lower']) AS lower, round(a['upper']) AS upper
FROM (
    SELECT *, ts_anomaly(qps) OVER (PARTITION BY host ORDER BY ts) AS a
    FROM 'sql/data/metrics.parquet'
    QUALIFY a['is_anomaly']
)
ORDER BY a['score'] DESC, ts
LIMIT 10;

-- Alerts: anomalous points of a host belong to one alert while they are at most half an hour apart.
CREATE TABLE alerts AS
WITH points AS (
    SELECT host, ts, ts_anomaly(qps) OVER (PARTITION BY host ORDER BY ts) AS a
    FROM 'sql/data/metrics.parquet'
    QUALIFY a['is_anomaly']
),
numbered AS (
    SELECT *, sum(is_first) OVER (PARTITION BY host ORDER BY ts) AS alert
    FROM (
        SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY host ORDER BY ts) <= INTERVAL '30 minutes' THEN 0 ELSE 1 END AS is_first
        FROM points
    )
)
SELECT host, min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS points, first_value(a['kind'] ORDER BY ts) AS kind
FROM numbered
GROUP BY host, alert;

-- Which incidents were found, as what, and how many minutes after they began?
SELECT i.host, i.kind AS incident, i.start, a.first_ts IS NOT NULL AS is_found, a.kind AS alert,
       CAST(date_part('epoch', a.first_ts - i.start) / 60 AS INT) AS delay_minutes
FROM 'sql/data/incidents.parquet' i
LEFT JOIN alerts a ON a.host = i.host AND a.first_ts < i.end AND a.last_ts >= i.start
ORDER BY i.start, i.host;

-- And which alerts were false? Two weeks of nine hosts are 36,000 points. Two of the hosts had no incident at all.
SELECT a.host, a.first_ts, a.points, a.kind
FROM alerts a
LEFT ANTI JOIN 'sql/data/incidents.parquet' i ON a.host = i.host AND a.first_ts < i.end AND a.last_ts >= i.start
ORDER BY a.first_ts;
