//! SIGTERM and Ctrl-C: a statement that writes files removes what it has begun before the process
//! ends.

use std::sync::Arc;

use datafusion::common::Result;
use tokio::sync::{Mutex, watch};

/// Which signals end a process that has written files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EndsOn {
    Both,
    /// For the prompt, where Ctrl-C ends only the statement.
    Terminate,
    /// For pipelines, which handle signals themselves.
    Neither,
}

/// Ends the process on a signal, after the current statement has stopped writing.
#[derive(Debug)]
pub(crate) struct Ending {
    is_asked: Arc<watch::Sender<bool>>,
    /// Held while a statement writes.
    writing: Arc<Mutex<()>>,
}

impl Ending {
    /// Starts to listen: from now on, the signals do not end the process by themselves.
    ///
    /// # Errors
    /// When the system has no signals to listen to.
    pub(crate) fn listen(ends_on: EndsOn) -> Result<Self> {
        let ending = Self {
            is_asked: Arc::new(watch::Sender::new(false)),
            writing: Arc::default(),
        };
        if let Some(mut signals) = Signals::listen(ends_on)? {
            let (is_asked, writing) = (Arc::clone(&ending.is_asked), Arc::clone(&ending.writing));
            tokio::spawn(async move {
                let code = signals.next().await;
                is_asked.send_replace(true);
                tokio::select! {
                    _ = writing.lock() => {}
                    _ = signals.next() => {}
                }
                std::process::exit(code);
            });
        }
        Ok(ending)
    }

    /// Does the work. If a signal comes, the work is dropped, which removes what it has begun; the
    /// process ends, and this never returns.
    pub(crate) async fn finish<T>(&self, work: impl Future<Output = T>) -> T {
        let writing = self.writing.lock().await;
        let mut is_asked = self.is_asked.subscribe();
        tokio::select! {
            done = work => return done,
            _ = is_asked.wait_for(|is_asked| *is_asked) => {}
        }
        drop(writing);
        std::future::pending().await
    }
}

/// The signals that end a process.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen(ends_on: EndsOn) -> Result<Option<Self>> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = match ends_on {
            EndsOn::Both => Some(signal(SignalKind::interrupt())?),
            EndsOn::Terminate => None,
            EndsOn::Neither => return Ok(None),
        };
        let terminate = signal(SignalKind::terminate())?;
        Ok(Some(Self {
            terminate,
            interrupt,
        }))
    }

    /// Waits for a signal, and returns the exit code of a process that it ends.
    pub(crate) async fn next(&mut self) -> i32 {
        let interrupted = async {
            match &mut self.interrupt {
                Some(interrupt) => interrupt.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => 128 + 15,
            _ = interrupted => 128 + 2,
        }
    }
}

/// The signals that end a process.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen(ends_on: EndsOn) -> Result<Option<Self>> {
        Ok(matches!(ends_on, EndsOn::Both).then_some(Self))
    }

    /// Waits for a signal, and returns the exit code of a process that it ends.
    pub(crate) async fn next(&mut self) -> i32 {
        let _ = tokio::signal::ctrl_c().await;
        1
    }
}
