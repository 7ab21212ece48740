//! Reads a table: one SQLite statement, on its own thread, a batch of rows at a time.
//!
//! Outside a transaction a scan has its own connection and sees the table as it was when the scan
//! began. In a transaction it reads on the connection of the transaction, which it shares with
//! other scans and writes of the same statement. It reads a page of rows at a time, each after the
//! last row of the page before, so that no scan holds the connection for longer than a page. Rows
//! without a rowid, those of views and of tables WITHOUT ROWID, are first copied into a temporary
//! table, which has one.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, exec_datafusion_err, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::DynamicFilterTracking;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use tokio::sync::mpsc::Sender;

use crate::stores::sqlite::decode::ColumnBuilder;
use crate::stores::sqlite::file::DatabaseFile;
use crate::stores::sqlite::file::SqliteTransaction;
use crate::stores::sqlite::predicate::{Condition, pushed_now};
use crate::stores::sqlite::stored::StoredTable;
use crate::stores::sqlite::types::quoted;

/// The number of batches that wait for the consumer: one that it takes and one that is ready.
const BATCHES_AHEAD: usize = 2;
/// The prefix of the names of temporary tables.
const COPY: &str = "aiops_copy_";

/// What a column of a scan contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanColumn {
    /// A column of the table.
    Stored(usize),
    /// The identity of the row.
    RowId,
}

/// What to read.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) table: Arc<StoredTable>,
    pub(crate) columns: Vec<ScanColumn>,
    pub(crate) schema: SchemaRef,
    pub(crate) condition: Option<Condition>,
    pub(crate) limit: Option<usize>,
}

/// Reads a table.
#[derive(Debug, Clone)]
pub(crate) struct SqliteScanExec {
    query: Query,
    /// Filters that joins and the like make while they run.
    dynamic_filters: Vec<Arc<dyn PhysicalExpr>>,
    /// About how many rows the table has.
    n_rows: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SqliteScanExec {
    /// Whether the scan reads a table of this file.
    pub(crate) fn is_of(&self, file: &DatabaseFile) -> bool {
        self.query.table.file.is_same(file)
    }

    pub(crate) fn new(query: Query, n_rows: Option<usize>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&query.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            query,
            dynamic_filters: vec![],
            n_rows,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The query with the current conditions of the dynamic filters.
    fn query_now(&self) -> Query {
        let mut query = self.query.clone();
        let filters = self.dynamic_filters.iter();
        let mut conditions: Vec<_> = filters
            .flat_map(|filter| pushed_now(filter, &query.table))
            .collect();
        conditions.extend(query.condition.take());
        query.condition = Condition::all(conditions);
        query
    }
}

impl DisplayAs for SqliteScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let sql = self.query_now().sql(None).shown;
        match format {
            DisplayFormatType::TreeRender => write!(f, "sql={sql}"),
            _ => write!(f, "SqliteScanExec: {sql}"),
        }
    }
}

impl ExecutionPlan for SqliteScanExec {
    fn name(&self) -> &str {
        "SqliteScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        for filter in &self.dynamic_filters {
            recursion = recursion.visit_sibling(|| f(filter))?;
        }
        Ok(recursion)
    }

    /// Keeps dynamic filters until the scan begins. The node that made them still checks each row.
    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = child_pushdown_result.parent_filters;
        let answers = vec![PushedDown::No; filters.len()];
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        let dynamic: Vec<_> = filters
            .into_iter()
            .map(|filter| filter.filter)
            .filter(|filter| DynamicFilterTracking::classify(filter).contains_dynamic_filter())
            .collect();
        // The limit of this scan counts rows before the filter is applied above it, so with a limit
        // no row may be left out here.
        if dynamic.is_empty() || self.query.limit.is_some() {
            return Ok(propagation);
        }
        let mut scan = self.clone();
        scan.dynamic_filters.extend(dynamic);
        Ok(propagation.with_updated_node(Arc::new(scan)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition > 0 {
            return internal_err!("a SQLite table has one partition");
        }
        let scan = self.clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        // The scan begins when the first batch is requested: by then a join knows its keys.
        let batches = stream::once(async move { Ok::<_, DataFusionError>(start(&scan, &context)) })
            .try_flatten()
            .inspect_ok(move |batch: &RecordBatch| {
                metrics.output_rows().add(batch.num_rows());
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            batches.boxed(),
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if let Some(n_rows) = self.n_rows {
            let n_rows = n_rows.min(self.query.limit.unwrap_or(usize::MAX));
            statistics.num_rows = Precision::Inexact(n_rows);
        }
        Ok(Arc::new(statistics))
    }
}

/// The transaction in which statements of this configuration read and write the table, if there is
/// one.
pub(crate) fn transaction_of(
    table: &StoredTable,
    context: &TaskContext,
) -> Option<Arc<SqliteTransaction>> {
    let current: Arc<SqliteTransaction> = context.session_config().get_extension()?;
    current.is_of(&table.file).then_some(current)
}

fn start(scan: &SqliteScanExec, context: &TaskContext) -> SendableRecordBatchStream {
    let query = scan.query_now();
    let batch_size = context.session_config().batch_size();
    let current = transaction_of(&query.table, context);
    let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&query.schema), BATCHES_AHEAD);
    let sender = stream.tx();
    stream.spawn_blocking(move || match current {
        Some(transaction) => query.read_pages(&transaction, batch_size, &sender),
        None => query.read_all(&query.table.file.open()?, batch_size, &sender),
    });
    stream.build()
}

