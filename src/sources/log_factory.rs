//! `CREATE EXTERNAL TABLE … STORED AS LOG`: checks everything that can be checked before a row is
//! read.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, exec_datafusion_err, internal_datafusion_err, plan_err};
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig};
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;
use datafusion::object_store::{ObjectMeta, ObjectStore};

use crate::formats::log::counters::ScanRegistry;
use crate::formats::log::detection::FileHead;
use crate::formats::log::encoding::TextEncoding;
use crate::formats::log::format::LogFormat;
use crate::formats::log::known_formats::{KnownFormat, with_formats_of};
use crate::formats::log::locations::{Locations, is_pipe};
use crate::formats::log::log_options::{LineFormat, LogOptions};
use crate::formats::log::log_settings::log_formats_of;
use crate::formats::log::spec::{CopiedPipe, LogSpec};
use crate::formats::log::table::{LocalTable, LogTable};
use crate::formats::log::table_shape::{Sample, TableFiles, shape, shape_of};
use crate::sources::files::followed::FollowedLogs;
use crate::sources::folder::LiveFolder;
use crate::sources::stdin::{self, StdinSource};
use crate::streams::counters::StreamRegistry;
use crate::streams::live_options::LiveOptions;
use crate::streams::session_extensions::ReadsStdin;
use crate::streams::source::LiveSource;
use crate::streams::table::LiveTable;

/// The factory of tables that are STORED AS LOG.
#[derive(Debug)]
pub(crate) struct LogTableFactory {
    registry: Arc<ScanRegistry>,
    streams: Arc<StreamRegistry>,
}

impl LogTableFactory {
    /// A factory whose tables are counted in `registry`, and live ones also in `streams`.
    pub(crate) fn new(registry: Arc<ScanRegistry>, streams: Arc<StreamRegistry>) -> Self {
        Self { registry, streams }
    }
}

