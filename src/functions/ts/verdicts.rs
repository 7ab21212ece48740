//! Verdicts as Arrow columns, and each verdict as one short binary value.
//!
//! A window function returns one scalar per row, and a struct of eight arrays per row costs more
//! than the verdict itself. So the window function of `ts_anomaly` returns verdicts packed into
//! bytes, and [`Unpack`], which the query planner puts around it, makes structs of a whole batch at
//! once.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, FixedSizeBinaryArray, Int8Builder, StringViewArray,
    StructArray, UInt8Array, UInt8Builder,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::algorithms::series::anomaly::{AnomalyKind, Status, Verdict};
use crate::functions::ts::series::number_column;

/// The fields of a verdict.
pub(super) fn verdict_fields() -> Fields {
    Fields::from(vec![
        Field::new("is_anomaly", DataType::Boolean, true),
        Field::new("kind", DataType::Utf8View, true),
        Field::new("direction", DataType::Int8, true),
        Field::new("score", DataType::Float64, true),
        Field::new("expected", DataType::Float64, true),
        Field::new("lower", DataType::Float64, true),
        Field::new("upper", DataType::Float64, true),
        Field::new("status", DataType::Utf8View, false),
        Field::new("is_ongoing", DataType::Boolean, true),
    ])
}

/// The verdict on a row that is not a point of the series, since it has no time.
pub(super) const NO_POINT: Verdict = Verdict {
    is_anomaly: None,
    kind: None,
    direction: None,
    score: f64::NAN,
    expected: f64::NAN,
    lower: f64::NAN,
    upper: f64::NAN,
    status: Status::Missing,
    is_ongoing: None,
};

/// The verdict on a row whose step has not ended.
pub(super) const RUNNING: Verdict = Verdict {
    status: Status::Running,
    ..NO_POINT
};

/// In the order of [`status_number`].
const STATUSES: [Status; 6] = [
    Status::Ok,
    Status::Warmup,
    Status::Missing,
    Status::Constant,
    Status::NewLevel,
    Status::Running,
];

fn status_number(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Warmup => 1,
        Status::Missing => 2,
        Status::Constant => 3,
        Status::NewLevel => 4,
        Status::Running => 5,
    }
}

/// The position of a kind among all kinds.
fn kind_number(kind: AnomalyKind) -> Option<u8> {
    let position = AnomalyKind::ALL.iter().position(|known| *known == kind)?;
    u8::try_from(position).ok()
}

/// Builders of the columns of verdicts.
#[derive(Debug, Default)]
pub(super) struct VerdictColumns {
    is_anomaly: BooleanBuilder,
    kind: UInt8Builder,
    direction: Int8Builder,
    /// Score, expected value, lower and upper bound.
    numbers: [Vec<f64>; 4],
    status: Vec<u8>,
    is_ongoing: BooleanBuilder,
}

impl VerdictColumns {
    pub(super) fn push(&mut self, verdict: &Verdict) {
        self.is_anomaly.append_option(verdict.is_anomaly);
        self.kind.append_option(verdict.kind.and_then(kind_number));
        self.direction.append_option(verdict.direction);
        let numbers = [
            verdict.score,
            verdict.expected,
            verdict.lower,
            verdict.upper,
        ];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
        self.status.push(status_number(verdict.status));
        self.is_ongoing.append_option(verdict.is_ongoing);
    }

    /// The columns, in the order of [`verdict_fields`].
    pub(super) fn finish(mut self) -> Result<Vec<ArrayRef>> {
        // If the names were taken from a column of all names, each list would keep the buffer of
        // that column.
        let names = |all: &[&'static str], numbers: &UInt8Array| -> StringViewArray {
            let name = |number: Option<u8>| all.get(usize::from(number?)).copied();
            numbers.iter().map(name).collect()
        };
        let kind = names(
            &AnomalyKind::ALL.map(AnomalyKind::as_str),
            &self.kind.finish(),
        );
        let status = names(
            &STATUSES.map(Status::as_str),
            &UInt8Array::from(self.status),
        );
        let [score, expected, lower, upper] = self.numbers.map(number_column);
        Ok(vec![
            Arc::new(self.is_anomaly.finish()),
            Arc::new(kind),
            Arc::new(self.direction.finish()),
            score,
            expected,
            lower,
            upper,
            Arc::new(status),
            Arc::new(self.is_ongoing.finish()),
        ])
    }

    /// The columns as one column of structs.
    pub(super) fn finish_structs(self) -> Result<StructArray> {
        Ok(StructArray::try_new(
            verdict_fields(),
            self.finish()?,
            None,
        )?)
    }
}

/// A verdict as bytes: four numbers, then whether it is an anomaly, its kind, its direction, its
/// status, and whether it is ongoing.
pub(super) type Packed = [u8; PACKED_BYTES];

const PACKED_BYTES: usize = 37;

/// [`PACKED_BYTES`] in the integer type of Arrow.
pub(super) const PACKED_WIDTH: i32 = 37;

/// The type of a column of packed verdicts.
pub(super) const PACKED_TYPE: DataType = DataType::FixedSizeBinary(PACKED_WIDTH);

