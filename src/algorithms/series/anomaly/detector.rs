//! The detector: judges a series point by point, each by the points before it.

use crate::algorithms::series::anomaly::cadence::Cadence;
use crate::algorithms::series::anomaly::channels::{
    Channels, FLOOR, N_SILENT, POINT, SCATTER, SHIFT, THRESHOLDS, Views, below,
};
use crate::algorithms::series::anomaly::cliff::{self, LowestSeen};
use crate::algorithms::series::anomaly::finding::Finding;
use crate::algorithms::series::anomaly::history::AnomalyHistory;
use crate::algorithms::series::anomaly::model::{Expectation, SeriesModel};
use crate::algorithms::series::anomaly::ongoing::{Ongoing, OngoingState};
use crate::algorithms::series::anomaly::record::Record;
use crate::algorithms::series::anomaly::rule::{AlertRule, Strength, held_back};
use crate::algorithms::series::anomaly::season::SeasonWatch;
use crate::algorithms::series::anomaly::shape::AlertShape;
use crate::algorithms::series::anomaly::zscore::ZScore;
use crate::algorithms::series::anomaly::{
    AnomalyKind, AnomalyMethod, AnomalyParams, Status, Verdict,
};
use crate::algorithms::series::robust::{
    NORMAL_CONSISTENT, floor_index, median, median_absolute_deviation,
};
use crate::algorithms::units::DAY;

/// Larger values count as this, so that their squares are finite.
const LARGEST_VALUE: f64 = 1e120;

/// The fast expectation settles for this many points after a fall or a shift; meanwhile its
/// residuals are no change of variance.
const SETTLING_POINTS: usize = 64;

/// Nothing is reported during this part of a new season.
const SEASON_SETTLING: f64 = 0.1;

/// An alert with this many large residuals of both signs is a change of variance,
const N_BOTH_SIGNS: u32 = 4;

/// unless the average of the last points is this many scales off, as it is in a shift.
const SHIFTED: f64 = 1.5;

/// An alert that lasts this many points and is shifted is a level shift.
const N_LASTING: usize = 4;

/// A trend needs at least two days: what rises for some hours is a season that is not known yet.
const TREND_DAYS: f64 = 2.0;

/// At most this many of the first points are odd: farther from the median than [`ODD`] robust
/// standard deviations.
const MOST_ODD: usize = N_SILENT / 10;
const ODD: f64 = 5.0;

/// A fall to almost nothing is more than this many scales below the expectation.
const FALL_SCALES: f64 = 3.0;

/// Judges the points of one series in the order of time, each by the points before it.
///
/// A point takes constant time, apart from searches for seasons, which become rarer. The detector
/// keeps at most 1 MB: the newest points for the search, and a few numbers for each phase of the
/// season.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::{AnomalyOptions, Detector, AnomalyKind};
/// let mut detector = Detector::new(&AnomalyOptions::default().check()?);
/// let minute = 60_000_000_000;
/// let verdicts: Vec<_> = (0..2_000)
///     .map(|at| {
///         let load = if at == 1_900 { 500.0 } else { f64::from(100 + at * 7 % 13) };
///         detector.push(Some(i64::from(at) * minute), load)
///     })
///     .collect();
/// assert_eq!(verdicts[1_900].kind, Some(AnomalyKind::Spike));
/// assert!(verdicts[1_900].expected < 120.0);
/// assert_eq!(verdicts.iter().filter(|verdict| verdict.kind.is_some()).count(), 1);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug)]
pub struct Detector {
    params: AnomalyParams,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Adaptive(Box<Adaptive>),
    ZScore(Box<ZScore>),
}

impl Detector {
    /// A detector that has seen nothing yet.
    pub fn new(params: &AnomalyParams) -> Self {
        let judge = match params.method {
            AnomalyMethod::Adaptive => Judge::Adaptive(Box::new(Adaptive::new(params))),
            AnomalyMethod::ZScore => Judge::ZScore(Box::new(ZScore::new(params))),
        };
        Self {
            params: params.clone(),
            judge,
        }
    }

