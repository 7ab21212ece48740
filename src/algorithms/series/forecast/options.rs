//! The options of a forecast.

use crate::algorithms::series::samples::Season;

/// The distance of two points of an evenly spaced series.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::Step;
/// let (hour, quarter) = (Step::Nanoseconds(3_600_000_000_000), Step::Months(3));
/// assert_ne!(hour, quarter);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// This many nanoseconds, above 0.
    Nanoseconds(i64),
    /// This many calendar months, above 0: 3 are a quarter, 12 a year.
    Months(u32),
}

/// The forecasters to use.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{Component, Model};
/// assert_eq!(Model::default(), Model::Auto);
/// assert_ne!(Model::One(Component::Theta), Model::Fast);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Model {
    /// All components, weighted by how well each forecast the newest part of the history.
    #[default]
    Auto,
    /// Only the cheap components, tried on less of the history.
    Fast,
    /// A single component.
    One(Component),
}

/// A simple forecaster.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::Component;
/// assert_eq!(Component::DampedHolt.name(), "damped_holt");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Component {
    /// The value one short season ago; without a season the last value.
    SeasonalNaive,
    /// The median of the same phase in the last seven short seasons; without a season the median of
    /// the last five values.
    SeasonalMedian,
    /// Holt's smoothing with a damped trend, plus seasons that change slowly.
    DampedHolt,
    /// The Theta method, plus seasons that change slowly.
    Theta,
    /// Simple smoothing with the whole linear trend, plus seasons that change slowly.
    Drift,
    /// A regression on the last values and those one and two seasons ago.
    Autoregression,
    /// An autoregression that returns to the level of the last sixteen seasons, plus seasons that
    /// hardly change.
    SeasonalMeans,
    /// Exponential smoothing of level and both seasons with autocorrelated errors; on logarithms if
    /// all values are above 0.
    DoubleSeasonal,
    /// `DampedHolt`, moved as the level moved a year ago; for series of days and weeks that are
    /// longer than a year.
    YearAgo,
}

impl Component {
    /// All components, in the order in which an explanation lists them.
    pub const ALL: [Self; 9] = [
        Self::SeasonalNaive,
        Self::SeasonalMedian,
        Self::DampedHolt,
        Self::Theta,
        Self::Drift,
        Self::Autoregression,
        Self::SeasonalMeans,
        Self::DoubleSeasonal,
        Self::YearAgo,
    ];

    /// The components of [`Model::Fast`].
    pub(super) const FAST: [Self; 5] = [
        Self::SeasonalNaive,
        Self::SeasonalMedian,
        Self::DampedHolt,
        Self::Theta,
        Self::Drift,
    ];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeasonalNaive => "seasonal_naive",
            Self::SeasonalMedian => "seasonal_median",
            Self::DampedHolt => "damped_holt",
            Self::Theta => "theta",
            Self::Drift => "drift",
            Self::Autoregression => "autoregression",
            Self::SeasonalMeans => "seasonal_means",
            Self::DoubleSeasonal => "double_seasonal",
            Self::YearAgo => "year_ago",
        }
    }
}

/// The options of a forecast.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::ForecastOptions;
/// let mut options = ForecastOptions::default();
/// options.quantiles = vec![0.5, 0.99];
/// assert_eq!(options.level, 0.95);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ForecastOptions {
    /// The share of future values that should lie within the interval, above 0 and below 1.
    pub level: f64,
    /// The lengths of the seasons.
    pub season: Season,
    /// The forecasters to use.
    pub model: Model,
    /// Whether the forecast stays at 0 or above; `None`: it does if no value of the history is
    /// below 0.
    pub non_negative: Option<bool>,
    /// The lower bound of forecast and interval.
    pub floor: Option<f64>,
    /// The upper bound of forecast and interval.
    pub ceiling: Option<f64>,
    /// Additional quantiles of the future value, each above 0 and below 1.
    pub quantiles: Vec<f64>,
}

impl Default for ForecastOptions {
    fn default() -> Self {
        Self {
            level: 0.95,
            season: Season::Auto,
            model: Model::Auto,
            non_negative: None,
            floor: None,
            ceiling: None,
            quantiles: vec![],
        }
    }
}
