-- What is normal for these services, and what has changed for good?

-- How long are the seasons, and how much of the series do they explain? A season must show three cycles, so two weeks of
-- data say nothing about the week.
SELECT host, p['points'] AS points, p['period'] AS period, round(p['strength'], 2) AS strength
FROM (
    SELECT host, unnest(ts_periods(ts, qps)) AS p
    FROM 'sql/data/metrics.parquet'
    GROUP BY host
)
ORDER BY host;

-- An evening of web-1 in parts: the value is trend + seasonal + residual. The spike from 20:15 to 20:35 is in the residual, and
-- neither in the trend nor in the season.
SELECT d['ts'] AS ts, d['value'] AS qps, round(d['trend'], 1) AS trend, round(d['seasonal'], 1) AS seasonal,
       round(d['residual'], 1) AS residual
FROM (
    SELECT unnest(ts_decompose(ts, qps, 'season=1d')) AS d
    FROM 'sql/data/metrics.parquet'
    WHERE host = 'web-1'
)
WHERE d['ts'] >= '2026-02-25T20:00:00' AND d['ts'] < '2026-02-25T20:45:00'
ORDER BY ts;

-- When did which host go to another level and stay there? In hindsight, on series without their seasons and outliers. The
-- weekends are here, since the week is no season yet, and so are both ends of the shift of api-1 on 02-27, which ts_anomaly
-- does not report (1_service_metrics.sql).
SELECT c['ts'] AS ts, host, c['kind'] AS kind, round(c['before'], 2) AS before, round(c['after'], 2) AS after,
       round(c['confidence'], 2) AS confidence
FROM (
    SELECT host, unnest(ts_changepoints(ts, qps, 'kinds=level_shift')) AS c
    FROM 'sql/data/metrics.parquet'
    GROUP BY host
)
ORDER BY ts, host;
