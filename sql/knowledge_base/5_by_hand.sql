-- What people change. The pipeline keeps to it from the next window on: it never moves a template that has a cluster.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

-- Name a cluster and write its solution: it is on all later lines of the cluster, whatever their template. The id is that of
-- 4_without_solution.sql.
UPDATE clusters
SET name = 'slow statements', solution = 'runbook 12: EXPLAIN it, add the index'
WHERE cluster_id = 4897789798311054130;

-- Join two clusters: all of the second belongs to the first. Its representative stays one, so what is like it comes along.
UPDATE templates SET cluster_id = 6967840940713923105 WHERE cluster_id = 1571819734751570524;
DELETE FROM clusters WHERE cluster_id = 1571819734751570524;
UPDATE clusters
SET name = 'names that do not exist', solution = 'runbook 3: was the release migrated?'
WHERE cluster_id = 6967840940713923105;

-- Split a template off: it founds a cluster, and what is nearer to it than to others will follow it. The template whose hash is
-- the id of its cluster cannot leave: split off the others.
MERGE INTO clusters USING (
    SELECT template_hash FROM templates
    WHERE template = 'update or delete on table "<*>" violates foreign key constraint "<*>" on table "<*>"'
) AS split ON cluster_id = template_hash
WHEN MATCHED THEN UPDATE SET name = 'rows still in use'
WHEN NOT MATCHED THEN INSERT (cluster_id, name) VALUES (template_hash, 'rows still in use');

UPDATE templates SET cluster_id = template_hash, is_representative = true
WHERE template = 'update or delete on table "<*>" violates foreign key constraint "<*>" on table "<*>"';

-- The keywords of the clusters as they are now.
MERGE INTO clusters USING (
    SELECT k['cluster_id'] AS of_cluster, k['keywords'] AS new_keywords
    FROM (SELECT unnest(cluster_keywords(cluster_id, template)) AS k FROM templates)
) AS now ON cluster_id = of_cluster
WHEN MATCHED THEN UPDATE SET keywords = new_keywords;

SELECT name, solution, keywords FROM clusters WHERE name IS NOT NULL ORDER BY name;
