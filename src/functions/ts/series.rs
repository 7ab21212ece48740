//! A call of an aggregate on series: it reads the rows and makes the columns of the result.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, StructArray, new_empty_array, new_null_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{Result, exec_err, internal_err, plan_datafusion_err};

use crate::algorithms::series::Samples;
use crate::functions::call::lists::list_of;
use crate::functions::ts::calendar::{Calendar, add_holidays};
use crate::functions::ts::points::{decode, encode};
use crate::functions::ts::times::{ReadTime, time_column, time_reader};

/// The points of a series, and the type of their timestamps.
#[derive(Debug)]
pub(super) struct Series<'a> {
    ts_type: &'a DataType,
    pub(super) samples: Samples,
    holidays: &'a BTreeSet<i32>,
}

impl Series<'_> {
    /// A calendar with the holidays that the series came with.
    pub(super) fn calendar(&self, calendar: &Calendar) -> Calendar {
        calendar.with_holidays(self.holidays)
    }

    /// The type of the timestamps.
    pub(super) fn ts_type(&self) -> &DataType {
        self.ts_type
    }

    /// A column of timestamps, in the type of the series.
    pub(super) fn time_column(&self, times: &[i64]) -> Result<ArrayRef> {
        time_column(times, self.ts_type)
    }

    /// The columns `ts` and `value` of all points.
    pub(super) fn point_columns(&self) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            self.time_column(self.samples.times_ns())?,
            number_column(self.samples.values().to_vec()),
        ])
    }
}

/// A column of numbers, NULL where they are NaN.
pub(super) fn number_column(numbers: Vec<f64>) -> ArrayRef {
    let nulls = NullBuffer::from_iter(numbers.iter().map(|number| !number.is_nan()));
    let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
    Arc::new(Float64Array::new(numbers.into(), nulls))
}

/// The fields `ts` and `value` of a point, and those after them.
pub(super) fn point_fields(
    ts_type: &DataType,
    others: impl IntoIterator<Item = FieldRef>,
) -> Fields {
    let point = [
        Arc::new(Field::new("ts", ts_type.clone(), false)),
        Arc::new(Field::new("value", DataType::Float64, true)),
    ];
    point.into_iter().chain(others).collect()
}

/// A field of numbers that can be NULL.
pub(super) fn number_field(name: &str) -> FieldRef {
    Arc::new(Field::new(name, DataType::Float64, true))
}

fn item(fields: Fields) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields), true))
}

/// The function from a series to the columns of its result, one for each field; `None` for NULL.
pub(super) type Answer<O> = fn(&Series<'_>, &O) -> Result<Option<Vec<ArrayRef>>>;

/// The shape of the result for one series.
#[derive(Debug, Clone)]
pub(super) enum ResultShape {
    /// A list of structs, as long as the columns of the answer.
    List(Fields),
    /// A struct of columns of one row.
    Struct(Fields),
    /// A number, in one column of one row.
    Number,
    /// The points themselves, as bytes.
    Points,
}

impl ResultShape {
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::List(fields) => DataType::List(item(fields.clone())),
            Self::Struct(fields) => DataType::Struct(fields.clone()),
            Self::Number => DataType::Float64,
            Self::Points => DataType::BinaryView,
        }
    }

    /// The columns for no answer: without rows if the result is a list, with one NULL otherwise.
    pub(super) fn no_answer(&self) -> Vec<ArrayRef> {
        match self {
            Self::List(fields) => {
                let types = fields.iter().map(|field| field.data_type());
                types.map(new_empty_array).collect()
            }
            Self::Struct(fields) => {
                let types = fields.iter().map(|field| field.data_type());
                types
                    .map(|data_type| new_null_array(data_type, 1))
                    .collect()
            }
            Self::Number => vec![number_column(vec![f64::NAN])],
            Self::Points => vec![new_null_array(&DataType::BinaryView, 1)],
        }
    }

    /// The results of several series from their concatenated columns; `lengths` has the number of
    /// rows of each, or `None` if there is no answer.
    pub(super) fn results(
        &self,
        columns: Vec<ArrayRef>,
        lengths: &[Option<usize>],
    ) -> Result<ArrayRef> {
        let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        Ok(match self {
            Self::List(fields) => {
                let elements = StructArray::try_new(fields.clone(), columns, None)?;
                let lengths: Vec<usize> = lengths.iter().map(|n| n.unwrap_or_default()).collect();
                let item = item(fields.clone());
                Arc::new(list_of(item, Arc::new(elements), &lengths, nulls)?)
            }
            Self::Struct(fields) => Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?),
            Self::Number | Self::Points => match columns.into_iter().next() {
                Some(results) => results,
                None => return internal_err!("a result has no column"),
            },
        })
    }
}

