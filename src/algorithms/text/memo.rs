//! A memo of masked lines. A line that differs from an earlier one only in the values of digits has
//! its variables in the same places, so it need not be walked again.
//!
//! Masks do not depend on the values of digits: this is a property of the rules. Where a rule must
//! look at them (`sha256` is a name, `sha301` is not), the line is not remembered. In server logs,
//! 70 to 99 of 100 lines repeat one of the last two thousand in this way
//! (`benches/record/2026-11-30-templates.md`). Where few lines repeat, the search pauses.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::FixedState;

use crate::algorithms::text::variable::Variable;

/// The number of lines that are remembered.
const N_SLOTS: usize = 16_384;
/// The number of slots that a line can be in. Among three thousand kinds of lines, with two slots
/// one kind in seven is evicted again and again; with four, one in two hundred.
const N_WAYS: usize = 4;
/// The lengths of lines that are remembered: longer lines seldom repeat, and shorter ones are quick
/// to walk.
const LENGTHS: Range<usize> = 16..512;
/// When this much text is stored, everything is forgotten.
const MAX_BYTES: usize = 1 << 20;
/// This many lines are walked before the first is remembered: for a few lines a memo does not pay.
const FIRST: u32 = 32;
/// After this many lines the share of known ones is checked; if it is too small, the search pauses.
const TRIAL: u32 = 1024;
const PAUSE: u32 = 8 * TRIAL;
/// One line in this many must be known, or the search pauses.
const LEAST_KNOWN: u32 = 3;

/// A fixed seed, so that a line has the same slots in every run.
const SEED: FixedState = FixedState::with_seed(0);

/// A remembered line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KnownLine {
    hash: u64,
    /// Where its skeleton is stored.
    skeleton: StoreRange,
    /// Where its template is stored; empty if the template contains digits, which must come from
    /// the line.
    template: StoreRange,
    variables: StoreRange,
    pub(crate) single_blanks: bool,
}

/// A range of a store.
#[derive(Debug, Clone, Copy, Default)]
struct StoreRange {
    start: u32,
    length: u16,
}

impl StoreRange {
    fn of<T>(&self, store: &[T]) -> Range<usize> {
        let start = self.start as usize;
        start..(start + usize::from(self.length)).min(store.len())
    }
}

/// The lines seen last, each known by its skeleton: the line with 0 for every digit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memo {
    /// The rules that all remembered lines were masked with.
    masks: u8,
    slots: Vec<KnownLine>,
    skeletons: Vec<u8>,
    templates: String,
    variables: Vec<Variable>,
    /// The skeleton of the line in question, and its hash.
    skeleton: Vec<u8>,
    hash: u64,
    n_tried: u32,
    n_known: u32,
    pause: u32,
    /// The number of lines seen so far, up to `FIRST`.
    n_first: u32,
}

impl Memo {
    /// Looks up a line. `masks` says which rules are applied; only lines masked with the rules of
    /// the first line are remembered.
    pub(crate) fn find(&mut self, line: &str, masks: u8) -> Option<KnownLine> {
        self.skeleton.clear();
        if !LENGTHS.contains(&line.len()) || self.is_paused() || !self.is_of(masks) {
            return None;
        }
        self.skeleton.extend_from_slice(line.as_bytes());
        for byte in &mut self.skeleton {
            *byte = if byte.is_ascii_digit() { b'0' } else { *byte };
        }
        self.hash = SEED.hash_one(&self.skeleton[..]);
        let known = self.slots[ways_of(self.hash)]
            .iter()
            .find(|known| known.hash == self.hash)
            .copied()
            .filter(|known| self.skeletons[known.skeleton.of(&self.skeletons)] == *self.skeleton);
        self.n_known += u32::from(known.is_some());
        known
    }

    fn is_paused(&mut self) -> bool {
        if self.n_first < FIRST {
            self.n_first += 1;
            return true;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return true;
        }
        self.n_tried += 1;
        if self.n_tried == TRIAL {
            let pays = self.n_known * LEAST_KNOWN >= TRIAL;
            self.pause = if pays { 0 } else { PAUSE };
            (self.n_tried, self.n_known) = (0, 0);
        }
        false
    }

