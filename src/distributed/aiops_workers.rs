//! The table function `aiops_workers()`: the workers of the session, and whether they answer.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};

use crate::distributed::settings::ClusterSettings;
use crate::distributed::worker_pool::{WorkerPool, WorkerState, address};
use crate::streams::snapshot::{Snapshot, SnapshotTable};

#[derive(Debug)]
pub(super) struct AiopsWorkers {
    pool: Arc<WorkerPool>,
}

impl AiopsWorkers {
    pub(super) fn new(pool: Arc<WorkerPool>) -> Self {
        Self { pool }
    }
}

impl TableFunctionImpl for AiopsWorkers {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if !args.exprs().is_empty() {
            return plan_err!("aiops_workers() has no arguments");
        }
        let text = |name: &str, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
        let fields = vec![
            text("worker", false),
            text("state", false),
            text("version", true),
            text("error", true),
        ];
        Ok(Arc::new(SnapshotTable(WorkersTable {
            pool: Arc::clone(&self.pool),
            schema: Arc::new(Schema::new(fields)),
        })))
    }
}

#[derive(Debug)]
struct WorkersTable {
    pool: Arc<WorkerPool>,
    schema: SchemaRef,
}

#[async_trait]
impl Snapshot for WorkersTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Asks the workers.
    async fn rows(&self, session: &dyn Session) -> Result<Vec<RecordBatch>> {
        let settings = session.config_options().extensions.get::<ClusterSettings>();
        let workers = settings.map_or("", |settings| settings.workers.as_str());
        let states = self.pool.check(workers).await?;
        let column = |text: fn(&WorkerState) -> Option<&str>| -> ArrayRef {
            Arc::new(states.values().map(text).collect::<StringArray>())
        };
        let addresses: StringArray = states.keys().map(address).map(Some).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(addresses),
            column(|state| Some(state.name())),
            column(WorkerState::version),
            column(WorkerState::error),
        ];
        Ok(vec![RecordBatch::try_new(
            Arc::clone(&self.schema),
            columns,
        )?])
    }
}
