-- What will next week be like, with a holiday in it? Twelve weeks of hours of a shop that hardly anybody visits on holidays.
CREATE TABLE holidays AS
SELECT column1 AS day FROM (VALUES (DATE '2026-02-16'), (DATE '2026-04-03'), (DATE '2026-04-06'), (DATE '2026-05-01'));

CREATE TABLE visits AS
SELECT ts, CASE WHEN day IS NULL THEN 1 ELSE 0.2 END
    * (20 + CASE WHEN date_part('hour', ts) BETWEEN 8 AND 19 THEN 300 ELSE 0 END
          * CASE WHEN date_part('dow', ts) IN (0, 6) THEN 0.5 ELSE 1 END + n * 7919 % 17) AS visits
FROM (SELECT n, CAST('2026-02-02' AS TIMESTAMP) + CAST(concat(n, ' hours') AS INTERVAL) AS ts FROM generate_series(0, 12 * 168 - 1) AS h(n))
    LEFT JOIN holidays ON day = CAST(ts AS DATE);

-- The visits at noon: with the holidays, and without knowing them. The 1st of May is a Friday.
SELECT date_trunc('day', f['ts']) AS day, round(f['forecast']) AS forecast, round(f['lower']) AS lower, round(f['upper']) AS upper,
    round(o['forecast']) AS without_holidays
FROM (
    SELECT unnest(ts_forecast(ts, visits, INTERVAL '7 days', (SELECT array_agg(day) FROM holidays))) AS f,
        unnest(ts_forecast(ts, visits, INTERVAL '7 days')) AS o
    FROM visits
)
WHERE date_part('hour', f['ts']) = 12
ORDER BY day;
