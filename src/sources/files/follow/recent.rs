//! Memory of what was read to its end: so that a file that comes back under another name is not
//! read again.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use crate::sources::files::follow::content::{Evidence, Mark, SAMPLE_BYTES};
use crate::sources::files::follow::disk::{Disk, Stamp};
use crate::sources::files::follow::positions::Position;

/// Files remembered: three years of daily rotation of one file; about 100 bytes each.
const MAX_REMEMBERED: usize = 1000;
/// Of these, the last that are written down, so that a checkpoint stays small; more only if they
/// are of one range, which then ends.
const MAX_WRITTEN: usize = 100;
/// Shorter content is not told apart from a banner by its head alone.
const MIN_HEAD_BYTES: usize = 64;

/// The last files that were read to their end, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    files: VecDeque<Position>,
    /// How many of them came since the range began: what was read of them in it is known from here
    /// alone.
    n_of_range: usize,
}

impl Recent {
    pub(super) fn remember(&mut self, file: Position) {
        if file.evidence.is_empty() {
            return;
        }
        self.files.push_back(file);
        self.n_of_range += 1;
        while self.files.len() > MAX_REMEMBERED.max(self.n_of_range) {
            self.files.pop_front();
        }
    }

    /// What was read before is of an earlier range.
    pub(super) fn begin_range(&mut self) {
        self.n_of_range = 0;
    }

    /// Whether as many are of this range as are written down.
    pub(super) fn ends_range(&self) -> bool {
        self.n_of_range >= MAX_WRITTEN
    }

    /// What is known of a file that is such a file, or has one as its beginning. Content that is
    /// too short to be told from a banner must not have been modified either.
    pub(super) fn find(
        &self,
        disk: &Disk,
        file: &File,
        head: &[u8],
        stamp: Stamp,
    ) -> io::Result<Option<Evidence>> {
        let known = self.files.iter().rev().filter(|file| !file.is_superseded);
        for known in known {
            let evidence = &known.evidence;
            let is_untouched =
                stamp.size == evidence.checked_to && stamp.modified_ns == known.modified_ns;
            let is_likely = evidence.is_strong() || is_untouched;
            if is_likely && evidence.head.begins(head) && evidence.holds(disk, file)? {
                return Ok(Some(*evidence));
            }
        }
        Ok(None)
    }

    pub(super) fn heads(&self) -> impl Iterator<Item = Mark> {
        self.files.iter().map(|file| file.evidence.head)
    }

    pub(super) fn written(&self) -> Vec<Position> {
        let n_written = MAX_WRITTEN.max(self.n_of_range);
        let skipped = self.files.len().saturating_sub(n_written);
        self.files.iter().skip(skipped).cloned().collect()
    }
}

/// Whether content that begins with `head` (its first [`SAMPLE_BYTES`], or all of it) has one of
/// the marks. A mark that is shorter than a sample is that of a whole file.
pub(super) fn is_among(head: &[u8], mut marks: impl Iterator<Item = Mark>) -> bool {
    let head = head.get(..SAMPLE_BYTES).unwrap_or(head);
    let own = Mark::of(head);
    head.len() >= MIN_HEAD_BYTES && marks.any(|mark| mark == own)
}
