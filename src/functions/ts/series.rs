//! What all aggregates on series have in common: they collect points, put them into the order of time and return a list.

use crate::algorithms::series::Samples;
use crate::functions::aggregate::{Fold, LateAnswers};
use crate::functions::lists::list_of;
use crate::functions::parameters::Positions;
use crate::functions::ts::calendar::{Calendar, add_holidays};
use crate::functions::ts::points::{decode, encode};
use crate::functions::ts::series_groups::{AnswerColumns, SeriesGroups};
use crate::functions::ts::times::{ReadTime, time_column, time_reader};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Float64Array, StructArray, new_empty_array,
    new_null_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_datafusion_err};
use datafusion::logical_expr::GroupsAccumulator;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

/// The points of a series, and the type of their time stamps.
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

fn item(fields: Fields) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields), true))
}

/// What a function makes of a series: a column for each field of its result; `None` for NULL.
pub(super) type Answer<O> = fn(&Series<'_>, &O) -> Result<Option<Vec<ArrayRef>>>;

/// The result of a function for a series.
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

    /// AnswerColumns of no rows where the result is a list, else of one NULL.
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

    /// The results of several series from their concatenated columns; `lengths` has the number of rows of each, `None` where
    /// there is no answer.
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

/// A call of a function on series: how its rows are read and what is made of them.
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

    /// The columns of the result for these points, and how many rows it has; `None` for NULL.
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

/// The points seen so far, and what to make of them.
#[derive(Debug)]
pub(super) struct SeriesFold<O> {
    call: Arc<SeriesCall<O>>,
    times: Vec<i64>,
    values: Vec<f64>,
    /// So many points at the beginning of `times` and `values` have left again.
    n_left: usize,
    holidays: BTreeSet<i32>,
}

impl<O: Debug + Send + Sync + 'static> SeriesFold<O> {
    /// Of no points yet. The first two columns are the time stamps, of this type, and the values.
    pub(super) fn boxed(
        function: &'static str,
        options: &Arc<O>,
        ts_type: &DataType,
        shape: ResultShape,
        answer: Answer<O>,
    ) -> Result<Box<dyn Fold>> {
        let read_time = time_reader(ts_type).ok_or_else(|| {
            plan_datafusion_err!("{function}: ts must be a timestamp or a date, got {ts_type}")
        })?;
        let call = SeriesCall {
            function,
            options: Arc::clone(options),
            ts_type: ts_type.clone(),
            shape,
            answer,
            read_time,
        };
        Ok(Box::new(Self {
            call: Arc::new(call),
            times: vec![],
            values: vec![],
            n_left: 0,
            holidays: BTreeSet::new(),
        }))
    }
}

/// The longest state, since a column of states counts their bytes in 31 bits.
const MAX_STATE_BYTES: usize = i32::MAX as usize;

impl<O> SeriesFold<O> {
    fn points(&self) -> (&[i64], &[f64]) {
        (&self.times[self.n_left..], &self.values[self.n_left..])
    }
}

impl<O: Debug + Send + Sync> LateAnswers for SeriesCall<O> {
    fn data_type(&self) -> DataType {
        self.shape.data_type()
    }

    fn answer_all(&self, states: &BinaryViewArray) -> Result<ArrayRef> {
        let mut lengths = Vec::with_capacity(states.len());
        let mut answers = AnswerColumns::default();
        let (mut times_ns, mut values) = (vec![], vec![]);
        for state in states.iter().map(Option::unwrap_or_default) {
            let mut holidays = BTreeSet::new();
            times_ns.clear();
            values.clear();
            if !state.is_empty() {
                self.decode(state, &mut holidays, |time_ns, value| {
                    times_ns.push(time_ns);
                    values.push(value);
                })?;
            }
            let (columns, n_rows) = self.answer(&times_ns, &values, &holidays)?;
            lengths.push(n_rows);
            answers.push(columns)?;
        }
        answers.results(&self.shape, &lengths)
    }
}

impl<O: Debug + Send + Sync + 'static> Fold for SeriesFold<O> {
    fn update(&mut self, required: &[ArrayRef], optional: &[Option<&ArrayRef>]) -> Result<()> {
        let holidays = optional.first().copied().flatten();
        self.call.read_holidays(holidays, &mut self.holidays)?;
        self.call.read(required, |_, time_ns, value| {
            self.times.push(time_ns);
            self.values.push(value);
        })
    }

    fn can_leave(&self) -> bool {
        true
    }

    /// A row without a time never came.
    fn leave(&mut self, required: &[ArrayRef]) -> Result<()> {
        let mut n_points = 0;
        self.call.read(required, |_, _, _| n_points += 1)?;
        if n_points > self.times.len() - self.n_left {
            return internal_err!("{}: more points leave than came", self.call.function);
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

    fn state(&self) -> Result<Vec<u8>> {
        let (times, values) = self.points();
        self.call.encode(times, values, &self.holidays)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        self.call
            .decode(state, &mut self.holidays, |time_ns, value| {
                self.times.push(time_ns);
                self.values.push(value);
            })
    }

    fn finish(&self) -> Result<ScalarValue> {
        if matches!(self.call.shape, ResultShape::Points) {
            return Ok(ScalarValue::BinaryView(Some(self.state()?)));
        }
        let (times, values) = self.points();
        let (columns, n_rows) = self.call.answer(times, values, &self.holidays)?;
        let result = self.call.shape.results(columns, &[n_rows])?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn memory_bytes(&self) -> usize {
        (self.times.capacity() + self.values.capacity()) * 8
    }

    fn late_answers(&self) -> Option<Arc<dyn LateAnswers>> {
        let is_long = matches!(self.call.shape, ResultShape::List(_));
        is_long.then(|| Arc::clone(&self.call) as _)
    }

    fn groups(&self, positions: &Positions) -> Option<Box<dyn GroupsAccumulator>> {
        let holidays = positions.optional.first().copied().flatten();
        Some(Box::new(SeriesGroups::new(&self.call, holidays)))
    }
}
