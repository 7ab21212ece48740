-- Six lines of one cause, worded in two ways, in two languages. No word joins them, but the concepts #disk and #exhausted
-- do: one cluster.

WITH lines(message) AS (VALUES
    ('Write to volume vol-17 failed: No space left on device'),
    ('Write to volume vol-4 failed: No space left on device'),
    ('Write to volume vol-88 failed: No space left on device'),
    ('磁盘已满，数据块 blk_1073 写入失败'),
    ('磁盘已满，数据块 blk_2210 写入失败'),
    ('磁盘已满，数据块 blk_9921 写入失败')
),
templates AS (
    SELECT log_template(message) AS template, template_hash(log_template(message)) AS id, count(*) AS n
    FROM lines GROUP BY template
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
    FROM (SELECT unnest(cluster_keywords(cluster_id, template, 'max_keywords=4')) AS k FROM clusters JOIN templates USING (id))
)
SELECT dense_rank() OVER (ORDER BY cluster_id) AS cluster, n, template, keywords
FROM clusters JOIN templates USING (id) JOIN keywords USING (cluster_id)
ORDER BY cluster, template;
