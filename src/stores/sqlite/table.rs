//! The table that SQL sees.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraints, Result, exec_datafusion_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{CreateExternalTable, Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use crate::stores::mutable::{MutableTable, ROW, RowChanges};
use crate::stores::sqlite::predicate::{Condition, pushed};
use crate::stores::sqlite::scan::{Query, ScanColumn, SqliteScanExec};
use crate::stores::sqlite::stored::StoredTable;
use crate::stores::sqlite::types::quoted;
use crate::stores::sqlite::write::{Write, sqlite_write_plan};
use crate::stores::store::Store;

/// A table in a SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteTable {
    pub(crate) stored: Arc<StoredTable>,
    /// The columns, followed by [`ROW`] if it is asked for.
    schema: SchemaRef,
    constraints: Constraints,
    defaults: HashMap<String, Expr>,
    definition: Option<String>,
}

impl SqliteTable {
    pub(crate) fn new(stored: Arc<StoredTable>, command: &CreateExternalTable) -> Self {
        Self {
            schema: Arc::clone(&stored.schema),
            constraints: stored.constraints(),
            defaults: command.column_defaults.clone(),
            definition: command.definition.clone(),
            stored,
        }
    }

    /// The same table with a column that identifies its rows.
    fn with_row_ids(&self) -> Result<Self> {
        self.check_is_table()?;
        if self.stored.rowid.is_none() {
            return plan_err!(
                "Table {} is WITHOUT ROWID in the file, or has columns of all names of the rowid, so single rows cannot be \
                 changed: write INSERT INTO, which replaces rows with the same key, or change it with the sqlite3 tool",
                self.stored.name
            );
        }
        let mut fields: Vec<_> = self.stored.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, false)));
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            ..self.clone()
        })
    }

    fn check_is_table(&self) -> Result<()> {
        if self.stored.is_view {
            plan_err!(
                "{} is a view in the file, so it can only be read",
                self.stored.name
            )
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl TableProvider for SqliteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.defaults.get(column)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match pushed(filter, &self.stored) {
            Some(pushed) if pushed.is_exact => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let n_stored = self.stored.schema.fields().len();
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let column = |index: &usize| {
            if *index < n_stored {
                ScanColumn::Stored(*index)
            } else {
                ScanColumn::RowId
            }
        };
        let pushed: Vec<_> = filters
            .iter()
            .filter_map(|filter| pushed(filter, &self.stored))
            .collect();
        // The limit must not count rows that DataFusion will filter out.
        let is_exact = pushed.len() == filters.len() && pushed.iter().all(|pushed| pushed.is_exact);
        let conditions = pushed.into_iter().map(|pushed| pushed.condition).collect();
        let query = Query {
            table: Arc::clone(&self.stored),
            columns: projection.iter().map(column).collect(),
            schema: Arc::new(self.schema.project(projection)?),
            condition: Condition::all(conditions),
            limit: limit.filter(|_| is_exact),
        };
        let stored = Arc::clone(&self.stored);
        let n_rows = spawn_blocking(move || about_n_rows(&stored)).await;
        let n_rows = n_rows.map_err(|error| exec_datafusion_err!("{error}"))?;
        Ok(Arc::new(SqliteScanExec::new(query, n_rows)))
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.check_is_table()?;
        let write = match op {
            InsertOp::Append | InsertOp::Replace => Write::Upsert,
            InsertOp::Overwrite => Write::Overwrite,
        };
        Ok(self.write_rows(write, input))
    }

    async fn truncate(&self, _session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        self.check_is_table()?;
        let nothing = EmptyExec::new(Arc::clone(&self.schema));
        Ok(self.write_rows(Write::Overwrite, Arc::new(nothing)))
    }
}

impl SqliteTable {
    fn write_rows(&self, write: Write, input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        sqlite_write_plan(Arc::clone(&self.stored), write, input)
    }
}

impl MutableTable for SqliteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.stored.schema)
    }

    fn with_rows(&self) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(self.with_row_ids()?))
    }

    fn write(
        &self,
        changes: Arc<RowChanges>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan> {
        self.write_rows(Write::Changes(changes), input)
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::clone(&self.stored.file) as Arc<dyn Store>)
    }
}

/// About how many rows there are: the largest rowid, which SQLite finds at once.
fn about_n_rows(table: &StoredTable) -> Option<usize> {
    let rowid = table.rowid?;
    let connection: Connection = table.file.open().ok()?;
    let query = format!("SELECT max({rowid}) FROM {}", quoted(&table.name));
    let largest: Option<i64> = connection.query_row(&query, [], |row| row.get(0)).ok()?;
    usize::try_from(largest.unwrap_or_default()).ok()
}
