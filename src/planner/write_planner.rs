//! The query planner of writes: COPY, and INSERT INTO the folder of a table, write all of their
//! files or none, and COPY has a mode for the files that are already in its folder.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::file_format::{FileFormat, file_type_to_format};
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::datasource::physical_plan::FileOutputMode;
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::dml::CopyTo;
use datafusion::logical_expr::{Analyze, DmlStatement, Explain, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;

use crate::sinks::fit::fitted;
use crate::sinks::staged_sink::staged;
use crate::sinks::target::{Target, WriteMode, extension_of};

/// The option `mode` of COPY, as DataFusion names it: keys without a dot are options of the format.
const MODE: &str = "format.mode";
const SINGLE_FILE: &str = "single_file_output";
/// Whether a Parquet reader returns text in another Arrow layout than that of the file.
const FORCE_VIEWS: &str = "format.schema_force_view_types";

/// Wraps the planner of the session.
pub(crate) fn register(state: &mut SessionState) {
    let inner = Arc::clone(state.query_planner());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(WritePlanner { inner }))
        .build();
}

#[derive(Debug)]
struct WritePlanner {
    inner: Arc<dyn QueryPlanner + Send + Sync>,
}

#[async_trait]
impl QueryPlanner for WritePlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let write = match plan {
            LogicalPlan::Explain(explain) => explain.plan.as_ref(),
            LogicalPlan::Analyze(analyze) => analyze.input.as_ref(),
            plan => plan,
        };
        let (write, target) = match write {
            LogicalPlan::Copy(copy) => {
                let (mut copy, format, target) = copy_target(copy, session)?;
                copy.input = fitted(&target, &copy.input, format.as_ref(), session).await?;
                (LogicalPlan::Copy(copy), target)
            }
            LogicalPlan::Dml(dml) => match insert_target(dml, session)? {
                Some(target) => (write.clone(), target),
                None => return self.inner.create_physical_plan(plan, session).await,
            },
            _ => return self.inner.create_physical_plan(plan, session).await,
        };
        let plan = with_write(plan, write);
        let planned = self.inner.create_physical_plan(&plan, session).await?;
        staged(planned, &Arc::new(target))
    }
}

/// The statement, with its COPY or INSERT replaced.
fn with_write(plan: &LogicalPlan, write: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Explain(explain) => LogicalPlan::Explain(Explain {
            plan: Arc::new(write),
            ..explain.clone()
        }),
        LogicalPlan::Analyze(analyze) => LogicalPlan::Analyze(Analyze {
            input: Arc::new(write),
            ..analyze.clone()
        }),
        _ => write,
    }
}

/// The target and the format of a COPY, and the statement without the option `mode`.
fn copy_target(
    copy: &CopyTo,
    session: &dyn Session,
) -> Result<(CopyTo, Arc<dyn FileFormat>, Target)> {
    let mut copy = copy.clone();
    let mode = copy.options.remove(MODE);
    let mode = match mode {
        Some(mode) => mode.parse()?,
        None => WriteMode::Refuse,
    };
    let url = ListingTableUrl::parse(&copy.output_url)?;
    let name = copy.output_url.clone();
    if url.get_glob().is_some() {
        return plan_err!(
            "COPY writes to one place, and '{name}' is a pattern of many: leave out * ? and ["
        );
    }
    let is_partitioned = !copy.partition_by.is_empty();
    let output = copy
        .options
        .get(SINGLE_FILE)
        .map(|text| text.trim() == "true");
    let is_single_file = !is_partitioned && FileOutputMode::from(output).single_file_output(&url);
    match mode {
        WriteMode::Append if is_single_file => {
            return plan_err!(
                "COPY replaces the file '{name}' as a whole: write into a folder, such as TO 'folder/', to append to it"
            );
        }
        WriteMode::OverwritePartitions if !is_partitioned => {
            return plan_err!(
                "mode 'overwrite_partitions' is for COPY .. PARTITIONED BY (..): write mode 'overwrite'"
            );
        }
        _ => {}
    }
    let format = format_of(&copy, session)?;
    let target = Target {
        is_single_file,
        partition_columns: copy.partition_by.clone(),
        mode,
        extension: extension_of(format.as_ref()),
        ignores_folders_below: ignores_folders_below(session),
        url,
        name,
    };
    Ok((copy, format, target))
}

/// The format of the files, which reads the types that are in them.
fn format_of(copy: &CopyTo, session: &dyn Session) -> Result<Arc<dyn FileFormat>> {
    let mut options = copy.options.clone();
    options.remove(SINGLE_FILE);
    if copy.file_type.get_ext() == "parquet" {
        options.insert(FORCE_VIEWS.to_string(), "false".to_string());
    }
    file_type_to_format(&copy.file_type)?.create(session, &options)
}

/// The target of an INSERT, if it is the folder of a table of files.
fn insert_target(dml: &DmlStatement, session: &dyn Session) -> Result<Option<Target>> {
    let provider = source_as_provider(&dml.target)?;
    let Some(table) = provider.downcast_ref::<ListingTable>() else {
        return Ok(None);
    };
    let Some(url) = table.table_paths().first() else {
        return Ok(None);
    };
    let columns = table.options().table_partition_cols.iter();
    Ok(Some(Target {
        url: url.clone(),
        name: dml.table_name.to_string(),
        is_single_file: false,
        partition_columns: columns.map(|(name, _)| name.clone()).collect(),
        mode: WriteMode::Append,
        extension: extension_of(table.options().format.as_ref()),
        ignores_folders_below: ignores_folders_below(session),
    }))
}

fn ignores_folders_below(session: &dyn Session) -> bool {
    let execution = &session.config_options().execution;
    execution.listing_table_ignore_subdirectory
}