    /// Judges the next point. Its time, in nanoseconds since the Unix epoch, determines how long a
    /// day is and how old the series is; without times a point counts for five minutes, and no day
    /// or week is assumed. Times must ascend; a time that does not counts as the one before. A
    /// value that is not finite is missing.
    pub fn push(&mut self, time_ns: Option<i64>, value: f64) -> Verdict {
        let finding = self.find(time_ns, value);
        self.verdict(&finding)
    }

    pub(super) fn find(&mut self, time_ns: Option<i64>, value: f64) -> Finding {
        let value = value
            .is_finite()
            .then(|| value.clamp(-LARGEST_VALUE, LARGEST_VALUE));
        match &mut self.judge {
            Judge::Adaptive(judge) => judge.find(time_ns, value, &self.params),
            Judge::ZScore(judge) => judge.find(value),
        }
    }

    /// The verdict on a finding, limited to the kinds and sides that were asked for.
    pub(super) fn verdict(&self, finding: &Finding) -> Verdict {
        let expectation = Verdict {
            expected: finding.expected,
            lower: finding.expected - finding.margin,
            upper: finding.expected + finding.margin,
            ..Verdict::unjudged(finding.status)
        };
        if matches!(finding.status, Status::Warmup | Status::Missing) {
            return expectation;
        }
        let reported = finding
            .alert
            .filter(|(kind, direction)| self.params.reports(*kind, *direction));
        let strength = match reported {
            Some(_) => finding.strength,
            None => held_back(finding.strength),
        };
        let ongoing = finding
            .ongoing
            .filter(|(kind, direction)| self.params.reports(*kind, *direction));
        Verdict {
            is_anomaly: Some(reported.is_some()),
            kind: reported.map(|(kind, _)| kind),
            direction: Some(reported.map_or(0, |(_, direction)| direction)),
            score: strength / (1.0 + strength),
            is_ongoing: Some(reported.is_some() || ongoing.is_some()),
            ..expectation
        }
    }

    /// The memory that the detector holds, in bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self)
            + match &self.judge {
                Judge::Adaptive(judge) => judge.memory_bytes(),
                Judge::ZScore(judge) => judge.memory_bytes(),
            }
    }
}

/// The adaptive method.
#[derive(Debug)]
struct Adaptive {
    n_points: usize,
    cadence: Cadence,
    season: SeasonWatch,
    history: AnomalyHistory,
    model: SeriesModel,
    channels: Channels,
    lowest: LowestSeen,
    record: Record,
    shape: AlertShape,
    rule: AlertRule,
    ongoing: Ongoing,
    /// Large residuals before this point are no change of variance.
    settled_at: usize,
    /// Whether the current alert is a fall or a shift, after which the fast expectation settles.
    is_settling: bool,
}

impl Adaptive {
    fn new(params: &AnomalyParams) -> Self {
        Self {
            n_points: 0,
            cadence: Cadence::new(),
            season: SeasonWatch::new(&params.season),
            history: AnomalyHistory::default(),
            model: SeriesModel::new(),
            channels: Channels::new(params.strictness),
            lowest: LowestSeen::new(),
            record: Record::default(),
            shape: AlertShape::new(),
            rule: AlertRule::new(params.strictness, params.min_points),
            ongoing: Ongoing::default(),
            settled_at: 0,
            is_settling: false,
        }
    }

