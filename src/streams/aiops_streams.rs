//! `aiops_streams()`: the counters of every statement that reads or has read a live table, as a
//! table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};

use crate::streams::counters::{StreamCounters, StreamRegistry};
use crate::streams::snapshot::{Snapshot, SnapshotTable};

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// A counter of a stream.
type Counter = fn(&StreamCounters) -> &AtomicU64;

/// The counters in the order in which they are shown.
const COUNTERS: [(&str, Counter); 10] = [
    ("rows_read", |stream| &stream.rows_read),
    ("rows_late", |stream| &stream.rows_late),
    ("rows_without_time", |stream| &stream.rows_without_time),
    ("rows_malformed", |stream| &stream.rows_malformed),
    ("bytes_read", |stream| &stream.bytes_read),
    ("open_windows", |stream| &stream.open_windows),
    ("closed_windows", |stream| &stream.closed_windows),
    ("buffered_bytes", |stream| &stream.buffered_bytes),
    ("spilled_bytes", |stream| &stream.spilled_bytes),
    ("problems", |stream| &stream.problems),
];

/// The table function.
#[derive(Debug)]
pub(crate) struct AiopsStreams {
    registry: Arc<StreamRegistry>,
}

impl AiopsStreams {
    /// The function over the streams of `registry`.
    pub(crate) fn new(registry: Arc<StreamRegistry>) -> Self {
        Self { registry }
    }
}

impl TableFunctionImpl for AiopsStreams {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if !args.exprs().is_empty() {
            return plan_err!(
                "aiops_streams takes no argument: write SELECT * FROM aiops_streams()"
            );
        }
        Ok(Arc::new(SnapshotTable(StreamsTable {
            registry: Arc::clone(&self.registry),
            schema: schema(),
        })))
    }
}

fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("table_name", DataType::Utf8, false),
        Field::new("state", DataType::Utf8, false),
        Field::new("started_at", instant.clone(), false),
    ];
    fields.extend(COUNTERS.map(|(name, _)| Field::new(name, DataType::Int64, false)));
    fields.push(Field::new("watermark", instant, true));
    fields.push(Field::new("lag_seconds", DataType::Float64, true));
    fields.push(Field::new("last_problem", DataType::Utf8, true));
    fields.push(Field::new("positions", DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// The counters as they are when a query begins to run.
#[derive(Debug)]
struct StreamsTable {
    registry: Arc<StreamRegistry>,
    schema: SchemaRef,
}

impl StreamsTable {
    fn at(&self, now: i64) -> Result<RecordBatch> {
        let streams = self.registry.streams();
        let instants = |times: Vec<Option<i64>>| -> ArrayRef {
            Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC"))
        };
        let text = |of: fn(&StreamCounters) -> Option<String>| -> ArrayRef {
            Arc::new(
                streams
                    .iter()
                    .map(|stream| of(stream))
                    .collect::<StringArray>(),
            )
        };
        let mut columns = vec![
            text(|stream| Some(stream.table_name.clone())),
            text(|stream| Some(state(stream).to_string())),
            instants(
                streams
                    .iter()
                    .map(|stream| Some(stream.started_at))
                    .collect(),
            ),
        ];
        for (_, counter) in COUNTERS {
            let values = streams.iter().map(|stream| {
                let value = counter(stream).load(Ordering::Relaxed);
                Some(i64::try_from(value).unwrap_or(i64::MAX))
            });
            columns.push(Arc::new(values.collect::<Int64Array>()));
        }
        let watermarks: Vec<_> = streams.iter().map(|stream| watermark(stream)).collect();
        let lags = watermarks.iter().map(|watermark| {
            watermark.map(|watermark| (now - watermark) as f64 / NANOSECONDS_PER_SECOND)
        });
        let lags: ArrayRef = Arc::new(lags.collect::<Float64Array>());
        columns.extend([
            instants(watermarks),
            lags,
            text(StreamCounters::last_problem),
            text(StreamCounters::positions),
        ]);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

fn state(stream: &StreamCounters) -> &'static str {
    if stream.has_ended() {
        "ended"
    } else {
        "running"
    }
}

/// The watermark; `None` before the first row and after the last.
fn watermark(stream: &StreamCounters) -> Option<i64> {
    let watermark = stream.watermark.load(Ordering::Relaxed);
    (watermark != i64::MIN && watermark != i64::MAX).then_some(watermark)
}

#[async_trait]
impl Snapshot for StreamsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn rows(&self, _: &dyn Session) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.at(self.registry.clock().now())?])
    }
}
