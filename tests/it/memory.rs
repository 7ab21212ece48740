//! How much memory a pipeline takes if it is killed in the middle of a large window and started
//! again: about as much as an undisturbed one, since a replay reads in steps and rows of open
//! windows go to disk.
//!
//! `AIOPS_WINDOW_MB=2000 cargo test --test it memory:: -- --nocapture` uses a window of 2 GB.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The size of the window in CI, in megabytes.
const WINDOW_MB: u64 = 50;
/// The most memory, as a multiple of that of an undisturbed run. In a small window, the base of the
/// process matters more than what is measured, and so does chance.
const MOST: f64 = 1.3;
const MOST_IN_CI: f64 = 1.5;
/// The approximate length of a line.
const LINE_BYTES: u64 = 160;

const PIPELINE: &str = "CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION 'x.log' OPTIONS \
    (pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)', delay '100ms', buffer_bytes '8388608');\n\
    CREATE EXTERNAL TABLE counts (level TEXT, n BIGINT, bytes BIGINT, first TEXT, last TEXT) \
    STORED AS JSON LOCATION 'counts/';\n\
    INSERT INTO counts SELECT level, count(*), sum(length(message)), min(message), max(message) \
    FROM tumble(logs, ts, INTERVAL '1 hour') GROUP BY level ORDER BY level;\n";

fn window_mb() -> Option<u64> {
    let asked = std::env::var("AIOPS_WINDOW_MB").ok();
    asked.map(|number| number.parse().unwrap())
}

/// Lines of one hour, and one of a later hour.
fn write_log(path: &PathBuf, megabytes: u64) {
    let mut log = BufWriter::new(File::create(path).unwrap());
    let n_lines = megabytes * 1_000_000 / LINE_BYTES;
    for number in 0..n_lines {
        let millisecond = number * 3_599_000 / n_lines;
        let (minute, second) = (millisecond / 60_000, millisecond / 1000 % 60);
        let level = ["INFO", "ERROR", "WARN"][(number % 3) as usize];
        writeln!(
            log,
            "2020-01-01T00:{minute:02}:{second:02}.{:03}Z {level} request {number:>12} of {:>20} has been answered by {:>40}",
            millisecond % 1000,
            number * 7919,
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )
        .unwrap();
    }
    writeln!(log, "2020-01-01T02:00:00.000Z INFO the end").unwrap();
    log.flush().unwrap();
}

/// A folder with the log, the pipeline, and what its runs leave.
struct Place(TempDir);

impl Place {
    fn new(megabytes: u64) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        write_log(&place.path("x.log"), megabytes);
        fs::write(place.path("p.sql"), PIPELINE).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Deletes the traces of all runs.
    fn clear(&self) {
        for folder in ["checkpoint", "counts"] {
            let _ = fs::remove_dir_all(self.path(folder));
        }
    }

    fn start(&self) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
            .args(["run", "p.sql", "--checkpoint", "checkpoint"])
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, notes) = channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Running { child, notes }
    }

    /// The output of the window.
    fn written(&self) -> String {
        let mut files = fs::read_dir(self.path("counts")).unwrap();
        let file = files.next().unwrap().unwrap();
        assert!(files.next().is_none());
        fs::read_to_string(file.path()).unwrap()
    }
}

/// A run, which is killed when it is dropped.
struct Running {
    child: Child,
    /// The lines of its standard error.
    notes: Receiver<String>,
}

impl Running {
    /// Waits until something exists or is printed; fails if the run ends before, or if it takes too
    /// long.
    fn until(&self, is_there: impl Fn(&str) -> bool) {
        let longest = Duration::from_secs(300 + 10 * window_mb().unwrap_or(WINDOW_MB));
        let started = Instant::now();
        let mut said = String::new();
        while !is_there(&said) {
            assert!(started.elapsed() < longest, "nothing has come: {said}");
            match self.notes.recv_timeout(Duration::from_millis(1)) {
                Ok(note) => said += &note,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it has ended: {said}"),
            }
        }
    }

    fn until_the_window_has_run(&self) {
        self.until(|said| said.contains(" rows  "));
    }

    /// The peak memory of the process so far, in kB.
    fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
        let peak = peak.unwrap().split_whitespace().nth(1).unwrap();
        peak.parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills a run after the range of the window is recorded and before the window is done, so that all
/// of it must be replayed.
fn kill_within_the_window(place: &Place) {
    for _ in 0..20 {
        place.clear();
        let range = place.path("checkpoint/ranges/00000000000000000001.json");
        let running = place.start();
        running.until(|_| range.exists());
        drop(running);
        if !place.path("checkpoint/done.json").exists() {
            return;
        }
    }
    panic!("each time it was too late");
}

#[test]
fn a_window_that_is_replayed_takes_as_much_memory_as_before() {
    let place = Place::new(window_mb().unwrap_or(WINDOW_MB));
    let running = place.start();
    running.until_the_window_has_run();
    let undisturbed = running.peak_kb();
    drop(running);
    let expected = place.written();

    kill_within_the_window(&place);
    let running = place.start();
    running.until_the_window_has_run();
    let again = running.peak_kb();
    drop(running);
    assert_eq!(place.written(), expected);
    eprintln!("undisturbed {undisturbed} kB, killed and started again {again} kB");
    let most = if window_mb().is_some() {
        MOST
    } else {
        MOST_IN_CI
    };
    assert!(
        again as f64 <= most * undisturbed as f64,
        "undisturbed {undisturbed} kB, killed and started again {again} kB"
    );
}
