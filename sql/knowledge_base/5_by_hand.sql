-- What people change. The pipeline keeps to it from the next window on: it never moves a template that has a cluster.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

-- Name a cluster and write its solution: it is on all later lines of the cluster, whatever their template. The id is in
-- 4_without_solution.sql.
UPDATE clusters
SET name = 'slow statements', solution = 'See the runbook: EXPLAIN the statement, then raise statement_timeout for reports alone'
WHERE cluster_id = 4897789798311054130;

-- Join two clusters: all of the second belongs to the first. Its representative stays one, so what is like it comes along.
UPDATE templates SET cluster_id = 2463930142397839619 WHERE cluster_id = 3217537013873558836;
DELETE FROM clusters WHERE cluster_id = 3217537013873558836;

-- Split a template off: it founds a cluster, and what is nearer to it than to others will follow it. The template whose hash is
-- the id of its cluster cannot leave: split off the others.
INSERT INTO clusters (cluster_id, name, solution)
SELECT template_hash, 'prices without discount', 'Release 2.14 needs the migration of products: run it'
FROM templates
WHERE template_hash = template_hash(log_template('column p.discount does not exist at character 37'));

UPDATE templates SET cluster_id = template_hash, is_representative = true
WHERE template_hash = template_hash(log_template('column p.discount does not exist at character 37'));

-- The keywords of the clusters as they are now.
MERGE INTO clusters USING (
    SELECT k['cluster_id'] AS of_cluster, k['keywords'] AS new_keywords
    FROM (SELECT unnest(cluster_keywords(cluster_id, template)) AS k FROM templates)
) AS now ON cluster_id = of_cluster
WHEN MATCHED THEN UPDATE SET keywords = new_keywords;

SELECT cluster_id, keywords, name, solution FROM clusters WHERE name IS NOT NULL ORDER BY cluster_id;
