-- How many lines will there be tomorrow, of which kind, and how much room do they need? Lines become templates, templates
-- become counts, counts are forecast.

-- A worker's log of three weeks, 2026-02-09 to 2026-03-01: orders with a rhythm of the day and the week, refused payments, and
-- a report that runs every night at 3:00 and writes for a quarter of an hour.
CREATE TABLE lines AS
SELECT to_timestamp(second) AS ts,
       concat('order ', 10000 + h % 90000, ' of customer ', h % 977, ' done in ', 8 + h % 40, ' ms') AS message
FROM (SELECT second, template_hash(concat('order ', second)) AS h FROM generate_series(1770595200, 1772409599, 20) AS t(second))
WHERE h % 100 < (45 + 30 * sin(2 * pi() * (second % 86400 - 36000) / 86400.0))
              * CASE WHEN (second - 1770595200) % 604800 >= 5 * 86400 THEN 0.6 ELSE 1 END
UNION ALL
SELECT to_timestamp(second), concat('payment ', 10000 + h % 90000, ' refused: card of ', h % 977, ' expired')
FROM (SELECT second, template_hash(concat('payment ', second)) AS h FROM generate_series(1770595200, 1772409599, 60) AS t(second))
WHERE h % 100 < 10 + 8 * sin(2 * pi() * (second % 86400 - 36000) / 86400.0)
UNION ALL
SELECT to_timestamp(second), concat('report: table ', h % 60, ' of 60 written, ', h % 5000, ' rows')
FROM (SELECT second, template_hash(concat('report ', second)) AS h FROM generate_series(1770595200, 1772409599, 15) AS t(second))
WHERE second % 86400 >= 10800 AND second % 86400 < 11700;

-- Lines and bytes an hour. Where no line is, there is no row either, and a forecast would take that for not known: ts_fill
-- makes rows of 0, for all templates up to the same end.
CREATE TABLE counts AS
SELECT log_template(message) AS template, date_bin(INTERVAL '1 hour', ts) AS ts, count(*) AS n,
       sum(octet_length(message)) AS bytes
FROM lines
GROUP BY 1, 2;

CREATE TABLE filled AS
SELECT template, f['ts'] AS ts, f['value'] AS n
FROM (
    SELECT template, unnest(ts_fill(ts, n, INTERVAL '1 hour', 'gap=zero,start=2026-02-09,end=2026-03-01T23:00:00')) AS f
    FROM counts
    GROUP BY template
);

CREATE TABLE tomorrow AS
SELECT template, f['ts'] AS ts, f['forecast'] AS n, f['lower'] AS lower, f['upper'] AS upper
FROM (
    SELECT template, unnest(ts_forecast(ts, n, INTERVAL '1 day')) AS f
    FROM filled
    GROUP BY template
);

-- Four hours. A count is never below 0, so no forecast of one is.
SELECT template, ts, round(n, 1) AS lines, round(lower, 1) AS lower, round(upper, 1) AS upper
FROM tomorrow
WHERE date_part('hour', ts) IN (3, 9, 15, 21)
ORDER BY template, ts;

-- The whole day, beside Sunday and the Monday before, and how much room it needs: lines times the mean bytes of a line.
SELECT template, round(sum(t.n)) AS tomorrow, any_value(sunday) AS sunday, any_value(monday) AS last_monday,
       round(sum(t.n) * any_value(bytes_per_line) / 1000) AS kilobytes
FROM tomorrow t
JOIN (
    SELECT template, sum(n) FILTER (WHERE ts >= '2026-03-01') AS sunday,
           sum(n) FILTER (WHERE ts >= '2026-02-23' AND ts < '2026-02-24') AS monday,
           CAST(sum(bytes) AS DOUBLE) / sum(n) AS bytes_per_line
    FROM counts
    GROUP BY template
) USING (template)
GROUP BY template
ORDER BY template;

-- The interval of a sum is not the sum of intervals, since errors cancel in part. To get that of a day, forecast days: freq and
-- dup=sum make them of hours. A day that is not over yet has to be left out, since its sum would count as that of a whole one.
SELECT template, f['ts'] AS day, round(f['forecast'], -1) AS lines, round(f['lower'], -1) AS lower, round(f['upper'], -1) AS upper
FROM (
    SELECT template, unnest(ts_forecast(ts, n, 7, 'freq=1d,dup=sum')) AS f
    FROM filled
    WHERE template LIKE 'order%'
    GROUP BY template
)
ORDER BY day;
