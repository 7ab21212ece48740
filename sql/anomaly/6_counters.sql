-- Which counter grows unusually fast? Counters, such as requests since the start of a process, grow for ever and begin again at 0
-- when it restarts. A day of minutes of two processes: one restarts at 9:00, the other has a burst at 15:00.
CREATE TABLE counters AS
SELECT process, ts, CASE WHEN process = 'web-1' AND minute >= 540 THEN total - before ELSE total END AS requests
FROM (
    SELECT process, ts, minute, sum(grown) OVER (PARTITION BY process ORDER BY minute) AS total,
        sum(CASE WHEN minute < 540 THEN grown END) OVER (PARTITION BY process) AS before
    FROM (
        SELECT process, minute, CAST('2026-05-04' AS TIMESTAMP) + CAST(concat(minute, ' minutes') AS INTERVAL) AS ts,
            CASE WHEN process = 'web-2' AND minute BETWEEN 900 AND 905 THEN 3000 ELSE 600 + minute * 7919 % 61 END AS grown
        FROM (SELECT value AS minute FROM generate_series(0, 1439)) CROSS JOIN (VALUES ('web-1'), ('web-2')) AS p(process)
    )
);

-- Requests a second, hour by hour: the restart is no fall.
SELECT date_trunc('hour', ts) AS hour, round(ts_rate(ts, requests) FILTER (WHERE process = 'web-1'), 1) AS web_1,
    round(ts_rate(ts, requests) FILTER (WHERE process = 'web-2'), 1) AS web_2
FROM counters
WHERE date_part('hour', ts) IN (8, 9, 10, 15)
GROUP BY 1
ORDER BY 1;

-- Minute by minute, and judged.
CREATE TABLE rates AS
SELECT process, ts, ts_rate(ts, requests) OVER (PARTITION BY process ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS rate
FROM counters;

SELECT process, ts, round(rate, 1) AS rate, a['kind'] AS kind, round(a['expected'], 1) AS expected
FROM (SELECT *, ts_anomaly(rate) OVER (PARTITION BY process ORDER BY ts) AS a FROM rates)
WHERE a['is_anomaly']
ORDER BY process, ts;