/// Whether the consumer still wants rows.
type Wanted = bool;

impl Query {
    /// The statement for all rows, or for those after a row.
    fn sql(&self, after: Option<i64>) -> Condition {
        if self.columns.is_empty() {
            return self.count_sql();
        }
        let columns = self.columns.iter().filter_map(|column| match column {
            ScanColumn::Stored(index) => Some(quoted(self.table.schema.field(*index).name())),
            ScanColumn::RowId => None,
        });
        let columns: Vec<_> = columns
            .chain(self.table.rowid.map(str::to_string))
            .collect();
        let mut sql = self.from(&columns.join(", "));
        if let (Some(after), Some(rowid)) = (after, self.table.rowid) {
            let word = if self.condition.is_some() {
                "AND"
            } else {
                "WHERE"
            };
            sql.push(&format!(" {word} {rowid} > ?"));
            sql.values.push(Value::Integer(after));
        }
        let order = self.table.order();
        if !order.is_empty() {
            sql.push(&format!(" ORDER BY {}", order.join(", ")));
        }
        if let Some(limit) = self.limit {
            sql.push(&format!(" LIMIT {limit}"));
        }
        sql
    }

    fn count_sql(&self) -> Condition {
        match self.limit {
            None => self.from("count(*)"),
            Some(limit) => {
                let mut sql = self.from("1");
                sql.push(&format!(" LIMIT {limit})"));
                sql.sql.insert_str(0, "SELECT count(*) FROM (");
                sql.shown.insert_str(0, "SELECT count(*) FROM (");
                sql
            }
        }
    }

    fn from(&self, columns: &str) -> Condition {
        let mut sql = Condition::default();
        sql.push(&format!(
            "SELECT {columns} FROM {}",
            quoted(&self.table.name)
        ));
        if let Some(condition) = &self.condition {
            sql.sql.push_str(&format!(" WHERE {}", condition.sql));
            sql.shown.push_str(&format!(" WHERE {}", condition.shown));
            sql.values.extend(condition.values.iter().cloned());
        }
        sql
    }

    fn read_all(
        &self,
        connection: &Connection,
        batch_size: usize,
        sender: &Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        let sql = self.sql(None);
        if self.columns.is_empty() {
            return send(self.count(connection, &sql)?, sender);
        }
        let mut statement = connection
            .prepare(&sql.sql)
            .map_err(|error| self.error(&error))?;
        let rows = statement.query(params_from_iter(sql.values));
        let mut rows = rows.map_err(|error| self.error(&error))?;
        let mut batch = Batch::try_new(self)?;
        while let Some(row) = rows.next().map_err(|error| self.error(&error))? {
            batch.push(connection, row)?;
            if batch.n_rows == batch_size && !batch.send(sender)? {
                return Ok(());
            }
        }
        batch.send(sender)?;
        Ok(())
    }

