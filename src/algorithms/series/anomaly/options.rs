//! The options of the detector, and their checked form.

use std::sync::Arc;

use crate::algorithms::series::Season;
use crate::algorithms::series::anomaly::season::Searches;
use crate::{Error, Result};

/// The kind of an anomaly.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::AnomalyKind;
/// assert_eq!(AnomalyKind::ALL.map(AnomalyKind::as_str)[2], "level_shift");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A few points above the expectation.
    Spike,
    /// A few points below the expectation.
    Dip,
    /// The values stay higher or lower than they were.
    LevelShift,
    /// The values scatter more than they did.
    VarianceChange,
    /// The values fall to nothing, or to almost nothing of the expectation.
    CliffDrop,
    /// The values drift away from their level, point by point.
    Trend,
}

impl AnomalyKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Spike,
        Self::Dip,
        Self::LevelShift,
        Self::VarianceChange,
        Self::CliffDrop,
        Self::Trend,
    ];

    /// Its name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Dip => "dip",
            Self::LevelShift => "level_shift",
            Self::VarianceChange => "variance_change",
            Self::CliffDrop => "cliff_drop",
            Self::Trend => "trend",
        }
    }
}

/// The side of the expectation on which anomalies are reported. A change of variance is on both.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::Sides;
/// assert_eq!(Sides::default(), Sides::Both);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Sides {
    /// Above and below.
    #[default]
    Both,
    /// Above only.
    Up,
    /// Below only.
    Down,
}

/// How points are judged.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::AnomalyMethod;
/// assert_eq!(AnomalyMethod::default(), AnomalyMethod::Adaptive);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AnomalyMethod {
    /// Against a learnt season and level, with an alert rule that remembers what the series has
    /// shown.
    #[default]
    Adaptive,
    /// Against mean and standard deviation of the last 288 points, as dashboards do; finds only
    /// spikes and dips.
    ZScore,
}

/// The default of [`AnomalyOptions::level`].
pub(crate) const DEFAULT_LEVEL: f64 = 0.999;

/// The number of points before the first verdict: a day of hourly values.
pub(crate) const DEFAULT_MIN_POINTS: usize = 24;

/// What to look for, and how. [`AnomalyOptions::check`] makes the form that a [`Detector`] takes.
///
/// [`Detector`]: crate::algorithms::series::anomaly::Detector
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::AnomalyOptions;
/// let mut too_sure = AnomalyOptions::default();
/// too_sure.level = 1.0;
/// assert_eq!(too_sure.check().unwrap_err().to_string(), "level needs a number above 0.5 and below 1, got 1");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AnomalyOptions {
    /// The kinds to report. The detector looks for all kinds even so, so that one is not taken for
    /// another.
    pub kinds: Vec<AnomalyKind>,
    /// The sides to report.
    pub sides: Sides,
    /// The season: found, none, or given. If several are given, the longest one with two cycles
    /// seen is used.
    pub season: Season,
    /// How sure a verdict must be, above 0.5 and below 1: thresholds and bounds are as wide as the
    /// interval that holds this share of a normal distribution, relative to the default. At .99
    /// they are .78 times as wide, at .9999 1.18 times.
    pub level: f64,
    /// The number of points that must have been seen before one is judged, at least 3;
    /// [`AnomalyMethod::Adaptive`] always needs 20.
    pub min_points: usize,
    /// How points are judged.
    pub method: AnomalyMethod,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self {
            kinds: AnomalyKind::ALL.to_vec(),
            sides: Sides::default(),
            season: Season::default(),
            level: DEFAULT_LEVEL,
            min_points: DEFAULT_MIN_POINTS,
            method: AnomalyMethod::default(),
        }
    }
}

