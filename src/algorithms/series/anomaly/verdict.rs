//! The verdict on a point.

use crate::algorithms::series::anomaly::AnomalyKind;

/// The basis of a verdict.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::Status;
/// assert_eq!(Status::Warmup.as_str(), "warmup");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Enough points.
    Ok,
    /// Too few points so far: the point is not judged.
    Warmup,
    /// The point has no value: it is not judged and changes nothing.
    Missing,
    /// All points so far are equal, including this one.
    Constant,
    /// The reported deviation has lasted for a season, or for 200 points: it is the level from now
    /// on.
    NewLevel,
    /// The step of the point has not ended: its value is incomplete, so it is not judged and
    /// changes nothing.
    Running,
}

impl Status {
    /// Its name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warmup => "warmup",
            Self::Missing => "missing",
            Self::Constant => "constant",
            Self::NewLevel => "new_level",
            Self::Running => "running",
        }
    }
}

/// The verdict on a point; numbers are NaN if nothing is known.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::{AnomalyOptions, Detector, Status};
/// let mut detector = Detector::new(&AnomalyOptions::default().check()?);
/// let verdict = detector.push(None, 3.0);
/// assert_eq!((verdict.is_anomaly, verdict.status), (None, Status::Warmup));
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the point is an anomaly of a kind and on a side that were asked for; `None` if it
    /// was not judged.
    pub is_anomaly: Option<bool>,
    /// The kind of the anomaly; `None` if the point is not one.
    pub kind: Option<AnomalyKind>,
    /// 1 for up, -1 for down, 0 for a change of variance or no anomaly; `None` if the point was not
    /// judged.
    pub direction: Option<i8>,
    /// The strength of the evidence, 0 to 1; 0.5 or more is an anomaly.
    pub score: f64,
    /// The expected value, in the unit of the series.
    pub expected: f64,
    /// Below this a single point is far from expected.
    pub lower: f64,
    /// Above this a single point is far from expected.
    pub upper: f64,
    /// The basis of the verdict.
    pub status: Status,
    /// Whether the point is an anomaly, or an earlier anomaly still lasts; `None` if the point was
    /// not judged. A spike or a dip, a fall to nothing, a shift and a trend last until the values
    /// are back, or are accepted as the new level.
    pub is_ongoing: Option<bool>,
}

impl Verdict {
    /// The verdict on a point that is not judged.
    pub(super) const fn unjudged(status: Status) -> Self {
        Self {
            is_anomaly: None,
            kind: None,
            direction: None,
            score: f64::NAN,
            expected: f64::NAN,
            lower: f64::NAN,
            upper: f64::NAN,
            status,
            is_ongoing: None,
        }
    }
}
