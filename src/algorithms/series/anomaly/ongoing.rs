//! Deviations that last: an alert is news for some points, while the deviation after it may last
//! for hours.
//!
//! A deviation lasts until the values are back, or for a whole season: after that they are the new
//! normal, and the level moves there. Meanwhile the model learns nothing from it, so that
//! expectations and bounds stay those of the time before.

use crate::algorithms::series::anomaly::AnomalyKind;
use crate::algorithms::series::anomaly::rule::GAP_POINTS;

/// Values whose slow residual is fewer scales are back.
const STAYS: f64 = 3.0;

/// A deviation of at most this many points is too brief for the model to stop learning.
const N_BRIEF: usize = 8;

/// Without a season a new level is accepted as with one of this many points.
const LEAST_POINTS: usize = 200;

/// A deviation that lasts.
#[derive(Debug, Clone, Copy)]
struct Deviation {
    /// The alert that was reported when it began.
    alert: (AnomalyKind, i8),
    /// 1 up, -1 down.
    direction: f64,
    n_points: usize,
    sum: f64,
    newest: usize,
}

/// The deviation that lasts, if there is one.
#[derive(Debug, Default)]
pub(super) struct Ongoing(Option<Deviation>);

/// The state of the deviation at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OngoingState {
    /// There is no deviation.
    Quiet,
    /// A deviation has begun.
    Begins,
    /// It continues, and is long enough for the model to learn nothing from it.
    GoesOn,
    /// It has lasted for a season; the value is its mean residual.
    Accepted(f64),
}

impl Ongoing {
    /// The alert that began the deviation that still lasts at point `at`.
    pub(super) fn alert(&self, at: usize) -> Option<(AnomalyKind, i8)> {
        let deviation = self.0.filter(|deviation| deviation.newest == at)?;
        Some(deviation.alert)
    }

    /// Takes the slow residual of a point, the same in scales, and the alert of the point.
    pub(super) fn push(
        &mut self,
        at: usize,
        residual: f64,
        size: f64,
        alert: Option<(AnomalyKind, i8)>,
        period: usize,
    ) -> OngoingState {
        if let Some(deviation) = &mut self.0 {
            if size * deviation.direction >= STAYS {
                deviation.newest = at;
            }
            if at - deviation.newest <= GAP_POINTS {
                deviation.n_points += 1;
                deviation.sum += residual;
                return self.go_on(period);
            }
            self.0 = None;
        }
        let lasts = |(kind, _): &(AnomalyKind, i8)| {
            *kind != AnomalyKind::VarianceChange && size.abs() >= STAYS
        };
        let Some(alert) = alert.filter(lasts) else {
            return OngoingState::Quiet;
        };
        self.0 = Some(Deviation {
            alert,
            direction: size.signum(),
            n_points: 1,
            sum: residual,
            newest: at,
        });
        OngoingState::Begins
    }

    fn go_on(&mut self, period: usize) -> OngoingState {
        let Some(deviation) = self.0 else {
            return OngoingState::Quiet;
        };
        if deviation.n_points >= period.max(LEAST_POINTS) {
            self.0 = None;
            OngoingState::Accepted(deviation.sum / deviation.n_points as f64)
        } else if deviation.n_points > N_BRIEF {
            OngoingState::GoesOn
        } else {
            OngoingState::Begins
        }
    }
}