impl AnomalyOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// If there are no kinds, if the level is not between 0.5 and 1, if `min_points` is below 3, or
    /// if a given season is shorter than 2 points or not above 0.
    pub fn check(&self) -> Result<AnomalyParams> {
        if self.kinds.is_empty() {
            return Err(Error::invalid_option("kinds needs at least one kind"));
        }
        if !(self.level > 0.5 && self.level < 1.0) {
            let level = self.level;
            return Err(Error::invalid_option(format!(
                "level needs a number above 0.5 and below 1, got {level}"
            )));
        }
        if self.min_points < 3 {
            let min_points = self.min_points;
            return Err(Error::invalid_option(format!(
                "min_points needs at least 3, got {min_points}"
            )));
        }
        self.season.check()?;
        Ok(AnomalyParams {
            reported: AnomalyKind::ALL.map(|kind| self.kinds.contains(&kind)),
            sides: self.sides,
            season: self.season.clone(),
            strictness: half_width(self.level) / half_width(DEFAULT_LEVEL),
            min_points: self.min_points,
            method: self.method,
            searches: Arc::default(),
        })
    }
}

/// Checked options.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::{AnomalyOptions, Detector};
/// let params = AnomalyOptions::default().check()?;
/// let mut detector = Detector::new(&params);
/// # let _ = detector.push(None, 1.0);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AnomalyParams {
    /// Whether each kind is reported, in the order of [`AnomalyKind::ALL`].
    reported: [bool; 6],
    sides: Sides,
    pub(super) season: Season,
    /// The factor of all thresholds.
    pub(super) strictness: f64,
    pub(super) min_points: usize,
    pub(super) method: AnomalyMethod,
    /// Shared by all series that are judged with these options.
    pub(super) searches: Arc<Searches>,
}

impl AnomalyParams {
    /// Whether this anomaly is among those to report.
    pub(super) fn reports(&self, kind: AnomalyKind, direction: i8) -> bool {
        let on_side = match self.sides {
            Sides::Both => true,
            Sides::Up => direction >= 0,
            Sides::Down => direction <= 0,
        };
        on_side
            && AnomalyKind::ALL
                .iter()
                .zip(self.reported)
                .any(|(known, is_reported)| *known == kind && is_reported)
    }
}

/// The number of standard deviations on each side of the mean that hold this share of a normal
/// distribution.
///
/// Odeh and Evans, "The percentage points of the normal distribution", 1974 (AS 70); error below
/// 1.5e-8.
fn half_width(share: f64) -> f64 {
    let tail = (1.0 - share) / 2.0;
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = [
        -0.322_232_431_088,
        -1.0,
        -0.342_242_088_547,
        -0.020_423_121_024_5,
        -4.536_422_101_48e-5,
    ];
    let denominator = [
        0.099_348_462_606,
        0.588_581_570_495,
        0.531_103_462_366,
        0.103_537_752_85,
        0.003_856_070_063_4,
    ];
    let at = |coefficients: [f64; 5]| coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c);
    t + at(numerator) / at(denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `scipy.stats.norm.ppf((1 + share) / 2)`.
    #[test]
    fn widths_of_the_normal_distribution() {
        for (share, expected) in [
            (0.5, 0.674_489_75),
            (0.95, 1.959_963_98),
            (0.99, 2.575_829_30),
            (0.999, 3.290_526_73),
        ] {
            assert!((half_width(share) - expected).abs() < 1e-7, "{share}");
        }
    }

    #[test]
    fn wrong_options_are_named() {
        let check = |options: AnomalyOptions, expected: &str| {
            assert_eq!(options.check().unwrap_err().to_string(), expected);
        };
        let default = AnomalyOptions::default();
        check(
            AnomalyOptions {
                kinds: vec![],
                ..default.clone()
            },
            "kinds needs at least one kind",
        );
        check(
            AnomalyOptions {
                min_points: 2,
                ..default.clone()
            },
            "min_points needs at least 3, got 2",
        );
        check(
            AnomalyOptions {
                season: Season::Points(vec![1]),
                ..default
            },
            "season needs at least 2 points, got 1; write season=none for none",
        );
    }

    #[test]
    fn sides_and_kinds_choose() {
        let options = AnomalyOptions {
            kinds: vec![AnomalyKind::Spike, AnomalyKind::VarianceChange],
            sides: Sides::Up,
            ..AnomalyOptions::default()
        };
        let params = options.check().unwrap();
        assert!(
            params.reports(AnomalyKind::Spike, 1) && params.reports(AnomalyKind::VarianceChange, 0)
        );
        assert!(
            !params.reports(AnomalyKind::LevelShift, 1) && !params.reports(AnomalyKind::Spike, -1)
        );
    }
}
