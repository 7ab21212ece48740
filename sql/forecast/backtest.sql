-- How good would the forecasts have been? The last days are forecast from what was known before each of them (rolling
-- origins), and compared with what came. To ask that of your own table, change the four statements at the top.

-- 1. Your table. series: what tells series apart. ts: a timestamp. value: a number. Where rows do not come evenly, make them
-- so here: SELECT host, date_bin(INTERVAL '5 minutes', ts), avg(value) ... GROUP BY 1, 2.
CREATE VIEW history AS
SELECT service AS series, ts, qps AS value
FROM 'sql/data/demand.parquet';

-- 2. Origins: each forecast knows the rows before its origin alone. Here the starts of the last four days. A week of them
-- would show every weekday.
CREATE TABLE origins AS
SELECT date_trunc('day', last_ts) - CAST(concat(n, ' days') AS INTERVAL) AS origin
FROM (SELECT max(ts) AS last_ts FROM history) CROSS JOIN generate_series(0, 3) AS past(n);

-- 3. The forecasts: how far ahead, and the options that you mean to use.
CREATE TABLE forecasts AS
SELECT series, origin, f['ts'] AS ts, f['forecast'] AS forecast, f['lower'] AS lower, f['upper'] AS upper
FROM (
    SELECT series, origin, unnest(ts_forecast(ts, value, INTERVAL '1 day')) AS f
    FROM history JOIN origins ON ts < origin
    GROUP BY series, origin
);

-- 4. How long a season is for the seasonal naive forecast, which says that all will be as it was one season ago. A forecast
-- that is no better than this one is not worth its name.
CREATE TABLE settings AS SELECT 86400 AS season_seconds;

-- From here on nothing needs a change.

CREATE TABLE points AS
SELECT series, ts, value, CAST(date_part('epoch', ts) AS BIGINT) AS second
FROM history
WHERE value IS NOT NULL;

-- The naive forecasts: the values of the season before each origin, by their place in it.
CREATE TABLE last_season AS
SELECT series, origin, second % season_seconds AS place, value
FROM points CROSS JOIN origins CROSS JOIN settings
WHERE ts < origin AND second >= date_part('epoch', origin) - season_seconds;

-- How far off the naive forecast is, on average, in the history before each origin. Errors are divided by that, so that those
-- of large and small series can be compared.
CREATE TABLE scales AS
SELECT p.series, origin, avg(abs(p.value - before.value)) AS scale
FROM points p
JOIN points before ON before.series = p.series AND before.second = p.second - (SELECT season_seconds FROM settings)
JOIN origins ON p.ts < origin
GROUP BY p.series, origin;

CREATE TABLE errors AS
SELECT f.series, f.origin, f.ts,
       abs(p.value - f.forecast) / scale AS scaled_error,
       abs(p.value - l.value) / scale AS naive_scaled_error,
       -- NULL where the history was too short for an interval.
       CASE WHEN p.value BETWEEN f.lower AND f.upper THEN 1.0 WHEN f.lower IS NOT NULL THEN 0.0 END AS is_inside
FROM forecasts f
JOIN points p ON p.series = f.series AND p.ts = f.ts
JOIN scales s ON s.series = f.series AND s.origin = f.origin
LEFT JOIN last_season l
    ON l.series = f.series AND l.origin = f.origin AND l.place = p.second % (SELECT season_seconds FROM settings);

-- mase, the mean absolute scaled error: 0.5 is half as far off as the naive forecast was in the history. naive_mase is that
-- of the naive forecast on the same days. coverage, the share of values between lower and upper, should be near the
-- level, 0.95 if no option says otherwise. Where it is not, something new happened: api carries a third more load since 02-28
-- 16:00, the visitors of web were more on the evening of 02-26, and those of mail fewer on 02-27.
SELECT series, count(*) AS points, round(avg(scaled_error), 2) AS mase, round(avg(naive_scaled_error), 2) AS naive_mase,
       round(avg(is_inside), 2) AS coverage
FROM errors
GROUP BY series
ORDER BY series;

-- By origin: was it one day that spoilt it?
SELECT origin, count(*) AS points, round(avg(scaled_error), 2) AS mase, round(avg(naive_scaled_error), 2) AS naive_mase,
       round(avg(is_inside), 2) AS coverage
FROM errors
GROUP BY origin
ORDER BY origin;
