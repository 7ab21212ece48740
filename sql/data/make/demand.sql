-- demand.parquet: requests a second of six services over eight weeks, one value in 15 minutes. Made from formulas and hashes
-- alone, so every run writes the same values. Run from the folder of the project.

-- rhythm: how far the day swings around the mean. weekend: what is left of the load on Saturdays and Sundays. growth: how
-- much the load grows in the eight weeks. nightly: how much more there is from 2:00 to 3:30. noise: the standard deviation
-- of a point. wander: that of a slow drift. All but mean and weekend as parts of the load.
CREATE TABLE services AS
SELECT * FROM (VALUES
    ('api',      2400.0, 0.50, 0.80, 0.30, 0.0, 0.035, 0.03),
    ('checkout',  620.0, 0.60, 1.15, 0.05, 0.0, 0.050, 0.04),
    ('export',    180.0, 0.20, 0.90, 0.00, 4.0, 0.160, 0.05),
    ('mail',      350.0, 0.60, 0.25, 0.00, 0.0, 0.080, 0.05),
    ('search',   1300.0, 0.50, 1.00, 0.05, 0.0, 0.035, 0.03),
    ('web',      5200.0, 0.55, 0.85, 0.10, 0.0, 0.025, 0.03)
) AS services(service, mean, rhythm, weekend, growth, nightly, noise, wander);

-- factor: of the load.
CREATE TABLE planned AS
SELECT service, "start"::timestamp AS "start", "end"::timestamp AS "end", factor FROM (VALUES
    ('search',   '2026-02-09T06:00:00', '2026-03-02T00:00:00', 1.40),
    ('checkout', '2026-02-17T13:00:00', '2026-02-17T15:00:00', 0.02),
    ('web',      '2026-02-26T19:00:00', '2026-02-26T21:00:00', 1.35),
    ('mail',     '2026-02-27T08:00:00', '2026-02-27T14:00:00', 0.45),
    ('api',      '2026-02-28T16:00:00', '2026-03-02T00:00:00', 1.30)
) AS planned(service, "start", "end", factor);

CREATE TABLE points AS
SELECT
    *,
    to_timestamp(date_part('epoch', TIMESTAMP '2026-01-05T00:00:00') + 900 * i) AS ts,
    -- Sums of four uniform numbers from hashes, nearly normal, with mean 0 and variance 1. One point in 250 is
    -- three times as far off: metrics have blips that are no incident.
    (template_hash(concat(service, '/', i, '/a')) % 1000000 + template_hash(concat(service, '/', i, '/b')) % 1000000
        + template_hash(concat(service, '/', i, '/c')) % 1000000 + template_hash(concat(service, '/', i, '/d')) % 1000000
        - 2e6) / 1e6 * sqrt(3) * CASE WHEN template_hash(concat(service, '/', i, '/blip')) % 250 = 0 THEN 3 ELSE 1 END AS z,
    template_hash(concat(service, '/', i, '/lost')) % 1000 AS lost
FROM services CROSS JOIN generate_series(0, 56 * 96 - 1) AS steps(i);

CREATE TABLE loads AS
SELECT
    *,
    -- The day: lowest at about 5:00, highest at about 14:00, and high until midnight.
    1 + rhythm * (0.85 * sin(2 * pi() * (i % 96 - 46) / 96.0) + 0.25 * sin(4 * pi() * (i % 96 - 35) / 96.0)) AS day,
    -- Load goes down on Friday from 23:00 to Saturday 1:00, and up again on Sunday from 21:00 to 23:00.
    1 - (1 - weekend) * least(1, greatest(0, (i % 672 - 5 * 96 + 4) / 8.0))
                      * least(1, greatest(0, (7 * 96 - 4 - i % 672) / 8.0)) AS week,
    CASE WHEN i % 96 >= 8 AND i % 96 < 14 THEN 1 + nightly ELSE 1 END AS night,
    -- An average of 16 numbers of variance 1 has a standard deviation of 1 / sqrt(16).
    avg(z) OVER (PARTITION BY service ORDER BY i ROWS BETWEEN 15 PRECEDING AND CURRENT ROW) * sqrt(16) AS drift
FROM points;

COPY (
    SELECT
        ts,
        l.service,
        -- mail has values that did not arrive, some as NULL and some without a row.
        CASE WHEN l.service = 'mail' AND lost < 12 THEN NULL ELSE round(greatest(0,
            mean * (1 + growth * i / (56 * 96)) * day * week * night * coalesce(factor, 1) * (1 + wander * drift + noise * z)
        ), 1) END AS qps
    FROM loads l
    LEFT JOIN planned p ON p.service = l.service AND ts >= "start" AND ts < "end"
    WHERE NOT (l.service = 'mail' AND (lost >= 985 OR i BETWEEN 2500 AND 2529))
    ORDER BY service, ts
) TO 'sql/data/demand.parquet' STORED AS PARQUET OPTIONS ('format.compression' 'zstd(9)');
