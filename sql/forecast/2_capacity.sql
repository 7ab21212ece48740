-- How many units does every service need tomorrow, hour by hour? A unit (a pod, a machine) carries so many requests a second.

-- Enough at 95 of 100 times, a tenth more to be safe, never fewer than two, and none taken away until two hours after it was
-- needed last.
CREATE TABLE tomorrow AS
SELECT service, c['slot_start'] AS slot_start, c['units'] AS units, c['forecast'] AS forecast, c['upper'] AS upper
FROM (
    SELECT service, unnest(ts_capacity(ts, qps, INTERVAL '1 day', INTERVAL '1 hour',
        'unit_capacity=250,service_level=0.95,headroom=0.1,min_units=2,cooldown=2 hours')) AS c
    FROM 'sql/data/demand.parquet'
    GROUP BY service
);

-- One service until noon. forecast is the highest in the hour; upper is what is provided for, and units carry a tenth more than
-- that. At 3:00 and 4:00 two units would do, but three were needed within the two hours before.
SELECT slot_start, units, round(forecast) AS forecast, round(upper) AS upper
FROM tomorrow
WHERE service = 'checkout'
ORDER BY slot_start
LIMIT 12;

-- The fleet: the fewest and the most units, and hours of units, beside those of a plan that stays at the most.
SELECT service, min(units) AS fewest, max(units) AS most, sum(units) AS unit_hours, 24 * max(units) AS constant_unit_hours
FROM tomorrow
GROUP BY service
ORDER BY service;

-- Was it enough? The last seven days, each planned from the rows before its midnight. In place of a service level, what it
-- costs: a missing unit 20 times as much as an idle one, which makes a service level of 20 / 21. For comparison a plan by the
-- median (a service level of 0.5), and one that provides for the peak of the four weeks before each day, all day long.
CREATE TABLE days AS
SELECT CAST('2026-02-23' AS TIMESTAMP) + CAST(concat(n, ' days') AS INTERVAL) AS day FROM generate_series(0, 6) AS past(n);

CREATE TABLE plans AS
SELECT 'by cost' AS plan, service, c['slot_start'] AS slot_start, c['units'] AS units
FROM (
    SELECT service, day, unnest(ts_capacity(ts, qps, INTERVAL '1 day', INTERVAL '1 hour',
        'unit_capacity=250,cost_under=20,cost_over=1,min_units=2')) AS c
    FROM 'sql/data/demand.parquet' JOIN days ON ts < day
    GROUP BY service, day
)
UNION ALL
SELECT 'by the median', service, c['slot_start'], c['units']
FROM (
    SELECT service, day, unnest(ts_capacity(ts, qps, INTERVAL '1 day', INTERVAL '1 hour',
        'unit_capacity=250,service_level=0.5,min_units=2')) AS c
    FROM 'sql/data/demand.parquet' JOIN days ON ts < day
    GROUP BY service, day
)
UNION ALL
SELECT 'constant peak', service, day + CAST(concat(hour, ' hours') AS INTERVAL), units
FROM (
    SELECT service, day, CAST(greatest(2, ceil(max(qps) / 250)) AS BIGINT) AS units
    FROM 'sql/data/demand.parquet' JOIN days ON ts < day AND ts >= day - INTERVAL '28 days'
    GROUP BY service, day
)
CROSS JOIN generate_series(0, 23) AS hours(hour);

-- Each quarter of an hour: what was needed, and what was there.
CREATE TABLE judged AS
SELECT plan, service, units, ceil(qps / 250) AS needed, units < ceil(qps / 250) AS is_short
FROM 'sql/data/demand.parquet'
JOIN plans USING (service)
WHERE slot_start = date_bin(INTERVAL '1 hour', ts) AND qps IS NOT NULL;

-- short_percent: at how many of 100 times units were missing; fewer than one in 21, since each hour gets what its highest quarter
-- needs, in whole units. cost: a quarter of an hour of an idle unit is 0.25, that of a missing one 5.
SELECT plan, round(sum(units) / 4.0) AS unit_hours,
       round(100 * avg(CASE WHEN is_short THEN 1.0 ELSE 0.0 END), 1) AS short_percent,
       round(sum(greatest(0, needed - units)) / 4, 1) AS missing_unit_hours,
       round(sum(greatest(0, units - needed) + 20 * greatest(0, needed - units)) / 4) AS cost
FROM judged
GROUP BY plan
ORDER BY cost;

-- The same by service. saved_percent: of the hours of units of the constant plan. api and web had more to do than ever before,
-- from 02-28 16:00 on and on the evening of 02-26; no history shows that, and the constant plan was short too.
SELECT service,
       round(100 * avg(CASE WHEN is_short THEN 1.0 ELSE 0.0 END) FILTER (WHERE plan = 'by cost'), 1) AS short_percent,
       round(100 * avg(CASE WHEN is_short THEN 1.0 ELSE 0.0 END) FILTER (WHERE plan = 'constant peak'), 1)
           AS constant_short_percent,
       round(100 - 100.0 * sum(units) FILTER (WHERE plan = 'by cost') / sum(units) FILTER (WHERE plan = 'constant peak'))
           AS saved_percent
FROM judged
GROUP BY service
ORDER BY service;
