-- The same question as in 1_top_errors.sql, read from top to bottom: pipe syntax.

FROM 'sql/data/events.parquet'
|> WHERE level IN ('ERROR', 'FATAL')
|> EXTEND log_template(message) AS template
|> AGGREGATE count(*) AS n, min(ts) AS first_seen GROUP BY source, template
|> ORDER BY n DESC, template
|> LIMIT 10;
