-- All steps in one statement: from log lines to causes, each with its keywords and an example.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

WITH mined AS (
    SELECT log_mine(message) AS model FROM postgresql WHERE level IN ('ERROR', 'FATAL')
),
templates AS (
    SELECT t['template_hash'] AS id, t['template'] AS template, t['count'] AS n, t['example'] AS example
    FROM (SELECT unnest(log_templates(model)) AS t FROM mined)
),
vocabulary AS (
    SELECT tfidf_fit(template) AS model FROM templates
),
clusters AS (
    SELECT c['id'] AS id, c['cluster_id'] AS cluster_id, c['is_representative'] AS is_representative
    FROM (SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)))) AS c FROM templates)
),
keywords AS (
    SELECT k['cluster_id'] AS cluster_id, k['keywords'] AS keywords
    FROM (SELECT unnest(cluster_keywords(cluster_id, template)) AS k FROM clusters JOIN templates USING (id))
)
SELECT sum(n) AS lines, count(*) AS templates, keywords, max(example) FILTER (WHERE is_representative) AS example
FROM clusters JOIN templates USING (id) JOIN keywords USING (cluster_id)
GROUP BY cluster_id, keywords
ORDER BY lines DESC, cluster_id
LIMIT 10;
