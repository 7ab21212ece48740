//! Seasonal adjustment: without its trend a series shows its average cycles, and without these its
//! level.
//!
//! This is the classical decomposition, with a centred moving mean as the trend. Three things
//! differ: newer cycles may weigh more; near the ends the trend is that of the nearest whole
//! window; and a second season is found in what the first one leaves.

use crate::algorithms::series::forecast::components::cycle::{
    average_cycle, center, with_cycle, with_next_cycles,
};
use crate::algorithms::series::forecast::history::Seasons;
use crate::algorithms::series::forecast::moving_mean::MovingMean;

/// The weight of a cycle relative to the one after it, for the short and the long season.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decays {
    short: f64,
    long: f64,
}

impl Decays {
    /// For seasons that change: about five short cycles count. Measured on series with known
    /// forecasts.
    pub(crate) const FAST: Self = Self {
        short: 0.8,
        long: 0.7,
    };

    /// For seasons that hardly change.
    pub(crate) const SLOW: Self = Self {
        short: 0.95,
        long: 0.95,
    };
}

/// Adjusts prefixes of one series, again and again with the same buffers.
#[derive(Debug)]
pub(crate) struct Adjustment<'a> {
    values: &'a [f64],
    seasons: Seasons,
    means: MovingMean,
    /// The number of first values whose trend is known.
    n_values: usize,
    trend: Vec<f64>,
    rest: Vec<f64>,
    adjusted: Vec<f64>,
    short: Vec<f64>,
    long: Vec<f64>,
}

/// A series without its seasons.
#[derive(Debug)]
pub(crate) struct Adjusted<'a> {
    /// The values without the seasons.
    pub(crate) values: &'a [f64],
    short: &'a [f64],
    long: &'a [f64],
}

impl<'a> Adjustment<'a> {
    pub(crate) fn new(values: &'a [f64], seasons: Seasons) -> Self {
        Self {
            values,
            seasons,
            means: MovingMean::new(values),
            n_values: 0,
            trend: vec![],
            rest: vec![],
            adjusted: vec![],
            short: vec![],
            long: vec![],
        }
    }

    /// The first `n_values` values, with their seasons, which change by these decays, subtracted.
    pub(crate) fn additive(&mut self, n_values: usize, decays: Decays) -> Adjusted<'_> {
        let values = &self.values[..n_values];
        let period = self.seasons.short;
        self.find_trend(n_values);
        self.rest.clear();
        let pairs = values.iter().zip(&self.trend);
        self.rest.extend(pairs.map(|(value, trend)| value - trend));
        self.long.clear();
        let centered = |rest: &[f64], period, decay, cycle: &mut Vec<f64>| {
            average_cycle(rest, period, decay, cycle);
            center(cycle, 0.0);
        };
        centered(&self.rest, period, decays.short, &mut self.short);
        self.adjusted.clear();
        self.adjusted.extend_from_slice(values);
        if let Some(long) = self.seasons.long {
            // The long season is found in what the short one leaves, and then the short one in what
            // the long one leaves.
            with_cycle(&mut self.rest, &self.short, |value, phase| *value -= phase);
            centered(&self.rest, long, decays.long, &mut self.long);
            with_cycle(&mut self.rest, &self.short, |value, phase| *value += phase);
            with_cycle(&mut self.rest, &self.long, |value, phase| *value -= phase);
            centered(&self.rest, period, decays.short, &mut self.short);
            with_cycle(&mut self.adjusted, &self.long, |value, phase| {
                *value -= phase
            });
        }
        with_cycle(&mut self.adjusted, &self.short, |value, phase| {
            *value -= phase
        });
        Adjusted {
            values: &self.adjusted,
            short: &self.short,
            long: &self.long,
        }
    }

    /// Finds the centred moving mean over the longest season; near the ends it is that of the first
    /// and the last whole window.
    fn find_trend(&mut self, n_values: usize) {
        if self.n_values == n_values {
            return;
        }
        self.n_values = n_values;
        let window = self.seasons.longest();
        self.means.centered(n_values, window, &mut self.trend);
    }

    pub(crate) fn means(&self) -> &MovingMean {
        &self.means
    }
}

impl Adjusted<'_> {
    /// Adds the seasons to a forecast.
    pub(crate) fn restore(&self, future: &mut [f64]) {
        for cycle in [self.short, self.long] {
            if !cycle.is_empty() {
                with_next_cycles(future, cycle, |value, phase| *value += phase);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::forecast::components::check;

    const NONE: Seasons = Seasons {
        short: 1,
        long: None,
    };

    #[test]
    fn the_trend_is_a_centred_mean() {
        let values = [1.0, 2.0, 6.0, 4.0, 2.0];
        let seasons = Seasons { short: 3, ..NONE };
        let mut adjustment = Adjustment::new(&values, seasons);
        adjustment.find_trend(5);
        check(&adjustment.trend, &[3.0, 3.0, 4.0, 4.0, 4.0]);
        adjustment.find_trend(4);
        check(&adjustment.trend, &[3.0, 3.0, 4.0, 4.0]);
    }

    #[test]
    fn two_seasons_add_up() {
        let value = |at: usize| [1.0, -1.0][at % 2] + [0.0, 0.0, 3.0, 0.0, 0.0, -3.0][at % 6] + 7.0;
        let values: Vec<_> = (0..120).map(value).collect();
        let seasons = Seasons {
            short: 2,
            long: Some(6),
        };
        let mut adjustment = Adjustment::new(&values, seasons);
        let adjusted = adjustment.additive(100, Decays::FAST);
        check(adjusted.values, &[7.0; 100]);
        let mut future = [7.0; 20];
        adjusted.restore(&mut future);
        check(&future, &values[100..]);
    }

    #[test]
    fn without_a_season_nothing_changes() {
        let values = [3.0, 1.0, 2.0];
        let mut adjustment = Adjustment::new(&values, NONE);
        check(adjustment.additive(3, Decays::SLOW).values, &values);
    }
}
