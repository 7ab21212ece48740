//! Timestamps: any timestamp or date type is read as nanoseconds since 1970, and nanoseconds are
//! written as that type.
//!
//! Nanoseconds in 64 bits reach from 1677-09-21 to 2262-04-11. A timestamp outside this range is
//! read like NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, internal_err, plan_err};

use crate::algorithms::units::{DAY, MICROSECOND, MILLISECOND, SECOND};
use crate::functions::call::options::CallOptions;

/// Reads the timestamp of a row; `None` for NULL, and for a time that is out of range.
pub(super) type ReadTime = fn(&dyn Array, usize) -> Option<i64>;

/// The reader of a column of this type; `None` if it is not a timestamp type.
pub(super) fn time_reader(data_type: &DataType) -> Option<ReadTime> {
    let read: ReadTime = match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => read::<TimestampSecondType, SECOND>,
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            read::<TimestampMillisecondType, MILLISECOND>
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            read::<TimestampMicrosecondType, MICROSECOND>
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => read::<TimestampNanosecondType, 1>,
        DataType::Date32 => read::<Date32Type, DAY>,
        DataType::Date64 => read::<Date64Type, MILLISECOND>,
        _ => return None,
    };
    Some(read)
}

/// The nanoseconds of one unit of this type; `None` if it is not a timestamp type.
pub(super) fn time_unit(data_type: &DataType) -> Option<i64> {
    Some(match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => SECOND,
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => MILLISECOND,
        DataType::Timestamp(TimeUnit::Microsecond, _) => MICROSECOND,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        DataType::Date32 => DAY,
        _ => return None,
    })
}

fn read<T: ArrowPrimitiveType, const UNIT: i64>(array: &dyn Array, row: usize) -> Option<i64>
where
    T::Native: Into<i64>,
{
    let times = array.as_primitive_opt::<T>()?;
    let time: i64 = times.is_valid(row).then(|| times.value(row).into())?;
    time.checked_mul(UNIT)
}

/// A column of times in this timestamp type, which [`time_reader`] must know. Times between two
/// units are rounded down.
pub(super) fn time_column(times: &[i64], data_type: &DataType) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => {
            write::<TimestampSecondType, SECOND>(times, data_type)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            write::<TimestampMillisecondType, MILLISECOND>(times, data_type)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            write::<TimestampMicrosecondType, MICROSECOND>(times, data_type)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            write::<TimestampNanosecondType, 1>(times, data_type)
        }
        DataType::Date32 => write::<Date32Type, DAY>(times, data_type),
        DataType::Date64 => write::<Date64Type, MILLISECOND>(times, data_type),
        other => return internal_err!("{other} is no type of time stamp"),
    })
}

fn write<T: ArrowPrimitiveType, const UNIT: i64>(times: &[i64], data_type: &DataType) -> ArrayRef
where
    T::Native: TryFrom<i64>,
{
    // The days of 64-bit nanoseconds fit into 32 bits.
    let native = |time: &i64| T::Native::try_from(time.div_euclid(UNIT)).unwrap_or_default();
    let column = PrimitiveArray::<T>::from_iter_values(times.iter().map(native));
    Arc::new(column.with_data_type(data_type.clone()))
}

/// The option that gives the time until which values are complete.
pub(crate) const UNTIL_KEY: &str = "until";

/// Reads an option that is a time, in nanoseconds since 1970.
pub(super) fn read_time(options: &mut CallOptions, key: &'static str) -> Result<Option<i64>> {
    let Some(text) = options.take_text(key) else {
        return Ok(None);
    };
    match string_to_timestamp_nanos(&text) {
        Ok(time) => Ok(Some(time)),
        Err(_) => plan_err!(
            "{}: option {key} needs a time such as 2026-05-01T12:00:00Z, got '{text}'",
            options.function()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Date32Array, TimestampNanosecondArray, TimestampSecondArray};
    use datafusion::arrow::compute::cast;

    #[test]
    fn every_type_comes_back() {
        let times = TimestampNanosecondArray::from(vec![-DAY, 0, 3 * DAY]).with_timezone("UTC");
        for data_type in [
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            DataType::Timestamp(TimeUnit::Microsecond, Some("+08:00".into())),
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Date32,
            DataType::Date64,
        ] {
            let column = cast(&times, &data_type).unwrap();
            let read = time_reader(&data_type).unwrap();
            let nanoseconds: Vec<_> = (0..3).map(|row| read(&column, row).unwrap()).collect();
            assert_eq!(nanoseconds, times.values().to_vec(), "{data_type}");
            let back = time_column(&nanoseconds, &data_type).unwrap();
            assert_eq!(&back, &column, "{data_type}");
        }
    }

    #[test]
    fn what_nanoseconds_cannot_reach_is_none() {
        let read = time_reader(&DataType::Timestamp(TimeUnit::Second, None)).unwrap();
        let times = TimestampSecondArray::from(vec![Some(253_402_300_799), None, Some(1)]);
        let found: Vec<_> = (0..3).map(|row| read(&times, row)).collect();
        assert_eq!(found, [None, None, Some(SECOND)]);
        let read = time_reader(&DataType::Date32).unwrap();
        assert_eq!(read(&Date32Array::from(vec![i32::MAX]), 0), None);
        assert!(time_reader(&DataType::Int64).is_none());
    }

    #[test]
    fn between_units_is_rounded_down() {
        let dates = time_column(&[-1, DAY - 1, DAY], &DataType::Date32).unwrap();
        assert_eq!(dates.as_primitive::<Date32Type>().values(), &[-1, 0, 1]);
    }
}
