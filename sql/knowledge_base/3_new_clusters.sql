-- What went wrong today that never went wrong before?

CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE new_clusters STORED AS PARQUET LOCATION 'log_clustering/new_clusters/';

-- Today is the last day of the sample data; with data of yours it is now().
WITH today AS (SELECT date_trunc('day', max(window_start)) AS begin FROM new_clusters)
SELECT new_clusters.window_start, coalesce(name, array_to_string(clusters.keywords, ' ')) AS about, new_clusters.lines, example, solution
FROM new_clusters LEFT JOIN clusters ON clusters.cluster_id = new_clusters.cluster_id
WHERE new_clusters.window_start >= (SELECT begin FROM today)
ORDER BY new_clusters.window_start, new_clusters.lines DESC, example;
