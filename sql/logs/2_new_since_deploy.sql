-- What is new since the deploy at midnight: templates that were never seen before it, over all programs at once.

SELECT
    count(*) AS n,
    min(ts) AS first_seen,
    source,
    -- The first line is enough to tell errors apart; a traceback follows it.
    log_template(split_part(message, chr(10), 1)) AS template
FROM 'sql/data/events.parquet'
WHERE level IN ('ERROR', 'FATAL', 'WARNING')
GROUP BY source, template
HAVING min(ts) >= TIMESTAMP '2026-03-03T00:00:00Z'
ORDER BY n DESC, template
LIMIT 12;
