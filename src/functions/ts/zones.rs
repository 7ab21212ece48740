//! Time zones: conversion between UTC and the time that clocks show.
//!
//! People live by their clocks: the peak at nine in the morning stays at nine when clocks are set
//! forward. In UTC it moves by an hour, twice a year, so series with a zone are read by its clocks.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;

use crate::algorithms::units::{DAY, HOUR, SECOND};

/// The shortest time between two clock changes of a zone, except for a few changes in wars; see
/// [`Zone::clocks_ns`].
const BETWEEN_CHANGES: i64 = 7 * DAY;

/// A time zone. Times are nanoseconds since 1970, in UTC or as the clocks of the zone show them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone(Tz);

impl Zone {
    /// The zone of a timestamp type; `None` if it has no zone.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Timestamp(_, Some(name)) => name.parse().ok().map(Self),
            _ => None,
        }
    }

    /// How far the clocks are ahead of UTC.
    pub(super) fn ahead_ns(self, utc_ns: i64) -> i64 {
        let offset = self.0.offset_from_utc_datetime(&naive(utc_ns));
        i64::from(offset.fix().local_minus_utc()) * SECOND
    }

    /// The clock times at these UTC times, which are in ascending order. If two times less than
    /// [`BETWEEN_CHANGES`] apart have the same offset from UTC, clocks do not change between them,
    /// so only a few times are looked up.
    pub(super) fn clocks_ns(self, utc_ns: &[i64]) -> Vec<i64> {
        let mut clocks = Vec::with_capacity(utc_ns.len());
        let mut rest = utc_ns;
        while let Some(&first) = rest.first() {
            let ahead = self.ahead_ns(first);
            let until = first.saturating_add(BETWEEN_CHANGES);
            let mut n_same = rest.partition_point(|&time| time < until).max(1);
            while n_same > 1 && self.ahead_ns(rest[n_same - 1]) != ahead {
                n_same = n_same.div_ceil(2).min(n_same - 1);
            }
            let (same, others) = rest.split_at(n_same);
            clocks.extend(same.iter().map(|time| time.saturating_add(ahead)));
            rest = others;
        }
        clocks
    }

    /// The UTC time at which clocks show a time; the first one if they show it twice. A time that
    /// clocks skip when they are set forward becomes later by as much as they are set.
    pub(super) fn utc_ns(self, clock_ns: i64) -> i64 {
        clock_ns.saturating_sub(self.ahead_at_clock_ns(clock_ns))
    }

    fn ahead_at_clock_ns(self, clock_ns: i64) -> i64 {
        let mapped = |clock_ns| self.0.offset_from_local_datetime(&naive(clock_ns));
        // Clocks are set forward by less than two days; in Samoa they skipped one in 2011.
        for hours in 0..48 {
            let offset = match mapped(clock_ns.saturating_sub(hours * HOUR)) {
                MappedLocalTime::Single(offset) => offset,
                MappedLocalTime::Ambiguous(first, _) if hours == 0 => first,
                MappedLocalTime::Ambiguous(_, second) => second,
                MappedLocalTime::None => continue,
            };
            return i64::from(offset.fix().local_minus_utc()) * SECOND;
        }
        0
    }

    /// The UTC time at which clocks show a time if they are `ahead_ns` ahead of UTC; if they are
    /// not that far ahead then, the time of [`Zone::utc_ns`].
    pub(super) fn utc_beside_ns(self, clock_ns: i64, ahead_ns: i64) -> i64 {
        let beside = clock_ns.saturating_sub(ahead_ns);
        if self.ahead_ns(beside) == ahead_ns {
            beside
        } else {
            self.utc_ns(clock_ns)
        }
    }
}

/// Clocks change only at multiples of this, in UTC.
const QUARTER_HOUR: i64 = HOUR / 4;

/// The clock of a zone, for times that come one by one, mostly in order.
#[derive(Debug, Clone)]
pub(super) struct ZoneClock {
    zone: Zone,
    /// The newest quarter of an hour, and how far ahead of UTC the clocks were in it.
    newest: Option<(i64, i64)>,
}

