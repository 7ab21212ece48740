//! The learnt season: the expected deviation of each phase from the level.
//!
//! A phase begins as the median of its newest cycles, as in seasonal-trend decompositions. With two
//! or four cycles there is a span between the two middle values, which an incident in one cycle
//! makes wide; the profile takes the value in the span that is closest to the mean of the
//! neighbouring phases. From then on a phase follows by exponential smoothing, clipped, so that an
//! incident teaches little. A value that recurs at the same time in cycle after cycle is no
//! incident: a phase changes at once when the majority of its cycles has been elsewhere, which is
//! decided by vote (Boyer and Moore, "MJRTY: a fast majority vote algorithm", 1991).

use crate::algorithms::series::anomaly::deviation::FROM_MEAN_ABSOLUTE;
use crate::algorithms::series::robust::floor_index;

/// The rate at which a phase follows in each cycle.
const RATE: f64 = 0.15;

/// The rate at which the scale of a phase follows in each cycle.
const SCALE_RATE: f64 = 0.1;

/// The same while scales are first learnt, from a few cycles.
const FIRST_SCALE_RATE: f64 = 0.3;

/// Residuals are clipped at this many scales before the scale of a phase learns from them.
const CLIP: f64 = 3.0;

/// Phases up to this part of a cycle away are neighbours: half an hour of a day.
const NEIGHBOURS: f64 = 0.025;

/// A phase that has been right in this many cycles must be wrong in as many to be changed.
const MOST_VOTES: u8 = 6;

/// A residual recurs if it differs from that of the last cycle by less than this part of it.
const SAME: f64 = 0.25;

/// A residual is local to its phase if the residuals of the last quarter of a cycle average less
/// than this part of it. If all phases are off, the level has shifted.
const LOCAL: f64 = 0.3;
const QUARTERS: f64 = 4.0;

/// The expectation of each phase.
#[derive(Debug)]
pub(super) struct PhaseProfile {
    /// The deviation from the level.
    values: Vec<f64>,
    /// The scale of the slow residuals.
    scales: Vec<f64>,
    /// The last value; NaN if there was none.
    last: Vec<f64>,
    /// The number of cycles in which the phase was right, less those in which it was wrong.
    votes: Vec<u8>,
    /// The average residual of the last quarter of a cycle.
    drift: f64,
}

/// A residual of the slow expectation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    pub(super) raw: f64,
    pub(super) clipped: f64,
    /// Small, but enough for a scale of 0 to grow again.
    pub(super) thin: f64,
}

impl PhaseProfile {
    /// The profile of values around a level, and the scale of the residuals. There must be values.
    pub(super) fn of(period: usize, slots: &[usize], values: &[f64], level: f64) -> (Self, f64) {
        let profile = medians(period, slots, values, level);
        let phases = || slots.iter().map(|slot| slot % period).zip(values);
        let sizes =
            || phases().map(|(phase, value)| (phase, (value - level - profile[phase]).abs()));
        let sum: f64 = sizes().map(|(_, size)| size).sum();
        let scale = sum / values.len() as f64 * FROM_MEAN_ABSOLUTE;
        let mut scales = vec![scale; period];
        for (phase, size) in sizes() {
            let size = size.min(CLIP * scale) * FROM_MEAN_ABSOLUTE;
            scales[phase] += FIRST_SCALE_RATE * (size - scales[phase]);
        }
        let mut last = vec![f64::NAN; period];
        for (phase, value) in phases() {
            last[phase] = *value;
        }
        let n_cycles = u8::try_from(values.len() / period).unwrap_or(MOST_VOTES);
        let profile = Self {
            values: profile,
            scales,
            last,
            votes: vec![n_cycles.min(MOST_VOTES); period],
            drift: 0.0,
        };
        (profile, scale)
    }

    pub(super) fn period(&self) -> usize {
        self.values.len()
    }

    /// The deviation from the level.
    pub(super) fn value(&self, phase: usize) -> f64 {
        self.values[phase]
    }

    /// The scale of slow residuals.
    pub(super) fn scale(&self, phase: usize) -> f64 {
        self.scales[phase]
    }

    /// The last value; NaN if there was none.
    pub(super) fn last(&self, phase: usize) -> f64 {
        self.last[phase]
    }

    /// Learns from a value of the phase.
    pub(super) fn learn(&mut self, phase: usize, value: f64, residual: &Residual) {
        let size = residual.raw.abs();
        let is_wrong = size > residual.clipped.abs();
        let is_local = self.drift.abs() < LOCAL * size;
        self.drift += (residual.raw - self.drift) * (QUARTERS / self.period() as f64).min(1.0);
        let came_before = (value - self.last[phase]).abs() < SAME * size;
        let votes = &mut self.votes[phase];
        if is_wrong && is_local && *votes == 0 && came_before {
            self.values[phase] += residual.raw;
            *votes = 1;
            return;
        }
        self.values[phase] += RATE * residual.clipped;
        if !is_wrong {
            *votes = (*votes + 1).min(MOST_VOTES);
        } else if is_local {
            *votes = votes.saturating_sub(1);
        }
    }

