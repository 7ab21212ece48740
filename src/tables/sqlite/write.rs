//! Writes a table: rows that are added or replaced, all rows anew, or single rows changed; each statement in one
//! transaction.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{
    Result, exec_datafusion_err, exec_err, internal_datafusion_err, internal_err,
};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, stream};
use rusqlite::{Connection, params_from_iter};
use tokio::task::spawn_blocking;

use crate::tables::database::CurrentTransaction;
use crate::tables::sqlite::encode::EncodedColumn;
use crate::tables::sqlite::file::DatabaseFile;
use crate::tables::sqlite::scan::{SqliteScanExec, sqlite_transaction, transaction_of};
use crate::tables::sqlite::stored::StoredTable;
use crate::tables::sqlite::types::quoted;

/// What is written.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Rows are added; those whose key is there replace its row.
    Upsert,
    /// All rows are replaced.
    Overwrite,
    /// Single rows are changed.
    Changes(Arc<RowChanges>),
}

/// How rows are changed: the input has what identifies the row, the place of the action, then values of columns.
#[derive(Debug)]
pub(crate) struct RowChanges {
    pub(crate) actions: Vec<RowAction>,
    /// The columns of the table that the input has values of.
    pub(crate) columns: Vec<usize>,
}

/// What happens to a row; with columns of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowAction {
    Update(Vec<usize>),
    Insert(Vec<usize>),
    Delete,
}

/// Writes what its input has, in one transaction, and returns the number of rows.
#[derive(Debug)]
pub(crate) struct SqliteWriteExec {
    writer: Writer,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

#[derive(Debug, Clone)]
struct Writer {
    table: Arc<StoredTable>,
    write: Write,
}

impl SqliteWriteExec {
    pub(crate) fn new(
        table: Arc<StoredTable>,
        write: Write,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let count = Field::new("count", DataType::UInt64, false);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(vec![count]))),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            writer: Writer { table, write },
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for SqliteWriteExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let shown = self.writer.shown();
        match format {
            DisplayFormatType::TreeRender => write!(f, "sql={shown}"),
            _ => write!(f, "SqliteWriteExec: {shown}"),
        }
    }
}

impl ExecutionPlan for SqliteWriteExec {
    fn name(&self) -> &str {
        "SqliteWriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    /// Rows are written in the order in which they come, so an ORDER BY is not in vain: the last row of a key stays.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children
            .pop()
            .ok_or_else(|| internal_datafusion_err!("a write without an input"))?;
        let writer = self.writer.clone();
        Ok(Arc::new(Self::new(writer.table, writer.write, input)))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition > 0 {
            return internal_err!("a write has one partition");
        }
        let schema = self.schema();
        let result = Arc::clone(&schema);
        let writer = self.writer.clone();
        let input = Arc::clone(&self.input);
        let count = async move {
            let n_rows = writer.run(&input, context).await?;
            let count = Arc::new(UInt64Array::from(vec![n_rows]));
            Ok(RecordBatch::try_new(result, vec![count])?)
        };
        let count = stream::once(count).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, count)))
    }
}

/// Whether a plan reads a table of this file.
fn reads(plan: &Arc<dyn ExecutionPlan>, file: &DatabaseFile) -> bool {
    let scan = plan.downcast_ref::<SqliteScanExec>();
    scan.is_some_and(|scan| scan.is_of(file))
        || plan.children().iter().any(|child| reads(child, file))
}

impl Writer {
    async fn run(self, input: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
        if let Some(current) = transaction_of(&self.table, &context) {
            return self.run_collected(input, context, current, false).await;
        }
        if matches!(self.write, Write::Changes(_)) || reads(input, &self.table.file) {
            // What is written depends on what is read there, so nobody may come between.
            let file = Arc::clone(&self.table.file);
            let transaction = blocking(move || file.begin_writing()).await?;
            let current = Arc::new(CurrentTransaction(Arc::new(transaction)));
            let context = Arc::new(inside(&context, &current));
            return self.run_collected(input, context, current, true).await;
        }
        self.run_streaming(input.execute(0, context)?).await
    }

