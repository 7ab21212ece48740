//! What is found out about a point.

use crate::algorithms::series::anomaly::{AnomalyKind, Status};

/// What is found out about a point, before anyone asks for kinds and sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding {
    /// An alert from 1 on; it may be held back all the same.
    pub(super) strength: f64,
    /// The kind and the direction of an alert.
    pub(super) alert: Option<(AnomalyKind, i8)>,
    /// How far this point and the newest ones before it all are from the slow expectation, in
    /// scales, with their sign.
    pub(super) stays: f64,
    pub(super) expected: f64,
    /// Half the width of the bounds.
    pub(super) margin: f64,
    /// The alert that began the deviation that still lasts.
    pub(super) ongoing: Option<(AnomalyKind, i8)>,
    pub(super) status: Status,
}
