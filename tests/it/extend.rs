//! A source, a store and a sink of another crate, written with the public API only.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::datasource::{MemTable, TableType};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_plan::{ExecutionPlan, collect, common};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_aiops::sink::WindowSink;
use datafusion_aiops::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, ReadRows, SourceReader,
    live_table,
};
use datafusion_aiops::store::{
    DoneWindows, MutableTable, ROW, RowAction, RowChanges, RowWriter, Store, TargetTable,
    Transaction, write_plan,
};
use datafusion_aiops::{Pipeline, PipelineEnd, PipelineOptions, session};

const SECOND: i64 = 1_000_000_000;

/// A source that counts: row `n` comes at second `n`, up to the last one that exists.
#[derive(Debug, Clone)]
struct Ticks {
    n_rows: Arc<AtomicI64>,
    acknowledged: Arc<Mutex<Vec<i64>>>,
}

impl Ticks {
    fn new(n_rows: i64) -> Self {
        Self {
            n_rows: Arc::new(AtomicI64::new(n_rows)),
            acknowledged: Arc::default(),
        }
    }
}

fn tick_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let ts = Field::new("ts", time, false);
    Arc::new(Schema::new(vec![
        ts,
        Field::new("n", DataType::Int64, false),
    ]))
}

impl LiveSource for Ticks {
    fn schema(&self) -> SchemaRef {
        tick_schema()
    }

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("ticks", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(TickReader {
            ticks: self.clone(),
            columns: columns.to_vec(),
            next: positions.map(next_of).transpose()?.unwrap_or(0),
        }))
    }

    fn is_replayable(&self) -> bool {
        true
    }
}

fn next_of(positions: &PositionsBody) -> Result<i64> {
    match positions["next"].as_i64() {
        Some(next) => Ok(next),
        None => exec_err!("these positions are not of ticks: {positions}"),
    }
}

#[derive(Debug)]
struct TickReader {
    ticks: Ticks,
    columns: Vec<usize>,
    next: i64,
}

impl TickReader {
    fn hand_out(&mut self, upto: i64, polled: &mut Polled) -> Result<()> {
        let numbers = self.next..upto.min(self.next + 7);
        self.next = numbers.end;
        let times = numbers.clone().map(|n| n * SECOND);
        let times = TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times),
            Arc::new(Int64Array::from_iter_values(numbers)),
        ];
        let rows = RecordBatch::try_new(tick_schema(), columns)?.project(&self.columns)?;
        polled.pieces.push(ReadRows { partition: 0, rows });
        Ok(())
    }
}

impl SourceReader for TickReader {
    fn poll(&mut self, now: i64, _: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        polled.news.push((0, PartitionNews::Opened));
        let n_rows = self.ticks.n_rows.load(Ordering::SeqCst);
        if self.next < n_rows {
            self.hand_out(n_rows, polled)?;
            polled.news.push((0, PartitionNews::Behind));
            polled.has_more = true;
        } else {
            polled.news.push((0, PartitionNews::CaughtUp(now)));
        }
        Ok(())
    }

    fn look(&mut self, _: i64, _: &mut Polled) -> Result<()> {
        Ok(())
    }

    fn replay(
        &mut self,
        upto: &PositionsBody,
        _: usize,
        _: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let upto = next_of(upto)?;
        if self.next < upto {
            self.hand_out(upto, polled)?;
        }
        polled.has_more = self.next < upto;
        Ok(())
    }

    fn positions(&self) -> Result<PositionsBody> {
        let mut body = PositionsBody::default();
        body["next"] = self.next.into();
        Ok(body)
    }

    fn acknowledge(&mut self, upto: &PositionsBody) -> Result<()> {
        let mut acknowledged = self.ticks.acknowledged.lock().unwrap();
        acknowledged.push(next_of(upto)?);
        Ok(())
    }
}

/// A sink that collects: the rows of each window under its name.
#[derive(Debug, Default)]
struct Collected {
    windows: Mutex<BTreeMap<String, Vec<RecordBatch>>>,
    calls: Mutex<Vec<String>>,
}

