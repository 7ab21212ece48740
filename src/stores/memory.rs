//! Tables in memory (DataFusion's [`MemTable`]) whose rows can be changed.
//!
//! A write locks all partitions before its query reads the table, and until it ends, so the rows
//! cannot change in between. The query reads the rows as of that time; other reads of the table in
//! the same statement see the rows as of when it was planned.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt64Array, new_null_array,
};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{
    DataFusionError, Result, exec_datafusion_err, internal_datafusion_err, internal_err,
    project_schema,
};
use datafusion::datasource::{MemTable, TableType};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OwnedRwLockWriteGuard;

use crate::leaf_plan::leaf_plan;
use crate::stores::mutable::{MutableTable, ROW, RowAction, RowChanges, changed_twice};
use crate::stores::write_exec::{RowWriter, with_extension, write_plan};

/// A table in memory.
#[derive(Debug, Clone)]
pub(super) struct MemoryTable(Arc<dyn TableProvider>);

impl MemoryTable {
    /// The provider as a table in memory, if it is one.
    pub(super) fn of(provider: &Arc<dyn TableProvider>) -> Option<Self> {
        provider.downcast_ref::<MemTable>()?;
        Some(Self(Arc::clone(provider)))
    }

    fn table(&self) -> Result<&MemTable> {
        let table = self.0.downcast_ref::<MemTable>();
        table.ok_or_else(|| internal_datafusion_err!("a table in memory that is none"))
    }
}

impl MutableTable for MemoryTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn with_rows(&self) -> Result<Arc<dyn TableProvider>> {
        let schema = self.0.schema();
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, false)));
        Ok(Arc::new(NumberedRows {
            schema: Arc::new(Schema::new(fields)),
        }))
    }

    fn write(
        &self,
        changes: Arc<RowChanges>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan> {
        let writer = MemoryWriter {
            table: self.clone(),
            changes,
        };
        write_plan(Arc::new(writer), input)
    }
}

/// The rows of the table, with the number of each in [`ROW`].
#[derive(Debug)]
struct NumberedRows {
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for NumberedRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        let all = (0..self.schema.fields().len()).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(NumberedRowsExec {
            columns: projection.cloned().unwrap_or(all),
            properties: Arc::new(properties),
        }))
    }
}

/// The rows of the table that a write changes, by partition; in the configuration of the plan below
/// the write.
#[derive(Debug)]
struct LockedRows(Vec<Vec<RecordBatch>>);

/// Reads the rows that the write above it has locked.
#[derive(Debug)]
struct NumberedRowsExec {
    /// Indices into the columns of the table, then [`ROW`].
    columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for NumberedRowsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match format {
            DisplayFormatType::TreeRender => Ok(()),
            _ => write!(f, "NumberedRowsExec"),
        }
    }
}

