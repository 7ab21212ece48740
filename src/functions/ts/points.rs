//! The points of many series, kept in arrival order.
//!
//! The rows of a GROUP BY come with the series mixed. A vector for each series would grow by
//! doubling, and 100,000 of them would take twice the memory of their points. So all points are
//! kept in shared blocks that never move, 20 bytes each, and are gathered by series only at the
//! end, a share of the series at a time.

use std::collections::BTreeSet;
use std::ops::Range;

use datafusion::common::{Result, exec_datafusion_err};

/// The number of points in a block.
const BLOCK: usize = 1 << 16;

/// The points are gathered in this many rounds, each of which needs memory for its share of them.
const N_SHARES: usize = 16;

/// The smallest number of points in a round.
const SMALLEST_SHARE: usize = BLOCK;

/// The points of many series.
#[derive(Debug, Default)]
pub(super) struct Points {
    blocks: Vec<Block>,
    n_points: usize,
}

/// A block of points, in arrival order.
#[derive(Debug, Default)]
struct Block {
    groups: Vec<u32>,
    times_ns: Vec<i64>,
    values: Vec<f64>,
}

impl Points {
    /// Adds a point to the series of this number.
    pub(super) fn push(&mut self, group: u32, time_ns: i64, value: f64) {
        let n_blocks = self.blocks.len();
        match self.blocks.last_mut() {
            Some(block) if block.groups.len() < BLOCK => block.push(group, time_ns, value),
            _ => {
                // The first block grows with the data, which may be a handful of points.
                let mut block = Block::with_capacity(if n_blocks == 0 { 0 } else { BLOCK });
                block.push(group, time_ns, value);
                self.blocks.push(block);
            }
        }
        self.n_points += 1;
    }

    /// Removes the points of the first `n_groups` series and calls `series` with the times and
    /// values of each, in the order of their numbers. The other series move to the front.
    pub(super) fn take_first(
        &mut self,
        n_groups: usize,
        mut series: impl FnMut(&[i64], &[f64]) -> Result<()>,
    ) -> Result<()> {
        let counts = self.counts(n_groups);
        let share = (self.n_points / N_SHARES).max(SMALLEST_SHARE);
        let (mut times_ns, mut values) = (vec![], vec![]);
        let mut first = 0;
        while first < n_groups {
            let groups = first..share_end(first, &counts, share);
            let n_points = counts[groups.clone()].iter().sum();
            times_ns.clear();
            times_ns.resize(n_points, 0);
            values.clear();
            values.resize(n_points, 0.0);
            self.take(&groups, &counts, &mut times_ns, &mut values);
            let mut begin = 0;
            for &n_points in &counts[groups.clone()] {
                let points = begin..begin + n_points;
                series(&times_ns[points.clone()], &values[points])?;
                begin += n_points;
            }
            first = groups.end;
        }
        self.move_to_front(n_groups)
    }

