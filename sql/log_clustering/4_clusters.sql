-- Step 4: hierarchical clusters. Each is known by its representative, the template that stands in its middle.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

-- Steps before this one.
CREATE TABLE mined AS SELECT log_mine(message) AS model FROM postgresql WHERE level IN ('ERROR', 'FATAL');
CREATE TABLE templates AS
SELECT t['template_hash'] AS id, t['template'] AS template, t['count'] AS n
FROM (SELECT unnest(log_templates(model)) AS t FROM mined);
CREATE TABLE vocabulary AS SELECT tfidf_fit(template) AS model FROM templates;

CREATE TABLE clusters AS
SELECT c['id'] AS id, c['cluster_id'] AS cluster_id, c['is_representative'] AS is_representative, c['distance'] AS distance
FROM (
    SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)), 'linkage=average,metric=cosine,threshold=0.8')) AS c
    FROM templates
);

-- The clusters, the most frequent first.
SELECT cluster_id, sum(n) AS lines, count(*) AS templates, max(template) FILTER (WHERE is_representative) AS representative
FROM clusters JOIN templates USING (id)
GROUP BY cluster_id
ORDER BY lines DESC, cluster_id;

-- One of them from near to far.
SELECT round(distance, 2) AS distance, n, template
FROM clusters JOIN templates USING (id)
WHERE cluster_id = (SELECT cluster_id FROM clusters JOIN templates USING (id) WHERE template LIKE 'division by zero%')
ORDER BY distance, template;