impl ExecutionPlan for NumberedRowsExec {
    leaf_plan!("NumberedRowsExec");

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(locked) = context.session_config().get_extension::<LockedRows>() else {
            return internal_err!("the rows of a table in memory are numbered below a write alone");
        };
        let schema = self.schema();
        let (columns, batch_schema) = (self.columns.clone(), Arc::clone(&schema));
        let batches: Vec<_> = locked.0.iter().flatten().cloned().collect();
        let mut n_rows_before = 0;
        let batches = stream::iter(batches).map(move |batch| {
            let first = n_rows_before;
            n_rows_before += batch.num_rows() as i64;
            let column = |index: &usize| match batch.columns().get(*index) {
                Some(column) => Arc::clone(column),
                None => Arc::new(Int64Array::from_iter_values(first..n_rows_before)),
            };
            let columns = columns.iter().map(column).collect();
            Ok(RecordBatch::try_new(Arc::clone(&batch_schema), columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Changes the rows of a table.
#[derive(Debug)]
struct MemoryWriter {
    table: MemoryTable,
    changes: Arc<RowChanges>,
}

#[async_trait]
impl RowWriter for MemoryWriter {
    fn name(&self) -> &'static str {
        "MemoryWriteExec"
    }

    fn shown(&self) -> String {
        let action = |action: &RowAction| match action {
            RowAction::Update(_) => "UPDATE",
            RowAction::Insert(_) => "INSERT",
            RowAction::Delete => "DELETE",
        };
        let actions: Vec<_> = self.changes.actions().iter().map(action).collect();
        actions.join("; ")
    }

    async fn run(&self, input: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
        let table = self.table.table()?;
        let mut partitions = vec![];
        for partition in &table.batches {
            partitions.push(Arc::clone(partition).write_owned().await);
        }
        let locked = partitions.iter().map(|batches| batches.to_vec()).collect();
        let below = with_extension(&context, Arc::new(LockedRows(locked)));
        let found = collect(input, below).await?;
        let edits = Edits::read(&self.changes, &found)?;
        let new = edits.apply(&partitions, &self.table.0.schema())?;
        if !matches!(self.changes.actions(), [RowAction::Delete]) {
            // Rows that were in order may no longer be.
            table.sort_order.lock().clear();
        }
        for (partition, new) in partitions.iter_mut().zip(new) {
            **partition = new;
        }
        Ok(edits.n_rows)
    }
}

async fn collect(
    input: &Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<Vec<RecordBatch>> {
    let reservation = MemoryConsumer::new("MemoryWriteExec").register(context.memory_pool());
    let mut rows = input.execute(0, context)?;
    let mut batches = vec![];
    while let Some(batch) = rows.try_next().await? {
        reservation.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok(batches)
}

/// The changes that a statement has found.
struct Edits<'a> {
    changes: &'a RowChanges,
    /// The values, without the columns for row and action.
    values: Vec<RecordBatch>,
    /// The changes by number of the row.
    changed: HashMap<i64, Edit>,
    inserted: Vec<Edit>,
    n_rows: u64,
}

/// An action, and the batch and row that hold its values.
#[derive(Debug, Clone, Copy)]
struct Edit {
    action: usize,
    batch: usize,
    row: usize,
}

impl<'a> Edits<'a> {
    fn read(changes: &'a RowChanges, found: &[RecordBatch]) -> Result<Self> {
        let mut edits = Self {
            changes,
            values: vec![],
            changed: HashMap::new(),
            inserted: vec![],
            n_rows: 0,
        };
        for (batch, found) in found.iter().enumerate() {
            let rows = found.column(0).as_primitive::<Int64Type>();
            let actions = found.column(1).as_primitive::<Int32Type>();
            for (row, (number, action)) in rows.iter().zip(actions).enumerate() {
                let action = action.and_then(|action| usize::try_from(action).ok());
                let Some(action) = action else { continue };
                let edit = Edit { action, batch, row };
                edits.n_rows += 1;
                let is_insert = matches!(changes.actions().get(action), Some(RowAction::Insert(_)));
                match number {
                    Some(number) if !is_insert => {
                        if edits.changed.insert(number, edit).is_some() {
                            return changed_twice("in memory");
                        }
                    }
                    _ => edits.inserted.push(edit),
                }
            }
            let columns: Vec<usize> = (2..found.num_columns()).collect();
            edits.values.push(found.project(&columns)?);
        }
        Ok(edits)
    }

    /// The rows of each partition after the changes.
    fn apply(
        &self,
        partitions: &[OwnedRwLockWriteGuard<Vec<RecordBatch>>],
        schema: &SchemaRef,
    ) -> Result<Vec<Vec<RecordBatch>>> {
        let mut first = 0;
        let mut new = vec![];
        for partition in partitions {
            let mut batches = vec![];
            for batch in partition.iter() {
                batches.extend(self.changed_batch(batch, first, schema)?);
                first += batch.num_rows() as i64;
            }
            new.push(batches);
        }
        if let Some(last) = new.last_mut() {
            last.extend(self.inserted_rows(schema)?);
        }
        Ok(new)
    }

    /// The batch after the changes; its first row has this number.
    fn changed_batch(
        &self,
        batch: &RecordBatch,
        first: i64,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        let edits: Vec<Option<&Edit>> = (first..first + batch.num_rows() as i64)
            .map(|number| self.changed.get(&number))
            .collect();
        if edits.iter().all(Option::is_none) {
            return Ok(Some(batch.clone()));
        }
        let columns = batch.columns().iter().enumerate();
        let columns = columns.map(|(index, old)| self.changed_column(index, old, &edits));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let batch = whole(schema, columns)?;
        let is_kept = |edit: &Option<&Edit>| {
            edit.is_none_or(|edit| {
                self.changes.actions().get(edit.action) != Some(&RowAction::Delete)
            })
        };
        let kept = BooleanArray::from_iter(edits.iter().map(|edit| Some(is_kept(edit))));
        let batch = filter_record_batch(&batch, &kept)?;
        Ok((batch.num_rows() > 0).then_some(batch))
    }

    fn changed_column(
        &self,
        index: usize,
        old: &ArrayRef,
        edits: &[Option<&Edit>],
    ) -> Result<ArrayRef> {
        let Some(place) = self.changes.place(index) else {
            return Ok(Arc::clone(old));
        };
        let is_set = |action: usize| match self.changes.actions().get(action) {
            Some(RowAction::Update(columns)) => columns.contains(&index),
            _ => false,
        };
        let mut sources: Vec<&dyn Array> = vec![old.as_ref()];
        sources.extend(
            self.values
                .iter()
                .map(|values| values.column(place).as_ref()),
        );
        let sourced = edits.iter().enumerate().map(|(row, edit)| match edit {
            Some(edit) if is_set(edit.action) => (edit.batch + 1, edit.row),
            _ => (0, row),
        });
        Ok(interleave(&sources, &sourced.collect::<Vec<_>>())?)
    }

    fn inserted_rows(&self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let (Some(first), false) = (self.values.first(), self.inserted.is_empty()) else {
            return Ok(None);
        };
        let values = concat_batches(&first.schema(), &self.values)?;
        let mut n_before = 0;
        let starts: Vec<usize> = self
            .values
            .iter()
            .map(|batch| {
                n_before += batch.num_rows();
                n_before - batch.num_rows()
            })
            .collect();
        let column = |(index, field): (usize, &Arc<Field>)| {
            let place = self.changes.place(index);
            let Some(place) = place else {
                return Ok(new_null_array(field.data_type(), self.inserted.len()));
            };
            let row = |edit: &Edit| {
                let is_given = match self.changes.actions().get(edit.action) {
                    Some(RowAction::Insert(columns)) => columns.contains(&index),
                    _ => false,
                };
                let start = starts.get(edit.batch).copied()?;
                is_given.then_some((start + edit.row) as u64)
            };
            let rows = UInt64Array::from_iter(self.inserted.iter().map(row));
            take(values.column(place), &rows, None)
        };
        let columns = schema.fields().iter().enumerate().map(column);
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        whole(schema, columns).map(Some)
    }
}

/// Makes rows of the table, unless a NOT NULL column lacks a value.
fn whole(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let lacking = schema.fields().iter().zip(&columns);
    for (field, column) in lacking {
        if !field.is_nullable() && column.null_count() > 0 {
            let name = field.name();
            return Err(exec_datafusion_err!(
                "column {name} is NOT NULL and would become NULL. Nothing was changed"
            ));
        }
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)
}
