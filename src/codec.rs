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
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::scan::LogSource;
use crate::formats::log::spec::LogSpec;
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
}

/// A [`ColumnSource`].
#[derive(Clone, PartialEq, Message)]
struct ColumnProto {
    #[prost(oneof = "ColumnKind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<ColumnKind>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
enum ColumnKind {
    #[prost(bool, tag = "1")]
    Message(bool),
    #[prost(bool, tag = "2")]
    MessageOrMsg(bool),
    #[prost(bool, tag = "3")]
    File(bool),
    #[prost(bool, tag = "4")]
    LineNumber(bool),
    #[prost(bool, tag = "5")]
    Field(bool),
    #[prost(uint64, tag = "6")]
    Group(u64),
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
        let options = LogOptions::try_new(&scan.options)?;
        let sources: Option<Vec<_>> = scan.columns.iter().map(read_column).collect();
        let Some(sources) = sources else {
            return exec_err!("a column of a log table is of no kind that this version knows");
        };
        let spec = LogSpec {
            start: Arc::new(options.start.clone()),
            columns: LogColumns {
                schema: Arc::clone(table_schema.file_schema()),
                sources,
            },
            counters: Arc::default(),
            options,
        };
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

fn unreadable(error: impl std::fmt::Display) -> DataFusionError {
    exec_datafusion_err!("a plan node cannot be read: {error}")
}

fn column(source: &ColumnSource) -> ColumnProto {
    let kind = match source {
        ColumnSource::Message => ColumnKind::Message(true),
        ColumnSource::MessageOrMsg => ColumnKind::MessageOrMsg(true),
        ColumnSource::File => ColumnKind::File(true),
        ColumnSource::LineNumber => ColumnKind::LineNumber(true),
        ColumnSource::Field => ColumnKind::Field(true),
        ColumnSource::Group(group) => ColumnKind::Group(*group as u64),
    };
    ColumnProto { kind: Some(kind) }
}

fn read_column(column: &ColumnProto) -> Option<ColumnSource> {
    Some(match column.kind? {
        ColumnKind::Message(_) => ColumnSource::Message,
        ColumnKind::MessageOrMsg(_) => ColumnSource::MessageOrMsg,
        ColumnKind::File(_) => ColumnSource::File,
        ColumnKind::LineNumber(_) => ColumnSource::LineNumber,
        ColumnKind::Field(_) => ColumnSource::Field,
        ColumnKind::Group(group) => ColumnSource::Group(usize::try_from(group).ok()?),
    })
}
