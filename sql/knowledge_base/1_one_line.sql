-- Somebody has this error. Which cluster is it of, and what is the solution? After a run of sql/streaming/log_clustering.sql.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';
CREATE EXTERNAL TABLE clusters STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

-- An error whose template is known: its id is enough.
SELECT keywords, name, solution
FROM templates JOIN clusters ON clusters.cluster_id = templates.cluster_id
WHERE template_hash = template_hash(log_template('column "shiped_at" does not exist at character 8'));

-- Any error: the nearest cluster, by the words and weights of the pipeline. Up to a distance of 0.25 the pipeline would put it
-- there; beyond, it is a hint.
WITH line AS (
    SELECT log_tokens(log_template('connection to server at "10.20.0.9" failed: password authentication failed for user "etl"'), 'stop_words=on,concepts=on') AS words
),
representatives AS (
    SELECT cluster_id, log_tokens(template, 'stop_words=on,concepts=on') AS words FROM templates WHERE is_representative
),
vocabulary AS (
    SELECT tfidf_fit(words, 'concept_weight=8,max_terms=16384') AS model
    FROM (
        SELECT array_agg(DISTINCT word ORDER BY word) AS words
        FROM (SELECT unnest(words) AS word FROM representatives UNION ALL SELECT unnest(words) AS word FROM line)
    )
),
vectors AS (
    SELECT array_agg(named_struct('cluster_id', cluster_id, 'vec', tfidf_vec(words, (SELECT model FROM vocabulary)))) AS all_vectors
    FROM representatives
),
nearest AS (
    SELECT cluster_assign(tfidf_vec(words, (SELECT model FROM vocabulary)), (SELECT all_vectors FROM vectors), 'threshold=0.9') AS a
    FROM line
)
SELECT keywords, name, solution, round(a['distance'], 2) AS distance, a['distance'] <= 0.25 AS is_of_it
FROM nearest LEFT JOIN clusters ON clusters.cluster_id = a['cluster_id'];
