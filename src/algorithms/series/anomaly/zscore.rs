//! The rolling z-score: how many standard deviations a point is from the mean of the last ones. What dashboards do, for
//! comparison and for those who want exactly that; it knows no season and remembers no events.

use crate::algorithms::series::anomaly::detector::Finding;
use crate::algorithms::series::anomaly::{AnomalyParams, Kind, Status};

/// The points of the window: a day of five minutes.
const WINDOW: usize = 288;

/// Standard deviations from the mean at the default level: what holds 0.999 of a normal distribution.
const DEVIATIONS: f64 = 3.290_526_731;

/// The last points, with their sum and that of their squares.
#[derive(Debug)]
pub(super) struct ZScore {
    window: Vec<f64>,
    /// Where the oldest point is once the window is full.
    oldest: usize,
    n_points: usize,
    /// Sums are of the differences from the first value of the window, so that large values lose no digits; they are
    /// computed anew with each turn of the window, so that rounding does not add up.
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
        } else if deviation > 0.0 {
            Status::Ok
        } else {
            Status::Constant
        };
        if finding.status == Status::Ok {
            finding.strength = off.abs() / finding.margin;
            let side = if off > 0.0 {
                (Kind::Spike, 1)
            } else {
                (Kind::Dip, -1)
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
        self.add(self.window[self.oldest], -1.0);
        self.window[self.oldest] = value;
        self.add(value, 1.0);
        self.oldest = (self.oldest + 1) % WINDOW;
        if self.oldest == 0 {
            self.sum_up();
        }
    }

    fn add(&mut self, value: f64, sign: f64) {
        let off = value - self.origin;
        self.sum += sign * off;
        self.squares += sign * off * off;
    }

    fn sum_up(&mut self) {
        self.origin = self.window[0];
        let offs = self.window.iter().map(|value| value - self.origin);
        (self.sum, self.squares) = offs.fold((0.0, 0.0), |(sum, squares), off| {
            (sum + off, squares + off * off)
        });
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self) + self.window.capacity() * 8
    }
}
