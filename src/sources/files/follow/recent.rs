//! Remembers files that were read to their end, so that one that comes back under another name is
//! not read again.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use crate::sources::files::follow::content::{Evidence, Mark, SAMPLE_BYTES};
use crate::sources::files::follow::disk::{Disk, Stamp};
use crate::sources::files::follow::positions::Position;

/// The number of files that are remembered: three years of daily rotation of one file; about 100
/// bytes each.
const MAX_REMEMBERED: usize = 1000;
/// The number of files that are written down, the last ones, so that a checkpoint stays small;
/// there are more only if they are of one range, which then ends.
const MAX_WRITTEN: usize = 100;
/// The head alone does not distinguish shorter content from a banner.
const MIN_HEAD_BYTES: usize = 64;

/// The last files that were read to their end, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    files: VecDeque<Position>,
    /// The number of files that came since the range began: only this records what was read of them
    /// in the range.
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

    /// Begins a range: what was read before belongs to an earlier one.
    pub(super) fn begin_range(&mut self) {
        self.n_of_range = 0;
    }

    /// Whether this range has as many files as are written down.
    pub(super) fn ends_range(&self) -> bool {
        self.n_of_range >= MAX_WRITTEN
    }

    /// The evidence of the remembered file that this file is, or begins with. If the content is too
    /// short to be distinguished from a banner, it must also be unmodified.
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
/// the marks. A mark shorter than a sample is that of a whole file.
pub(super) fn is_among(head: &[u8], mut marks: impl Iterator<Item = Mark>) -> bool {
    let head = head.get(..SAMPLE_BYTES).unwrap_or(head);
    let own = Mark::of(head);
    head.len() >= MIN_HEAD_BYTES && marks.any(|mark| mark == own)
}
