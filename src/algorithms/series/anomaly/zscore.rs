//! The rolling z-score: how many standard deviations a point is from the mean of the last ones. It
//! is the method of dashboards, for comparison and for those who want exactly that; it knows no
//! season and remembers no events.

use crate::algorithms::series::anomaly::finding::Finding;
use crate::algorithms::series::anomaly::{AnomalyKind, AnomalyParams, Status};

/// The number of points of the window: a day of five-minute values.
const WINDOW: usize = 288;

/// Standard deviations from the mean at the default level: they hold 0.999 of a normal
/// distribution.
const DEVIATIONS: f64 = 3.290_526_731;

/// The largest distance in units of the bounds; it keeps a jump after equal values finite.
const FARTHEST: f64 = 1e6;

/// The last points, with their sum and the sum of their squares.
#[derive(Debug)]
pub(super) struct ZScore {
    window: Vec<f64>,
    /// The position of the oldest point once the window is full.
    oldest: usize,
    n_points: usize,
    /// Sums are of differences from this, the first value or the mean of a window, so that large
    /// values lose no digits. They are recomputed each time the window has turned over, so that
    /// rounding errors do not add up.
    origin: f64,
    sum: f64,
    squares: f64,
    deviations: f64,
    min_points: usize,
}

impl ZScore {
    pub(super) fn new(params: &AnomalyParams) -> Self {
        Self {
            window: vec![],
            oldest: 0,
            n_points: 0,
            origin: 0.0,
            sum: 0.0,
            squares: 0.0,
            deviations: DEVIATIONS * params.strictness,
            min_points: params.min_points,
        }
    }

    pub(super) fn find(&mut self, value: Option<f64>) -> Finding {
        let n = self.window.len() as f64;
        let mean = self.sum / n;
        let deviation = (self.squares / n - mean * mean).max(0.0).sqrt();
        let mut finding = Finding {
            strength: 0.0,
            alert: None,
            stays: 0.0,
            expected: self.origin + mean,
            margin: self.deviations * deviation,
            ongoing: None,
            status: Status::Missing,
        };
        let Some(value) = value else {
            return finding;
        };
        let off = value - finding.expected;
        self.push(value);
        self.n_points += 1;
        finding.status = if self.n_points <= self.min_points {
            Status::Warmup
        } else if deviation > 0.0 || off.abs() > 0.0 {
            Status::Ok
        } else {
            Status::Constant
        };
        if finding.status == Status::Ok {
            finding.strength = (off.abs() / finding.margin).min(FARTHEST);
            let side = if off > 0.0 {
                (AnomalyKind::Spike, 1)
            } else {
                (AnomalyKind::Dip, -1)
            };
            finding.alert = (finding.strength >= 1.0).then_some(side);
        }
        finding
    }

    fn push(&mut self, value: f64) {
        if self.window.len() < WINDOW {
            self.window.push(value);
            if self.window.len() == 1 {
                self.origin = value;
            }
            self.add(value, 1.0);
            return;
        }
        let leaving = self.window[self.oldest];
        // After the larger part is subtracted, what is left is rounding error.
        let was_most = 2.0 * (leaving - self.origin).powi(2) >= self.squares;
        self.add(leaving, -1.0);
        self.window[self.oldest] = value;
        self.add(value, 1.0);
        self.oldest = (self.oldest + 1) % WINDOW;
        if self.oldest == 0 || was_most {
            self.sum_up();
        }
    }

    fn add(&mut self, value: f64, sign: f64) {
        let off = value - self.origin;
        self.sum += sign * off;
        self.squares += sign * off * off;
    }

    fn sum_up(&mut self) {
        self.origin = self.window.iter().sum::<f64>() / self.window.len() as f64;
        let offs = self.window.iter().map(|value| value - self.origin);
        (self.sum, self.squares) = offs.fold((0.0, 0.0), |(sum, squares), off| {
            (sum + off, squares + off * off)
        });
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self) + self.window.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::anomaly::AnomalyOptions;

    /// Mean and margin by the definition.
    fn slow(window: &[f64]) -> (f64, f64) {
        let n = window.len() as f64;
        let mean = window.iter().sum::<f64>() / n;
        let squares = window
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        (mean, DEVIATIONS * (squares / n).sqrt())
    }

    #[test]
    fn equals_the_definition_also_after_outliers() {
        let params = AnomalyOptions::default().check().unwrap();
        let mut z_score = ZScore::new(&params);
        let value = |at: usize| {
            if at % 700 == 650 {
                1e10
            } else {
                10.0 + (at * 7919 % 13) as f64
            }
        };
        let values: Vec<_> = (0..3_000).map(value).collect();
        for (at, value) in values.iter().enumerate() {
            let finding = z_score.find(Some(*value));
            if at < 24 {
                continue;
            }
            let (mean, margin) = slow(&values[at.saturating_sub(WINDOW)..at]);
            let near = |got: f64, expected: f64| (got - expected).abs() <= 1e-6 * expected.abs();
            assert!(
                near(finding.expected, mean) && near(finding.margin, margin),
                "{at}: {finding:?} {mean} {margin}"
            );
            assert_eq!(
                finding.alert.is_some(),
                (value - mean).abs() >= margin,
                "{at}"
            );
        }
    }

    #[test]
    fn a_jump_from_a_flat_line_is_found() {
        let mut z_score = ZScore::new(&AnomalyOptions::default().check().unwrap());
        let findings: Vec<_> = (0..100)
            .map(|at| z_score.find(Some(if at == 50 { 900.0 } else { 5.0 })))
            .collect();
        assert_eq!(
            (findings[49].status, findings[49].alert),
            (Status::Constant, None)
        );
        assert_eq!(
            (findings[50].status, findings[50].alert),
            (Status::Ok, Some((AnomalyKind::Spike, 1)))
        );
        assert!(findings[50].strength.is_finite());
    }
}
