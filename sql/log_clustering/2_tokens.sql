-- Step 2: tokenise, and select the words that tell templates apart. A failure concept such as #disk or #exhausted stands for
-- all words that mean it, whatever the language.

CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

-- Steps before this one.
CREATE TABLE mined AS SELECT log_mine(message) AS model FROM postgresql WHERE level IN ('ERROR', 'FATAL');
CREATE TABLE templates AS
SELECT t['template_hash'] AS id, t['template'] AS template, t['count'] AS n
FROM (SELECT unnest(log_templates(model)) AS t FROM mined);

SELECT template, log_tokens(template, 'stop_words=on,concepts=on') AS words FROM templates ORDER BY n DESC, id LIMIT 5;

-- The vocabulary: words of at least two templates and of at most a third of them.
CREATE TABLE vocabulary AS SELECT tfidf_fit(template, 'min_df=2,max_df=0.33') AS model FROM templates;

SELECT t['term'] AS term, t['document_frequency'] AS templates, round(t['idf'], 2) AS idf
FROM (SELECT unnest(tfidf_terms(model)) AS t FROM vocabulary)
ORDER BY templates DESC, term
LIMIT 10;
