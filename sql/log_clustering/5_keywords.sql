-- Step 5: keywords say what a cluster is about and why its templates are together.

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
SELECT c['id'] AS id, c['cluster_id'] AS cluster_id
FROM (SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)))) AS c FROM templates);

WITH keywords AS (
    SELECT unnest(cluster_keywords(cluster_id, template)) AS k
    FROM clusters JOIN templates USING (id)
)
SELECT sum(n) AS lines, count(*) AS templates, k['keywords'] AS keywords
FROM clusters JOIN templates USING (id) JOIN keywords ON cluster_id = k['cluster_id']
GROUP BY cluster_id, k['keywords']
ORDER BY lines DESC, cluster_id;
