-- Which solution should be written next? Clusters without one, those with most lines in the last seven days first.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE template_counts STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

-- The last window of the sample data stands for now().
WITH present AS (SELECT max(window_start) AS moment FROM template_counts)
SELECT
    templates.cluster_id,
    coalesce(name, array_to_string(keywords, ' ')) AS about,
    sum(lines) AS lines,
    max(template) FILTER (WHERE is_representative) AS example
FROM template_counts
JOIN templates ON templates.template_hash = template_counts.template_hash
LEFT JOIN clusters ON clusters.cluster_id = templates.cluster_id
WHERE window_start >= (SELECT moment FROM present) - INTERVAL '7 days' AND solution IS NULL
GROUP BY templates.cluster_id, about
ORDER BY lines DESC, templates.cluster_id
LIMIT 10;
