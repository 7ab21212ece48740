-- Step 3: a vector for each template, one dimension for each word of the vocabulary: 0 and 1, or weighted by how rare a
-- word is.

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

-- The 0/1 vector of a vocabulary of eight words.
CREATE TABLE small AS SELECT tfidf_fit(template, 'max_terms=8') AS model FROM templates;

SELECT t['term'] AS dimension FROM (SELECT unnest(tfidf_terms(model)) AS t FROM small);

SELECT template, tfidf_vec(template, (SELECT model FROM small), 'weight=binary,norm=none') AS vec
FROM templates
ORDER BY n DESC, id
LIMIT 5;

-- What weighs most in one template, with all words. Concepts weigh more than words.
SELECT term['term'] AS term, round(weight, 2) AS weight
FROM (
    SELECT unnest(tfidf_terms(model)) AS term, unnest(tfidf_vec('permission denied for table payments', model)) AS weight
    FROM vocabulary
)
WHERE weight > 0
ORDER BY weight DESC, term;