impl Collected {
    fn note(&self, what: &str, name: &str) {
        self.calls.lock().unwrap().push(format!("{what} {name}"));
    }

    fn text(&self) -> String {
        let windows = self.windows.lock().unwrap();
        let batches: Vec<_> = windows.values().flatten().cloned().collect();
        pretty_format_batches(&batches).unwrap().to_string()
    }
}

#[async_trait]
impl WindowSink for Collected {
    fn place(&self) -> String {
        "collected".to_string()
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, window: &str) -> Result<()> {
        self.note("begin", window);
        Ok(())
    }

    async fn write(
        &self,
        name: &str,
        input: Arc<dyn ExecutionPlan>,
        state: &SessionState,
    ) -> Result<u64> {
        let rows = collect(input, state.task_ctx()).await?;
        let n_rows = rows.iter().map(|batch| batch.num_rows() as u64).sum();
        self.windows.lock().unwrap().insert(name.to_string(), rows);
        self.note("write", name);
        Ok(n_rows)
    }

    async fn commit(&self, window: &str) -> Result<()> {
        self.note("commit", window);
        Ok(())
    }

    async fn undo(&self, name: &str, _: &SessionState) -> Result<()> {
        self.windows.lock().unwrap().remove(name);
        self.note("undo", name);
        Ok(())
    }

    async fn clean_up(&self, pipeline: &str) -> Result<()> {
        self.note("clean_up", pipeline);
        Ok(())
    }
}

/// The content of the store: rows of a key and a value, each with its own number.
#[derive(Debug, Clone, Default)]
struct Shelf {
    next_row: i64,
    rows: BTreeMap<i64, (i64, Option<String>)>,
    done: HashMap<String, DoneWindows>,
}

impl Shelf {
    fn add(&mut self, key: i64, value: Option<String>) {
        self.rows.insert(self.next_row, (key, value));
        self.next_row += 1;
    }
}

/// A store in memory.
#[derive(Debug, Clone, Default)]
struct ShelfStore(Arc<Mutex<Shelf>>);

impl Store for ShelfStore {
    fn name(&self) -> &str {
        "the shelf"
    }

    fn begin(&self) -> Result<Arc<dyn Transaction>> {
        Ok(Arc::new(Draft {
            store: self.clone(),
            shelf: Mutex::new(self.0.lock().unwrap().clone()),
        }))
    }

    fn committed(&self, pipeline: &str) -> Result<DoneWindows> {
        let shelf = self.0.lock().unwrap();
        Ok(shelf.done.get(pipeline).copied().unwrap_or_default())
    }
}

/// A transaction: a copy, which replaces the original when it commits.
#[derive(Debug)]
struct Draft {
    store: ShelfStore,
    shelf: Mutex<Shelf>,
}

impl Transaction for Draft {
    fn commit(&self, pipeline: &str, done: DoneWindows) -> Result<()> {
        let mut shelf = self.shelf.lock().unwrap().clone();
        shelf.done.insert(pipeline.to_string(), done);
        *self.store.0.lock().unwrap() = shelf;
        Ok(())
    }

    fn enter(self: Arc<Self>, config: &mut SessionConfig) {
        config.set_extension(self);
    }
}

/// The table of the store.
#[derive(Debug, Clone)]
struct ShelfTable {
    store: ShelfStore,
    /// Whether the table includes the column that identifies rows.
    has_rows: bool,
}

impl ShelfTable {
    /// Does something to the shelf, or to its draft in this transaction.
    fn with<T>(&self, config: &SessionConfig, work: impl FnOnce(&mut Shelf) -> T) -> T {
        match config.get_extension::<Draft>() {
            Some(draft) => work(&mut draft.shelf.lock().unwrap()),
            None => work(&mut self.store.0.lock().unwrap()),
        }
    }