    fn is_of(&mut self, masks: u8) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(N_SLOTS, KnownLine::default());
            self.masks = masks;
        }
        self.masks == masks
    }

    /// Remembers the line that [`Memo::find`] did not find, unless `find` skipped the look-up.
    pub(crate) fn insert(
        &mut self,
        variables: &[Variable],
        single_blanks: bool,
        template: impl FnOnce(&mut String),
    ) -> Option<KnownLine> {
        if self.skeleton.is_empty() {
            return None;
        }
        if self.skeletons.len() + self.templates.len() + size_of_val(&*self.variables) > MAX_BYTES {
            self.forget();
        }
        let base = self.templates.len();
        template(&mut self.templates);
        if self.templates.as_bytes()[base..]
            .iter()
            .any(u8::is_ascii_digit)
        {
            self.templates.truncate(base);
        }
        let known = KnownLine {
            hash: self.hash,
            skeleton: span(self.skeletons.len(), self.skeleton.len())?,
            template: span(base, self.templates.len() - base)?,
            variables: span(self.variables.len(), variables.len())?,
            single_blanks,
        };
        self.skeletons.extend_from_slice(&self.skeleton);
        self.variables.extend_from_slice(variables);
        let ways = &mut self.slots[ways_of(self.hash)];
        ways.rotate_right(1);
        ways[0] = known;
        Some(known)
    }

    fn forget(&mut self) {
        self.slots.fill(KnownLine::default());
        self.skeletons.clear();
        self.templates.clear();
        self.variables.clear();
    }

    /// The variables of a known line.
    pub(crate) fn variables(&self, known: &KnownLine) -> &[Variable] {
        &self.variables[known.variables.of(&self.variables)]
    }

    /// The template of a known line, if it is the same for all digits.
    pub(crate) fn template(&self, known: &KnownLine) -> Option<&str> {
        (known.template.length > 0)
            .then(|| &self.templates[known.template.of(self.templates.as_bytes())])
    }
}

/// The slots in which a line can be, the newest first.
fn ways_of(hash: u64) -> Range<usize> {
    // The low bits of a hash suffice, so truncation does no harm.
    let bits = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
    let first = N_WAYS * (bits % (N_SLOTS / N_WAYS));
    first..first + N_WAYS
}

/// A range of a store, if it fits: a store holds about a megabyte, a line about a hundred bytes.
fn span(start: usize, length: usize) -> Option<StoreRange> {
    Some(StoreRange {
        start: u32::try_from(start).ok()?,
        length: u16::try_from(length).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::text::kind::VariableKind;

    fn memo() -> Memo {
        Memo {
            n_first: FIRST,
            ..Memo::default()
        }
    }

    fn insert(memo: &mut Memo, template: &str) {
        let variable = Variable {
            start: 0,
            end: 1,
            kind: VariableKind::Num,
        };
        memo.insert(&[variable], true, |out| out.push_str(template));
    }

    #[test]
    fn lines_that_differ_in_digits_are_known() {
        let mut memo = memo();
        assert!(memo.find("connection 17 closed", 0).is_none());
        insert(&mut memo, "connection <*> closed");
        let known = memo.find("connection 42 closed", 0).unwrap();
        assert_eq!(memo.template(&known), Some("connection <*> closed"));
        assert_eq!(memo.variables(&known).len(), 1);
        assert!(memo.find("connection 142 closed", 0).is_none());
        assert!(memo.find("connection 4x closed", 0).is_none());
        // With other rules the masks differ.
        assert!(memo.find("connection 42 closed", 1).is_none());
        assert!(memo.find("connection 42 closed", 0).is_some());
    }

    #[test]
    fn a_template_with_digits_is_that_of_its_line() {
        let mut memo = memo();
        assert!(memo.find("port 22 open for ssh2", 0).is_none());
        insert(&mut memo, "port <*> open for ssh2");
        let known = memo.find("port 23 open for ssh1", 0).unwrap();
        assert_eq!(memo.template(&known), None);
    }

    #[test]
    fn the_search_pauses_where_nothing_repeats() {
        let mut memo = memo();
        let letter = |bit: usize| if bit == 1 { 'b' } else { 'a' };
        let letters = |number: usize| -> String {
            (0..20).map(|place| letter(number >> place & 1)).collect()
        };
        for number in 0..TRIAL as usize {
            assert!(memo.find(&letters(number), 0).is_none());
            insert(&mut memo, "<*>");
        }
        assert!(memo.find(&letters(0), 0).is_none());
        for number in 0..PAUSE as usize {
            assert!(memo.find(&letters(number), 0).is_none());
        }
        assert!(memo.find(&letters(TRIAL as usize - 1), 0).is_some());
    }

    #[test]
    fn what_is_too_much_is_forgotten() {
        let mut memo = memo();
        for number in 0..20_000 {
            let line = format!(
                "{}{}",
                "é".repeat(50 + number % 100),
                "x".repeat(number % 97)
            );
            if memo.find(&line, 0).is_none() {
                insert(&mut memo, "<*>");
            }
            assert!(memo.skeletons.len() <= MAX_BYTES + LENGTHS.end);
        }
    }
}
