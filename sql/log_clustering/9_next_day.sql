-- Clusters that stay: what was found on the first day is known on the second. Old errors keep their cluster and its id, new
-- ones join it or found their own.

CREATE TABLE errors AS SELECT ts, message FROM 'sql/data/events.parquet' WHERE level IN ('ERROR', 'FATAL') AND source = 'postgresql';

-- Day one. The vocabulary is kept, so that the vectors of both days can be compared.
CREATE TABLE day1 AS
SELECT template_hash(t) AS id, t AS template, count(*) AS n
FROM (SELECT log_template(message) AS t FROM errors WHERE ts < '2026-03-03') GROUP BY t;
CREATE TABLE vocabulary AS SELECT tfidf_fit(template) AS model FROM day1;
CREATE TABLE known AS
SELECT c['id'] AS id, c['cluster_id'] AS cluster_id, c['is_representative'] AS is_representative
FROM (SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)))) AS c FROM day1);

-- Day two: old rows with their clusters and new ones without, together.
CREATE TABLE day2 AS
SELECT template_hash(t) AS id, t AS template, count(*) AS n
FROM (SELECT log_template(message) AS t FROM errors WHERE ts >= '2026-03-03') GROUP BY t;

WITH both_days AS (
    SELECT id, template, cluster_id FROM day1 JOIN known USING (id)
    UNION ALL
    SELECT id, template, NULL FROM day2 WHERE id NOT IN (SELECT id FROM day1)
),
clusters AS (
    SELECT c['id'] AS id, c['cluster_id'] AS cluster_id
    FROM (SELECT unnest(cluster_fit(id, tfidf_vec(template, (SELECT model FROM vocabulary)), cluster_id)) AS c FROM both_days)
)
SELECT
    day2.n,
    day2.template,
    CASE WHEN c.cluster_id = day2.id THEN 'new' ELSE coalesce(day1.template, 'as ' || c.cluster_id) END AS cluster
FROM day2 JOIN clusters c ON c.id = day2.id LEFT JOIN day1 ON day1.id = c.cluster_id
WHERE day2.id NOT IN (SELECT id FROM day1)
ORDER BY day2.n DESC, day2.template;

-- Or only asked, line by line: is this a known cause?
SELECT message, a['cluster_id'] AS cluster_id, round(a['distance'], 2) AS distance, a['is_new'] AS is_new
FROM (
    SELECT message, cluster_assign(
        tfidf_vec(log_template(message), (SELECT model FROM vocabulary)),
        (SELECT array_agg(named_struct('cluster_id', cluster_id, 'vec', tfidf_vec(template, (SELECT model FROM vocabulary))))
         FROM known JOIN day1 USING (id) WHERE is_representative)
    ) AS a
    FROM (VALUES ('permission denied for table invoices'), ('deadlock detected'), ('the printer is on fire')) AS lines(message)
);
