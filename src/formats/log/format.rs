//! The file format of a log table, as `ListingTable` asks for it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{GetExt, Result, Statistics, not_impl_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::object_store::{ObjectMeta, ObjectStore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::formats::log::blocks::Compression;
use crate::formats::log::locations::Locations;
use crate::formats::log::scan::LogSource;
use crate::formats::log::spec::LogSpec;

/// The format of one table, whose columns are known.
#[derive(Debug)]
pub(crate) struct LogFormat {
    pub(crate) spec: Arc<LogSpec>,
    pub(crate) locations: Locations,
}

#[async_trait]
impl FileFormat for LogFormat {
    fn get_ext(&self) -> String {
        String::new()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        Ok(compression.get_ext())
    }

    /// The name of each file determines its compression.
    fn compression_type(&self) -> Option<FileCompressionType> {
        None
    }

    async fn infer_schema(
        &self,
        _state: &dyn Session,
        _store: &Arc<dyn ObjectStore>,
        _objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.spec.columns.schema))
    }

    async fn infer_stats(
        &self,
        _state: &dyn Session,
        _store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        _object: &ObjectMeta,
    ) -> Result<Statistics> {
        Ok(Statistics::new_unknown(&table_schema))
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        mut config: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ignores_folders_below = state
            .config_options()
            .execution
            .listing_table_ignore_subdirectory;
        // The setting may have changed since CREATE.
        self.locations.check_globs(ignores_folders_below)?;
        let mut groups = Vec::with_capacity(config.file_groups.len());
        for group in config.file_groups {
            let mut files = group.into_inner();
            files.retain(|file| self.locations.want(file.path(), ignores_folders_below));
            for file in &files {
                Compression::of(file.path(), self.locations.path_prefix())?;
            }
            // Partitions that were promised to the planner remain, even if they are empty.
            if !files.is_empty() || config.output_partitioning.is_some() {
                groups.push(FileGroup::new(files));
            }
        }
        config.file_groups = groups;
        if config.file_groups.is_empty() {
            return Ok(Arc::new(EmptyExec::new(config.projected_schema()?)));
        }
        Ok(DataSourceExec::from_data_source(config))
    }

    async fn create_writer_physical_plan(
        &self,
        _input: Arc<dyn ExecutionPlan>,
        _state: &dyn Session,
        _config: datafusion::datasource::physical_plan::FileSinkConfig,
        _order: Option<datafusion::physical_expr::LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!(
            "A LOG table is only read. Write rows with COPY (SELECT …) TO 'folder/' STORED AS PARQUET"
        )
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        Arc::new(LogSource::new(Arc::clone(&self.spec), table_schema))
    }
}
