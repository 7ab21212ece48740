-- What will tomorrow be like for every service? demand.parquet has eight weeks of six services, one value in 15 minutes, up to
-- Sunday, 2026-03-01, 23:45 (sql/data/README.md).

-- A horizon as an interval is as many steps as begin within it, here 96. The result is a list, a row of which is an element.
CREATE TABLE tomorrow AS
SELECT service, f['ts'] AS ts, f['forecast'] AS forecast, f['lower'] AS lower, f['upper'] AS upper
FROM (
    SELECT service, unnest(ts_forecast(ts, qps, INTERVAL '1 day')) AS f
    FROM 'sql/data/demand.parquet'
    GROUP BY service
);

-- Four times of the day. In 95 of 100 cases the value will lie between lower and upper. export has its nightly job at 2:00;
-- mail, which has little to do at weekends, is back to that of a Monday.
SELECT service, ts, round(forecast) AS forecast, round(lower) AS lower, round(upper) AS upper
FROM tomorrow
WHERE date_part('minute', ts) = 30 AND date_part('hour', ts) IN (2, 8, 14, 20)
ORDER BY service, ts;

-- The peak of every service, beside that of Sunday and that of the last Monday.
SELECT service, round(max(forecast)) AS peak, first_value(ts ORDER BY forecast DESC) AS peak_ts,
       round(max(sunday)) AS sunday, round(max(monday)) AS last_monday
FROM tomorrow
JOIN (
    SELECT service, max(qps) FILTER (WHERE ts >= '2026-03-01') AS sunday,
           max(qps) FILTER (WHERE ts >= '2026-02-23' AND ts < '2026-02-24') AS monday
    FROM 'sql/data/demand.parquet'
    GROUP BY service
) USING (service)
GROUP BY service
ORDER BY service;

-- Where does it come from? explain=on adds the seasons that were found, in points, and how much each method weighs. These are
-- the same for every step, so one step is enough.
SELECT f['periods'] AS periods, c['component'] AS component, round(c['weight'], 2) AS weight
FROM (
    SELECT f, unnest(f['components']) AS c
    FROM (SELECT ts_forecast(ts, qps, 1, 'explain=on')[1] AS f FROM 'sql/data/demand.parquet' WHERE service = 'mail')
)
WHERE c['weight'] >= 0.05
ORDER BY weight DESC, component;

-- Not only an interval: the median, and what is exceeded in one of 100 cases, an hour ahead.
SELECT service, f['ts'] AS ts, round(f['quantiles'][1]) AS median, round(f['quantiles'][2]) AS one_in_100
FROM (
    SELECT service, ts_forecast(ts, qps, 4, 'quantiles=0.5|0.99')[4] AS f
    FROM 'sql/data/demand.parquet'
    GROUP BY service
)
ORDER BY service;
