//! A DataFusion sink whose files become visible together.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::object_store::ObjectStore;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::TryStreamExt;
use futures::future::ready;

use crate::formats::listed_files::forget_listed_files_below;
use crate::sinks::local::LocalStage;
use crate::sinks::remote::RemoteStage;
use crate::sinks::stage::{Committed, Stage};
use crate::sinks::staged_store::with_stage;
use crate::sinks::target::Target;

/// The plan with its sinks replaced by ones that write to the target as a whole.
///
/// # Errors
/// None in practice.
pub(crate) fn staged(
    plan: Arc<dyn ExecutionPlan>,
    target: &Arc<Target>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let staged = plan.transform_up(|node| {
        let Some(exec) = node.downcast_ref::<DataSinkExec>() else {
            return Ok(Transformed::no(node));
        };
        let sink = StagedSink {
            exec: exec.clone(),
            target: Arc::clone(target),
            metrics: ExecutionPlanMetricsSet::new(),
        };
        let (input, order) = (Arc::clone(exec.input()), exec.sort_order().clone());
        let exec = DataSinkExec::new(input, Arc::new(sink), order);
        Ok(Transformed::yes(Arc::new(exec) as _))
    });
    staged.data()
}

/// A stage that is discarded with its statement.
#[derive(Debug)]
struct Staged(Arc<dyn Stage>);

impl Staged {
    async fn begin(target: &Target, store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let stage: Arc<dyn Stage> = if target.is_local() {
            Arc::new(LocalStage::begin(target)?)
        } else {
            Arc::new(RemoteStage::begin(target, store).await?)
        };
        Ok(Self(stage))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.0.discard_now();
    }
}

/// Whether what a plan has begun to write is gone when it fails, so that it can run again: files are
/// staged, and stores have transactions. Nothing is known of other sinks.
#[cfg(feature = "distributed")]
pub(crate) fn leaves_nothing_behind(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let leaves_something = plan.exists(|node| {
        let sink = node.downcast_ref::<DataSinkExec>().map(DataSinkExec::sink);
        Ok(sink.is_some_and(|sink| !sink.is::<StagedSink>()))
    });
    Ok(!leaves_something?)
}

#[derive(Debug)]
struct StagedSink {
    /// The plan node of the format, which hands out its sink by reference only.
    exec: DataSinkExec,
    target: Arc<Target>,
    metrics: ExecutionPlanMetricsSet,
}

impl StagedSink {
    fn count(&self, committed: Committed) {
        for (name, count) in [
            ("files_replaced", committed.n_replaced),
            ("files_left", committed.n_left),
        ] {
            MetricBuilder::new(&self.metrics)
                .global_counter(name)
                .add(count);
        }
    }
}

impl DisplayAs for StagedSink {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exec.sink().fmt_as(format, f)
    }
}

#[async_trait]
impl DataSink for StagedSink {
    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.exec.sink().metrics().unwrap_or_default();
        for metric in &self.metrics.clone_inner() {
            metrics.push(Arc::clone(metric));
        }
        Some(metrics)
    }

    fn schema(&self) -> &SchemaRef {
        self.exec.sink().schema()
    }

    async fn write_all(
        &self,
        data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<u64> {
        let url = &self.target.url;
        let store = context.runtime_env().object_store(url)?;
        let staged = Staged::begin(&self.target, &store).await?;
        let inner = with_stage(context, url, store, Arc::clone(&staged.0));
        let data = with_whole_keys(data, &self.target);
        let written = match self.exec.sink().write_all(data, &inner).await {
            Ok(n_rows) => staged
                .0
                .commit(&self.target)
                .await
                .map(|committed| (n_rows, committed)),
            Err(error) => Err(error),
        };
        if written.is_err() {
            staged.0.discard().await;
        }
        let (n_rows, committed) = written?;
        self.count(committed);
        forget_listed_files_below(&context.runtime_env(), url);
        Ok(n_rows)
    }
}

/// The rows, checked to have no NULL in the columns whose values name folders. DataFusion 55.2
/// writes it as 0, as an empty text or as the first day of 1970, and so into the folder of other
/// rows.
fn with_whole_keys(data: SendableRecordBatchStream, target: &Target) -> SendableRecordBatchStream {
    let schema = data.schema();
    let index = |name: &String| Some((schema.index_of(name).ok()?, name.clone()));
    let keys: Vec<_> = target.partition_columns.iter().filter_map(index).collect();
    let checked = data.and_then(move |batch| {
        let null = keys.iter().find(|(index, _)| batch.column(*index).null_count() > 0);
        ready(match null {
            None => Ok(batch),
            Some((_, name)) => exec_err!(
                "column {name}, whose values are folders, is NULL in some rows: leave them out with WHERE {name} IS NOT NULL, \
                 or name a folder for them, such as coalesce(CAST({name} AS TEXT), 'none') AS {name}"
            ),
        })
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, checked))
}