/// A call of a function on series, which reads its rows and makes its results.
#[derive(Debug)]
pub(super) struct SeriesCall<O> {
    function: &'static str,
    options: Arc<O>,
    ts_type: DataType,
    shape: ResultShape,
    answer: Answer<O>,
    read_time: ReadTime,
}

impl<O> SeriesCall<O> {
    /// A call whose first two columns are the timestamps, of this type, and the values.
    pub(super) fn new(
        function: &'static str,
        options: &Arc<O>,
        ts_type: &DataType,
        shape: ResultShape,
        answer: Answer<O>,
    ) -> Result<Self> {
        let read_time = time_reader(ts_type).ok_or_else(|| {
            plan_datafusion_err!("{function}: ts must be a timestamp or a date, got {ts_type}")
        })?;
        Ok(Self {
            function,
            options: Arc::clone(options),
            ts_type: ts_type.clone(),
            shape,
            answer,
            read_time,
        })
    }

    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    /// Calls `point` with the number, the time and the value of each row that has a time.
    pub(super) fn read(
        &self,
        required: &[ArrayRef],
        mut point: impl FnMut(usize, i64, f64),
    ) -> Result<()> {
        let (times, values) = (&required[0], &required[1]);
        let Some(values) = values.as_primitive_opt::<Float64Type>() else {
            return exec_err!(
                "{}: value must arrive as a double, got {}",
                self.function,
                values.data_type()
            );
        };
        for row in 0..times.len() {
            if let Some(time_ns) = (self.read_time)(times, row) {
                let value = if values.is_valid(row) {
                    values.value(row)
                } else {
                    f64::NAN
                };
                point(row, time_ns, value);
            }
        }
        Ok(())
    }

    /// The columns of the result for these points, and its number of rows; `None` for NULL.
    pub(super) fn answer(
        &self,
        times_ns: &[i64],
        values: &[f64],
        holidays: &BTreeSet<i32>,
    ) -> Result<(Vec<ArrayRef>, Option<usize>)> {
        if !times_ns.is_empty() {
            let series = Series {
                ts_type: &self.ts_type,
                samples: Samples::new(times_ns.to_vec(), values.to_vec())?,
                holidays,
            };
            if let Some(columns) = (self.answer)(&series, &self.options)? {
                let n_rows = columns.first().map(Array::len);
                return Ok((columns, n_rows));
            }
        }
        Ok((self.shape.no_answer(), None))
    }

    pub(super) fn shape(&self) -> &ResultShape {
        &self.shape
    }

    /// Adds the holidays of rows, if the call has any.
    pub(super) fn read_holidays(
        &self,
        lists: Option<&ArrayRef>,
        holidays: &mut BTreeSet<i32>,
    ) -> Result<()> {
        match lists {
            Some(lists) => add_holidays(self.function, lists, holidays),
            None => Ok(()),
        }
    }

    pub(super) fn encode(
        &self,
        times_ns: &[i64],
        values: &[f64],
        holidays: &BTreeSet<i32>,
    ) -> Result<Vec<u8>> {
        let state = encode(times_ns, values, holidays);
        if state.len() > MAX_STATE_BYTES {
            return exec_err!(
                "{}: a series has {} points in one partition, {} bytes, and at most {MAX_STATE_BYTES} bytes are possible; group by a shorter time",
                self.function,
                times_ns.len(),
                state.len()
            );
        }
        Ok(state)
    }

    pub(super) fn decode(
        &self,
        state: &[u8],
        holidays: &mut BTreeSet<i32>,
        point: impl FnMut(i64, f64),
    ) -> Result<()> {
        let Some(others) = decode(state, point) else {
            return exec_err!(
                "{}: the state of a partition, {} bytes, cannot be read",
                self.function,
                state.len()
            );
        };
        holidays.extend(others);
        Ok(())
    }
}

/// The longest state: a column of states counts their bytes in 31 bits.
const MAX_STATE_BYTES: usize = i32::MAX as usize;
