//! The common part of all aggregates on series: they collect points, order them by time and return
//! a list.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryViewArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::GroupsAccumulator;

use crate::functions::call::aggregate::{Fold, LateAnswers};
use crate::functions::call::parameters::ArgumentPlaces;
use crate::functions::ts::series::{Answer, ResultShape, SeriesCall};
use crate::functions::ts::series_groups::{AnswerColumns, SeriesGroups};

/// The points seen so far, and the call that they belong to.
#[derive(Debug)]
pub(super) struct SeriesFold<O> {
    call: Arc<SeriesCall<O>>,
    times: Vec<i64>,
    values: Vec<f64>,
    /// The number of points at the beginning of `times` and `values` that have been removed again.
    n_left: usize,
    holidays: BTreeSet<i32>,
}

impl<O: Debug + Send + Sync + 'static> SeriesFold<O> {
    /// The empty state. The first two columns are the timestamps, of this type, and the values.
    pub(super) fn boxed(
        function: &'static str,
        options: &Arc<O>,
        ts_type: &DataType,
        shape: ResultShape,
        answer: Answer<O>,
    ) -> Result<Box<dyn Fold>> {
        let call = SeriesCall::new(function, options, ts_type, shape, answer)?;
        Ok(Box::new(Self {
            call: Arc::new(call),
            times: vec![],
            values: vec![],
            n_left: 0,
            holidays: BTreeSet::new(),
        }))
    }
}

impl<O> SeriesFold<O> {
    fn points(&self) -> (&[i64], &[f64]) {
        (&self.times[self.n_left..], &self.values[self.n_left..])
    }
}

impl<O: Debug + Send + Sync> LateAnswers for SeriesCall<O> {
    fn data_type(&self) -> DataType {
        self.shape().data_type()
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
        answers.results(self.shape(), &lengths)
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

    /// Rows without a time were never added, so they are not removed either.
    fn leave(&mut self, required: &[ArrayRef]) -> Result<()> {
        let mut n_points = 0;
        self.call.read(required, |_, _, _| n_points += 1)?;
        if n_points > self.times.len() - self.n_left {
            return internal_err!("{}: more points leave than came", self.call.function());
        }
        self.n_left += n_points;
        // Points are moved only when more than half have left, so that a frame that moves row by
        // row stays cheap.
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
        if matches!(self.call.shape(), ResultShape::Points) {
            return Ok(ScalarValue::BinaryView(Some(self.state()?)));
        }
        let (times, values) = self.points();
        let (columns, n_rows) = self.call.answer(times, values, &self.holidays)?;
        let result = self.call.shape().results(columns, &[n_rows])?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn memory_bytes(&self) -> usize {
        (self.times.capacity() + self.values.capacity()) * 8
    }

    fn late_answers(&self) -> Option<Arc<dyn LateAnswers>> {
        let is_long = matches!(self.call.shape(), ResultShape::List(_));
        is_long.then(|| Arc::clone(&self.call) as _)
    }

    fn groups(&self, positions: &ArgumentPlaces) -> Option<Box<dyn GroupsAccumulator>> {
        let holidays = positions.optional.first().copied().flatten();
        Some(Box::new(SeriesGroups::new(&self.call, holidays)))
    }
}
