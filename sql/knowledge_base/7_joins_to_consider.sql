-- Which clusters may have one cause? The pipeline puts together only what is surely alike. This groups its representatives more
-- boldly and changes nothing: a person says yes, by the join of 5_by_hand.sql.

CREATE EXTERNAL TABLE templates STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db';

WITH representatives AS (
    SELECT template_hash, template, cluster_id, log_tokens(template, 'stop_words=on,concepts=on') AS words
    FROM templates WHERE is_representative
),
vocabulary AS (
    SELECT tfidf_fit(words, 'concept_weight=8,max_terms=16384') AS model
    FROM (SELECT array_agg(DISTINCT word ORDER BY word) AS words FROM (SELECT unnest(words) AS word FROM representatives))
),
grouped AS (
    SELECT c['id'] AS template_hash, c['cluster_id'] AS group_id
    FROM (
        SELECT unnest(cluster_fit(template_hash, tfidf_vec(words, (SELECT model FROM vocabulary)), 'threshold=0.5')) AS c
        FROM representatives
    )
)
SELECT group_id, cluster_id, template
FROM grouped JOIN representatives ON representatives.template_hash = grouped.template_hash
QUALIFY count(*) OVER (PARTITION BY group_id) > 1
ORDER BY group_id, cluster_id, template;