    fn find(
        &mut self,
        time_ns: Option<i64>,
        value: Option<f64>,
        params: &AnomalyParams,
    ) -> Finding {
        let time_ns = self.cadence.next(time_ns);
        let Some(value) = value else {
            return self.missing(time_ns, params);
        };
        if self.n_points == N_SILENT {
            self.forget_odd_beginning();
        }
        self.take_season(params);
        let at = self.n_points;
        let expected = self.model.expect(self.cadence.slot(time_ns), value);
        let was_constant = self.model.is_constant();
        let views = self.view(at, value, &expected);
        let age_days = self.cadence.age_days(time_ns);
        let falls = self.lowest.is_fall(at, value, &expected);
        let mut best = self.rule.strongest(at, age_days, &views.distances);
        if best.strength < 1.0 && at >= params.min_points {
            let strength = if falls {
                cliff::STRENGTH
            } else {
                self.record_strength(at, age_days, value - expected.slow, &views, params)
            };
            if strength >= 1.0 {
                best = Strength {
                    strength,
                    channel: POINT,
                };
            }
        }
        if !falls && best.strength < 1.0 {
            self.lowest.note(value);
        }
        if at >= N_SILENT {
            self.record.note(value - expected.slow);
        }
        let is_alert = self.rule.decide(at, age_days, best.strength, &self.cadence);
        let alert = is_alert.then(|| self.classify(at, value, &expected, &views, best, falls));
        let state = self.go_on(at, value, &expected, alert);
        self.learn(time_ns, value, &expected, state);
        let lasts = state == OngoingState::GoesOn || alert.is_some_and(|(kind, _)| lasts(kind));
        let is_constant = was_constant && self.model.is_constant();
        Finding {
            strength: best.strength,
            alert,
            stays: views.stays,
            ongoing: self.ongoing.alert(at),
            status: match state {
                OngoingState::Accepted(_) => Status::NewLevel,
                _ => status(at, is_constant, params),
            },
            ..bounds(&expected, lasts, params)
        }
    }

    fn learn(&mut self, time_ns: i64, value: f64, expected: &Expectation, state: OngoingState) {
        self.model
            .learn(value, expected, state == OngoingState::GoesOn);
        if let OngoingState::Accepted(by) = state {
            self.model.accept(by);
        }
        self.history.push(time_ns, value);
        self.n_points += 1;
    }

    /// The strength of a point as a record; 0 if it is no event, or if the expectation is new.
    fn record_strength(
        &self,
        at: usize,
        age_days: f64,
        residual: f64,
        views: &Views,
        params: &AnomalyParams,
    ) -> f64 {
        let is_event = views.distances[POINT] >= THRESHOLDS[POINT] * params.strictness;
        if is_event && !self.rule.is_quiet(at) {
            self.record.strength(age_days, residual)
        } else {
            0.0
        }
    }

    /// Learns the first points again if one or two of them are unlike the others: a count begins in
    /// the middle of its first step, and a scale that has seen such a point takes long to forget
    /// it.
    fn forget_odd_beginning(&mut self) {
        let (times_ns, values) = self.history.newest(N_SILENT);
        let (Some(middle), Some(spread)) = (median(values), median_absolute_deviation(values))
        else {
            return;
        };
        let most = ODD * NORMAL_CONSISTENT * spread;
        let usual = |value: f64| value.clamp(middle - most, middle + most);
        let is_odd = |value: &&f64| (**value - middle).abs() > most;
        let n_odd = values.iter().filter(is_odd).count();
        if n_odd == 0 || n_odd > MOST_ODD {
            return;
        }
        self.model = SeriesModel::new();
        for (&time_ns, &value) in times_ns.iter().zip(values) {
            let value = usual(value);
            let expected = self.model.expect(self.cadence.slot(time_ns), value);
            self.model.learn(value, &expected, false);
        }
    }

    /// Checks whether the reported deviation continues at this point.
    fn go_on(
        &mut self,
        at: usize,
        value: f64,
        expected: &Expectation,
        alert: Option<(AnomalyKind, i8)>,
    ) -> OngoingState {
        let residual = value - expected.slow;
        let scale = expected.slow_scale + FLOOR * expected.spread + expected.rounding;
        let period = self.season.period().unwrap_or(0);
        self.ongoing
            .push(at, residual, residual / scale, alert, period)
    }

    /// The finding for a missing value: only the expectation is known, and before the first point
    /// not even that.
    fn missing(&mut self, time_ns: i64, params: &AnomalyParams) -> Finding {
        let slot = self.cadence.slot(time_ns);
        bounds(&self.model.expect(slot, f64::NAN), false, params)
    }

