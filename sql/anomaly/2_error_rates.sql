-- Which kind of line comes more often than usual, and which has stopped? Lines become templates, templates become rates,
-- rates are judged.

-- A worker's log of two and a half days, 2026-03-02 00:00 to 2026-03-04 12:00: a heartbeat about every 20 seconds that stops
-- on 03-04 at 9:40, and refused payments with a rhythm of the day, four times as many on 03-03 from 16:00 to 16:30.
CREATE TABLE lines AS
SELECT to_timestamp(second) AS ts, concat('batch of ', 20 + h % 31, ' orders done in ', 8 + h % 17, ' ms') AS message
FROM (SELECT second, template_hash(concat('batch ', second)) AS h FROM generate_series(1772409600, 1772617180, 20) AS t(second))
WHERE h % 10 > 0
UNION ALL
SELECT to_timestamp(second), concat('payment ', 10000 + h % 90000, ' of customer ', h % 977, ' refused: card expired')
FROM (SELECT second, template_hash(concat('payment ', second)) AS h FROM generate_series(1772409600, 1772625590, 5) AS t(second))
WHERE h % 100 < (14 + 8 * sin(2 * pi() * (second % 86400 - 36000) / 86400.0))
               * CASE WHEN second >= 1772553600 AND second < 1772555400 THEN 4 ELSE 1 END;

CREATE TABLE rates AS
SELECT log_template(message) AS template, date_bin(INTERVAL '5 minutes', ts) AS ts, count(*) AS n
FROM lines
GROUP BY 1, 2;

-- The rates as they are. The refused payments are found. The silence is not: where no line is, there is no row to judge.
SELECT ts, template, n, a['kind'] AS kind, round(a['expected'], 1) AS expected, round(a['score'], 2) AS score
FROM (
    SELECT *, ts_anomaly(n) OVER (PARTITION BY template ORDER BY ts) AS a
    FROM rates
    QUALIFY a['is_anomaly']
)
ORDER BY ts, template;

-- ts_fill makes a row of every 5 minutes, 0 where there is no line. The end must be said: a template that has stopped does
-- not know how long the log goes on.
CREATE VIEW filled AS
SELECT template, f['ts'] AS ts, f['value'] AS n
FROM (
    SELECT template, unnest(ts_fill(ts, n, INTERVAL '5 minutes', 'gap=zero,end=2026-03-04T12:00:00')) AS f
    FROM rates
    GROUP BY template
);

SELECT template, a['kind'] AS kind, min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS points,
       round(avg(n), 1) AS mean, round(avg(a['expected']), 1) AS expected
FROM (
    SELECT *, ts_anomaly(n) OVER (PARTITION BY template ORDER BY ts) AS a
    FROM filled
    QUALIFY a['is_anomaly']
)
GROUP BY template, kind
ORDER BY first_ts;
