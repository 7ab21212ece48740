//! Plan nodes of this crate as bytes, so that another process can run them: scans of log files, and
//! the node that cuts batches of series. What reads rows that only this process has (a database, a
//! live table) has no bytes, and is refused with a sentence.
//!
//! Functions travel by their names; `functions::register_hidden` registers those that have no name
//! in SQL.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::from_proto::{
    parse_protobuf_file_scan_config, parse_table_schema_from_proto,
};
use datafusion_proto::physical_plan::to_proto::serialize_file_scan_config;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::FileScanExecConf;
use prost::{Message, Oneof};

use crate::formats::log::columns::{ColumnSource, LogColumns};
use crate::formats::log::json_mapping::JsonMapping;
use crate::formats::log::known_formats;
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::scan::LogSource;
use crate::formats::log::spec::{FoundFormats, LogSpec};
use crate::planner::short_batches::ShortBatchesExec;

/// Encodes the plan nodes of this crate for workers.
///
/// A plan is read by the version that wrote it, and by no other: coordinator and workers compare
/// their versions before they talk.
#[derive(Debug, Default)]
pub(crate) struct AiopsCodec;

/// A plan node.
#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(oneof = "NodeKind", tags = "1, 2")]
    kind: Option<NodeKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum NodeKind {
    #[prost(message, boxed, tag = "1")]
    LogScan(Box<LogScanProto>),
    #[prost(message, tag = "2")]
    ShortBatches(ShortBatchesProto),
}

/// Cuts the batches of its input.
#[derive(Clone, PartialEq, Message)]
struct ShortBatchesProto {}

/// A scan of log files.
#[derive(Clone, PartialEq, Message)]
struct LogScanProto {
    #[prost(message, optional, tag = "1")]
    config: Option<FileScanExecConf>,
    /// The options as CREATE has them.
    #[prost(map = "string, string", tag = "2")]
    options: HashMap<String, String>,
    /// Where the values of each column of the files come from.
    #[prost(message, repeated, tag = "3")]
    columns: Vec<ColumnProto>,
    /// The formats that were found in the files, as TOML.
    #[prost(string, tag = "4")]
    formats: String,
    /// The fields of JSON objects that are columns of all formats, as JSON.
    #[prost(string, optional, tag = "5")]
    json: Option<String>,
    #[prost(bool, tag = "6")]
    has_long_objects: bool,
}

/// A [`ColumnSource`].
#[derive(Clone, PartialEq, Message)]
struct ColumnProto {
    #[prost(oneof = "ColumnKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    kind: Option<ColumnKind>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
enum ColumnKind {
    #[prost(bool, tag = "1")]
    Message(bool),
    #[prost(bool, tag = "2")]
    File(bool),
    #[prost(bool, tag = "3")]
    LineNumber(bool),
    #[prost(bool, tag = "4")]
    Field(bool),
    #[prost(bool, tag = "5")]
    Time(bool),
    #[prost(bool, tag = "6")]
    Level(bool),
    #[prost(bool, tag = "7")]
    Format(bool),
    #[prost(bool, tag = "8")]
    Rest(bool),
    #[prost(bool, tag = "9")]
    Raw(bool),
}

impl PhysicalExtensionCodec for AiopsCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let kind = if node.downcast_ref::<ShortBatchesExec>().is_some() {
            NodeKind::ShortBatches(ShortBatchesProto {})
        } else if let Some((config, source)) = log_scan(node.as_ref()) {
            NodeKind::LogScan(Box::new(self.log_scan(config, source, converter)?))
        } else {
            return exec_err!(
                "{} reads rows that only this process has, so it cannot be sent to a worker",
                node.name()
            );
        };
        let node = NodeProto { kind: Some(kind) };
        node.encode(bytes).map_err(unreadable)
    }

    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match NodeProto::decode(bytes).map_err(unreadable)?.kind {
            Some(NodeKind::ShortBatches(_)) => match inputs {
                [input] => Ok(Arc::new(ShortBatchesExec::new(Arc::clone(input)))),
                _ => exec_err!("a plan node has {} inputs in place of one", inputs.len()),
            },
            Some(NodeKind::LogScan(scan)) => self.read_log_scan(&scan, context, converter),
            None => exec_err!("a plan node is of no kind that this version knows"),
        }
    }
}