    fn batch(&self, shelf: &Shelf) -> Result<RecordBatch> {
        let rows = shelf.rows.values();
        let keys = Int64Array::from_iter_values(rows.clone().map(|(key, _)| *key));
        let values = StringArray::from_iter(rows.map(|(_, value)| value.as_deref()));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values)];
        if self.has_rows {
            let numbers = Int64Array::from_iter_values(shelf.rows.keys().copied());
            columns.push(Arc::new(numbers));
        }
        Ok(RecordBatch::try_new(TableProvider::schema(self), columns)?)
    }
}

#[async_trait]
impl TableProvider for ShelfTable {
    fn schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("key", DataType::Int64, false),
            Field::new("value", DataType::Utf8, true),
        ];
        if self.has_rows {
            fields.push(Field::new(ROW, DataType::Int64, false));
        }
        Arc::new(Schema::new(fields))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.with(session.config(), |shelf| self.batch(shelf))?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        table.scan(session, projection, filters, limit).await
    }

    async fn insert_into(
        &self,
        _: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        _: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let writer = ShelfWriter {
            table: self.clone(),
            changes: None,
        };
        Ok(write_plan(Arc::new(writer), input))
    }
}

impl MutableTable for ShelfTable {
    fn schema(&self) -> SchemaRef {
        TableProvider::schema(self)
    }

    fn with_rows(&self) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(Self {
            store: self.store.clone(),
            has_rows: true,
        }))
    }

    fn write(
        &self,
        changes: Arc<RowChanges>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan> {
        let writer = ShelfWriter {
            table: self.clone(),
            changes: Some(changes),
        };
        write_plan(Arc::new(writer), input)
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.store.clone()))
    }
}

#[derive(Debug)]
struct ShelfWriter {
    table: ShelfTable,
    /// `None` means INSERT.
    changes: Option<Arc<RowChanges>>,
}

#[async_trait]
impl RowWriter for ShelfWriter {
    fn name(&self) -> &'static str {
        "ShelfWriteExec"
    }

    fn shown(&self) -> String {
        "the shelf".to_string()
    }

    async fn run(&self, input: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
        let rows = common::collect(input.execute(0, Arc::clone(&context))?).await?;
        self.table.with(context.session_config(), |shelf| {
            for batch in &rows {
                match &self.changes {
                    None => insert(shelf, batch),
                    Some(changes) => change(shelf, batch, changes),
                }
            }
        });
        Ok(rows.iter().map(|batch| batch.num_rows() as u64).sum())
    }
}

fn value(column: &ArrayRef, row: usize) -> Option<String> {
    let values = datafusion::arrow::compute::cast(column, &DataType::Utf8).unwrap();
    let values = values.as_string::<i32>();
    values.is_valid(row).then(|| values.value(row).to_string())
}

fn insert(shelf: &mut Shelf, batch: &RecordBatch) {
    for row in 0..batch.num_rows() {
        let key = batch.column(0).as_primitive::<Int64Type>().value(row);
        shelf.add(key, value(batch.column(1), row));
    }
}

fn change(shelf: &mut Shelf, batch: &RecordBatch, changes: &RowChanges) {
    let numbers = batch.column(0).as_primitive::<Int64Type>();
    let actions = batch.column(1).as_primitive::<Int32Type>();
    // Columns without values in the input keep those of the row.
    let column = |column| Some(batch.column(2 + changes.place(column)?));
    for row in 0..batch.num_rows() {
        let key = column(0).map(|keys| keys.as_primitive::<Int64Type>().value(row));
        let new = column(1).map(|values| value(values, row));
        match &changes.actions()[actions.value(row) as usize] {
            RowAction::Delete => drop(shelf.rows.remove(&numbers.value(row))),
            RowAction::Insert(_) => shelf.add(key.unwrap(), new.flatten()),
            RowAction::Update(columns) => {
                let known = shelf.rows.get_mut(&numbers.value(row)).unwrap();
                if columns.contains(&0) {
                    known.0 = key.unwrap();
                }
                if columns.contains(&1) {
                    known.1 = new.unwrap();
                }
            }
            other => panic!("{other:?} is new"),
        }
    }
}

