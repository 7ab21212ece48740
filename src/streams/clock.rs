//! The clock of live tables: real, or played by a test.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a reader waits when there is nothing to read: short enough for people not to notice,
/// long enough to cost nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Where live tables get the time from, to tell when a file is quiet, when a partition is idle, and
/// which event times are in the future.
///
/// A program that tests its statements can set its own, so that no test waits:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicI64, Ordering};
///
/// use datafusion_aiops::source::{Clock, set_clock};
///
/// #[derive(Debug, Default)]
/// struct TestClock(AtomicI64);
///
/// impl Clock for TestClock {
///     fn now(&self) -> i64 {
///         self.0.load(Ordering::Relaxed)
///     }
///
///     fn wait(&self) {
///         std::thread::yield_now();
///     }
/// }
///
/// let context = datafusion_aiops::session()?;
/// let clock = Arc::<TestClock>::default();
/// set_clock(&context, clock.clone())?;
/// clock.0.fetch_add(5_000_000_000, Ordering::Relaxed);
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub trait Clock: Debug + Send + Sync {
    /// Nanoseconds since 1970.
    fn now(&self) -> i64;

    /// Waits until it is worth looking again, or the thread is unparked.
    fn wait(&self);
}

/// The clock of the machine.
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
