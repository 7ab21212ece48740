-- metrics.parquet: requests a second of nine hosts over two weeks, one value in five minutes, and incidents.parquet: what
-- went wrong and when. Made from formulas and hashes alone, so every run writes the same values. Run from the folder of
-- the project.

-- rhythm: how far the day swings around the mean. weekend: what is left of the load on Saturdays and Sundays. noise: the
-- standard deviation of a point. wander: that of a slow drift. Both as parts of the load.
CREATE TABLE hosts AS
SELECT * FROM (VALUES
    ('web-1',      900.0, 0.55, 0.9, 0.030, 0.03),
    ('web-2',      860.0, 0.55, 0.9, 0.030, 0.03),
    ('api-1',      420.0, 0.50, 0.8, 0.035, 0.03),
    ('api-2',      310.0, 0.60, 0.4, 0.035, 0.03),
    ('cart-1',     140.0, 0.55, 1.1, 0.050, 0.04),
    ('payments-1',  60.0, 0.50, 1.0, 0.070, 0.04),
    ('search-1',   250.0, 0.50, 1.0, 0.040, 0.03),
    ('mail-1',      35.0, 0.45, 0.3, 0.120, 0.05),
    ('reports-1',   18.0, 0.30, 0.6, 0.150, 0.05)
) AS hosts(host, mean, rhythm, weekend, noise, wander);

-- size: a factor of the load, reached at once or, by a trend, at its end; of a variance_change a factor of the noise.
CREATE TABLE planned AS
SELECT host, kind, "start"::timestamp AS "start", "end"::timestamp AS "end", size FROM (VALUES
    ('web-1',      'spike',           '2026-02-25T20:15:00', '2026-02-25T20:35:00', 1.60),
    ('web-2',      'level_shift',     '2026-02-26T14:00:00', '2026-03-02T00:00:00', 0.50),
    ('api-1',      'dip',             '2026-02-24T10:40:00', '2026-02-24T11:05:00', 0.55),
    ('api-1',      'level_shift',     '2026-02-27T15:30:00', '2026-02-27T21:00:00', 1.25),
    ('api-2',      'variance_change', '2026-02-26T08:00:00', '2026-02-26T13:00:00', 5.00),
    ('cart-1',     'cliff_drop',      '2026-02-25T11:10:00', '2026-02-25T11:55:00', 0.00),
    ('payments-1', 'spike',           '2026-02-24T12:30:00', '2026-02-24T12:45:00', 2.20),
    ('payments-1', 'cliff_drop',      '2026-02-28T16:20:00', '2026-02-28T16:50:00', 0.01),
    ('search-1',   'trend',           '2026-02-26T07:00:00', '2026-02-26T15:00:00', 1.70)
) AS planned(host, kind, "start", "end", size);

CREATE TABLE points AS
SELECT
    host, i, mean, rhythm, weekend, noise, wander,
    to_timestamp(date_part('epoch', TIMESTAMP '2026-02-16T00:00:00') + 300 * i) AS ts,
    -- Sums of four uniform numbers from hashes, nearly normal, with mean 0 and variance 1. One point in 250 is
    -- three times as far off: metrics have blips that are no incident.
    (template_hash(concat(host, '/', i, '/a')) % 1000000 + template_hash(concat(host, '/', i, '/b')) % 1000000
        + template_hash(concat(host, '/', i, '/c')) % 1000000 + template_hash(concat(host, '/', i, '/d')) % 1000000
        - 2e6) / 1e6 * sqrt(3) * CASE WHEN template_hash(concat(host, '/', i, '/blip')) % 250 = 0 THEN 3 ELSE 1 END AS z,
    template_hash(concat(host, '/', i, '/lost')) % 1000 AS lost
FROM hosts CROSS JOIN generate_series(0, 14 * 288 - 1) AS steps(i);

CREATE TABLE loads AS
SELECT
    *,
    -- The day: lowest at about 5:00, highest at about 14:00, and high until midnight.
    1 + rhythm * (0.85 * sin(2 * pi() * (i % 288 - 138) / 288.0) + 0.25 * sin(4 * pi() * (i % 288 - 104) / 288.0)) AS day,
    -- Load goes down on Friday from 23:00 to Saturday 1:00, and up again on Sunday from 21:00 to 23:00.
    1 - (1 - weekend) * least(1, greatest(0, (i % 2016 - 5 * 288 + 12) / 24.0))
                      * least(1, greatest(0, (7 * 288 - 12 - i % 2016) / 24.0)) AS week,
    -- An average of 48 numbers of variance 1 has a standard deviation of 1 / sqrt(48).
    avg(z) OVER (PARTITION BY host ORDER BY i ROWS BETWEEN 47 PRECEDING AND CURRENT ROW) * sqrt(48) AS drift
FROM points;

COPY (
    SELECT
        ts,
        l.host,
        -- reports-1 has values that did not arrive, some as NULL and some without a row.
        CASE WHEN l.host = 'reports-1' AND lost < 12 THEN NULL ELSE round(greatest(0,
            mean * day * week
            * CASE kind
                WHEN 'variance_change' THEN 1
                WHEN 'trend' THEN 1 + (size - 1) * date_part('epoch', ts - "start") / date_part('epoch', "end" - "start")
                ELSE coalesce(size, 1)
              END
            * (1 + wander * drift + noise * z * CASE WHEN kind = 'variance_change' THEN size ELSE 1 END)
        ), 1) END AS qps
    FROM loads l
    LEFT JOIN planned p ON p.host = l.host AND ts >= "start" AND ts < "end"
    WHERE NOT (l.host = 'reports-1' AND (lost >= 985 OR i BETWEEN 2500 AND 2517))
    ORDER BY host, ts
) TO 'sql/data/metrics.parquet' STORED AS PARQUET OPTIONS ('format.compression' 'zstd(9)');

COPY (SELECT host, kind, "start", "end" FROM planned ORDER BY "start", host)
TO 'sql/data/incidents.parquet' STORED AS PARQUET OPTIONS ('format.compression' 'zstd(9)');
