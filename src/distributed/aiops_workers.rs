//! The table function `aiops_workers()`: the workers of the session, and whether they answer.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::distributed::settings::ClusterSettings;
use crate::distributed::worker_pool::{WorkerPool, WorkerState, address};

#[derive(Debug)]
pub(super) struct AiopsWorkers {
    cluster: Arc<WorkerPool>,
}

impl AiopsWorkers {
    pub(super) fn new(cluster: Arc<WorkerPool>) -> Self {
        Self { cluster }
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
        Ok(Arc::new(WorkersTable {
            cluster: Arc::clone(&self.cluster),
            schema: Arc::new(Schema::new(fields)),
        }))
    }
}

struct WorkersTable {
    cluster: Arc<WorkerPool>,
    schema: SchemaRef,
}

impl fmt::Debug for WorkersTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WorkersTable")
    }
}

#[async_trait]
impl TableProvider for WorkersTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// Asks the workers.
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let settings = session.config_options().extensions.get::<ClusterSettings>();
        let workers = settings.map_or("", |settings| settings.workers.as_str());
        let states = self.cluster.check(workers).await?;
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
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let schema = Arc::clone(&self.schema);
        Ok(MemorySourceConfig::try_new_exec(
            &[vec![rows]],
            schema,
            projection.cloned(),
        )?)
    }
}