    fn read_pages(
        &self,
        transaction: &SqliteTransaction,
        batch_size: usize,
        sender: &Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        if self.columns.is_empty() {
            let sql = self.sql(None);
            let n_rows = transaction.with(|connection| self.count(connection, &sql))?;
            return send(n_rows, sender);
        }
        if self.table.rowid.is_none() {
            return self.read_copied(transaction, batch_size, sender);
        }
        let mut page = self.clone();
        let mut after = None;
        let mut left = self.limit.unwrap_or(usize::MAX);
        while left > 0 {
            page.limit = Some(left.min(batch_size));
            let sql = page.sql(after);
            let mut batch = transaction.with(|connection| page.read_page(connection, &sql))?;
            left -= batch.n_rows;
            let is_last = batch.n_rows < batch_size;
            after = batch.last_row;
            if !batch.send(sender)? || is_last {
                break;
            }
        }
        Ok(())
    }

    /// Reads rows that have no rowid to continue from, such as those of a view. SQLite copies them
    /// all at once into a temporary table, which it moves to a file as soon as it is large, and
    /// they are read from there.
    fn read_copied(
        &self,
        transaction: &SqliteTransaction,
        batch_size: usize,
        sender: &Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        let copy = Copied::try_new(self, transaction)?;
        let mut n_read = 0;
        loop {
            let sql = copy.page(n_read, batch_size);
            let mut batch = transaction.with(|connection| self.read_page(connection, &sql))?;
            n_read += batch.n_rows;
            let is_last = batch.n_rows < batch_size;
            if !batch.send(sender)? || is_last {
                return Ok(());
            }
        }
    }

    fn read_page(&self, connection: &Connection, sql: &Condition) -> Result<Batch<'_>> {
        let mut statement = connection
            .prepare(&sql.sql)
            .map_err(|error| self.error(&error))?;
        let rows = statement.query(params_from_iter(&sql.values));
        let mut rows = rows.map_err(|error| self.error(&error))?;
        let mut batch = Batch::try_new(self)?;
        while let Some(row) = rows.next().map_err(|error| self.error(&error))? {
            batch.push(connection, row)?;
        }
        Ok(batch)
    }

    /// The number of rows, as a batch without columns.
    fn count(&self, connection: &Connection, sql: &Condition) -> Result<RecordBatch> {
        let values = params_from_iter(&sql.values);
        let n_rows: i64 = connection
            .query_row(&sql.sql, values, |row| row.get(0))
            .map_err(|error| self.error(&error))?;
        let n_rows = usize::try_from(n_rows).unwrap_or_default();
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, vec![], &options)?)
    }

    fn error(&self, error: &rusqlite::Error) -> DataFusionError {
        self.table.file.error(error)
    }
}

fn send(batch: RecordBatch, sender: &Sender<Result<RecordBatch>>) -> Result<()> {
    // This fails only if the consumer no longer wants the rows.
    let _ = sender.blocking_send(Ok(batch));
    Ok(())
}

/// The rows of a query as they were when it began, in a temporary table of the connection. The
/// table is dropped with this value.
struct Copied<'a> {
    transaction: &'a SqliteTransaction,
    /// The name, as it is written in SQL.
    name: String,
}

impl<'a> Copied<'a> {
    fn try_new(query: &Query, transaction: &'a SqliteTransaction) -> Result<Self> {
        // Neither a table of a user nor that of another scan has such a name.
        let name = format!(
            "temp.{}",
            quoted(&format!("{COPY}{}", uuid::Uuid::new_v4()))
        );
        let columns = query.columns.iter().enumerate();
        let columns: Vec<_> = columns.map(|(place, _)| format!("c{place}")).collect();
        let rows = query.sql(None);
        // Columns without a type keep values as they are.
        let create = format!(
            "CREATE TEMP TABLE {} ({})",
            &name["temp.".len()..],
            columns.join(", ")
        );
        let copy = Self { transaction, name };
        transaction.with(|connection| {
            let fill = || {
                connection.execute_batch(&create)?;
                let insert = format!("INSERT INTO {} {}", copy.name, rows.sql);
                connection.execute(&insert, params_from_iter(&rows.values))
            };
            fill().map_err(|error| query.error(&error))
        })?;
        Ok(copy)
    }

    /// The statement for the rows after the first `n_read`. SQLite numbers them from 1.
    fn page(&self, n_read: usize, n_rows: usize) -> Condition {
        let mut sql = Condition::default();
        sql.push(&format!(
            "SELECT * FROM {} WHERE rowid > {n_read} AND rowid <= {} ORDER BY rowid",
            self.name,
            n_read.saturating_add(n_rows)
        ));
        sql
    }
}