fn shelf(context: &SessionContext) -> ShelfStore {
    let store = ShelfStore::default();
    let table = ShelfTable {
        store: store.clone(),
        has_rows: false,
    };
    let table = Arc::new(TargetTable::mutable(table));
    context.register_table("shelf", table).unwrap();
    store
}

async fn rows(context: &SessionContext, sql: &str) -> String {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn a_store_of_another_crate_is_changed() {
    let context = session().unwrap();
    shelf(&context);
    for statement in [
        "INSERT INTO shelf VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, 'four')",
        "UPDATE shelf SET value = upper(value) WHERE key IN (SELECT key FROM shelf WHERE key < 3)",
        "DELETE FROM shelf WHERE value IS NULL",
        "MERGE INTO shelf USING (VALUES (4, 'vier'), (5, 'fünf')) AS new (key, value) ON shelf.key = new.key \
         WHEN MATCHED THEN UPDATE SET value = new.value WHEN NOT MATCHED THEN INSERT (key, value) VALUES (new.key, new.value)",
    ] {
        rows(&context, statement).await;
    }
    let expected = "\
+-----+-------+
| key | value |
+-----+-------+
| 1   | ONE   |
| 2   | TWO   |
| 4   | vier  |
| 5   | fünf  |
+-----+-------+";
    assert_eq!(
        rows(&context, "SELECT * FROM shelf ORDER BY key").await,
        expected
    );
}

const STATEMENTS: &str = "
    INSERT INTO windows SELECT window_start, count(*) AS n, sum(n) AS total
    FROM tumble(ticks, ts, INTERVAL '10 seconds') GROUP BY window_start;
    INSERT INTO windows SELECT window_start, -1, max(n)
    FROM tumble(ticks, ts, INTERVAL '10 seconds') GROUP BY window_start;
    UPDATE shelf SET value = 'seen' WHERE key IN (SELECT n / 10 FROM tumble(ticks, ts, INTERVAL '10 seconds'));
    INSERT INTO shelf SELECT DISTINCT n / 10 + 1, 'next' FROM tumble(ticks, ts, INTERVAL '10 seconds');
";

/// Runs the statements in a new session, as after a restart, until all ticks were read.
async fn run(ticks: &Ticks, sink: &Arc<Collected>, store: &ShelfStore, checkpoint: &str) -> u64 {
    let context = session().unwrap();
    let options = [("time_column", "ts"), ("delay", "0 s")];
    let live = live_table(&context, "ticks", Arc::new(ticks.clone()), &options).unwrap();
    context.register_table("ticks", live).unwrap();
    let fields = ["window_start", "n", "total"].map(|name| {
        let data_type = match name {
            "window_start" => tick_schema().field(0).data_type().clone(),
            _ => DataType::Int64,
        };
        Field::new(name, data_type, true)
    });
    let seen = MemTable::try_new(Arc::new(Schema::new(fields.to_vec())), vec![vec![]]).unwrap();
    let windows = TargetTable::windowed(Arc::new(seen), Arc::clone(sink) as _);
    context
        .register_table("windows", Arc::new(windows))
        .unwrap();
    let table = ShelfTable {
        store: store.clone(),
        has_rows: false,
    };
    let table = Arc::new(TargetTable::mutable(table));
    context.register_table("shelf", table).unwrap();
    let options = PipelineOptions::new("count").with_end(PipelineEnd::CaughtUp);
    let mut pipeline = Pipeline::open(&context, STATEMENTS, checkpoint, options)
        .await
        .unwrap();
    while pipeline.next_window().await.unwrap().is_some() {}
    pipeline.n_windows()
}

#[tokio::test]
async fn a_pipeline_of_a_source_a_store_and_a_sink_of_another_crate() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint").display().to_string();
    let (ticks, sink) = (Ticks::new(25), Arc::<Collected>::default());
    let store = ShelfStore::default();
    store.0.lock().unwrap().add(0, None);
    assert_eq!(run(&ticks, &sink, &store, &checkpoint).await, 2);
    // The next run continues after what has run.
    ticks.n_rows.store(45, Ordering::SeqCst);
    assert_eq!(run(&ticks, &sink, &store, &checkpoint).await, 4);
    let expected = "\
+----------------------+----+-------+
| window_start         | n  | total |
+----------------------+----+-------+
| 1970-01-01T00:00:00Z | 10 | 45    |
| 1970-01-01T00:00:00Z | -1 | 9     |
| 1970-01-01T00:00:10Z | 10 | 145   |
| 1970-01-01T00:00:10Z | -1 | 19    |
| 1970-01-01T00:00:20Z | 10 | 245   |
| 1970-01-01T00:00:20Z | -1 | 29    |
| 1970-01-01T00:00:30Z | 10 | 345   |
| 1970-01-01T00:00:30Z | -1 | 39    |
+----------------------+----+-------+";
    assert_eq!(sink.text(), expected);
    let rows = store.0.lock().unwrap().rows.clone();
    let rows: Vec<_> = rows
        .values()
        .map(|(key, value)| (*key, value.as_deref()))
        .collect();
    let seen = |key| (key, Some("seen"));
    assert_eq!(
        rows,
        [seen(0), seen(1), seen(2), seen(3), (4, Some("next"))]
    );
    let calls = sink.calls.lock().unwrap();
    assert_eq!(calls[0], "clean_up count");
    assert_eq!(
        calls
            .iter()
            .filter(|call| call.starts_with("commit"))
            .count(),
        4
    );
}

