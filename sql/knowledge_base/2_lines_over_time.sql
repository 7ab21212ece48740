-- How many lines had each cluster, and when? Lines are counted by template, so what people have joined or split since counts as
-- they say in the past too.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE template_counts STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

SELECT
    date_bin(INTERVAL '6 hours', window_start) AS six_hours,
    coalesce(name, array_to_string(keywords, ' ')) AS about,
    sum(lines) AS n_lines
FROM template_counts
JOIN templates ON templates.template_hash = template_counts.template_hash
LEFT JOIN clusters ON clusters.cluster_id = templates.cluster_id
GROUP BY six_hours, templates.cluster_id, about
QUALIFY row_number() OVER (PARTITION BY six_hours ORDER BY n_lines DESC, about) <= 3
ORDER BY six_hours, n_lines DESC, about;
