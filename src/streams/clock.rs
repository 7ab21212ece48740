//! The clock of a live table: real, or played by a test.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a reader waits when there is nothing to read: short enough for eyes, long enough to cost nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Tells the time and waits.
pub(crate) trait Clock: Debug + Send + Sync {
    /// Nanoseconds since 1970.
    fn now(&self) -> i64;

    /// Waits until it is worth looking again, or the thread is unparked.
    fn wait(&self);
}

/// The time of the machine.
#[derive(Debug)]
pub(crate) struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    fn wait(&self) {
        std::thread::park_timeout(POLL_INTERVAL);
    }
}
