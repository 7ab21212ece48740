//! Models as values: the result of a fitting function in one `BinaryView`.
//!
//! A model is an Arrow IPC stream of one table. The metadata of its schema names the function that
//! made it and the version of its layout (`aiops.model`, `aiops.version`). An XXH64 checksum of the
//! stream follows its end, where Arrow readers do not look. A model that was truncated or changed
//! is therefore refused, and never misread.

use std::collections::HashMap;
use std::fmt::Debug;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ColumnarValue;
use twox_hash::XxHash64;

const KIND_KEY: &str = "aiops.model";
const VERSION_KEY: &str = "aiops.version";
const CHECKSUM_BYTES: usize = 8;

/// The kind of a model: the function that makes it, and the version of its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModelKind {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
}

/// Writes a model: a table, and everything else in `metadata`.
pub(crate) fn write_model(
    kind: ModelKind,
    metadata: &[(&str, String)],
    table: &RecordBatch,
) -> Result<Vec<u8>> {
    let mut all: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_string(), value.clone()))
        .collect();
    all.insert(KIND_KEY.to_string(), kind.name.to_string());
    all.insert(VERSION_KEY.to_string(), kind.version.to_string());
    let schema = Schema::new_with_metadata(table.schema().fields().clone(), all);
    let table = table.clone().with_schema(Arc::new(schema))?;
    let mut writer = StreamWriter::try_new(vec![], &table.schema())?;
    writer.write(&table)?;
    Ok(with_checksum(writer.into_inner()?))
}

pub(crate) fn with_checksum(mut stream: Vec<u8>) -> Vec<u8> {
    stream.extend(XxHash64::oneshot(0, &stream).to_le_bytes());
    stream
}

/// The stream of a model; `None` if its checksum is wrong.
pub(crate) fn without_checksum(bytes: &[u8]) -> Option<&[u8]> {
    let n_bytes = bytes.len().checked_sub(CHECKSUM_BYTES)?;
    let (stream, checksum) = bytes.split_at(n_bytes);
    (XxHash64::oneshot(0, stream).to_le_bytes() == checksum).then_some(stream)
}

/// Reads a model that [`write_model`] wrote; the metadata is in the schema of the table.
pub(crate) fn read_model(function: &str, kind: ModelKind, bytes: &[u8]) -> Result<RecordBatch> {
    let damaged = || exec_datafusion_err!("{function}: this is no model, or it was damaged");
    let stream = without_checksum(bytes).ok_or_else(damaged)?;
    // Forged bytes with a valid checksum can contain a schema that Arrow panics on. Lengths in them
    // are not trusted: this decoder allocates no memory before the bytes are there.
    let read = catch_unwind(|| {
        let mut decoder = StreamDecoder::new();
        let table = decoder.decode(&mut Buffer::from(stream));
        (decoder.schema(), table)
    });
    let (schema, table) = read.map_err(|_| damaged())?;
    let schema = schema.ok_or_else(damaged)?;
    let (name, version) = (
        schema.metadata.get(KIND_KEY),
        schema.metadata.get(VERSION_KEY),
    );
    match (name, version) {
        (Some(name), _) if name != kind.name => {
            return exec_err!(
                "{function} needs a model of {}, this is one of {name}",
                kind.name
            );
        }
        (Some(_), Some(version)) if *version == kind.version.to_string() => {}
        (Some(_), Some(version)) => {
            return exec_err!(
                "{function}: this model has version {version}, this program reads version {}",
                kind.version
            );
        }
        _ => return Err(damaged()),
    }
    table?.ok_or_else(damaged)
}

/// A column of a model's table, by name.
pub(crate) fn model_column<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    table
        .column_by_name(name)
        .ok_or_else(|| exec_datafusion_err!("the model has no column {name}"))
}

/// A cache of decoded models. A query calls a function with the same model once per batch, and
/// after a cross join once per row, so a model must be decoded only once.
#[derive(Debug)]
pub(crate) struct Models<T> {
    known: Mutex<Vec<KnownModel<T>>>,
}