    /// The number of points of each of the first `n_groups` series.
    fn counts(&self, n_groups: usize) -> Vec<usize> {
        let mut counts = vec![0; n_groups];
        for &group in self.blocks.iter().flat_map(|block| &block.groups) {
            if let Some(count) = counts.get_mut(group as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Moves the points of some series out of the blocks, one series after the other.
    fn take(
        &mut self,
        groups: &Range<usize>,
        counts: &[usize],
        times_ns: &mut [i64],
        values: &mut [f64],
    ) {
        let mut next: Vec<usize> = counts[groups.clone()]
            .iter()
            .scan(0, |begin, count| {
                let first = *begin;
                *begin += count;
                Some(first)
            })
            .collect();
        for block in &mut self.blocks {
            block.retain(|group, time_ns, value| {
                if !groups.contains(&(group as usize)) {
                    return true;
                }
                let position = &mut next[group as usize - groups.start];
                times_ns[*position] = time_ns;
                values[*position] = value;
                *position += 1;
                false
            });
        }
        self.blocks.retain(|block| !block.groups.is_empty());
        self.n_points -= times_ns.len();
    }

    fn move_to_front(&mut self, n_groups: usize) -> Result<()> {
        let n_groups = group_number(n_groups)?;
        for group in self.blocks.iter_mut().flat_map(|block| &mut block.groups) {
            *group -= n_groups;
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.iter().map(Block::memory_bytes).sum()
    }
}

/// The end of a share: series that have at most `share` points together, and at least one series.
fn share_end(first: usize, counts: &[usize], share: usize) -> usize {
    let mut n_points = 0;
    let others = counts[first + 1..].iter().take_while(|&&count| {
        n_points += count;
        counts[first] + n_points <= share
    });
    first + 1 + others.count()
}

/// The number of a series, or the count of all series, in 32 bits.
pub(super) fn group_number(group: usize) -> Result<u32> {
    u32::try_from(group)
        .map_err(|_| exec_datafusion_err!("more than {} series in one GROUP BY", u32::MAX))
}

impl Block {
    fn with_capacity(n_points: usize) -> Self {
        Self {
            groups: Vec::with_capacity(n_points),
            times_ns: Vec::with_capacity(n_points),
            values: Vec::with_capacity(n_points),
        }
    }

    fn push(&mut self, group: u32, time_ns: i64, value: f64) {
        self.groups.push(group);
        self.times_ns.push(time_ns);
        self.values.push(value);
    }

    /// Keeps the points for which `keep` is true, and frees the memory of the others.
    fn retain(&mut self, mut keep: impl FnMut(u32, i64, f64) -> bool) {
        let mut n_kept = 0;
        for point in 0..self.groups.len() {
            let (group, time_ns, value) =
                (self.groups[point], self.times_ns[point], self.values[point]);
            if keep(group, time_ns, value) {
                self.groups[n_kept] = group;
                self.times_ns[n_kept] = time_ns;
                self.values[n_kept] = value;
                n_kept += 1;
            }
        }
        self.groups.truncate(n_kept);
        self.times_ns.truncate(n_kept);
        self.values.truncate(n_kept);
        // Memory is not freed every time, since that copies the remaining points.
        if n_kept <= self.groups.capacity() / 2 {
            self.groups.shrink_to_fit();
            self.times_ns.shrink_to_fit();
            self.values.shrink_to_fit();
        }
    }

    fn memory_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<u32>()
            + self.times_ns.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<f64>()
    }
}

/// Encodes the points of a series and its holidays as bytes: first the times and the days, by how
/// their distances change from one to the next, which they rarely do, then the values. So a point
/// takes 9 bytes or a few more.
pub(super) fn encode(times_ns: &[i64], values: &[f64], holidays: &BTreeSet<i32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + 9 * times_ns.len());
    push_distances(&mut bytes, times_ns.iter().copied());
    push_distances(&mut bytes, holidays.iter().copied().map(i64::from));
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// Calls `point` with each of the encoded points and returns the holidays; `None` for invalid
/// bytes.
pub(super) fn decode(bytes: &[u8], mut point: impl FnMut(i64, f64)) -> Option<Vec<i32>> {
    let mut times = bytes;
    let n_points = take_length(&mut times)?;
    let mut rest = times;
    Distances::default().take(&mut rest, n_points, |_| {})?;
    let n_holidays = take_length(&mut rest)?;
    let mut holidays = vec![];
    Distances::default().take(&mut rest, n_holidays, |day| {
        holidays.extend(i32::try_from(day));
    })?;
    let (values, []) = rest.as_chunks::<8>() else {
        return None;
    };
    if values.len() != n_points {
        return None;
    }
    let mut values = values.iter();
    Distances::default().take(&mut times, n_points, |time_ns| {
        if let Some(value) = values.next() {
            point(time_ns, f64::from_le_bytes(*value));
        }
    })?;
    Some(holidays)
}

fn push_distances(bytes: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = i64>) {
    push_number(bytes, numbers.len() as u64);
    let (mut last, mut distance) = (0_i64, 0_i64);
    for number in numbers {
        let next = number.wrapping_sub(last);
        push_number(bytes, zigzag(next.wrapping_sub(distance)));
        (last, distance) = (number, next);
    }
}

/// The length of a list, which is followed by at least one byte for each element.
fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(take_number(bytes)?).ok()?;
    (length <= bytes.len()).then_some(length)
}

/// Reads the numbers that `push_distances` wrote after the length.
#[derive(Debug, Default)]
struct Distances {
    last: i64,
    distance: i64,
}

impl Distances {
    fn take(&mut self, bytes: &mut &[u8], n: usize, mut number: impl FnMut(i64)) -> Option<()> {
        for _ in 0..n {
            self.distance = self.distance.wrapping_add(unzigzag(take_number(bytes)?));
            self.last = self.last.wrapping_add(self.distance);
            number(self.last);
        }
        Some(())
    }
}

/// Maps small numbers of either sign to small unsigned numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Writes a number in as few bytes as it needs, seven bits each (LEB128).
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(lowest_byte(number) | 0x80);
        number >>= 7;
    }
    bytes.push(lowest_byte(number));
}