    /// Remembers a value that is not part of an incident.
    pub(super) fn note(&mut self, phase: usize, value: f64, residual: &Residual) {
        self.last[phase] = value;
        let scale = &mut self.scales[phase];
        let size = residual.raw.abs().min(CLIP * *scale + residual.thin) * FROM_MEAN_ABSOLUTE;
        *scale += SCALE_RATE * (size - *scale);
    }

    /// Forgets the drift: the level has been moved to where the values are.
    pub(super) fn settle(&mut self) {
        self.drift = 0.0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        25 * self.values.capacity()
    }
}

/// The median deviation from the level in each phase; 0 if the phase has no value.
fn medians(period: usize, slots: &[usize], values: &[f64], level: f64) -> Vec<f64> {
    let mut first = vec![0; period + 1];
    for slot in slots {
        first[slot % period + 1] += 1;
    }
    for phase in 0..period {
        first[phase + 1] += first[phase];
    }
    let (mut next, mut sorted) = (first.clone(), vec![0.0; values.len()]);
    for (slot, value) in slots.iter().zip(values) {
        let place = &mut next[slot % period];
        sorted[*place] = value - level;
        *place += 1;
    }
    let phases = first.windows(2);
    let spans: Vec<_> = phases
        .map(|bounds| middles(&mut sorted[bounds[0]..bounds[1]]))
        .collect();
    nearest_to_neighbours(&spans)
}

/// The two values in the middle; an infinite span if there are no values.
fn middles(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        n_values => (values[(n_values - 1) / 2], values[n_values / 2]),
    }
}

/// In each span the value that is closest to the mean of the middles of the neighbouring spans,
/// around the cycle.
fn nearest_to_neighbours(spans: &[(f64, f64)]) -> Vec<f64> {
    let middle = |(low, high): &(f64, f64)| {
        if low.is_finite() {
            0.5 * (low + high)
        } else {
            0.0
        }
    };
    let middles: Vec<_> = spans.iter().map(middle).collect();
    let n_phases = spans.len();
    let reach = floor_index(NEIGHBOURS * n_phases as f64);
    let window = 2 * reach + 1;
    let mut sum: f64 = (0..window)
        .map(|step| middles[(step + n_phases - reach) % n_phases])
        .sum();
    let mut values = Vec::with_capacity(n_phases);
    for (phase, (low, high)) in spans.iter().enumerate() {
        values.push((sum / window as f64).max(*low).min(*high));
        sum += middles[(phase + reach + 1) % n_phases];
        sum -= middles[(phase + n_phases - reach) % n_phases];
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_PHASES: usize = 48;

    /// The profile of this many cycles of values.
    fn of(n_cycles: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let slots: Vec<_> = (0..n_cycles * N_PHASES).collect();
        let values: Vec<_> = slots.iter().map(|slot| value(*slot)).collect();
        PhaseProfile::of(N_PHASES, &slots, &values, 10.0).0.values
    }

    #[test]
    fn an_incident_in_one_of_two_cycles_is_no_season() {
        let values = of(2, |slot| if slot == N_PHASES + 20 { 90.0 } else { 10.0 });
        assert!(values[20].abs() < 30.0, "{values:?}");
    }

    #[test]
    fn a_job_of_every_cycle_is_one() {
        let values = of(2, |slot| if slot % N_PHASES == 20 { 90.0 } else { 10.0 });
        assert_eq!((values[19], values[20], values[21]), (0.0, 80.0, 0.0));
    }

    #[test]
    fn phases_without_values_are_at_the_level() {
        let (profile, _) = PhaseProfile::of(4, &[0, 1, 5], &[12.0, 12.0, 12.0], 10.0);
        assert!(profile.values.iter().all(|value| value.is_finite()));
    }

    /// The number of cycles until a phase follows a lasting change by 50, after `n_before` cycles
    /// without it.
    fn n_until_learnt(n_before: usize) -> usize {
        let slots: Vec<_> = (0..n_before * N_PHASES).collect();
        let (mut profile, _) = PhaseProfile::of(N_PHASES, &slots, &vec![10.0; slots.len()], 10.0);
        (1..20)
            .find(|_| {
                for phase in 0..N_PHASES {
                    let value = if phase == 20 { 60.0 } else { 10.0 };
                    let raw = value - 10.0 - profile.value(phase);
                    let residual = Residual {
                        raw,
                        clipped: raw.clamp(-1.0, 1.0),
                        thin: 0.1,
                    };
                    profile.learn(phase, value, &residual);
                    profile.note(phase, value, &residual);
                }
                profile.value(20) > 45.0
            })
            .unwrap_or(20)
    }

    #[test]
    fn a_new_job_is_learnt_when_most_cycles_have_it() {
        assert_eq!(n_until_learnt(2), 3);
        assert_eq!(n_until_learnt(5), 6);
        assert_eq!(n_until_learnt(12), 7);
    }
}
