-- Which errors came, which of them are new, what are they about, and what is the solution? Window after window:
--
--     mkdir log_clustering
--     head -n 1389 sql/data/postgresql.log > log_clustering/app.log
--     datafusion-aiops run sql/streaming/log_clustering.sql --checkpoint log_clustering/checkpoint
--     tail -n +1390 sql/data/postgresql.log >> log_clustering/app.log
--
-- New errors are clustered together with those that the knowledge base knows. Clusters keep their ids for ever; the solution
-- that somebody writes beside one (sql/knowledge_base) is on all its lines from the next window on.
--
-- The lines above make a log of the first day of the sample data, leave the pipeline running, and, from another terminal, add
-- the second day. The windows are of one hour. For a log of yours, change the LOCATION, the pattern, and the length to INTERVAL '30 seconds'. Without UNBOUNDED it runs over an archive, window
-- by window, and ends.

CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION 'log_clustering/app.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

-- The knowledge base is one SQLite file. A row for each template ...
CREATE EXTERNAL TABLE templates (
    template_hash BIGINT,
    template TEXT,
    cluster_id BIGINT,
    is_representative BOOLEAN, -- new templates are compared with these alone
    keys TEXT[],               -- the failures that it speaks of, or its words if it names none
    first_seen TIMESTAMP,
    last_seen TIMESTAMP,
    PRIMARY KEY (template_hash)
) STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db' OPTIONS (busy_timeout '1 minute');

-- ... and for each cluster. Its id is the hash of the template that founded it. Name and solution are for people to write.
CREATE EXTERNAL TABLE clusters (
    cluster_id BIGINT,
    keywords TEXT[],
    name TEXT,
    solution TEXT,
    first_seen TIMESTAMP,
    PRIMARY KEY (cluster_id)
) STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db' OPTIONS (busy_timeout '1 minute');

-- Lines of each template and window, not cluster: when people join or split clusters the past follows.
CREATE EXTERNAL TABLE template_counts (
    window_start TIMESTAMP,
    template_hash BIGINT,
    lines BIGINT,
    PRIMARY KEY (window_start, template_hash)
) STORED AS SQLITE LOCATION 'log_clustering/knowledge_base.db' OPTIONS (busy_timeout '1 minute');

-- Every error with its answer, a file for each window.
CREATE EXTERNAL TABLE answered (
    ts TIMESTAMP, level TEXT, message TEXT, template_hash BIGINT, cluster_id BIGINT, keywords TEXT[], solution TEXT
) STORED AS PARQUET LOCATION 'log_clustering/answered/';

-- Every cluster that was never seen before: for the alerting.
CREATE EXTERNAL TABLE new_clusters (
    cluster_id BIGINT, window_start TIMESTAMP, keywords TEXT[], lines BIGINT, example TEXT
) STORED AS PARQUET LOCATION 'log_clustering/new_clusters/';

-- 1. The errors of the window, and their templates. From here on every statement runs once for each window.
CREATE OR REPLACE TABLE window_lines AS
SELECT
    window_start, ts, level, message,
    log_template(message) AS template, template_hash(log_template(message)) AS template_hash
FROM tumble(logs, ts, INTERVAL '1 hour')
WHERE level IN ('ERROR', 'FATAL', 'PANIC');

CREATE OR REPLACE TABLE window_templates AS
SELECT window_start, template_hash, template, max(ts) AS window_last_seen, count(*) AS lines, min(message) AS example
FROM window_lines
GROUP BY window_start, template_hash, template;