/// The byte for NULL in a packed verdict.
const NULL_BYTE: u8 = i8::MIN as u8;

pub(super) fn pack(verdict: &Verdict) -> Packed {
    let mut packed = [0; PACKED_BYTES];
    let numbers = [
        verdict.score,
        verdict.expected,
        verdict.lower,
        verdict.upper,
    ];
    let (fields, _) = packed.as_chunks_mut::<8>();
    for (field, number) in fields.iter_mut().zip(numbers) {
        *field = number.to_le_bytes();
    }
    let kind = verdict.kind.and_then(kind_number);
    let [direction] = verdict.direction.unwrap_or(i8::MIN).to_le_bytes();
    packed[32] = verdict.is_anomaly.map_or(NULL_BYTE, u8::from);
    packed[33] = kind.unwrap_or(NULL_BYTE);
    packed[34] = direction;
    packed[35] = status_number(verdict.status);
    packed[36] = verdict.is_ongoing.map_or(NULL_BYTE, u8::from);
    packed
}

/// A column of packed verdicts.
pub(super) fn pack_all(verdicts: &[Verdict]) -> Result<FixedSizeBinaryArray> {
    let packed: Vec<Packed> = verdicts.iter().map(pack).collect();
    let bytes = Buffer::from_vec(packed.into_flattened());
    Ok(FixedSizeBinaryArray::try_new(PACKED_WIDTH, bytes, None)?)
}

/// The verdict in packed bytes; `None` if they are not a packed verdict.
fn unpack(packed: &[u8]) -> Option<Verdict> {
    let (numbers, flags) = packed.as_chunks::<8>();
    let [score, expected, lower, upper] = *numbers else {
        return None;
    };
    let [is_anomaly, kind, direction, status, is_ongoing] = *flags else {
        return None;
    };
    let direction = i8::from_le_bytes([direction]);
    Some(Verdict {
        is_anomaly: (is_anomaly != NULL_BYTE).then_some(is_anomaly == 1),
        kind: AnomalyKind::ALL.get(usize::from(kind)).copied(),
        direction: (direction != i8::MIN).then_some(direction),
        score: f64::from_le_bytes(score),
        expected: f64::from_le_bytes(expected),
        lower: f64::from_le_bytes(lower),
        upper: f64::from_le_bytes(upper),
        status: *STATUSES.get(usize::from(status))?,
        is_ongoing: (is_ongoing != NULL_BYTE).then_some(is_ongoing == 1),
    })
}

/// The scalar function that makes structs from packed verdicts. It is not registered: only the
/// planner uses it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unpack {
    signature: Signature,
}

impl Unpack {
    pub(crate) fn new() -> Self {
        Self {
            signature: Signature::exact(vec![PACKED_TYPE], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Unpack {
    fn name(&self) -> &str {
        "ts_anomaly_verdict"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(verdict_fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = args.args.as_slice() else {
            return internal_err!("packed verdicts come in one column");
        };
        let array = argument.to_array(args.number_rows)?;
        let Some(packed) = array.as_fixed_size_binary_opt() else {
            return internal_err!("packed verdicts are no {}", array.data_type());
        };
        let verdicts = unpack_all(packed)?;
        match argument {
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(verdicts))),
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &verdicts, 0,
            )?)),
        }
    }
}

/// Unpacks a column; NULL rows stay NULL.
fn unpack_all(packed: &FixedSizeBinaryArray) -> Result<StructArray> {
    let mut columns = VerdictColumns::default();
    for row in 0..packed.len() {
        if packed.is_null(row) {
            columns.push(&NO_POINT);
            continue;
        }
        match unpack(packed.value(row)) {
            Some(verdict) => columns.push(&verdict),
            None => return internal_err!("a packed verdict has no status"),
        }
    }
    Ok(StructArray::try_new(
        verdict_fields(),
        columns.finish()?,
        packed.nulls().cloned(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict as text, for comparison: NaN is not equal to itself.
    fn shown(verdict: &Verdict) -> String {
        format!("{verdict:?}")
    }

    #[test]
    fn packed_verdicts_come_back() {
        let mut verdict = Verdict {
            score: 0.5,
            upper: f64::MAX,
            ..NO_POINT
        };
        assert_eq!(shown(&unpack(&pack(&verdict)).unwrap()), shown(&verdict));
        for kind in AnomalyKind::ALL {
            for (status, is_anomaly, direction) in [
                (Status::Ok, Some(true), Some(-1)),
                (Status::Warmup, Some(false), Some(0)),
                (Status::Constant, None, Some(1)),
                (Status::NewLevel, Some(false), Some(0)),
                (Status::Missing, Some(true), None),
            ] {
                verdict = Verdict {
                    is_anomaly,
                    kind: Some(kind),
                    direction,
                    status,
                    is_ongoing: is_anomaly,
                    ..verdict
                };
                assert_eq!(shown(&unpack(&pack(&verdict)).unwrap()), shown(&verdict));
            }
        }
    }

    #[test]
    fn other_bytes_are_no_verdict() {
        assert!(unpack(&[]).is_none());
        assert!(unpack(&[255; PACKED_BYTES]).is_none());
        assert!(unpack(&[0; PACKED_BYTES + 1]).is_none());
    }
}
