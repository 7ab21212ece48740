//! The alert rule: what is an event, and which events are worth an alert.
//!
//! A view passes its threshold: that is an event. It is worth an alert if it is also large among the events that this
//! series has shown: more than [`LARGER`] times the event of a certain rank. So a series that never leaves its bounds
//! reports everything, and one that leaps every day reports what leaps higher. The rank grows with the age of the series,
//! and so does not depend on how long a file is: a rate of alerts stays a rate. It grows with the step too, because a
//! value that stands for an hour is worth more attention than one that stands for a minute. No distribution is assumed:
//! of exchangeable events the share that is among the largest is the same whatever their tail.
//!
//! A tail probability in place of the rank was tried: it needs thousands of points, and twenty incidents in seven hundred
//! points ruin it.

use crate::algorithms::series::anomaly::cadence::Cadence;
use crate::algorithms::series::anomaly::channels::{N_CHANNELS, POINT, THRESHOLDS};

/// How many of its largest events a view remembers; no rank goes beyond.
const N_REMEMBERED: usize = 64;

/// The rank of the event that must be exceeded, at the start.
const FIRST_RANK: f64 = 4.0;

/// How much the rank grows in a day of hourly values.
const RANK_A_DAY: f64 = 1.0;

/// The rank grows in proportion to the step, up to so many hours.
const LONGEST_STEP_HOURS: f64 = 4.0;

/// An alert is so many times as large as the event of that rank.
const LARGER: f64 = 2.5;

/// After so many days an event counts half.
const HALF_LIFE_DAYS: f64 = 90.0;

/// Old events are faded once in so many points, to save time.
const FADE_POINTS: usize = 64;

/// In the first day, of which the season cannot be known, events must be up to 1 + 5 times as large.
const FIRST_DAY: f64 = 5.0;

/// An event ends after so many points below the threshold.
pub(super) const GAP_POINTS: usize = 5;

/// After so many points an event that goes on is no news any more: the new state becomes normal.
pub(super) const NEWS_POINTS: usize = 20;

/// After an alert, for a twentieth of the age of the series but at most a quarter of a day, only a larger one is reported.
const HOLD_SHARE: f64 = 0.05;
const LONGEST_HOLD_DAYS: f64 = 0.25;

/// The events of one view.
#[derive(Debug)]
struct Events {
    /// The largest ones, largest first; 0 where there was none.
    largest: [f64; N_REMEMBERED],
    current: f64,
    n_current: usize,
    newest: Option<usize>,
}

impl Events {
    const NONE: Self = Self {
        largest: [0.0; N_REMEMBERED],
        current: 0.0,
        n_current: 0,
        newest: None,
    };

    /// Ends the event that is over.
    fn end(&mut self, at: usize) {
        if self.newest.is_some_and(|newest| at - newest > GAP_POINTS) {
            self.remember();
            (self.current, self.n_current, self.newest) = (0.0, 0, None);
        }
    }

    fn remember(&mut self) {
        let place = self.largest.partition_point(|&known| known >= self.current);
        if place < N_REMEMBERED {
            self.largest.copy_within(place..N_REMEMBERED - 1, place + 1);
            self.largest[place] = self.current;
        }
    }

    fn go_on(&mut self, at: usize, distance: f64) {
        self.newest = Some(at);
        self.current = self.current.max(distance);
        self.n_current += 1;
    }
}

/// Which view of a point is an alert, and how clearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    /// An alert from 1 on.
    pub(super) strength: f64,
    pub(super) channel: usize,
}

/// What the alert rule remembers.
#[derive(Debug)]
pub(super) struct AlertRule {
    strictness: f64,
    min_points: usize,
    events: [Events; N_CHANNELS],
    faded_days: f64,
    /// No alert before this point, except what falls to nothing.
    quiet_until: usize,
    newest_alert: Option<usize>,
    largest_alert: f64,
    /// The first point of the alert that goes on.
    onset: usize,
}

impl AlertRule {
    pub(super) fn new(strictness: f64, min_points: usize) -> Self {
        Self {
            strictness,
            min_points,
            events: [Events::NONE; N_CHANNELS],
            faded_days: 0.0,
            quiet_until: 0,
            newest_alert: None,
            largest_alert: 0.0,
            onset: 0,
        }
    }

    /// No alert before this point: the expectation is new.
    pub(super) fn be_quiet_until(&mut self, at: usize) {
        self.quiet_until = at;
    }

    /// Whether an event of the view of points has not been over for long at point `at`.
    pub(super) fn in_point_event(&self, at: usize) -> bool {
        let newest = self.events[POINT].newest;
        newest.is_some_and(|newest| at - newest <= GAP_POINTS)
    }

    /// The first point of the alert that goes on.
    pub(super) fn onset(&self) -> usize {
        self.onset
    }

    /// The view of point `at` that is the strongest against what its view has shown before.
    pub(super) fn strongest(
        &mut self,
        at: usize,
        age_days: f64,
        distances: &[f64; N_CHANNELS],
        cadence: &Cadence,
    ) -> Strength {
        self.fade(at, age_days);
        let hours = (cadence.step_days() * 24.0).min(LONGEST_STEP_HOURS);
        let rank = rank(FIRST_RANK + RANK_A_DAY * age_days * hours);
        let young = 1.0 + FIRST_DAY * (1.0 - age_days).max(0.0);
        let mut best = Strength {
            strength: 0.0,
            channel: POINT,
        };
        for (channel, events) in self.events.iter_mut().enumerate() {
            events.end(at);
            if at < self.min_points {
                continue;
            }
            let threshold = THRESHOLDS[channel] * self.strictness;
            let needed = threshold.max(LARGER * events.largest[rank - 1]) * young;
            let mut strength = distances[channel] / needed;
            if events.n_current >= NEWS_POINTS || at < self.quiet_until {
                strength = held_back(strength);
            }
            if strength > best.strength {
                best = Strength { strength, channel };
            }
            if distances[channel] >= threshold {
                events.go_on(at, distances[channel]);
            }
        }
        best
    }

    fn fade(&mut self, at: usize, age_days: f64) {
        if !at.is_multiple_of(FADE_POINTS) {
            return;
        }
        let factor = 0.5_f64.powf((age_days - self.faded_days) / HALF_LIFE_DAYS);
        self.faded_days = age_days;
        for largest in self
            .events
            .iter_mut()
            .flat_map(|events| &mut events.largest)
        {
            *largest *= factor;
        }
    }

    /// Whether a strong view is reported, or held back since a larger one has just been.
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

/// The strength of what is not reported, in the same order, but below that of an alert.
pub(super) fn held_back(strength: f64) -> f64 {
    if strength < 1.0 {
        strength
    } else {
        1.0 - 0.1 / strength
    }
}

/// A rank from 1 to the last one that is remembered.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded before the cast"
)]
fn rank(rank: f64) -> usize {
    rank.clamp(1.0, (N_REMEMBERED - 1) as f64) as usize
}