    /// Reads everything, then writes it. In a transaction that has the same table in its input the one must not see the
    /// other.
    async fn run_collected(
        self,
        input: &Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        current: Arc<CurrentTransaction>,
        commits: bool,
    ) -> Result<u64> {
        let reservation = MemoryConsumer::new("SqliteWriteExec").register(context.memory_pool());
        let mut stream = input.execute(0, context)?;
        let mut batches = vec![];
        while let Some(batch) = stream.next().await.transpose()? {
            reservation.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        drop(stream);
        blocking(move || {
            let transaction = sqlite_transaction(&current)
                .ok_or_else(|| internal_datafusion_err!("a transaction of another database"))?;
            let n_rows = transaction.whole(|connection| {
                self.begin(connection)?;
                self.write(connection, &batches)
            })?;
            if commits {
                transaction.commit_writing()?;
            }
            Ok(n_rows)
        })
        .await
    }

    /// Writes while it reads. Readers have connections of their own, and see the table as it was.
    async fn run_streaming(self, mut input: SendableRecordBatchStream) -> Result<u64> {
        // An input that fails at once, or takes its time, locks nobody out.
        let mut next = input.next().await.transpose()?;
        let writer = Arc::new(self);
        let begin = Arc::clone(&writer);
        let transaction = blocking(move || {
            let transaction = begin.table.file.begin_writing()?;
            transaction.with(|connection| begin.begin(connection))?;
            Ok(Arc::new(transaction))
        })
        .await?;
        let mut n_rows = 0;
        while let Some(batch) = next {
            let (task, writer) = (Arc::clone(&transaction), Arc::clone(&writer));
            n_rows += blocking(move || task.with(|connection| writer.write(connection, &[batch])))
                .await?;
            next = input.next().await.transpose()?;
        }
        drop(input);
        blocking(move || transaction.commit_writing()).await?;
        Ok(n_rows)
    }

    fn begin(&self, connection: &Connection) -> Result<()> {
        if matches!(self.write, Write::Overwrite) {
            let sql = format!("DELETE FROM {}", quoted(&self.table.name));
            connection
                .execute(&sql, [])
                .map_err(|error| self.table.file.error(&error))?;
        }
        Ok(())
    }

    fn write(&self, connection: &Connection, batches: &[RecordBatch]) -> Result<u64> {
        match &self.write {
            Write::Upsert | Write::Overwrite => {
                let sql = upsert_sql(&self.table);
                batches
                    .iter()
                    .map(|batch| self.insert(connection, &sql, batch))
                    .sum()
            }
            Write::Changes(changes) => self.change(connection, changes, batches),
        }
    }

    fn insert(&self, connection: &Connection, sql: &str, batch: &RecordBatch) -> Result<u64> {
        let fields = self.table.schema.fields().iter();
        let columns: Result<Vec<_>> = fields
            .zip(batch.columns())
            .map(|(field, column)| EncodedColumn::try_new(field.name(), column))
            .collect();
        let columns = columns?;
        let write = || {
            let mut statement = connection.prepare(sql)?;
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|column| column.value(row));
                statement.execute(params_from_iter(values))?;
            }
            Ok(())
        };
        write().map_err(|error| self.table.file.error(&error))?;
        Ok(batch.num_rows() as u64)
    }

    fn change(
        &self,
        connection: &Connection,
        changes: &RowChanges,
        batches: &[RecordBatch],
    ) -> Result<u64> {
        let sql: Result<Vec<_>> = changes
            .actions
            .iter()
            .map(|action| action_sql(&self.table, action))
            .collect();
        let sql = sql?;
        let mut seen = HashSet::new();
        let mut n_rows = 0;
        for batch in batches {
            let rows = batch.column(0).as_primitive::<Int64Type>();
            let actions = batch.column(1).as_primitive::<Int32Type>();
            let twice = rows.iter().flatten().any(|row| !seen.insert(row));
            if twice {
                return exec_err!(
                    "A row of table {} is to be changed more than once: several rows of the source match it. Make them one \
                     with GROUP BY or DISTINCT. Nothing was changed",
                    self.table.name
                );
            }
            let columns: Result<Vec<_>> = changes
                .columns
                .iter()
                .zip(batch.columns().iter().skip(2))
                .map(|(index, column)| {
                    let name = self.table.schema.field(*index).name();
                    EncodedColumn::try_new(name, column)
                })
                .collect();
            let columns = columns?;
            for (place, (action, sql)) in changes.actions.iter().zip(&sql).enumerate() {
                let of_action = (0..batch.num_rows()).filter(|row| {
                    actions.is_valid(*row) && usize::try_from(actions.value(*row)) == Ok(place)
                });
                let values = changes.places(action)?;
                let has_row = !matches!(action, RowAction::Insert(_));
                let write = || {
                    let mut statement = connection.prepare(sql)?;
                    let mut n_changed = 0;
                    for row in of_action {
                        let values = values
                            .iter()
                            .filter_map(|place| columns.get(*place))
                            .map(|column| column.value(row));
                        let identity =
                            (has_row && rows.is_valid(row)).then(|| rows.value(row).into());
                        n_changed += statement.execute(params_from_iter(values.chain(identity)))?;
                    }
                    Ok(n_changed)
                };
                n_rows += write().map_err(|error| self.table.file.error(&error))? as u64;
            }
        }
        Ok(n_rows)
    }

    fn shown(&self) -> String {
        match &self.write {
            Write::Upsert => upsert_sql(&self.table),
            Write::Overwrite => format!(
                "DELETE FROM {}; {}",
                quoted(&self.table.name),
                upsert_sql(&self.table)
            ),
            Write::Changes(changes) => {
                let sql = changes.actions.iter().map(|action| {
                    action_sql(&self.table, action).unwrap_or_else(|error| error.to_string())
                });
                sql.collect::<Vec<_>>().join("; ")
            }
        }
    }
}