-- 2. Those that the knowledge base knows, and those that are new, as words. With concepts=on, words that mean a failure
-- ("no space left", 磁盘已满) add the failure itself (#disk, #exhausted).
CREATE OR REPLACE TABLE known AS
SELECT templates.template_hash FROM window_templates JOIN templates ON templates.template_hash = window_templates.template_hash;

CREATE OR REPLACE TABLE new_templates AS
SELECT
    window_start, template_hash, template, window_last_seen, words,
    CASE WHEN empty(concepts) THEN array_distinct(words) ELSE concepts END AS keys
FROM (
    SELECT *, array_except(words, log_tokens(template, 'stop_words=on')) AS concepts
    FROM (SELECT *, log_tokens(template, 'stop_words=on,concepts=on') AS words FROM window_templates)
)
WHERE template_hash NOT IN (SELECT template_hash FROM known);

-- 3. The representatives of clusters that may be near a new template: those that share its keys. Two templates that share
-- fewer are farther apart than the threshold of 5. So a window costs as much as is new in it, however much is known.
CREATE OR REPLACE TABLE near AS
SELECT old.template_hash, template, cluster_id
FROM (SELECT template_hash AS new_hash, cardinality(keys) AS n_new, unnest(keys) AS key FROM new_templates) AS new
JOIN (
    SELECT template_hash, template, cluster_id, cardinality(keys) AS n_old, unnest(keys) AS key
    FROM templates WHERE is_representative
) AS old ON old.key = new.key
GROUP BY new_hash, n_new, old.template_hash, n_old, template, cluster_id
HAVING count(*) >= 0.6 * sqrt(n_new * n_old);

-- Each representative is a prior cluster of its own here; which cluster that is today is looked up in 5. So of clusters that
-- people have joined, what is near any of the representatives belongs to the one cluster.
CREATE OR REPLACE TABLE to_cluster AS
SELECT template_hash, words, CAST(NULL AS BIGINT) AS prior FROM new_templates
UNION ALL
SELECT DISTINCT template_hash, log_tokens(template, 'stop_words=on,concepts=on') AS words, template_hash AS prior FROM near;

-- 4. The vocabulary: all these words as one text, so that a word weighs 1 and a concept 8, however rare they are. How rare a
-- word is would change with every new template; so two templates are as far apart today as in a year.
CREATE OR REPLACE TABLE vocabulary AS
SELECT tfidf_fit(words, 'concept_weight=8,max_terms=16384') AS model
FROM (SELECT array_agg(DISTINCT word ORDER BY word) AS words FROM (SELECT unnest(words) AS word FROM to_cluster));

-- 5. The clusters of the new templates, known or new. Templates of the same concepts are some 0.1 apart, one concept in three
-- makes it 0.2, one in two 0.3: few distances are near the threshold, so it hardly matters what came first.
CREATE OR REPLACE TABLE found AS
SELECT
    c['id'] AS template_hash,
    coalesce(near.cluster_id, c['cluster_id']) AS cluster_id,
    c['cluster_id'] = c['id'] AS is_representative
FROM (
    SELECT unnest(cluster_fit(template_hash, tfidf_vec(words, (SELECT model FROM vocabulary)), prior, 'threshold=0.25')) AS c
    FROM to_cluster
) AS fitted
LEFT JOIN (SELECT DISTINCT template_hash, cluster_id FROM near) AS near ON near.template_hash = c['cluster_id']
WHERE c['id'] IN (SELECT template_hash FROM new_templates);

-- 6. What the new clusters are about: what tells them from those near them.
CREATE OR REPLACE TABLE found_keywords AS
SELECT k['cluster_id'] AS cluster_id, k['keywords'] AS keywords
FROM (
    SELECT unnest(cluster_keywords(coalesce(found.cluster_id, near.cluster_id), words)) AS k
    FROM to_cluster
    LEFT JOIN found ON found.template_hash = to_cluster.template_hash
    LEFT JOIN (SELECT DISTINCT template_hash, cluster_id FROM near) AS near ON near.template_hash = to_cluster.template_hash
)
WHERE k['cluster_id'] IN (SELECT template_hash FROM found WHERE is_representative);

-- 7. Into the knowledge base. All that a window writes there is one transaction, which nobody sees the half of.
INSERT INTO clusters
SELECT cluster_id, keywords, CAST(NULL AS TEXT) AS name, CAST(NULL AS TEXT) AS solution, window_start
FROM found_keywords JOIN new_templates ON template_hash = cluster_id
-- INSERT replaces what has the same key, and this may be there: with a solution, of a template that people have deleted.
WHERE cluster_id NOT IN (SELECT cluster_id FROM clusters);

INSERT INTO templates
SELECT new_templates.template_hash, template, cluster_id, is_representative, keys, window_start, window_last_seen
FROM new_templates JOIN found ON found.template_hash = new_templates.template_hash;

MERGE INTO templates USING window_templates ON templates.template_hash = window_templates.template_hash
WHEN MATCHED THEN UPDATE SET last_seen = greatest(last_seen, window_last_seen);

INSERT INTO template_counts
SELECT window_start, template_hash, lines FROM window_templates;

-- 8. The answers: a solution that somebody wrote for a cluster is there for all its templates.
CREATE OR REPLACE TABLE window_answers AS
SELECT window_start, window_templates.template_hash, lines, example, templates.cluster_id, keywords, solution, clusters.first_seen
FROM window_templates
JOIN templates ON templates.template_hash = window_templates.template_hash
LEFT JOIN clusters ON clusters.cluster_id = templates.cluster_id;

INSERT INTO answered
SELECT ts, level, message, window_lines.template_hash, cluster_id, keywords, solution
FROM window_lines JOIN window_answers ON window_answers.template_hash = window_lines.template_hash
ORDER BY ts, message;

INSERT INTO new_clusters
SELECT cluster_id, window_start, keywords, sum(lines) AS lines, min(example) AS example
FROM window_answers
WHERE first_seen = window_start
GROUP BY cluster_id, window_start, keywords
ORDER BY lines DESC, cluster_id;