#[tokio::test]
async fn a_source_is_told_what_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint").display().to_string();
    // So many that the reader, which is a few steps ahead, is still reading when the first windows
    // have run.
    let (ticks, sink) = (Ticks::new(1_000), Arc::<Collected>::default());
    let n_windows = run(&ticks, &sink, &ShelfStore::default(), &checkpoint).await;
    assert_eq!(n_windows, 99);
    let acknowledged = ticks.acknowledged.lock().unwrap();
    assert!(!acknowledged.is_empty() && acknowledged.is_sorted());
    // Rows of a window that is open are not among them.
    assert!(acknowledged.iter().all(|upto| *upto < 990));
}

#[tokio::test]
async fn positions_of_another_source_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint").display().to_string();
    let (ticks, sink) = (Ticks::new(25), Arc::<Collected>::default());
    run(&ticks, &sink, &ShelfStore::default(), &checkpoint).await;
    let ranges = folder.path().join("checkpoint/ranges");
    for range in std::fs::read_dir(ranges).unwrap() {
        let path = range.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace("\"ticks\"", "\"tocks\"")).unwrap();
    }
    let context = session().unwrap();
    let options = [("time_column", "ts")];
    let live = live_table(&context, "ticks", Arc::new(ticks), &options).unwrap();
    context.register_table("ticks", live).unwrap();
    let sql = "SELECT count(*) FROM tumble(ticks, ts, INTERVAL '10 seconds')";
    let options = PipelineOptions::new("count").with_accepted_changes();
    let refused = Pipeline::open(&context, sql, &checkpoint, options).await;
    let error = refused.err().unwrap().to_string();
    assert!(
        error.contains("these positions are of tocks, and the table reads ticks"),
        "{error}"
    );
}

#[test]
fn a_live_table_needs_an_installed_session() {
    let context = SessionContext::new();
    let error = live_table(&context, "ticks", Arc::new(Ticks::new(1)), &[]).unwrap_err();
    assert!(
        error.to_string().contains("datafusion_aiops::install"),
        "{error}"
    );
    let context = session().unwrap();
    let options = [("time_column", "nothing")];
    let error = live_table(&context, "ticks", Arc::new(Ticks::new(1)), &options).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
}
