//! The alert rule: which views are events, and which events are worth an alert.
//!
//! A view that passes its threshold is an event. Events that recur at the same time are a season,
//! and expected. Other events that recur are incidents, and each is reported, as long as there are
//! few: they may come [`INCIDENTS_A_DAY`] times a day without becoming normal. Events that come
//! more often are the noise of a bursty series. Their tail tells how large an event must be to come
//! [`FALSE_A_DAY`] times a day by itself: the tail is extended from the size that comes as often as
//! incidents may (Weissman, "Estimation of parameters and large quantiles based on the k largest
//! observations", 1978). Its slope is the lesser of two: that of the larger events (Hill, "A simple
//! general approach to inference about the tail of a distribution", 1975), two standard errors
//! steeper, and that from half the threshold to that size. So events of one size have no tail, and
//! incidents do not make one. Larger events are alerts.
//!
//! All counts are events per day and fade over weeks. So neither the step nor the age of a series
//! matters: a series that was quiet reports the twentieth incident like the second.

use crate::algorithms::series::anomaly::cadence::Cadence;
use crate::algorithms::series::anomaly::channels::{N_CHANNELS, POINT, THRESHOLDS};
use crate::algorithms::series::anomaly::sizes::{LEAST, Sizes};

/// This many incidents a day do not raise the bar for the next one.
const INCIDENTS_A_DAY: f64 = 2.0;

/// Neither do this many more, whatever the age of the series: the incidents of a first bad day.
const FIRST_INCIDENTS: f64 = 4.0;

/// The number of times a day that an event of noise may pass the bar.
const FALSE_A_DAY: f64 = 0.1;

/// The largest slope of the tail, as the logarithm of size by that of frequency. Heavier tails have
/// no mean.
const HEAVIEST_TAIL: f64 = 3.0;

/// The estimated slope of the largest events is raised by this many standard errors, since they are
/// few.
const STANDARD_ERRORS: f64 = 2.0;

/// An event counts half after this many days.
const HALF_LIFE_DAYS: f64 = 7.0;

/// Events are faded once every this many points, to save time.
const FADE_POINTS: usize = 64;

/// On the first day, whose season cannot be known yet, events must be up to 1 + 5 times as large.
const FIRST_DAY: f64 = 5.0;

/// An event ends after this many points below the threshold.
pub(super) const GAP_POINTS: usize = 5;

/// After this many points an event that continues is no longer news: the new state becomes normal.
pub(super) const NEWS_POINTS: usize = 20;

/// The part of the age of the series for which only a larger alert is reported after an alert, and
/// at most an hour.
const HOLD_SHARE: f64 = 0.05;
const LONGEST_HOLD_DAYS: f64 = 1.0 / 24.0;

/// The events of one view; sizes are in thresholds.
#[derive(Debug)]
struct Events {
    sizes: Sizes,
    /// The size from which an event is an alert.
    bar: f64,
    /// The largest size of what may become an event, and its newest point.
    peak: f64,
    newest_stir: Option<usize>,
    /// The number of points of the current event, and the newest of them.
    n_current: usize,
    newest: Option<usize>,
}

impl Events {
    const NONE: Self = Self {
        sizes: Sizes::NONE,
        bar: 1.0,
        peak: 0.0,
        newest_stir: None,
        n_current: 0,
        newest: None,
    };

    /// Ends the events that are over; `days` is the time for which events are known.
    fn end(&mut self, at: usize, days: f64) {
        let is_over = |newest: usize| at - newest > GAP_POINTS;
        if self.newest_stir.is_some_and(is_over) {
            self.sizes.add(self.peak);
            (self.peak, self.newest_stir) = (0.0, None);
            self.set_bar(days);
        }
        if self.newest.is_some_and(is_over) {
            (self.n_current, self.newest) = (0, None);
        }
    }

    fn set_bar(&mut self, days: f64) {
        let n_incidents = FIRST_INCIDENTS + INCIDENTS_A_DAY * days;
        let n_events = self.sizes.total();
        self.bar = 1.0;
        if n_events > n_incidents {
            let size = self.sizes.reached_by(n_incidents);
            let below = (size / LEAST).ln() / (n_events / n_incidents).ln();
            let surely = 1.0 + STANDARD_ERRORS / n_incidents.sqrt();
            let tail = below.min(self.sizes.slope_above(n_incidents) * surely);
            let rarer: f64 = INCIDENTS_A_DAY / FALSE_A_DAY;
            self.bar = (size * rarer.powf(tail.min(HEAVIEST_TAIL))).max(1.0);
        }
    }

    fn fade(&mut self, factor: f64, days: f64) {
        if self.sizes.total() > 0.0 {
            self.sizes.fade(factor);
            self.set_bar(days);
        }
    }

