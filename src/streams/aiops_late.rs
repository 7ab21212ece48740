//! `aiops_late('t')`: the rows of a live table that are missing from some or all of their windows,
//! because they came too late or have no event time.
//!
//! It has the columns of the table, NULL where the statement that missed the row did not read them,
//! and then `reason` (`late` or `no time`). The newest 10,000 rows of each statement are kept;
//! `aiops_streams()` counts all of them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;

use crate::streams::counters::{Missed, StreamRegistry};
use crate::streams::snapshot::{Snapshot, SnapshotTable};

/// The table function.
#[derive(Debug)]
pub(crate) struct AiopsLate {
    registry: Arc<StreamRegistry>,
}

impl AiopsLate {
    /// The function over the streams of `registry`.
    pub(crate) fn new(registry: Arc<StreamRegistry>) -> Self {
        Self { registry }
    }
}

impl TableFunctionImpl for AiopsLate {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let name = match args.exprs() {
            [Expr::Literal(name, _)] => literal_text(name),
            // A name without quotes is parsed as a column.
            [Expr::Column(column)] => Some(column.flat_name()),
            _ => None,
        };
        let Some(name) = name else {
            return plan_err!(
                "aiops_late takes the name of a live table: write SELECT * FROM aiops_late('logs')"
            );
        };
        let Some((name, table)) = self.registry.live_table(&name) else {
            return plan_err!(
                "aiops_late: there is no live table '{name}'. Live tables are {}",
                self.registry.live_tables().join(", ")
            );
        };
        let reason = Arc::new(Field::new("reason", DataType::Utf8, false));
        let columns = table.fields().iter().map(|field| {
            let nullable = field.as_ref().clone().with_nullable(true);
            Arc::new(nullable)
        });
        let schema = Arc::new(Schema::new(columns.chain([reason]).collect::<Vec<_>>()));
        Ok(Arc::new(SnapshotTable(LateTable {
            registry: Arc::clone(&self.registry),
            name,
            schema,
        })))
    }
}

fn literal_text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_string)
}

/// The rows as they are when a query begins to run.
#[derive(Debug)]
struct LateTable {
    registry: Arc<StreamRegistry>,
    name: String,
    schema: SchemaRef,
}

impl LateTable {
    fn batch(&self, why: Missed, rows: &RecordBatch) -> Result<RecordBatch> {
        let n_rows = rows.num_rows();
        let reasons = StringArray::from_iter_values(std::iter::repeat_n(why.reason(), n_rows));
        let n_own = self.schema.fields().len() - 1;
        let own = self.schema.fields().iter().take(n_own).map(|field| {
            rows.column_by_name(field.name())
                .map_or_else(|| new_null_array(field.data_type(), n_rows), Arc::clone)
        });
        let reasons: ArrayRef = Arc::new(reasons);
        let columns = own.chain([reasons]).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[async_trait]
impl Snapshot for LateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn rows(&self, _: &dyn Session) -> Result<Vec<RecordBatch>> {
        let streams = self.registry.streams();
        let of_table = streams
            .iter()
            .filter(|stream| stream.table_name == self.name);
        let missed = of_table.flat_map(|stream| stream.missed_rows());
        missed.map(|(why, rows)| self.batch(why, &rows)).collect()
    }
}
