-- The errors of all programs of the shop at once: what goes wrong, whoever says it, and since when?

WITH errors AS (
    SELECT ts, source, message FROM 'sql/data/events.parquet' WHERE level IN ('ERROR', 'FATAL')
),
mined AS (
    SELECT log_mine(message) AS model FROM errors
),
matched AS (
    SELECT ts, source, log_match(message, (SELECT model FROM mined))['template'] AS template FROM errors
),
templates AS (
    SELECT template_hash(template) AS id, template, count(*) AS n, min(ts) AS first_seen, array_agg(DISTINCT source) AS sources
    FROM matched
    GROUP BY template
),
vocabulary AS (
    SELECT tfidf_fit(template) AS model FROM templates
),
clusters AS (
    SELECT c['id'] AS id, c['cluster_id'] AS cluster_id
    FROM (SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)))) AS c FROM templates)
),
keywords AS (
    SELECT k['cluster_id'] AS cluster_id, k['keywords'] AS keywords
    FROM (SELECT unnest(cluster_keywords(cluster_id, template)) AS k FROM clusters JOIN templates USING (id))
)
SELECT
    sum(n) AS lines,
    count(*) AS templates,
    array_sort(array_distinct(flatten(array_agg(sources)))) AS programs,
    min(first_seen) AS first_seen,
    keywords
FROM clusters JOIN templates USING (id) JOIN keywords USING (cluster_id)
GROUP BY cluster_id, keywords
ORDER BY lines DESC, cluster_id
LIMIT 20;