impl AiopsCodec {
    fn log_scan(
        &self,
        config: &FileScanConfig,
        source: &LogSource,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<LogScanProto> {
        let spec = source.spec();
        Ok(LogScanProto {
            config: Some(serialize_file_scan_config(config, self, converter)?),
            options: spec.options.written.clone(),
            columns: spec.columns.sources.iter().map(column).collect(),
            formats: known_formats::to_text(&spec.found.known)?,
            json: spec.found.json.as_ref().map(to_json).transpose()?,
            has_long_objects: spec.found.has_long_objects,
        })
    }

    fn read_log_scan(
        &self,
        scan: &LogScanProto,
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(config) = &scan.config else {
            return exec_err!("a scan of log files has no files");
        };
        let table_schema = parse_table_schema_from_proto(config)?;
        let options = LogOptions::try_new(&scan.options, None)?;
        let sources: Option<Vec<_>> = scan.columns.iter().map(read_column).collect();
        let Some(sources) = sources else {
            return exec_err!("a column of a log table is of no kind that this version knows");
        };
        let found = FoundFormats {
            known: known_formats::parse(&scan.formats)?,
            json: scan.json.as_deref().map(from_json).transpose()?,
            has_long_objects: scan.has_long_objects,
        };
        let columns = LogColumns {
            schema: Arc::clone(table_schema.file_schema()),
            sources,
        };
        let spec = LogSpec::try_new(options, found, columns, Arc::default())?;
        let source = Arc::new(LogSource::new(Arc::new(spec), table_schema));
        let decode = PhysicalPlanDecodeContext::new(context, self);
        let config = parse_protobuf_file_scan_config(config, &decode, converter, source)?;
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The parts of a scan of log files; `None` for another node.
pub(crate) fn log_scan(node: &dyn ExecutionPlan) -> Option<(&FileScanConfig, &LogSource)> {
    let scan = node.downcast_ref::<DataSourceExec>()?;
    scan.downcast_to_file_source::<LogSource>()
}

fn to_json(mapping: &JsonMapping) -> Result<String> {
    serde_json::to_string(mapping).map_err(unreadable)
}

fn from_json(text: &str) -> Result<JsonMapping> {
    serde_json::from_str(text).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> DataFusionError {
    exec_datafusion_err!("a plan node cannot be read: {error}")
}

fn column(source: &ColumnSource) -> ColumnProto {
    let kind = match source {
        ColumnSource::Message => ColumnKind::Message(true),
        ColumnSource::File => ColumnKind::File(true),
        ColumnSource::LineNumber => ColumnKind::LineNumber(true),
        ColumnSource::Field => ColumnKind::Field(true),
        ColumnSource::Time => ColumnKind::Time(true),
        ColumnSource::Level => ColumnKind::Level(true),
        ColumnSource::Format => ColumnKind::Format(true),
        ColumnSource::Rest => ColumnKind::Rest(true),
        ColumnSource::Raw => ColumnKind::Raw(true),
    };
    ColumnProto { kind: Some(kind) }
}

fn read_column(column: &ColumnProto) -> Option<ColumnSource> {
    Some(match column.kind? {
        ColumnKind::Message(_) => ColumnSource::Message,
        ColumnKind::File(_) => ColumnSource::File,
        ColumnKind::LineNumber(_) => ColumnSource::LineNumber,
        ColumnKind::Field(_) => ColumnSource::Field,
        ColumnKind::Time(_) => ColumnSource::Time,
        ColumnKind::Level(_) => ColumnSource::Level,
        ColumnKind::Format(_) => ColumnSource::Format,
        ColumnKind::Rest(_) => ColumnSource::Rest,
        ColumnKind::Raw(_) => ColumnSource::Raw,
    })
}
