//! Lists and structs in CSV: such a column is printed as JSON, since CSV has no form for them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::json::WriterBuilder;
use datafusion::arrow::json::writer::LineDelimited;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// The stream with its nested columns as JSON text, or the stream itself if it has none.
pub(crate) fn with_json_columns(stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    if !schema
        .fields()
        .iter()
        .any(|field| field.data_type().is_nested())
    {
        return stream;
    }
    let flat = flat_schema(&schema);
    let flat_of_batch = Arc::clone(&flat);
    let batches = stream.map(move |batch| flat_batch(&batch?, &flat_of_batch));
    Box::pin(RecordBatchStreamAdapter::new(flat, batches))
}

fn flat_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            if field.data_type().is_nested() {
                Field::new(field.name(), DataType::Utf8, true)
            } else {
                field.as_ref().clone()
            }
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn flat_batch(batch: &RecordBatch, flat: &SchemaRef) -> Result<RecordBatch> {
    let columns: Result<Vec<ArrayRef>> = batch
        .columns()
        .iter()
        .map(|column| {
            if column.data_type().is_nested() {
                json_column(column)
            } else {
                Ok(Arc::clone(column))
            }
        })
        .collect();
    Ok(RecordBatch::try_new(Arc::clone(flat), columns?)?)
}

/// The values as JSON, one line per row, with NULL for NULL rows.
fn json_column(column: &ArrayRef) -> Result<ArrayRef> {
    const BEFORE: &str = "{\"v\":";
    const AFTER: &str = "}";
    let batch = RecordBatch::try_from_iter_with_nullable([("v", Arc::clone(column), true)])?;
    let mut bytes = vec![];
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(&mut bytes);
    writer.write(&batch)?;
    writer.finish()?;
    let text = String::from_utf8(bytes)
        .map_err(|error| exec_datafusion_err!("a nested column is no text: {error}"))?;
    let values: StringArray = text
        .lines()
        .map(|line| line.strip_prefix(BEFORE)?.strip_suffix(AFTER))
        .map(|value| value.filter(|value| *value != "null"))
        .collect();
    Ok(Arc::new(values))
}