#[async_trait]
impl TableProviderFactory for LogTableFactory {
    async fn create(
        &self,
        session: &dyn Session,
        command: &CreateExternalTable,
    ) -> Result<Arc<dyn TableProvider>> {
        let zone = session.config_options().execution.time_zone.clone();
        let options = LogOptions::try_new(&command.options, zone.as_deref())?;
        let catalog = with_formats_of(&log_formats_of(session.config_options()))?;
        let live_options = LiveOptions::try_new(&command.options)?;
        if command
            .locations
            .iter()
            .any(|location| location == stdin::LOCATION)
        {
            if session.config().get_extension::<ReadsStdin>().is_none() {
                return plan_err!(
                    "Standard input is not for the statements of this session: the program has not called \
                     datafusion_aiops::register_stdin"
                );
            }
            if command.unbounded && command.locations.len() == 1 {
                return self
                    .standard_input(command, options, &catalog, &live_options)
                    .await;
            }
            return plan_err!(
                "Standard input is read as it comes, and alone: write CREATE UNBOUNDED EXTERNAL TABLE … LOCATION '{}', \
                 or ask the table stdin",
                stdin::LOCATION
            );
        }
        if command.unbounded && options.encoding != TextEncoding::Auto {
            return plan_err!(
                "A live table reads UTF-8: leave the option encoding out, or make the table without UNBOUNDED"
            );
        }
        let (places, pipes) = copy_pipes(session, command)?;
        let locations = Locations::try_new(&places, &command.name)?;
        let first = locations.urls().first();
        let first =
            first.ok_or_else(|| internal_datafusion_err!("a log table without a location"))?;
        let store = session.runtime_env().object_store(first)?;
        let files = if command.unbounded {
            files_so_far(session, &locations, &store).await?
        } else {
            locations.files(session, &store).await?
        };
        let (declared, partitions) = split_partitions(command);
        let looked_at = TableFiles {
            store: &store,
            files: &files,
            path_prefix: locations.path_prefix(),
        };
        let (found, columns, about) = shape(&options, &declared, &catalog, &looked_at).await?;
        let names: HashSet<&str> = columns
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if let Some((name, _)) = partitions
            .iter()
            .find(|(name, _)| names.contains(name.as_str()))
        {
            return plan_err!(
                "Column {name} is a partition column and a column of the log lines too: rename one of them"
            );
        }
        check_partitions(session, &locations, &partitions).await?;
        let schema = Arc::clone(&columns.schema);
        // Nothing fails from here on: a CREATE that fails must not touch the counters of the table
        // it would replace.
        let counters = self.registry.add_table(command.name.to_string());
        counters.set_about(about);
        counters.set_rules(options.has_timestamp_format(), options.start.is_some());
        let spec = LogSpec::try_new(options, found, columns, counters)?;
        let spec = Arc::new(spec.with_pipes(pipes));
        if command.unbounded && partitions.is_empty() && locations.are_local() {
            let followed = FollowedLogs {
                spec,
                locations,
                ignores_folders_below: ignores_folders_below(session),
                read_from: live_options.read_from,
                store,
            };
            return self.live_table(command, Arc::new(followed), &live_options);
        }
        let local = (partitions.is_empty() && locations.are_local()).then(|| LocalTable {
            locations: locations.clone(),
            counters: Arc::clone(&spec.counters),
        });
        let is_of_logs = spec.found.are_of_logs();
        let format = LogFormat {
            spec,
            locations: locations.clone(),
        };
        let listing_options = ListingOptions::new(Arc::new(format))
            .with_file_extension("")
            .with_table_partition_cols(partitions)
            .with_file_sort_order(command.order_exprs.clone());
        let config = ListingTableConfig::new_with_multi_paths(locations.urls().to_vec())
            .with_listing_options(listing_options)
            .with_schema(schema);
        let listing = ListingTable::try_new(config)?
            .with_definition(command.definition.clone())
            .with_constraints(command.constraints.clone());
        if command.unbounded {
            let state = session.as_any().downcast_ref::<SessionState>();
            let state = state
                .ok_or_else(|| internal_datafusion_err!("a live table needs a SessionState"))?;
            let folder = LiveFolder::new(&listing, state, live_options.read_from);
            return self.live_table(command, Arc::new(folder), &live_options);
        }
        Ok(Arc::new(LogTable {
            listing,
            local,
            is_of_logs,
        }))
    }
}

impl LogTableFactory {
    fn live_table(
        &self,
        command: &CreateExternalTable,
        source: Arc<dyn LiveSource>,
        options: &LiveOptions,
    ) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(LiveTable::try_new(
            command.name.to_string(),
            source,
            options,
            Arc::clone(&self.streams),
        )?))
    }

    async fn standard_input(
        &self,
        command: &CreateExternalTable,
        options: LogOptions,
        catalog: &[Arc<KnownFormat>],
        live_options: &LiveOptions,
    ) -> Result<Arc<dyn TableProvider>> {
        let declared = command.schema.as_arrow().fields();
        if options.format == LineFormat::Json && declared.is_empty() {
            return plan_err!(
                "JSON lines of standard input cannot be looked at beforehand: declare the columns that are wanted, \
                 as in CREATE UNBOUNDED EXTERNAL TABLE t (ts TIMESTAMP, level TEXT) STORED AS LOG …"
            );
        }
        let sample = match options.format {
            LineFormat::Auto | LineFormat::Named(_) => Some(first_lines().await?),
            LineFormat::Text | LineFormat::Json => None,
        };
        let (found, columns, _) = shape_of(&options, declared, catalog, sample.as_ref())?;
        let counters = self.registry.add_table(command.name.to_string());
        let spec = LogSpec::try_new(options, found, columns, counters)?;
        let source = StdinSource {
            spec: Arc::new(spec),
        };
        self.live_table(command, Arc::new(source), live_options)
    }
}

