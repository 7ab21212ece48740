//! What is said of a point.

use crate::algorithms::series::anomaly::AnomalyKind;

/// What a verdict rests on.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::Status;
/// assert_eq!(Status::Warmup.as_str(), "warmup");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// On enough points.
    Ok,
    /// Too few points yet: the point is not judged.
    Warmup,
    /// The point has no value: it is not judged and changes nothing.
    Missing,
    /// All points so far are equal, this one too.
    Constant,
    /// What was reported has lasted for a season, or for 200 points: this is the level from here
    /// on.
    NewLevel,
    /// The step of the point has not ended: its value is not complete, so it is not judged and
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

/// What is said of a point; NaN where nothing can be said.
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
    /// Whether it is an anomaly of a kind and on a side that were asked for; `None` if it was not
    /// judged.
    pub is_anomaly: Option<bool>,
    /// What it is; `None` unless it is one.
    pub kind: Option<AnomalyKind>,
    /// 1 up, -1 down, 0 for a change of variance and where there is no anomaly; `None` if it was
    /// not judged.
    pub direction: Option<i8>,
    /// How strong the evidence is, 0 to 1; an anomaly from 0.5 on.
    pub score: f64,
    /// The value that was expected, in the unit of the series.
    pub expected: f64,
    /// Below this a single point is far from expected.
    pub lower: f64,
    /// Above this a single point is far from expected.
    pub upper: f64,
    /// What the verdict rests on.
    pub status: Status,
    /// Whether it is an anomaly, or what was one a while ago goes on; `None` if it was not judged.
    /// A spike or a dip, a fall to nothing, a shift and a trend go on until the values are back, or
    /// are accepted as the new level.
    pub is_ongoing: Option<bool>,
}

impl Verdict {
    /// Of a point that is not judged.
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
