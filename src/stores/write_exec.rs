//! The plan node of a statement that writes a table: it runs its input and returns the number of
//! rows written.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, stream};

/// Writes the rows of a plan into a table.
#[async_trait]
pub trait RowWriter: Debug + Send + Sync {
    /// The name of the plan node, as EXPLAIN shows it.
    fn name(&self) -> &'static str;

    /// What the node does, as EXPLAIN shows it.
    fn shown(&self) -> String;

    /// Runs the input, which has one partition, and writes its rows. Returns how many were written
    /// or changed.
    ///
    /// # Errors
    /// The errors of the input and of the table. Then nothing is written.
    async fn run(&self, input: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64>;
}

/// A plan that runs its input in one partition, lets `writer` write the rows, and returns their
/// number as `count`.
pub fn write_plan(
    writer: Arc<dyn RowWriter>,
    input: Arc<dyn ExecutionPlan>,
) -> Arc<dyn ExecutionPlan> {
    Arc::new(WriteExec::new(writer, input))
}

/// Writes the rows of its input and returns their number.
#[derive(Debug)]
pub(crate) struct WriteExec {
    writer: Arc<dyn RowWriter>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl WriteExec {
    pub(crate) fn new(writer: Arc<dyn RowWriter>, input: Arc<dyn ExecutionPlan>) -> Self {
        let count = Field::new("count", DataType::UInt64, false);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(vec![count]))),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            writer,
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (name, shown) = (self.name(), self.writer.shown());
        match format {
            DisplayFormatType::TreeRender => write!(f, "sql={shown}"),
            _ => write!(f, "{name}: {shown}"),
        }
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &str {
        self.writer.name()
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

    /// Rows are written in the order of the input, so an ORDER BY takes effect: the last row of a
    /// key stays.
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
        Ok(Arc::new(Self::new(Arc::clone(&self.writer), input)))
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
        let (writer, input) = (Arc::clone(&self.writer), Arc::clone(&self.input));
        let count = async move {
            let n_rows = writer.run(&input, context).await?;
            let count = Arc::new(UInt64Array::from(vec![n_rows]));
            Ok(RecordBatch::try_new(result, vec![count])?)
        };
        let count = stream::once(count).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, count)))
    }
}

/// The same context with an extension added to its configuration, for the nodes below a write.
pub(crate) fn with_extension<T: Any + Send + Sync>(
    context: &TaskContext,
    extension: Arc<T>,
) -> Arc<TaskContext> {
    let config = context.session_config().clone();
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config.with_extension(extension),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    ))
}
