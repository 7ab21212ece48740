//! Random scripts of writing, rotating and reading: every line comes once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(usize, u32),
    Rename(usize),
    CopyTruncate(usize),
    DeleteAndCreate(usize),
    Rescan,
    ReadOne(usize),
    /// Long enough for every grace.
    Wait,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..3_usize;
    prop_oneof![
        6 => (file.clone(), 0..60_u32).prop_map(|(file, n)| Step::Append(file, n)),
        2 => file.clone().prop_map(Step::Rename),
        2 => file.clone().prop_map(Step::CopyTruncate),
        1 => file.prop_map(Step::DeleteAndCreate),
        4 => Just(Step::Rescan),
        4 => (0..5_usize).prop_map(Step::ReadOne),
        1 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

struct Script {
    rig: Rig,
    /// Lines written to each file.
    written: [u32; 3],
    /// What was read before the last restarts, and has ended.
    before: Vec<Vec<u8>>,
    reads_before_rotation: bool,
    restarts: bool,
    latest_ns: i64,
}

impl Script {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append(file, n) => {
                let from = self.written[file];
                self.written[file] += n;
                let text = lines(&format!("{file}"), from..self.written[file]);
                self.rig.append(&name(file), &text);
            }
            Step::Rename(file) => self.rotate(file, false),
            Step::CopyTruncate(file) => self.rotate(file, true),
            Step::DeleteAndCreate(file) => {
                // What was never seen cannot be read.
                self.rescan();
                let _ = fs::remove_file(self.rig.path(&name(file)));
                self.rig.append(&name(file), "");
            }
            Step::Rescan => self.rescan(),
            Step::ReadOne(nth) => {
                self.rig.read_one(nth);
            }
            Step::Wait => {
                self.rig.now_ns = true_time_ns();
                self.rig.settle();
                self.latest_ns = self.rig.now_ns;
            }
            Step::Restart if self.restarts => {
                // A deleted file is lost with its handle.
                self.rig.now_ns = true_time_ns();
                self.rig.poll();
                self.before.extend(self.rig.read.values().cloned());
                self.rig.restart();
            }
            Step::Restart => {}
        }
    }

    /// Files have true times, so a made-up time must not run ahead while there is writing.
    fn rescan(&mut self) {
        self.rig.now_ns = true_time_ns();
        self.rig.rescan();
        self.rig.note_finished();
    }

    fn rotate(&mut self, file: usize, copies: bool) {
        if self.reads_before_rotation {
            self.rig.now_ns = true_time_ns();
            self.rig.poll();
        }
        let name = name(file);
        if !self.rig.path(&name).exists() {
            return;
        }
        let old = |n: u32| format!("{name}.{n}");
        let n_old = (1..).find(|n| !self.rig.path(&old(*n)).exists()).unwrap();
        for n in (1..n_old).rev() {
            self.rig.rename(&old(n), &old(n + 1));
        }
        if copies {
            self.rig.copytruncate(&name, &old(1))
        } else {
            self.rig.rename(&name, &old(1))
        }
    }

    fn check(mut self) {
        self.rig.now_ns = true_time_ns();
        self.rig.poll();
        self.rig.now_ns = self.rig.now_ns.max(self.latest_ns);
        self.rig.settle();
        let problems = self.rig.files.take_problems();
        assert!(problems.is_empty(), "{problems:?}");
        let read = self.before.iter().chain(self.rig.read.values());
        check_lines(read, &self.written);
    }
}

fn name(file: usize) -> String {
    format!("app{file}.log")
}

/// Every line once; in each content from one file, in order.
fn check_lines<'a>(read: impl Iterator<Item = &'a Vec<u8>>, written: &[u32; 3]) {
    let mut seen = BTreeSet::new();
    for content in read {
        let text = std::str::from_utf8(content).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "half a line at the end: {text}"
        );
        let mut last = None;
        for line in text.lines() {
            let (file, rest) = line.split_once(':').unwrap();
            let number: u32 = rest[..8].parse().unwrap();
            assert!(
                last.is_none_or(|last| last < (file, number)),
                "{line} after {last:?}"
            );
            assert!(
                last.is_none_or(|(last, _)| last == file),
                "{line} after {last:?}"
            );
            last = Some((file, number));
            assert!(
                seen.insert((file.parse::<usize>().unwrap(), number)),
                "{line} twice"
            );
        }
    }
    for (file, n_lines) in written.iter().enumerate() {
        for number in 0..*n_lines {
            assert!(seen.contains(&(file, number)), "{file}:{number} is lost");
        }
    }
}

fn run(steps: &[Step], listing: Listing, reads_before_rotation: bool, restarts: bool) {
    run_on(Rig::new(listing), steps, reads_before_rotation, restarts);
}

fn run_on(rig: Rig, steps: &[Step], reads_before_rotation: bool, restarts: bool) {
    let mut script = Script {
        rig,
        written: [0; 3],
        before: Vec::new(),
        reads_before_rotation,
        restarts,
        latest_ns: 0,
    };
    for step in steps {
        script.run(step);
    }
    script.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_once(steps in prop::collection::vec(step(), 1..40), reads in any::<bool>()) {
        run(&steps, ALL, reads, false);
    }

    #[test]
    fn every_line_once_without_inodes(steps in prop::collection::vec(step(), 1..40), reads in any::<bool>()) {
        let options = FollowOptions { uses_inodes: false, ..FollowOptions::default() };
        run_on(Rig::with(ALL, options), &steps, reads, false);
    }

    #[test]
    fn every_line_once_with_restarts(steps in prop::collection::vec(step(), 1..40), reads in any::<bool>()) {
        run(&steps, ALL, reads, true);
    }

    #[test]
    fn every_line_once_if_only_the_live_files_are_listed(steps in prop::collection::vec(step(), 1..40)) {
        run(&steps, |name| name.ends_with(".log"), true, false);
    }
}
