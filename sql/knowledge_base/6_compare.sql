-- Which clusters have more or fewer lines than usual? The last day beside the mean day of the week before.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE template_counts STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

-- The sample data is two days long, if both were read: its week before is one day. With data of yours: now(), and 7 days.
WITH present AS (
    SELECT date_trunc('day', max(window_start)) AS today, 1 AS days_before FROM template_counts
),
per_cluster AS (
    SELECT
        templates.cluster_id,
        coalesce(name, array_to_string(keywords, ' ')) AS about,
        coalesce(sum(lines) FILTER (WHERE window_start >= today), 0) AS last_day,
        coalesce(sum(lines) FILTER (WHERE window_start < today), 0) / max(days_before) AS usual_day
    FROM template_counts
    JOIN templates ON templates.template_hash = template_counts.template_hash
    LEFT JOIN clusters ON clusters.cluster_id = templates.cluster_id
    CROSS JOIN present
    GROUP BY templates.cluster_id, about
)
-- How surprising is the difference? Counts scatter by about their square root.
SELECT about, last_day, usual_day, round((last_day - usual_day) / sqrt(usual_day + 1), 1) AS surprise
FROM per_cluster
ORDER BY abs(surprise) DESC, about
LIMIT 10;
