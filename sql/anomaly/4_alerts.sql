-- What happened in these two weeks? One row an event, for a report: when, what, how far, in which direction.
-- The frame lets the verdicts see the whole series, so all points of an event have the kind that it turned out to be.

WITH points AS (
    SELECT ts, host, qps, ts_anomaly(qps) OVER (
        PARTITION BY host ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS a
    FROM 'sql/data/metrics.parquet'
    QUALIFY a['is_anomaly']
),
-- Gaps and islands: a point that comes more than half an hour after the last one begins an event; the number of such points
-- so far is the number of the event.
begun AS (
    SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY host ORDER BY ts) <= INTERVAL '30 minutes' THEN 0 ELSE 1 END AS begins
    FROM points
),
numbered AS (
    SELECT *, sum(begins) OVER (PARTITION BY host ORDER BY ts) AS event
    FROM begun
),
-- The peak is the point with the highest score.
events AS (
    SELECT host, min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS points,
           first_value(a['kind'] ORDER BY a['score'] DESC, ts) AS kind,
           first_value(a['direction'] ORDER BY a['score'] DESC, ts) AS direction,
           first_value(qps ORDER BY a['score'] DESC, ts) AS peak_qps,
           first_value(a['expected'] ORDER BY a['score'] DESC, ts) AS expected,
           max(a['score']) AS peak_score
    FROM numbered
    GROUP BY host, event
)
SELECT host, first_ts, last_ts, points, kind,
       CASE direction WHEN 1 THEN 'up' WHEN -1 THEN 'down' ELSE 'both' END AS direction,
       peak_qps, round(expected, 1) AS expected, round(peak_score, 2) AS peak_score
FROM events
ORDER BY first_ts, host;
