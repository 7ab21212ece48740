//! What all aggregates on series have in common: they collect points, put them into the order of time and return a list.

use crate::algorithms::series::Samples;
use crate::functions::aggregate::Fold;
use crate::functions::lists::list_of;
use crate::functions::ts::times::{ReadTime, time_column, time_reader};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{
    Result, ScalarValue, exec_err, internal_datafusion_err, internal_err, plan_datafusion_err,
};
use std::fmt::Debug;
use std::sync::Arc;

/// The points of a series, and the type of their time stamps.
#[derive(Debug)]
pub(super) struct Series<'a> {
    ts_type: &'a DataType,
    pub(super) samples: Samples,
}

impl Series<'_> {
    /// The type of the time stamps.
    pub(super) fn ts_type(&self) -> &DataType {
        self.ts_type
    }

    /// A column of time stamps of the type in which they came.
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

/// The fields `ts` and `value` of a point, and those behind them.
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

/// The type of a list of structs.
pub(super) fn list_of_structs(fields: Fields) -> DataType {
    DataType::List(item(fields))
}

fn item(fields: Fields) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields), true))
}

/// What a function makes of a series: a column for each field of the elements of its list; `None` for NULL.
pub(super) type Answer<O> = fn(&Series<'_>, &O) -> Result<Option<Vec<ArrayRef>>>;

/// The points seen so far, and what to make of them.
#[derive(Debug)]
pub(super) struct SeriesFold<O> {
    function: &'static str,
    options: Arc<O>,
    ts_type: DataType,
    fields: Fields,
    answer: Answer<O>,
    read_time: ReadTime,
    times: Vec<i64>,
    values: Vec<f64>,
    /// So many points at the beginning of `times` and `values` have left again.
    n_left: usize,
}

impl<O: Debug + Send + Sync + 'static> SeriesFold<O> {
    /// Of no points yet. The first two columns are the time stamps, of this type, and the values.
    pub(super) fn boxed(
        function: &'static str,
        options: &Arc<O>,
        ts_type: &DataType,
        fields: Fields,
        answer: Answer<O>,
    ) -> Result<Box<dyn Fold>> {
        let read_time = time_reader(ts_type).ok_or_else(|| {
            plan_datafusion_err!("{function}: ts must be a timestamp or a date, got {ts_type}")
        })?;
        Ok(Box::new(Self {
            function,
            options: Arc::clone(options),
            ts_type: ts_type.clone(),
            fields,
            answer,
            read_time,
            times: vec![],
            values: vec![],
            n_left: 0,
        }))
    }
}

/// Bytes of a point in a state: its time and its value.
const POINT_BYTES: usize = 16;

/// The longest state, since a column of states counts their bytes in 31 bits.
const MAX_STATE_BYTES: usize = i32::MAX as usize;

impl<O> SeriesFold<O> {
    fn points(&self) -> (&[i64], &[f64]) {
        (&self.times[self.n_left..], &self.values[self.n_left..])
    }
}

impl<O: Debug + Send + Sync> Fold for SeriesFold<O> {
    fn update(&mut self, required: &[ArrayRef], _: &[Option<&ArrayRef>]) -> Result<()> {
        let (times, values) = (&required[0], &required[1]);
        let Some(values) = values.as_primitive_opt::<Float64Type>() else {
            return exec_err!(
                "{}: value must arrive as a double, got {}",
                self.function,
                values.data_type()
            );
        };
        for row in 0..times.len() {
            if let Some(time) = (self.read_time)(times, row) {
                let value = if values.is_valid(row) {
                    values.value(row)
                } else {
                    f64::NAN
                };
                self.times.push(time);
                self.values.push(value);
            }
        }
        Ok(())
    }

    fn can_leave(&self) -> bool {
        true
    }

    /// A row without a time never came.
    fn leave(&mut self, required: &[ArrayRef]) -> Result<()> {
        let times = &required[0];
        let has_time = |&row: &usize| (self.read_time)(times, row).is_some();
        let n_points = (0..times.len()).filter(has_time).count();
        if n_points > self.times.len() - self.n_left {
            return internal_err!("{}: more points leave than came", self.function);
        }
        self.n_left += n_points;
        // Only then are points moved, so that a frame that moves row by row costs no more for it.
        if self.n_left > self.times.len() / 2 {
            self.times.drain(..self.n_left);
            self.values.drain(..self.n_left);
            self.n_left = 0;
        }
        Ok(())
    }

    /// All times, then all values.
    fn state(&self) -> Result<Vec<u8>> {
        let (times, values) = self.points();
        let n_bytes = times.len() * POINT_BYTES;
        if n_bytes > MAX_STATE_BYTES {
            return exec_err!(
                "{}: a series has {} points in one partition, at most {} are possible; group by a shorter time",
                self.function,
                times.len(),
                MAX_STATE_BYTES / POINT_BYTES
            );
        }
        let mut state = Vec::with_capacity(n_bytes);
        for time in times {
            state.extend_from_slice(&time.to_le_bytes());
        }
        for value in values {
            state.extend_from_slice(&value.to_le_bytes());
        }
        Ok(state)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let (times, values) = state.split_at(state.len() / 2);
        let (times, times_rest) = times.as_chunks::<8>();
        let (values, values_rest) = values.as_chunks::<8>();
        if times.len() != values.len() || !times_rest.is_empty() || !values_rest.is_empty() {
            return Err(internal_datafusion_err!(
                "{}: the state of a partition has {} bytes",
                self.function,
                state.len()
            ));
        }
        self.times
            .extend(times.iter().map(|bytes| i64::from_le_bytes(*bytes)));
        self.values
            .extend(values.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        Ok(())
    }

    fn finish(&self) -> Result<ScalarValue> {
        let item = item(self.fields.clone());
        let null = || ScalarValue::List(Arc::new(ListArray::new_null(Arc::clone(&item), 1)));
        let (times, values) = self.points();
        if times.is_empty() {
            return Ok(null());
        }
        let series = Series {
            ts_type: &self.ts_type,
            samples: Samples::new(times.to_vec(), values.to_vec())?,
        };
        let Some(columns) = (self.answer)(&series, &self.options)? else {
            return Ok(null());
        };
        let elements = StructArray::try_new(self.fields.clone(), columns, None)?;
        let n_elements = elements.len();
        let list = list_of(item, Arc::new(elements), &[n_elements], None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn memory_bytes(&self) -> usize {
        (self.times.capacity() + self.values.capacity()) * 8
    }
}
