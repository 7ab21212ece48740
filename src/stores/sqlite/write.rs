//! Writes a table: rows that are added or replaced, all rows at once, or changes of single rows;
//! each statement in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::{Result, exec_datafusion_err, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use rusqlite::{Connection, params_from_iter};
use tokio::task::spawn_blocking;

use crate::stores::mutable::{RowAction, RowChanges, changed_twice};
use crate::stores::sqlite::encode::EncodedColumn;
use crate::stores::sqlite::file::{DatabaseFile, SqliteTransaction};
use crate::stores::sqlite::scan::{SqliteScanExec, transaction_of};
use crate::stores::sqlite::stored::StoredTable;
use crate::stores::sqlite::types::quoted;
use crate::stores::write_exec::{RowWriter, with_extension, write_plan};

/// The kind of a write.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Rows are added; a row whose key exists replaces the existing one.
    Upsert,
    /// All rows are replaced.
    Overwrite,
    /// Single rows are changed.
    Changes(Arc<RowChanges>),
}

/// Writes rows in one transaction.
#[derive(Debug, Clone)]
struct Writer {
    table: Arc<StoredTable>,
    write: Write,
}

/// A plan that writes the rows of `input` into the table, in one transaction, and returns the
/// number of rows.
pub(crate) fn sqlite_write_plan(
    table: Arc<StoredTable>,
    write: Write,
    input: Arc<dyn ExecutionPlan>,
) -> Arc<dyn ExecutionPlan> {
    write_plan(Arc::new(Writer { table, write }), input)
}

/// Whether a plan reads a table of this file.
fn reads(plan: &Arc<dyn ExecutionPlan>, file: &DatabaseFile) -> bool {
    let scan = plan.downcast_ref::<SqliteScanExec>();
    scan.is_some_and(|scan| scan.is_of(file))
        || plan.children().iter().any(|child| reads(child, file))
}

#[async_trait]
impl RowWriter for Writer {
    fn name(&self) -> &'static str {
        "SqliteWriteExec"
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
                let sql = changes.actions().iter().map(|action| {
                    action_sql(&self.table, action).unwrap_or_else(|error| error.to_string())
                });
                sql.collect::<Vec<_>>().join("; ")
            }
        }
    }

    async fn run(&self, input: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
        let writer = self.clone();
        if let Some(current) = transaction_of(&self.table, &context) {
            return writer.run_collected(input, context, current, false).await;
        }
        if matches!(self.write, Write::Changes(_)) || reads(input, &self.table.file) {
            // The rows to write depend on what is read there, so no other write may come in
            // between.
            let file = Arc::clone(&self.table.file);
            let transaction = blocking(move || file.begin_writing()).await?;
            let current = Arc::new(transaction);
            let context = with_extension(&context, Arc::clone(&current));
            return writer.run_collected(input, context, current, true).await;
        }
        writer.run_streaming(input.execute(0, context)?).await
    }
}

impl Writer {
    /// Reads everything, then writes it: in a transaction whose input has the same table, the reads
    /// must not see the writes.
    async fn run_collected(
        self,
        input: &Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        transaction: Arc<SqliteTransaction>,
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

    /// Writes while it reads. Readers have their own connections and see the table as it was.
    async fn run_streaming(self, mut input: SendableRecordBatchStream) -> Result<u64> {
        // An input that fails at once, or is slow to start, does not hold the lock meanwhile.
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
            .actions()
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
                return changed_twice(&self.table.name);
            }
            let columns: Result<Vec<_>> = changes
                .columns()
                .iter()
                .zip(batch.columns().iter().skip(2))
                .map(|(index, column)| {
                    let name = self.table.schema.field(*index).name();
                    EncodedColumn::try_new(name, column)
                })
                .collect();
            let columns = columns?;
            for (place, (action, sql)) in changes.actions().iter().zip(&sql).enumerate() {
                let of_action = (0..batch.num_rows()).filter(|row| {
                    actions.is_valid(*row) && usize::try_from(actions.value(*row)) == Ok(place)
                });
                let values = places(changes, action)?;
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
}

/// The positions of the values of an action's columns among those of the input.
fn places(changes: &RowChanges, action: &RowAction) -> Result<Vec<usize>> {
    let columns = match action {
        RowAction::Update(columns) | RowAction::Insert(columns) => columns.as_slice(),
        RowAction::Delete => &[],
    };
    let place = |column: &usize| {
        let place = changes.place(*column);
        place.ok_or_else(|| internal_datafusion_err!("a column that the input does not have"))
    };
    columns.iter().map(place).collect()
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
    if set.is_empty() {
        format!("{insert} ON CONFLICT ({key}) DO NOTHING")
    } else {
        format!(
            "{insert} ON CONFLICT ({key}) DO UPDATE SET {}",
            set.join(", ")
        )
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
            // An update of no column still counts the row.
            let set = if set.is_empty() {
                format!("{rowid} = {rowid}")
            } else {
                set.join(", ")
            };
            format!("UPDATE {name} SET {set} WHERE {rowid} = ?")
        }
        RowAction::Delete => format!("DELETE FROM {name} WHERE {rowid} = ?"),
    })
}

async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(task).await;
    done.map_err(|error| exec_datafusion_err!("{error}"))?
}
