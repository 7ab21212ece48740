//! The average cycle of a series. Phases are counted so that a cycle ends where the series ends:
//! phase 0 is that of the first future point.

use crate::algorithms::series::robust::mean;

/// Cycles with a smaller weight change no digit of the average.
const NEGLIGIBLE: f64 = 1e-17;

/// The mean of each phase, where a cycle has `decay` times the weight of the next one. There must
/// be at least one cycle of values.
pub(crate) fn average_cycle(values: &[f64], period: usize, decay: f64, average: &mut Vec<f64>) {
    average.clear();
    average.resize(period, 0.0);
    let (mut weight, mut total) = (1.0, 0.0);
    for cycle in values.rchunks_exact(period) {
        total += weight;
        for (sum, value) in average.iter_mut().zip(cycle) {
            *sum += weight * value;
        }
        weight *= decay;
        if weight < NEGLIGIBLE {
            break;
        }
    }
    let oldest = &values[..values.len() % period];
    let (without, with) = average.split_at_mut(period - oldest.len());
    for sum in without {
        *sum /= total;
    }
    for (sum, value) in with.iter_mut().zip(oldest) {
        *sum = (*sum + weight * value) / (total + weight);
    }
}

/// Shifts a cycle so that its mean is `center`.
pub(crate) fn center(cycle: &mut [f64], center: f64) {
    let shift = center - mean(cycle);
    for value in cycle {
        *value += shift;
    }
}

/// Changes each value by that of the cycle at its phase; the cycle ends where the values end.
pub(crate) fn with_cycle(values: &mut [f64], cycle: &[f64], change: impl Fn(&mut f64, f64)) {
    for chunk in values.rchunks_mut(cycle.len()) {
        let phases = &cycle[cycle.len() - chunk.len()..];
        for (value, &phase) in chunk.iter_mut().zip(phases) {
            change(value, phase);
        }
    }
}

/// Changes each future value by that of the cycle at its phase.
pub(super) fn with_next_cycles(future: &mut [f64], cycle: &[f64], change: impl Fn(&mut f64, f64)) {
    for chunk in future.chunks_mut(cycle.len()) {
        for (value, &phase) in chunk.iter_mut().zip(cycle) {
            change(value, phase);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::forecast::components::check;

    #[test]
    fn newer_cycles_weigh_more() {
        let mut average = vec![];
        average_cycle(&[8.0, 1.0, 4.0, 2.0, 6.0], 2, 0.5, &mut average);
        // By hand: (2 + 0.5 * 1) / 1.5 and (6 + 0.5 * 4 + 0.25 * 8) / 1.75.
        check(&average, &[2.5 / 1.5, 10.0 / 1.75]);
        center(&mut average, 1.0);
        check(&[(average[0] + average[1]) / 2.0], &[1.0]);
    }

    #[test]
    fn cycles_end_where_the_values_end() {
        let mut values = vec![0.0; 5];
        with_cycle(&mut values, &[1.0, 2.0, 3.0], |value, phase| {
            *value += phase
        });
        check(&values, &[2.0, 3.0, 1.0, 2.0, 3.0]);
        let mut future = vec![1.0; 4];
        with_next_cycles(&mut future, &[1.0, 2.0, 3.0], |value, phase| {
            *value *= phase
        });
        check(&future, &[1.0, 2.0, 3.0, 1.0]);
    }
}
