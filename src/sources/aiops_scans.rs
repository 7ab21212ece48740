//! `aiops_scans()`: the counters of the session's log tables as a table, one row each.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};

use crate::formats::log::counters::{COUNTER_NAMES, ScanRegistry};
use crate::streams::snapshot::{Snapshot, SnapshotTable};

/// The table function.
#[derive(Debug)]
pub(crate) struct AiopsScans {
    registry: Arc<ScanRegistry>,
    schema: SchemaRef,
}

impl AiopsScans {
    /// The function over the counters of `registry`.
    pub(crate) fn new(registry: Arc<ScanRegistry>) -> Self {
        let names = std::iter::once("scans").chain(COUNTER_NAMES);
        let counters = names.map(|name| Field::new(name, DataType::Int64, false));
        let table_name = Field::new("table_name", DataType::Utf8, false);
        let fields: Vec<_> = std::iter::once(table_name).chain(counters).collect();
        Self {
            registry,
            schema: Arc::new(Schema::new(fields)),
        }
    }
}

impl TableFunctionImpl for AiopsScans {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if !args.exprs().is_empty() {
            return plan_err!("aiops_scans takes no argument: write SELECT * FROM aiops_scans()");
        }
        let (registry, schema) = (Arc::clone(&self.registry), Arc::clone(&self.schema));
        Ok(Arc::new(SnapshotTable(ScansTable { registry, schema })))
    }
}

/// The counters as they are when a query is planned.
#[derive(Debug)]
struct ScansTable {
    registry: Arc<ScanRegistry>,
    schema: SchemaRef,
}

impl ScansTable {
    fn batch(&self) -> Result<RecordBatch> {
        let (names, values): (Vec<_>, Vec<_>) = self
            .registry
            .tables()
            .into_iter()
            .map(|(name, counters)| (name, counters.values()))
            .unzip();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(names))];
        for index in 0..=COUNTER_NAMES.len() {
            let column = values.iter().map(|values: &Vec<u64>| {
                values
                    .get(index)
                    .map(|&value| i64::try_from(value).unwrap_or(i64::MAX))
            });
            columns.push(Arc::new(column.collect::<Int64Array>()));
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[async_trait]
impl Snapshot for ScansTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn rows(&self, _: &dyn Session) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.batch()?])
    }
}
