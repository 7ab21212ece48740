//! The finding about a point.

use crate::algorithms::series::anomaly::{AnomalyKind, Status};

/// The finding about a point, before kinds and sides are selected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding {
    /// The strength; 1 or more is an alert, which may still be held back.
    pub(super) strength: f64,
    /// The kind and the direction of an alert.
    pub(super) alert: Option<(AnomalyKind, i8)>,
    /// How far this point and the newest ones before it are all from the slow expectation, in
    /// scales, with sign.
    pub(super) stays: f64,
    pub(super) expected: f64,
    /// Half the width of the bounds.
    pub(super) margin: f64,
    /// The alert that began the deviation that still lasts.
    pub(super) ongoing: Option<(AnomalyKind, i8)>,
    pub(super) status: Status,
}