impl Drop for Copied<'_> {
    fn drop(&mut self) {
        let drop = format!("DROP TABLE IF EXISTS {}", self.name);
        // If the transaction is over, the table is gone with its connection.
        let _ = self.transaction.with(|connection| {
            let dropped = connection.execute_batch(&drop);
            dropped.map_err(|error| self.transaction.error(&error))
        });
    }
}

impl Condition {
    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
        self.shown.push_str(text);
    }
}

/// A batch that is being read.
struct Batch<'a> {
    query: &'a Query,
    columns: Vec<ColumnBuilder>,
    n_rows: usize,
    last_row: Option<i64>,
}

impl<'a> Batch<'a> {
    fn try_new(query: &'a Query) -> Result<Self> {
        let fields = query.schema.fields().iter();
        let columns: Result<Vec<_>> = fields
            .map(|field| ColumnBuilder::try_new(field.data_type()))
            .collect();
        Ok(Self {
            query,
            columns: columns?,
            n_rows: 0,
            last_row: None,
        })
    }

    fn push(&mut self, connection: &Connection, row: &Row<'_>) -> Result<()> {
        let query = self.query;
        let failed = |error: &rusqlite::Error| query.error(error);
        let n_stored = query
            .columns
            .iter()
            .filter(|column| **column != ScanColumn::RowId);
        let rowid_place = n_stored.count();
        if query.table.rowid.is_some() {
            self.last_row = Some(row.get(rowid_place).map_err(|error| failed(&error))?);
        }
        let mut place = 0;
        for (builder, column) in self.columns.iter_mut().zip(&query.columns) {
            let from = match column {
                ScanColumn::Stored(_) => place,
                ScanColumn::RowId => rowid_place,
            };
            let value = row.get_ref(from).map_err(|error| failed(&error))?;
            if let Err(error) = builder.push(value) {
                return Err(query.misfit(connection, *column, self.last_row, &error));
            }
            place += usize::from(*column != ScanColumn::RowId);
        }
        self.n_rows += 1;
        Ok(())
    }

    /// Sends the rows read so far and starts an empty batch.
    fn send(&mut self, sender: &Sender<Result<RecordBatch>>) -> Result<Wanted> {
        let read = std::mem::replace(self, Self::try_new(self.query)?);
        if read.n_rows == 0 {
            return Ok(true);
        }
        let columns: Result<Vec<_>> = read
            .columns
            .into_iter()
            .map(ColumnBuilder::finish)
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.query.schema), columns?)?;
        Ok(sender.blocking_send(Ok(batch)).is_ok())
    }
}

impl Query {
    /// The error of a value that does not fit its column, with what identifies the row.
    fn misfit(
        &self,
        connection: &Connection,
        column: ScanColumn,
        rowid: Option<i64>,
        error: &DataFusionError,
    ) -> DataFusionError {
        let column = match column {
            ScanColumn::Stored(index) => self.table.schema.field(index).name(),
            ScanColumn::RowId => "rowid",
        };
        let row = self.shown_row(connection, rowid);
        exec_datafusion_err!(
            "Column {column} of table {} has a value that does not fit in the row {row}: {}. Correct it with the sqlite3 \
             tool, or leave the column out of CREATE EXTERNAL TABLE",
            self.table.name,
            error.message()
        )
    }

    fn shown_row(&self, connection: &Connection, rowid: Option<i64>) -> String {
        let (Some(rowid), Some(name)) = (rowid, self.table.rowid) else {
            return "that cannot be named".to_string();
        };
        let schema: &Schema = &self.table.schema;
        let fields = self
            .table
            .key
            .iter()
            .map(|index| schema.field(*index).name());
        let keys = fields.map(|field| {
            let query = format!(
                "SELECT quote({}) FROM {} WHERE {name} = ?1",
                quoted(field),
                quoted(&self.table.name)
            );
            let value: rusqlite::Result<String> =
                connection.query_row(&query, [rowid], |row| row.get(0));
            format!("{field} = {}", value.unwrap_or_else(|_| "?".to_string()))
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            format!("with {name} {rowid}")
        } else {
            format!("with {}", keys.join(", "))
        }
    }
}
