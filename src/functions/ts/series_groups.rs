//! Functions on series in a GROUP BY: the points of all series are kept together.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::mem::take;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, BooleanArray, new_empty_array,
};
use datafusion::arrow::compute::concat;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::functions::ts::points::{Points, group_number};
use crate::functions::ts::series::{ResultShape, SeriesCall};

/// The columns of this many series are concatenated at once, since the columns of one series are
/// mostly overhead.
const SERIES_AT_ONCE: usize = 1_024;

/// The points of all series seen so far, and the call that they belong to.
#[derive(Debug)]
pub(super) struct SeriesGroups<O> {
    call: Arc<SeriesCall<O>>,
    points: Points,
    n_groups: usize,
    /// The column that has the holidays, if the call has any.
    holidays_position: Option<usize>,
    holidays: BTreeSet<i32>,
}

impl<O> SeriesGroups<O> {
    pub(super) fn new(call: &Arc<SeriesCall<O>>, holidays_position: Option<usize>) -> Self {
        Self {
            call: Arc::clone(call),
            points: Points::default(),
            n_groups: 0,
            holidays_position,
            holidays: BTreeSet::new(),
        }
    }

    /// Removes the groups that are emitted, and returns their number.
    fn leave(&mut self, emit_to: EmitTo) -> usize {
        let n_groups = match emit_to {
            EmitTo::All => self.n_groups,
            EmitTo::First(n_groups) => n_groups.min(self.n_groups),
        };
        self.n_groups -= n_groups;
        n_groups
    }

    fn states(&mut self, emit_to: EmitTo) -> Result<BinaryViewArray> {
        let n_groups = self.leave(emit_to);
        let mut states = BinaryViewBuilder::with_capacity(n_groups);
        self.points.take_first(n_groups, |times_ns, values| {
            states.append_value(self.call.encode(times_ns, values, &self.holidays)?);
            Ok(())
        })?;
        Ok(states.finish())
    }

    /// Reads rows; `group` returns the group of the row with a number.
    fn read(
        &mut self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        group: impl Fn(usize) -> Result<u32>,
    ) -> Result<()> {
        let lists = self.holidays_position.map(|position| &values[position]);
        self.call.read_holidays(lists, &mut self.holidays)?;
        let is_in = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let points = &mut self.points;
        let mut read = Ok(());
        self.call.read(values, |row, time_ns, value| {
            if is_in(row) {
                match group(row) {
                    Ok(group) => points.push(group, time_ns, value),
                    Err(error) => read = Err(error),
                }
            }
        })?;
        read
    }
}

impl<O: Debug + Send + Sync + 'static> GroupsAccumulator for SeriesGroups<O> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        self.n_groups = n_groups;
        self.read(values, filter, |row| group_number(groups[row]))
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        n_groups: usize,
    ) -> Result<()> {
        self.n_groups = n_groups;
        let Some(states) = states
            .first()
            .and_then(|states| states.as_binary_view_opt())
        else {
            return internal_err!("the state of a series is no binary view");
        };
        for (row, &group) in groups
            .iter()
            .enumerate()
            .filter(|(row, _)| states.is_valid(*row))
        {
            let (group, points) = (group_number(group)?, &mut self.points);
            self.call
                .decode(states.value(row), &mut self.holidays, |time_ns, value| {
                    points.push(group, time_ns, value);
                })?;
        }
        Ok(())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.states(emit_to)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let n_rows = values.first().map_or(0, Array::len);
        let mut rows = Self::new(&self.call, self.holidays_position);
        rows.n_groups = n_rows;
        rows.read(values, filter, group_number)?;
        rows.state(EmitTo::All)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        if matches!(self.call.shape(), ResultShape::Points) {
            return Ok(Arc::new(self.states(emit_to)?));
        }
        let n_groups = self.leave(emit_to);
        let mut lengths = Vec::with_capacity(n_groups);
        let mut answers = AnswerColumns::default();
        self.points.take_first(n_groups, |times_ns, values| {
            let (columns, n_rows) = self.call.answer(times_ns, values, &self.holidays)?;
            lengths.push(n_rows);
            answers.push(columns)
        })?;
        answers.results(self.call.shape(), &lengths)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.points.memory_bytes()
    }
}

/// The columns of many answers, concatenated from time to time.
#[derive(Debug, Default)]
pub(super) struct AnswerColumns {
    /// The concatenated pieces of each column.
    pieces: Vec<Vec<ArrayRef>>,
    /// The columns of the newest answers, which are not concatenated yet.
    newest: Vec<Vec<ArrayRef>>,
}

impl AnswerColumns {
    /// The results with these columns; `lengths` has the number of rows of each.
    pub(super) fn results(
        self,
        shape: &ResultShape,
        lengths: &[Option<usize>],
    ) -> Result<ArrayRef> {
        let columns = self.finish()?;
        if columns.is_empty() {
            return Ok(new_empty_array(&shape.data_type()));
        }
        shape.results(columns, lengths)
    }

    pub(super) fn push(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        self.newest.resize(columns.len(), vec![]);
        for (pieces, column) in self.newest.iter_mut().zip(columns) {
            pieces.push(column);
        }
        match self.newest.first() {
            Some(pieces) if pieces.len() >= SERIES_AT_ONCE => self.put_together(),
            _ => Ok(()),
        }
    }

    fn put_together(&mut self) -> Result<()> {
        self.pieces.resize(self.newest.len(), vec![]);
        for (pieces, newest) in self.pieces.iter_mut().zip(&mut self.newest) {
            pieces.push(concatenated(take(newest))?);
        }
        Ok(())
    }

    /// The whole columns. They are concatenated one after the other, so that at most one of them is
    /// in memory twice.
    fn finish(mut self) -> Result<Vec<ArrayRef>> {
        if self.newest.first().is_some_and(|pieces| !pieces.is_empty()) {
            self.put_together()?;
        }
        self.pieces.into_iter().map(concatenated).collect()
    }
}

fn concatenated(pieces: Vec<ArrayRef>) -> Result<ArrayRef> {
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    Ok(concat(&pieces)?)
}
