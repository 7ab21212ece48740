-- From a raw line to its template and its variables, and back to questions about the values.

-- One line taken apart.
SELECT
    parsed['template'] AS template,
    unnest(parsed['variables'])['kind'] AS kind,
    unnest(parsed['variables'])['value'] AS value
FROM (
    SELECT log_parse('connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.131, server: shop.example.com, request: "GET /api/orders/42 HTTP/1.1"') AS parsed
);

-- Which values does one template have? Here: how long statements waited for a lock, by day.
CREATE EXTERNAL TABLE postgresql STORED AS LOG LOCATION 'sql/data/postgresql.log' OPTIONS (
    pattern '^(?<ts>\S+ \S+) UTC \[(?<pid>\d+)\] (?:\S+@\S+ )?(?<level>[A-Z]+): +(?<message>.*)',
    multiline 'indent'
);

SELECT
    date_trunc('day', ts) AS day,
    count(*) AS n,
    round(max(wait_ms), 1) AS longest_wait_ms
FROM (
    SELECT ts, CAST(log_parse(message)['variables'][3]['value'] AS DOUBLE) AS wait_ms
    FROM postgresql
    WHERE template_match(message, 'process <*> acquired ShareLock on transaction <*> after <*> ms')
)
GROUP BY day
ORDER BY day;