/// The limits of the cache, in bytes and in models. If more models are in use at one time, they are
/// decoded again and again.
const MAX_KNOWN_BYTES: usize = 256 << 20;
const MAX_KNOWN: usize = 256;

#[derive(Debug)]
struct KnownModel<T> {
    /// The length and the hash of the bytes.
    content: (usize, u64),
    /// The memory of the bytes. Since it is held here, bytes at the same address are the same
    /// model.
    memory: Option<Buffer>,
    model: Arc<T>,
}

impl<T> Default for Models<T> {
    fn default() -> Self {
        Self {
            known: Mutex::new(vec![]),
        }
    }
}

/// The distinct models of a batch, and which of them each row has.
#[derive(Debug)]
pub(crate) struct BatchModels<T> {
    pub(crate) distinct: Vec<Arc<T>>,
    /// `None` if all rows have the same model, or NULL.
    of_row: Option<Vec<Option<usize>>>,
}

impl<T> BatchModels<T> {
    /// The number, in `distinct`, of this row's model; `None` for NULL.
    pub(crate) fn of_row(&self, row: usize) -> Option<usize> {
        match &self.of_row {
            Some(of_row) => of_row[row],
            None => (!self.distinct.is_empty()).then_some(0),
        }
    }
}

impl<T> Models<T> {
    /// The models of an argument.
    pub(crate) fn read(
        &self,
        argument: &ColumnarValue,
        decode: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<BatchModels<T>> {
        match argument {
            ColumnarValue::Scalar(scalar) => {
                let bytes = match scalar {
                    ScalarValue::Binary(bytes)
                    | ScalarValue::LargeBinary(bytes)
                    | ScalarValue::BinaryView(bytes) => bytes.as_deref(),
                    _ => None,
                };
                let model = bytes
                    .map(|bytes| self.get(bytes, None, &decode))
                    .transpose()?;
                Ok(BatchModels {
                    distinct: model.into_iter().collect(),
                    of_row: None,
                })
            }
            ColumnarValue::Array(array) => {
                let views = cast(array, &DataType::BinaryView)?;
                self.read_views(views.as_binary_view(), decode)
            }
        }
    }

    fn read_views(
        &self,
        views: &BinaryViewArray,
        decode: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<BatchModels<T>> {
        let mut numbers: HashMap<u128, usize> = HashMap::new();
        let mut distinct = vec![];
        let mut of_row = Vec::with_capacity(views.len());
        for row in 0..views.len() {
            if views.is_null(row) {
                of_row.push(None);
                continue;
            }
            let view = views.views()[row];
            let number = match numbers.get(&view) {
                Some(&number) => number,
                None => {
                    distinct.push(self.get(views.value(row), memory_of(views, row), &decode)?);
                    numbers.insert(view, distinct.len() - 1);
                    distinct.len() - 1
                }
            };
            of_row.push(Some(number));
        }
        Ok(BatchModels {
            distinct,
            of_row: Some(of_row),
        })
    }

    fn get(
        &self,
        bytes: &[u8],
        memory: Option<Buffer>,
        decode: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Arc<T>> {
        let is_here = |known: &KnownModel<T>| {
            known.memory.as_ref().is_some_and(|memory| {
                std::ptr::eq(memory.as_ptr(), bytes.as_ptr()) && memory.len() == bytes.len()
            })
        };
        if let Some(found) = self.lock().iter().find(|known| is_here(known)) {
            return Ok(Arc::clone(&found.model));
        }
        let content = (bytes.len(), XxHash64::oneshot(0, bytes));
        let same = |known: &&mut KnownModel<T>| known.content == content;
        if let Some(found) = self.lock().iter_mut().find(same) {
            found.memory = memory;
            return Ok(Arc::clone(&found.model));
        }
        let model = Arc::new(decode(bytes)?);
        let mut known = self.lock();
        known.push(KnownModel {
            content,
            memory,
            model: Arc::clone(&model),
        });
        let n_bytes =
            |known: &[KnownModel<T>]| known.iter().map(|known| known.content.0).sum::<usize>();
        while known.len() > MAX_KNOWN || (known.len() > 1 && n_bytes(&known) > MAX_KNOWN_BYTES) {
            known.remove(0);
        }
        Ok(model)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KnownModel<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a buffer that holds this row; `None` for a value that is inlined in its view.
fn memory_of(views: &BinaryViewArray, row: usize) -> Option<Buffer> {
    let value = views.value(row);
    let buffers = views.data_buffers().iter();
    buffers
        .filter_map(|buffer| {
            let offset = value.as_ptr().addr().checked_sub(buffer.as_ptr().addr())?;
            (offset + value.len() <= buffer.len())
                .then(|| buffer.slice_with_length(offset, value.len()))
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int64Array;
    use std::cell::Cell;

    const KIND: ModelKind = ModelKind {
        name: "f",
        version: 3,
    };

    fn model(number: i64) -> Vec<u8> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        let table = RecordBatch::try_from_iter([("number", column)]).unwrap();
        write_model(KIND, &[("key", "value".to_string())], &table).unwrap()
    }

    #[test]
    fn comes_back() {
        let table = read_model("g", KIND, &model(7)).unwrap();
        assert_eq!(table.schema().metadata()["key"], "value");
        assert!(model_column(&table, "number").is_ok());
        assert!(model_column(&table, "other").is_err());
    }

    #[test]
    fn every_damage_is_noticed() {
        let whole = model(7);
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            assert!(read_model("g", KIND, &damaged).is_err(), "{position}");
            assert!(read_model("g", KIND, &whole[..position]).is_err());
        }
    }

    /// Arrow panics on a schema with an unknown type, and allocates as much memory as a length
    /// says.
    #[test]
    fn models_that_somebody_made_are_refused() {
        let stream = without_checksum(&model(7)).unwrap().to_vec();
        for position in 0..stream.len() {
            let mut made = stream.clone();
            made[position] ^= 127;
            // Some changes have no effect; none of them ends the process.
            let _ = read_model("g", KIND, &with_checksum(made));
        }
    }

    #[test]
    fn other_models_are_refused() {
        let check = |kind: ModelKind, expected: &str| {
            let error = read_model("g", kind, &model(7)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(
            ModelKind { name: "h", ..KIND },
            "g needs a model of h, this is one of f",
        );
        check(
            ModelKind { version: 4, ..KIND },
            "g: this model has version 3, this program reads version 4",
        );
    }

    #[test]
    fn is_decoded_once() {
        let n_decoded = Cell::new(0);
        let models = Models::<usize>::default();
        let decode = |bytes: &[u8]| {
            n_decoded.set(n_decoded.get() + 1);
            Ok(bytes.len())
        };
        let (first, second) = (model(1), model(2));
        // As a scalar, a fresh copy in every batch; as a column, a row of the same memory in every
        // batch.
        for _ in 0..3 {
            let scalar = ScalarValue::BinaryView(Some(first.clone()));
            let read = models.read(&ColumnarValue::Scalar(scalar), decode).unwrap();
            assert_eq!(read.of_row(5), Some(0));
        }
        assert_eq!(n_decoded.get(), 1);
        let column: ArrayRef = Arc::new(BinaryViewArray::from_iter([
            Some(&second),
            None,
            Some(&first),
            Some(&second),
        ]));
        for row in 0..4 {
            let rows = ColumnarValue::Array(column.slice(row, 1));
            let read = models.read(&rows, decode).unwrap();
            assert_eq!(read.of_row(0), (row != 1).then_some(0));
        }
        assert_eq!(n_decoded.get(), 2);
        let read = models.read(&ColumnarValue::Array(column), decode).unwrap();
        let numbers: Vec<_> = (0..4).map(|row| read.of_row(row)).collect();
        // Equal models at different addresses are one model in the cache, and two in the batch.
        assert_eq!(numbers, [Some(0), None, Some(1), Some(2)]);
        assert_eq!(n_decoded.get(), 2);
        let null = ColumnarValue::Scalar(ScalarValue::BinaryView(None));
        assert_eq!(models.read(&null, decode).unwrap().of_row(0), None);
    }
}
