-- When is a disk full? Sixty days of two disks, one that fills evenly and one that is cleaned every week, of 500 and 600 GB.
CREATE TABLE disks AS
SELECT disk, size, ts, CASE disk
        WHEN 'db-1' THEN 300 + 2.5 * day + day * 7919 % 11 / 10.0
        ELSE 420 + 0.8 * day + 12 * (day % 7) + day * 104729 % 13 / 10.0
    END AS used
FROM (SELECT n AS day, CAST('2026-03-01' AS TIMESTAMP) + CAST(concat(n, ' days') AS INTERVAL) AS ts FROM generate_series(0, 59) AS d(n))
    CROSS JOIN (VALUES ('db-1', 500), ('logs-1', 600)) AS d(disk, size);

-- By the forecast of 120 days, with the time from which on it can be (earliest) and by which it has surely been (latest). Sizes
-- differ, so the share is forecast, which cannot be more than 1.
SELECT disk, full_at['ts'] AS full_at, full_at['earliest'] AS earliest, full_at['latest'] AS latest
FROM (SELECT disk, ts_reaches(ts, used / size, 1, 'horizon=120 days,floor=0') AS full_at FROM disks GROUP BY disk)
ORDER BY disk;