impl ZoneClock {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, newest: None }
    }

    /// The time that the clocks show.
    pub(super) fn clock_ns(&mut self, utc_ns: i64) -> i64 {
        let quarter = utc_ns.div_euclid(QUARTER_HOUR);
        let ahead = match self.newest {
            Some((newest, ahead)) if newest == quarter => ahead,
            _ => self.zone.ahead_ns(quarter.saturating_mul(QUARTER_HOUR)),
        };
        self.newest = Some((quarter, ahead));
        utc_ns.saturating_add(ahead)
    }
}

fn naive(time_ns: i64) -> NaiveDateTime {
    DateTime::from_timestamp_nanos(time_ns).naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
    use datafusion::arrow::datatypes::TimeUnit;

    fn zone(name: &str) -> Zone {
        let data_type = DataType::Timestamp(TimeUnit::Second, Some(name.into()));
        Zone::of(&data_type).unwrap()
    }

    fn clock_ns(zone: Zone, utc_ns: i64) -> i64 {
        utc_ns + zone.ahead_ns(utc_ns)
    }

    fn time(text: &str) -> i64 {
        string_to_timestamp_nanos(text).unwrap()
    }

    #[test]
    fn clocks_and_utc() {
        for (name, clock, utc) in [
            ("+08:00", "2026-05-01T08:30:00", "2026-05-01T00:30:00"),
            (
                "America/New_York",
                "2026-01-15T09:00:00",
                "2026-01-15T14:00:00",
            ),
            (
                "America/New_York",
                "2026-07-15T09:00:00",
                "2026-07-15T13:00:00",
            ),
            // Shown twice: the first one.
            (
                "America/New_York",
                "2026-11-01T01:30:00",
                "2026-11-01T05:30:00",
            ),
        ] {
            assert_eq!(zone(name).utc_ns(time(clock)), time(utc), "{name} {clock}");
            assert_eq!(clock_ns(zone(name), time(utc)), time(clock), "{name} {utc}");
        }
        // Skipped: an hour, and in Samoa a day.
        let left_out = zone("America/New_York").utc_ns(time("2026-03-08T02:30:00"));
        assert_eq!(left_out, time("2026-03-08T07:30:00"));
        let left_out = zone("Pacific/Apia").utc_ns(time("2011-12-30T12:00:00"));
        assert_eq!(left_out, time("2011-12-30T22:00:00"));
        assert!(Zone::of(&DataType::Timestamp(TimeUnit::Second, None)).is_none());
        assert!(Zone::of(&DataType::Date32).is_none());
    }

    #[test]
    fn the_second_of_two() {
        let zone = zone("America/New_York");
        let hours = |hours: i64| hours * HOUR;
        let clock = time("2026-11-01T01:30:00");
        assert_eq!(
            zone.utc_beside_ns(clock, hours(-5)),
            time("2026-11-01T06:30:00")
        );
        assert_eq!(
            zone.utc_beside_ns(clock, hours(-4)),
            time("2026-11-01T05:30:00")
        );
        // Midnight is before the change, whatever the time of the day.
        let midnight = time("2026-11-01T00:00:00");
        assert_eq!(
            zone.utc_beside_ns(midnight, hours(-5)),
            time("2026-11-01T04:00:00")
        );
    }

    #[test]
    fn many_at_once() {
        for name in [
            "America/New_York",
            "Africa/Casablanca",
            "Asia/Kolkata",
            "UTC",
        ] {
            let zone = zone(name);
            let mut clock = ZoneClock::new(zone);
            let steps = [HOUR / 4, 5 * HOUR, 100 * HOUR];
            for step in steps {
                let times: Vec<_> = (0..3_000)
                    .map(|row| time("2024-01-01") + row * step)
                    .collect();
                let expected: Vec<_> = times.iter().map(|&time| clock_ns(zone, time)).collect();
                assert_eq!(zone.clocks_ns(&times), expected, "{name} {step}");
                let one_by_one: Vec<_> = times.iter().map(|&time| clock.clock_ns(time)).collect();
                assert_eq!(one_by_one, expected, "{name} {step}");
            }
        }
        let far = [i64::MIN, i64::MIN, 0, i64::MAX];
        assert_eq!(zone("America/New_York").clocks_ns(&far).len(), 4);
    }
}
