//! A writer that never waits, rotating as it writes, and a reader that never waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

const N_LINES: u32 = 200_000;
const N_ROTATIONS: u32 = 10;
/// The number of lines of one write.
const BURST: u32 = 50;

fn write_and_rotate(folder: &Path, copies: bool) {
    let path = folder.join("app.log");
    let old = |n: u32| folder.join(format!("app.log.{n}"));
    let rotate_every = N_LINES / (N_ROTATIONS + 1) + 1;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    for from in (0..N_LINES).step_by(BURST as usize) {
        let text = lines("a", from..from + BURST);
        file.write_all(text.as_bytes()).unwrap();
        if from / rotate_every == (from + BURST) / rotate_every {
            continue;
        }
        for n in (1..=N_ROTATIONS).rev().filter(|n| old(*n).exists()) {
            fs::rename(old(n), old(n + 1)).unwrap();
        }
        if copies {
            fs::copy(&path, old(1)).unwrap();
            file.set_len(0).unwrap();
            continue;
        }
        fs::rename(&path, old(1)).unwrap();
        // The old handle is still written to after the rename.
        let text = lines("late", from..from + 1);
        file.write_all(text.as_bytes()).unwrap();
        file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
    }
}

fn check(listing: Listing, copies: bool) {
    let mut rig = Rig::new(listing);
    rig.block_bytes = 1 << 16;
    // What appears and is rotated away before the first look is not followed, so be there first.
    rig.append("app.log", "");
    rig.poll();
    let folder = rig.folder.path().to_path_buf();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            write_and_rotate(&folder, copies);
            is_done.store(true, Ordering::Release);
        });
        while !is_done.load(Ordering::Acquire) {
            rig.now_ns = true_time_ns();
            rig.poll();
            thread::yield_now();
        }
    });
    rig.now_ns = true_time_ns();
    rig.settle();
    let text = rig.texts().concat();
    let mut numbers: Vec<&str> = text.lines().filter(|line| line.starts_with("a:")).collect();
    assert_eq!(numbers.len(), N_LINES as usize);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), N_LINES as usize, "lines came twice");
    let n_late = text
        .lines()
        .filter(|line| line.starts_with("late:"))
        .count();
    assert_eq!(n_late, if copies { 0 } else { N_ROTATIONS as usize });
    assert!(rig.texts().iter().all(|text| text.ends_with('\n')));
    rig.check_problems(&[]);
}

#[test]
fn renames() {
    check(ONLY_APP, false);
    check(APP_STAR, false);
}

#[test]
fn copytruncates() {
    check(ONLY_APP, true);
    check(APP_STAR, true);
}