fn lowest_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Series = Vec<(i64, u64)>;

    fn points(rows: &[(u32, i64, u64)]) -> Points {
        let mut points = Points::default();
        for &(group, time_ns, value) in rows {
            points.push(group, time_ns, f64::from_bits(value));
        }
        points
    }

    /// Takes the points of the first series, with the bits of their values.
    fn take_first(points: &mut Points, n_groups: usize) -> Vec<Series> {
        let mut taken = vec![];
        points
            .take_first(n_groups, |times_ns, values| {
                let bits = values.iter().map(|value| value.to_bits());
                taken.push(times_ns.iter().copied().zip(bits).collect());
                Ok(())
            })
            .unwrap();
        taken
    }

    /// The points that these series must have.
    fn expected(rows: &[(u32, i64, u64)], groups: Range<u32>) -> Vec<Series> {
        let of = |wanted: u32| rows.iter().filter(move |(group, ..)| *group == wanted);
        groups
            .map(|group| of(group).map(|&(_, time, value)| (time, value)).collect())
            .collect()
    }

    proptest! {
        #[test]
        fn every_series_comes_back_in_the_order_it_came(
            rows in prop::collection::vec((0..6_u32, any::<i64>(), any::<u64>()), 0..200),
            n_first in 0..6_u32,
        ) {
            let mut points = points(&rows);
            prop_assert_eq!(take_first(&mut points, n_first as usize), expected(&rows, 0..n_first));
            prop_assert_eq!(take_first(&mut points, 7), {
                let mut rest = expected(&rows, n_first..6);
                rest.resize(7, vec![]);
                rest
            });
            prop_assert_eq!((points.n_points, points.memory_bytes()), (0, 0));
        }

        #[test]
        fn bytes_are_the_points(
            series in prop::collection::vec((any::<i64>(), any::<u64>()), 0..50),
            holidays in prop::collection::btree_set(any::<i32>(), 0..9),
        ) {
            let (times_ns, values): (Vec<_>, Vec<_>) =
                series.iter().map(|&(time_ns, bits)| (time_ns, f64::from_bits(bits))).unzip();
            let mut back = vec![];
            let bytes = encode(&times_ns, &values, &holidays);
            let days = decode(&bytes, |time_ns, value| back.push((time_ns, value.to_bits()))).unwrap();
            prop_assert_eq!(back, series);
            prop_assert_eq!(days, Vec::from_iter(holidays));
        }

        #[test]
        fn other_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut n_points = 0;
            if decode(&bytes, |_, _| n_points += 1).is_some() {
                prop_assert!(n_points * 8 < bytes.len());
            }
        }
    }

    #[test]
    fn many_blocks() {
        let n_groups = 1_000;
        let mut points = Points::default();
        let n_rows = 5 * BLOCK + 17;
        for row in 0..n_rows {
            let group = group_number(row * 7 % n_groups).unwrap();
            points.push(group, row as i64, row as f64);
        }
        // The only overhead is one block that is not full.
        assert!(points.memory_bytes() <= (n_rows + BLOCK) * 20 + BLOCK * 20);
        let (mut n_series, mut n_taken) = (0, 0);
        points
            .take_first(n_groups, |times_ns, values| {
                assert!(times_ns.is_sorted() && values.len() == times_ns.len());
                assert!(
                    times_ns
                        .iter()
                        .all(|row| usize::try_from(*row).unwrap() * 7 % n_groups == n_series)
                );
                (n_series, n_taken) = (n_series + 1, n_taken + times_ns.len());
                Ok(())
            })
            .unwrap();
        assert_eq!((n_series, n_taken, points.n_points), (n_groups, n_rows, 0));
    }

    #[test]
    fn a_regular_series_is_nine_bytes_a_point() {
        let times_ns: Vec<i64> = (0..1_000).map(|minute| minute * 60_000_000_000).collect();
        assert!(encode(&times_ns, &[0.5; 1_000], &BTreeSet::new()).len() < 9_020);
    }
}