/// The first lines of standard input. It waits for them.
async fn first_lines() -> Result<Sample> {
    let read = tokio::task::spawn_blocking(stdin::first_bytes).await;
    let bytes = read.map_err(|error| exec_datafusion_err!("standard input: {error}"))??;
    let head = FileHead {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        is_whole: false,
    };
    Ok(Sample {
        heads: vec![head],
        written: Utc::now(),
        n_files: 1,
        ..Sample::default()
    })
}

/// Copies the pipes among the locations, which can be read once, to files.
///
/// # Errors
/// When one cannot be read, or a live table should follow it.
fn copy_pipes(
    session: &dyn Session,
    command: &CreateExternalTable,
) -> Result<(Vec<String>, Vec<CopiedPipe>)> {
    let (mut locations, mut copies) = (vec![], vec![]);
    for location in &command.locations {
        if !is_pipe(Path::new(location)) {
            locations.push(location.clone());
            continue;
        }
        if command.unbounded {
            return plan_err!(
                "'{location}' is a pipe, which is read once: make the table without UNBOUNDED, or give the lines to \
                 standard input and ask the table stdin"
            );
        }
        let copy = session
            .runtime_env()
            .disk_manager
            .create_tmp_file("a pipe")?;
        let Some(path) = copy.path().map(Path::to_path_buf) else {
            return plan_err!("'{location}' is a pipe, and there is no disk to copy it to");
        };
        std::io::copy(&mut File::open(location)?, &mut File::create(&path)?)?;
        locations.push(path.display().to_string());
        copies.push(CopiedPipe {
            name: location.clone(),
            path,
            _copy: copy,
        });
    }
    Ok((locations, copies))
}

/// The files that a live table has when it is made. There may be none, but the folder must exist.
async fn files_so_far(
    session: &dyn Session,
    locations: &Locations,
    store: &Arc<dyn ObjectStore>,
) -> Result<Vec<ObjectMeta>> {
    if !locations.are_local() {
        return Ok(locations.files(session, store).await.unwrap_or_default());
    }
    if let Some(place) = locations.missing_folder() {
        return plan_err!(
            "No folder at '{place}', so no log file can appear there. LOCATION takes a file, a folder ('/var/log/app/') \
             or a glob ('/var/log/app/*.log')"
        );
    }
    let ignores_folders_below = ignores_folders_below(session);
    locations.check_globs(ignores_folders_below)?;
    if locations.local_files(ignores_folders_below).is_empty() {
        return Ok(vec![]);
    }
    locations.files(session, store).await
}

fn ignores_folders_below(session: &dyn Session) -> bool {
    let options = session.config_options();
    options.execution.listing_table_ignore_subdirectory
}

/// Checks that the folders have these partition columns.
async fn check_partitions(
    session: &dyn Session,
    locations: &Locations,
    partitions: &[(String, DataType)],
) -> Result<()> {
    // Only names of folders are looked at, so any format will do.
    let options = ListingOptions::new(Arc::new(CsvFormat::default()))
        .with_file_extension("")
        .with_table_partition_cols(partitions.to_vec());
    for url in locations.urls() {
        options.validate_partitions(session, url).await?;
    }
    Ok(())
}

/// The declared columns without the partition columns, and the partition columns with their types.
fn split_partitions(command: &CreateExternalTable) -> (Fields, Vec<(String, DataType)>) {
    let declared = command.schema.as_arrow().fields();
    let is_partition = |name: &String| command.table_partition_cols.contains(name);
    let columns = declared
        .iter()
        .filter(|field| !is_partition(field.name()))
        .cloned()
        .collect();
    // The type that `ListingTableFactory` gives them, too: a dictionary, because there is one value
    // per file.
    let undeclared = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
    let partition = |name: &String| {
        let data_type = declared
            .find(name)
            .map(|(_, field)| field.data_type().clone());
        (
            name.clone(),
            data_type.unwrap_or_else(|| undeclared.clone()),
        )
    };
    (
        columns,
        command.table_partition_cols.iter().map(partition).collect(),
    )
}
