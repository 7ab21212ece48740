-- Makes live_metrics/2026-02.parquet, three hosts of metrics.parquet in the order in which their values would come:
--     datafusion-aiops -f sql/data/make/live_metrics.sql
-- in the folder of the project.

COPY (
    SELECT ts, host, qps
    FROM 'sql/data/metrics.parquet'
    WHERE host IN ('cart-1', 'payments-1', 'web-1') AND ts < '2026-02-27'
    ORDER BY ts, host
) TO 'sql/data/live_metrics/2026-02.parquet' OPTIONS (compression 'zstd(19)');