    /// Looks for a season if a search is due.
    fn take_season(&mut self, params: &AnomalyParams) {
        let Self {
            season,
            history,
            cadence,
            ..
        } = self;
        if !season.is_due(self.n_points) {
            return;
        }
        history.hold_days(cadence.points_in(DAY));
        let found = season.look(self.n_points, history, cadence, &params.searches);
        let n_wanted = found.map_or(usize::MAX, SeriesModel::n_for_season);
        let (slots, values) = history.newest_slots(n_wanted, cadence);
        let Some(period) = found else {
            let (times_ns, _) = history.newest(1);
            let days = times_ns
                .last()
                .map_or(0.0, |time_ns| cadence.age_days(*time_ns));
            if days >= TREND_DAYS {
                self.model.take_trend(&slots, &values);
            }
            return;
        };
        self.model.take_season(period, &slots, &values);
        let settling = SEASON_SETTLING * period as f64;
        self.rule
            .be_quiet_until(self.n_points + floor_index(settling));
    }

    /// The three views of the point. While expectations settle, their residuals are no scatter.
    fn view(&mut self, at: usize, value: f64, expected: &Expectation) -> Views {
        let mut views = self.channels.view(value, expected);
        self.shape.push(value - expected.slow);
        if self.is_settling && views.distances[POINT] >= THRESHOLDS[POINT] {
            self.settled_at = self.settled_at.max(at + SETTLING_POINTS);
        }
        self.is_settling &= self.rule.in_point_event(at);
        if at < self.settled_at {
            views.distances[SCATTER] = views.distances[SCATTER].min(below(SCATTER));
        }
        views
    }

    /// The kind and the direction of an alert.
    fn classify(
        &mut self,
        at: usize,
        value: f64,
        expected: &Expectation,
        views: &Views,
        best: Strength,
        falls: bool,
    ) -> (AnomalyKind, i8) {
        let is_shifted = views.shift.abs() > SHIFTED;
        let scatters = views.n_both_signs >= N_BOTH_SIGNS && views.shift.abs() < SHIFTED;
        let is_lasting = at - self.rule.onset() >= N_LASTING && is_shifted;
        let up = if value > expected.slow { 1 } else { -1 };
        let (kind, direction) = if best.channel == SCATTER || scatters {
            (AnomalyKind::VarianceChange, 0)
        } else if falls || is_almost_nothing(value, expected) {
            (AnomalyKind::CliffDrop, -1)
        } else if best.channel == SHIFT || is_lasting {
            let kind = if self.shape.is_ramp() {
                AnomalyKind::Trend
            } else {
                AnomalyKind::LevelShift
            };
            (kind, if views.shift > 0.0 { 1 } else { -1 })
        } else if up > 0 {
            (AnomalyKind::Spike, up)
        } else {
            (AnomalyKind::Dip, up)
        };
        if matches!(kind, AnomalyKind::CliffDrop | AnomalyKind::LevelShift) {
            self.settled_at = at + SETTLING_POINTS;
            self.is_settling = true;
        }
        (kind, direction)
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(self) + self.history.memory_bytes() + self.model.memory_bytes()
    }
}

/// Whether a value is almost nothing compared with the expectation, and far from it.
fn is_almost_nothing(value: f64, expected: &Expectation) -> bool {
    let is_little = value >= 0.0 && value < cliff::OF_EXPECTED * expected.slow;
    is_little && expected.slow - value > FALL_SCALES * expected.slow_scale
}

fn status(at: usize, is_constant: bool, params: &AnomalyParams) -> Status {
    if at < params.min_points.max(N_SILENT) {
        Status::Warmup
    } else if is_constant {
        Status::Constant
    } else {
        Status::Ok
    }
}

/// Whether anomalies of this kind span many points.
fn lasts(kind: AnomalyKind) -> bool {
    matches!(
        kind,
        AnomalyKind::LevelShift | AnomalyKind::Trend | AnomalyKind::CliffDrop
    )
}

/// The expectation and its bounds, for a point that is not judged yet. An anomaly that lasts is
/// compared with the slow expectation, since the fast one follows it.
fn bounds(expected: &Expectation, lasts: bool, params: &AnomalyParams) -> Finding {
    let (center, scale) = if lasts {
        (expected.slow, expected.slow_scale)
    } else {
        (expected.fast, expected.fast_scale)
    };
    let scale = scale + FLOOR * expected.spread;
    Finding {
        strength: 0.0,
        alert: None,
        stays: 0.0,
        ongoing: None,
        expected: center,
        margin: THRESHOLDS[POINT] * params.strictness * scale,
        status: Status::Missing,
    }
}
