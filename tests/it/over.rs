//! `ts_anomaly(...) OVER (...)` and `ts_forecast(...) OVER (...)`: how they are planned, that they
//! stream, and how Rust code calls them.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampSecondArray,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{FunctionRegistry, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::registry::MemoryFunctionRegistry;
use datafusion::logical_expr::{ExprFunctionExt, SortExpr, col, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

/// Points of two series in the order of time.
fn points(n_rows: i64) -> RecordBatch {
    let ts: TimestampSecondArray = (0..n_rows)
        .map(|row| Some(1_700_000_000 + 30 * row))
        .collect();
    let host: StringArray = (0..n_rows)
        .map(|row| Some(if row % 2 == 0 { "a" } else { "b" }))
        .collect();
    let value: Float64Array = (0..n_rows)
        .map(|row| match row {
            _ if row % 13 == 0 => None,
            60 => Some(500.0),
            _ => Some((row * row % 7) as f64),
        })
        .collect();
    let columns: [(&str, ArrayRef, bool); 4] = [
        (
            "id",
            Arc::new(Int64Array::from_iter_values(0..n_rows)),
            false,
        ),
        ("ts", Arc::new(ts), false),
        ("host", Arc::new(host), false),
        ("value", Arc::new(value), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// A source that never ends: after its batches, it waits forever.
#[derive(Debug)]
struct Endless(Vec<RecordBatch>);

impl PartitionStream for Endless {
    fn schema(&self) -> &SchemaRef {
        self.0[0].schema_ref()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = futures::stream::iter(self.0.clone().into_iter().map(Ok));
        let endless = batches.chain(futures::stream::pending());
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.schema()),
            endless,
        ))
    }
}

fn session() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    datafusion_aiops::install(&context).unwrap();
    context
}

/// A session with `points`, and with `live`, which has the same rows, one per batch, in the order
/// of time.
fn session_with_points() -> SessionContext {
    let context = session();
    let points = points(100);
    let rows = (0..points.num_rows()).map(|row| points.slice(row, 1));
    let live = StreamingTable::try_new(points.schema(), vec![Arc::new(Endless(rows.collect()))])
        .unwrap()
        .with_infinite_table(true)
        .with_sort_order(vec![SortExpr::new(col("ts"), true, false)]);
    context.register_table("live", Arc::new(live)).unwrap();
    context.register_batch("points", points).unwrap();
    context
}

async fn plan(context: &SessionContext, query: &str) -> Arc<dyn ExecutionPlan> {
    let frame = context.sql(query).await.unwrap();
    frame.create_physical_plan().await.unwrap()
}

