-- Which errors became more or less frequent: the day before the deploy against the day after it.
-- Of n events, an unchanged error has about n * share of its events in the second period; z says by how many standard
-- deviations (binomial) the count differs from that. Beyond 3 it is no accident.

WITH periods AS (
    SELECT
        log_template(split_part(message, chr(10), 1)) AS template,
        count(*) FILTER (WHERE ts < TIMESTAMP '2026-03-03T00:00:00Z') AS before,
        count(*) FILTER (WHERE ts >= TIMESTAMP '2026-03-03T00:00:00Z') AS after,
        -- Both periods are of the same length here; a longer second one has a greater share.
        0.5 AS share
    FROM 'sql/data/events.parquet'
    WHERE level IN ('ERROR', 'FATAL', 'WARNING')
    GROUP BY template
)
SELECT
    round((after - (before + after) * share) / sqrt((before + after) * share * (1 - share)), 1) AS z,
    before,
    after,
    template
FROM periods
WHERE abs(after - (before + after) * share) > 3 * sqrt((before + after) * share * (1 - share))
ORDER BY z DESC, template;