impl RowChanges {
    /// Where the values of an action's columns stand among those of the input.
    fn places(&self, action: &RowAction) -> Result<Vec<usize>> {
        let columns = match action {
            RowAction::Update(columns) | RowAction::Insert(columns) => columns.as_slice(),
            RowAction::Delete => &[],
        };
        let place = |column: &usize| {
            let place = self.columns.iter().position(|other| other == column);
            place.ok_or_else(|| internal_datafusion_err!("a column that the input does not have"))
        };
        columns.iter().map(place).collect()
    }
}

fn names(table: &StoredTable, columns: impl IntoIterator<Item = usize>) -> Vec<String> {
    let names = columns
        .into_iter()
        .map(|index| table.schema.field(index).name());
    names.map(|name| quoted(name)).collect()
}

fn insert_sql(table: &StoredTable, columns: impl IntoIterator<Item = usize>) -> String {
    let names = names(table, columns);
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.name),
        names.join(", "),
        vec!["?"; names.len()].join(", ")
    )
}

fn upsert_sql(table: &StoredTable) -> String {
    let n_columns = table.schema.fields().len();
    let insert = insert_sql(table, 0..n_columns);
    if !table.has_key() {
        return insert;
    }
    let key = names(table, table.key.iter().copied()).join(", ");
    let others = (0..n_columns).filter(|index| !table.key.contains(index));
    let set: Vec<_> = names(table, others)
        .into_iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    match set.is_empty() {
        true => format!("{insert} ON CONFLICT ({key}) DO NOTHING"),
        false => format!(
            "{insert} ON CONFLICT ({key}) DO UPDATE SET {}",
            set.join(", ")
        ),
    }
}

fn action_sql(table: &StoredTable, action: &RowAction) -> Result<String> {
    let name = quoted(&table.name);
    let rowid = table
        .rowid
        .ok_or_else(|| internal_datafusion_err!("changes in a table without rowid"))?;
    Ok(match action {
        RowAction::Insert(columns) if columns.is_empty() => {
            format!("INSERT INTO {name} DEFAULT VALUES")
        }
        RowAction::Insert(columns) => insert_sql(table, columns.iter().copied()),
        RowAction::Update(columns) => {
            let names = names(table, columns.iter().copied()).into_iter();
            let set: Vec<_> = names.map(|name| format!("{name} = ?")).collect();
            // An update of nothing still counts the row.
            let set = match set.is_empty() {
                true => format!("{rowid} = {rowid}"),
                false => set.join(", "),
            };
            format!("UPDATE {name} SET {set} WHERE {rowid} = ?")
        }
        RowAction::Delete => format!("DELETE FROM {name} WHERE {rowid} = ?"),
    })
}

/// The same context with a transaction in it.
fn inside(context: &TaskContext, current: &Arc<CurrentTransaction>) -> TaskContext {
    let config = context.session_config().clone();
    TaskContext::new(
        context.task_id(),
        context.session_id(),
        config.with_extension(Arc::clone(current)),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    )
}

async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(task).await;
    done.map_err(|error| exec_datafusion_err!("{error}"))?
}