async fn table(context: &SessionContext, query: &str) -> String {
    let batches = context.sql(query).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

const HINDSIGHT: &str = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";

#[tokio::test]
async fn the_past_is_judged_row_by_row_and_hindsight_at_once() {
    let context = session_with_points();
    for (frame, expected) in [
        ("", "BoundedWindowAggExec"),
        ("ROWS UNBOUNDED PRECEDING", "BoundedWindowAggExec"),
        (HINDSIGHT, " WindowAggExec"),
    ] {
        let query = format!(
            "SELECT ts_anomaly(value) OVER (PARTITION BY host ORDER BY ts {frame}) FROM points"
        );
        let plan = plan(&context, &query).await;
        let text = displayable(plan.as_ref()).indent(false).to_string();
        assert!(text.contains(expected), "{text}");
    }
}

/// Every verdict comes as soon as its row is there, although the source never ends, and equals that
/// over the whole table.
#[tokio::test]
async fn verdicts_stream() {
    let context = session_with_points();
    for partition in ["", "PARTITION BY host"] {
        let query = |table: &str| {
            format!("SELECT id, ts_anomaly(value) OVER ({partition} ORDER BY ts) AS a FROM {table}")
        };
        let frame = context.sql(&query("live")).await.unwrap();
        let mut stream = frame.execute_stream().await.unwrap();
        let mut batches = vec![];
        for row in 0..100 {
            let batch = stream.next().await.unwrap().unwrap();
            assert_eq!(batch.num_rows(), 1, "row {row}");
            batches.push(batch);
        }
        let live = pretty_format_batches(&batches).unwrap().to_string();
        let whole = table(&context, &format!("{} ORDER BY id", query("points"))).await;
        assert_eq!(live, whole, "{partition}");
    }
}

#[tokio::test]
async fn hindsight_never_runs_on_what_does_not_end() {
    let context = session_with_points();
    let query = format!("SELECT ts_anomaly(value) OVER (ORDER BY ts {HINDSIGHT}) FROM live");
    let frame = context.sql(&query).await.unwrap();
    let error = frame.create_physical_plan().await.unwrap_err();
    assert!(error.to_string().contains("pipeline breaking"), "{error}");
}

#[tokio::test]
async fn verdicts_of_a_prefix_are_a_prefix_of_the_verdicts() {
    let context = session_with_points();
    let verdicts = |n_rows: usize| {
        let query = format!(
            "SELECT id, ts_anomaly(value) OVER (PARTITION BY host ORDER BY ts) FROM (SELECT * FROM points WHERE id < {n_rows}) ORDER BY id"
        );
        let context = &context;
        async move { context.sql(&query).await.unwrap().collect().await.unwrap() }
    };
    let whole = verdicts(100).await;
    let whole = datafusion::arrow::compute::concat_batches(&whole[0].schema(), &whole).unwrap();
    for n_rows in [1, 2, 13, 50, 61, 99] {
        let prefix = verdicts(n_rows).await;
        let prefix = datafusion::arrow::compute::concat_batches(&whole.schema(), &prefix).unwrap();
        assert_eq!(prefix, whole.slice(0, n_rows), "{n_rows} rows");
    }
}

/// Through the expression builder, the function gets neither time nor frame: it returns structs
/// based on positions alone.
#[tokio::test]
async fn rust_code_calls_the_window_function() {
    let context = session_with_points();
    let function = context.udwf("ts_anomaly").unwrap();
    let judged = |arguments| {
        function
            .call(arguments)
            .order_by(vec![col("ts").sort(true, false)])
            .build()
            .unwrap()
            .alias("verdict")
    };
    for arguments in [vec![col("value")], vec![col("value"), lit("sides=both")]] {
        let frame = context.table("points").await.unwrap();
        let frame = frame
            .select(vec![col("id"), judged(arguments)])
            .unwrap()
            .sort(vec![col("id").sort(true, false)])
            .unwrap();
        assert!(matches!(
            frame.schema().field(1).data_type(),
            DataType::Struct(_)
        ));
        let batches = frame.collect().await.unwrap();
        let built = pretty_format_batches(&batches).unwrap().to_string();
        let query =
            "SELECT id, ts_anomaly(value) OVER (ORDER BY id) AS verdict FROM points ORDER BY id";
        assert_eq!(built, table(&context, query).await);
    }
    let frame = context.table("points").await.unwrap();
    let no_number = frame.select(vec![judged(vec![col("host")])]);
    let error = no_number.unwrap_err().to_string();
    assert!(error.contains("value must be a number"), "{error}");
}

/// Rows after a LIMIT are not judged if only the past is seen.
#[tokio::test]
async fn a_limit_reaches_the_rows() {
    let context = session_with_points();
    for (frame, is_limited) in [("", true), (HINDSIGHT, false)] {
        let query =
            format!("SELECT ts_anomaly(value) OVER (ORDER BY ts {frame}) FROM points LIMIT 5");
        let plan = plan(&context, &query).await;
        let text = displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(text.contains("TopK(fetch=5)"), is_limited, "{text}");
    }
}

/// With a sliding frame, each row gets its forecast as soon as it is there.
#[tokio::test]
async fn forecasts_stream() {
    let context = session_with_points();
    let over = "OVER (ORDER BY ts ROWS BETWEEN 19 PRECEDING AND CURRENT ROW)";
    let query = |table: &str| {
        format!(
            "SELECT id, ts_forecast(ts, value, 2, 'model=fast,quantiles=0.9') {over} AS f FROM {table}"
        )
    };
    let frame = context.sql(&query("live")).await.unwrap();
    let mut stream = frame.execute_stream().await.unwrap();
    let mut batches = vec![];
    for _ in 0..100 {
        batches.push(stream.next().await.unwrap().unwrap());
    }
    let live = pretty_format_batches(&batches).unwrap().to_string();
    let whole = table(&context, &format!("{} ORDER BY id", query("points"))).await;
    assert_eq!(live, whole);
}

/// Options that add fields are read while SQL is planned; Rust code has the others.
#[tokio::test]
async fn rust_code_calls_the_forecast() {
    let context = session_with_points();
    let function = context.udaf("ts_forecast").unwrap();
    let forecast = |options: &str| {
        let arguments = vec![col("ts"), col("value"), lit(3), lit(options)];
        let forecast = function.call(arguments).alias("forecast");
        let context = &context;
        async move {
            let frame = context.table("points").await?;
            frame.aggregate(vec![], vec![forecast])?.collect().await
        }
    };
    let batches = forecast("model=fast").await.unwrap();
    let built = pretty_format_batches(&batches).unwrap().to_string();
    let query = "SELECT ts_forecast(ts, value, 3, 'model=fast') AS forecast FROM points";
    assert_eq!(built, table(&context, query).await);
    let error = forecast("explain=on").await.unwrap_err().to_string();
    assert!(error.contains("must stand as text"), "{error}");
}

#[test]
fn registries_without_planners_take_the_functions() {
    let mut registry = MemoryFunctionRegistry::new();
    datafusion_aiops::register_all(&mut registry).unwrap();
    assert!(registry.udaf("ts_anomaly").is_ok() && registry.udwf("ts_anomaly").is_ok());
}