    fn go_on(&mut self, at: usize, size: f64) {
        if size >= LEAST {
            self.peak = self.peak.max(size);
            self.newest_stir = Some(at);
        }
        if size >= 1.0 {
            self.newest = Some(at);
            self.n_current += 1;
        }
    }
}

/// The strongest view of a point, and how clearly it is an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    /// 1 or more is an alert.
    pub(super) strength: f64,
    pub(super) channel: usize,
}

/// The state of the alert rule.
#[derive(Debug)]
pub(super) struct AlertRule {
    /// Factors from distances to sizes.
    per_threshold: [f64; N_CHANNELS],
    min_points: usize,
    events: [Events; N_CHANNELS],
    faded_days: f64,
    /// The number of days for which events are known, faded like their counts.
    known_days: f64,
    /// No alert is reported before this point, except falls to nothing.
    quiet_until: usize,
    newest_alert: Option<usize>,
    largest_alert: f64,
    /// The first point of the current alert.
    onset: usize,
}

impl AlertRule {
    pub(super) fn new(strictness: f64, min_points: usize) -> Self {
        Self {
            per_threshold: THRESHOLDS.map(|threshold| 1.0 / (threshold * strictness)),
            min_points,
            events: [Events::NONE; N_CHANNELS],
            faded_days: 0.0,
            known_days: 0.0,
            quiet_until: 0,
            newest_alert: None,
            largest_alert: 0.0,
            onset: 0,
        }
    }

    /// Reports no alert before this point, since the expectation is new.
    pub(super) fn be_quiet_until(&mut self, at: usize) {
        self.quiet_until = at;
    }

    /// Whether the expectation is new at point `at`.
    pub(super) fn is_quiet(&self, at: usize) -> bool {
        at < self.quiet_until
    }

    /// Whether an event of the view [`POINT`] is not over yet at point `at`.
    pub(super) fn in_point_event(&self, at: usize) -> bool {
        let newest = self.events[POINT].newest;
        newest.is_some_and(|newest| at - newest <= GAP_POINTS)
    }

    /// The first point of the current alert.
    pub(super) fn onset(&self) -> usize {
        self.onset
    }

    /// The view of point `at` that is strongest relative to what this view has shown before.
    pub(super) fn strongest(
        &mut self,
        at: usize,
        age_days: f64,
        distances: &[f64; N_CHANNELS],
    ) -> Strength {
        self.fade(at, age_days);
        let is_quiet = self.is_quiet(at);
        let young = 1.0 + FIRST_DAY * (1.0 - age_days).max(0.0);
        let mut best = Strength {
            strength: 0.0,
            channel: POINT,
        };
        for (channel, events) in self.events.iter_mut().enumerate() {
            events.end(at, self.known_days);
            if at < self.min_points {
                continue;
            }
            let size = distances[channel] * self.per_threshold[channel];
            let alert = events.bar * young;
            // A product first, since most points then need no division.
            if size > best.strength * alert {
                let mut strength = size / alert;
                if events.n_current >= NEWS_POINTS || is_quiet {
                    strength = held_back(strength);
                }
                if strength > best.strength {
                    best = Strength { strength, channel };
                }
            }
            events.go_on(at, size);
        }
        best
    }

    fn fade(&mut self, at: usize, age_days: f64) {
        if !at.is_multiple_of(FADE_POINTS) {
            return;
        }
        let days = age_days - self.faded_days;
        let factor = 0.5_f64.powf(days / HALF_LIFE_DAYS);
        self.known_days = self.known_days * factor + days;
        self.faded_days = age_days;
        for events in &mut self.events {
            events.fade(factor, self.known_days);
        }
    }

    /// Whether an alert is reported, rather than held back because a larger one was reported just
    /// before.
    pub(super) fn decide(
        &mut self,
        at: usize,
        age_days: f64,
        strength: f64,
        cadence: &Cadence,
    ) -> bool {
        if strength < 1.0 {
            return false;
        }
        let hold = (age_days * HOLD_SHARE).min(LONGEST_HOLD_DAYS) / cadence.step_days();
        let since = self.newest_alert.map(|newest| at - newest);
        let is_held = since.is_some_and(|since| (since as f64) < hold);
        let goes_on = since.is_some_and(|since| since <= GAP_POINTS);
        if is_held && strength < self.largest_alert && !goes_on {
            return false;
        }
        if !is_held {
            self.largest_alert = 0.0;
        }
        if !goes_on {
            self.onset = at;
        }
        self.newest_alert = Some(at);
        self.largest_alert = self.largest_alert.max(strength);
        true
    }
}

/// The strength of an alert that is not reported: below that of an alert, in the same order.
pub(super) fn held_back(strength: f64) -> f64 {
    if strength < 1.0 {
        strength
    } else {
        1.0 - 0.1 / strength
    }
}
