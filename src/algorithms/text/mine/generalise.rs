//! From masked templates to mined ones: which words are variables, told by the templates beside them.
//!
//! Three rules, the last two repeated until nothing changes, since one variable found uncovers others:
//! - A word with a placeholder in it becomes `<*>` where another template, else equal, has a placeholder alone:
//!   `wpad:<*> error` beside `<*> error`.
//! - A template that another one covers becomes that one: `mount failed on bglio` beside `mount failed on <*>`.
//! - A column, that is all templates that are equal but for the word at one place, becomes a variable when its words are
//!   many ([`PLAIN_VALUES`], [`IDENTIFIER_VALUES`]).
//!
//! The answer is a function of the set of templates alone: a round judges all templates as they were before it. So
//! neither order nor counts matter. Where two templates cover a third, the one with fewer placeholders wins, then the one
//! whose placeholders stand first.
//!
//! Columns of templates that agree elsewhere are the oldest idea of the field (SLCT: Vaarandi, "A data clustering
//! algorithm for mining patterns from event logs", IPOM 2003; IPLoM: Makanju et al., KDD 2009). Those count lines; here
//! distinct templates are counted, after masking, so that frequent lines do not decide and partial results can merge.

use crate::algorithms::text::kind::Kind;
use crate::algorithms::text::mine::cover::{Covers, hash_at, whole_of};
use crate::algorithms::text::mine::pieces::{Piece, PieceKind, pieces, words};
use std::collections::HashMap;

/// So many words of plain letters in one column are values, not a choice of wordings: log statements that differ in one
/// word (states, verbs, components) come in fours and fives, people and machines in dozens. Measured on the development
/// data: 5 to 12 give the same templates.
const PLAIN_VALUES: usize = 8;
/// So many identifiers in one column are values: an identifier is a name by its looks. Measured: 3 unites states such as
/// `TA_CONTAINER_COMPLETED`, 5 misses some variables.
const IDENTIFIER_VALUES: usize = 4;
/// The part of a column, in tenths, that must be identifiers for the lower number to do.
const IDENTIFIER_TENTHS: usize = 6;
/// The first word names the component more often than a value (Drain rests on this), so it takes so many times more.
const FIRST_WORD_FACTOR: usize = 2;
/// The rounds after which the search ends, changes or not; each of them uncovers one more level of nesting.
const MAX_ROUNDS: usize = 8;
/// Templates of more pieces are left as masked: stack traces and dumps, whose columns say nothing.
const MAX_PIECES: usize = 256;

/// The mined template of each masked template, in the same order.
///
/// ```
/// use datafusion_aiops::algorithms::text::generalise;
///
/// let masked = ["NFS mount failed on <*>", "NFS mount failed on bglio", "disk full"];
/// assert_eq!(generalise(&masked), ["NFS mount failed on <*>", "NFS mount failed on <*>", "disk full"]);
/// ```
pub fn generalise(masked: &[&str]) -> Vec<String> {
    let mut by_words = Table::new(masked, words);
    by_words.unite_covered();
    let by_words = by_words.texts();
    let by_words: Vec<&str> = by_words.iter().map(String::as_str).collect();

    let mut by_pieces = Table::new(&by_words, pieces);
    for _ in 0..MAX_ROUNDS {
        let covered = by_pieces.unite_covered();
        let columns = by_pieces.replace_columns();
        if !covered && !columns {
            break;
        }
    }
    by_pieces.texts()
}

/// The distinct templates of the moment, and which of them each masked template has become.
struct Table<'a> {
    texts: HashMap<u64, &'a str>,
    forms: Vec<Vec<Piece>>,
    form_of: Vec<usize>,
}

/// One place of one template, under the hash of the template without it, so that a column stands together when sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    rest: u64,
    place: usize,
    form: usize,
}

impl<'a> Table<'a> {
    fn new(templates: &[&'a str], split: fn(&str) -> Vec<(Piece, &str)>) -> Self {
        let mut texts = HashMap::from([(Piece::any().hash, Kind::Any.placeholder())]);
        let mut form = |template: &&'a str| {
            let pieces = split(template).into_iter();
            pieces
                .map(|(piece, text)| {
                    texts.insert(piece.hash, text);
                    piece
                })
                .collect()
        };
        let forms: Vec<Vec<Piece>> = templates.iter().map(&mut form).collect();
        let mut table = Self {
            form_of: (0..forms.len()).collect(),
            texts,
            forms,
        };
        table.unite_equal();
        table
    }

    fn unite_equal(&mut self) {
        let mut numbers: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut kept = vec![];
        let mut new_number = Vec::with_capacity(self.forms.len());
        for form in std::mem::take(&mut self.forms) {
            let key = form.iter().map(|piece| piece.hash).collect();
            new_number.push(*numbers.entry(key).or_insert_with(|| {
                kept.push(form);
                kept.len() - 1
            }));
        }
        self.forms = kept;
        self.renumber(&new_number);
    }

    fn renumber(&mut self, new_number: &[usize]) {
        for form in &mut self.form_of {
            *form = new_number[*form];
        }
    }

    /// Returns whether a template has become another one.
    fn unite_covered(&mut self) -> bool {
        let covers = Covers::new(&self.forms);
        let covered: Vec<Option<usize>> = self.forms.iter().map(|form| covers.find(form)).collect();
        if covered.iter().all(Option::is_none) {
            return false;
        }
        // What covers has more placeholders than what is covered, so this comes to an end.
        let last = |mut number: usize| {
            while let Some(next) = covered[number] {
                number = next;
            }
            number
        };
        let new_number: Vec<usize> = (0..self.forms.len()).map(last).collect();
        self.renumber(&new_number);
        self.drop_unused();
        true
    }

    fn drop_unused(&mut self) {
        let mut is_used = vec![false; self.forms.len()];
        for &form in &self.form_of {
            is_used[form] = true;
        }
        let mut n_kept = 0;
        let new_number: Vec<usize> = is_used
            .iter()
            .map(|&used| {
                n_kept += usize::from(used);
                n_kept.saturating_sub(1)
            })
            .collect();
        let mut used = is_used.iter();
        self.forms.retain(|_| used.next() == Some(&true));
        self.renumber(&new_number);
    }

    /// Returns whether a word has become a variable.
    fn replace_columns(&mut self) -> bool {
        let mut cells = self.cells();
        cells.sort_unstable();
        let columns = cells.chunk_by(|a, b| (a.rest, a.place) == (b.rest, b.place));
        let variable: Vec<&Cell> = columns
            .filter(|column| self.is_variable(column))
            .flatten()
            .collect();
        for cell in &variable {
            self.forms[cell.form][cell.place] = Piece::any();
        }
        self.unite_equal();
        !variable.is_empty()
    }

    /// Every word of every template.
    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![];
        for (number, form) in self.forms.iter().enumerate() {
            if form.len() > MAX_PIECES {
                continue;
            }
            let whole = whole_of(form);
            for (place, &piece) in form.iter().enumerate() {
                if piece.kind.can_vary() {
                    cells.push(Cell {
                        rest: whole.wrapping_sub(hash_at(place, piece)),
                        place,
                        form: number,
                    });
                }
            }
        }
        cells
    }

    fn is_variable(&self, column: &[Cell]) -> bool {
        let Some(first) = column.first() else {
            return false;
        };
        let is_identifier =
            |cell: &&Cell| self.forms[cell.form][first.place].kind == PieceKind::Identifier;
        let n_identifiers = column.iter().filter(is_identifier).count();
        let mostly_identifiers = n_identifiers * 10 >= column.len() * IDENTIFIER_TENTHS;
        let values = if mostly_identifiers {
            IDENTIFIER_VALUES
        } else {
            PLAIN_VALUES
        };
        let factor = if first.place == 0 {
            FIRST_WORD_FACTOR
        } else {
            1
        };
        // Without another constant the template would say nothing.
        let constants = self.forms[first.form]
            .iter()
            .filter(|piece| piece.kind.is_constant());
        column.len() >= values * factor && constants.count() >= 2
    }

    fn texts(&self) -> Vec<String> {
        let text = |form: &usize| {
            let pieces = self.forms[*form].iter();
            pieces.map(|piece| self.texts[&piece.hash]).collect()
        };
        self.form_of.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let check = |cases: &[(&str, &str)]| {
            let masked: Vec<&str> = cases.iter().map(|case| case.0).collect();
            let expected: Vec<&str> = cases.iter().map(|case| case.1).collect();
            assert_eq!(generalise(&masked), expected);
        };
        check(&[]);
        check(&[("disk full", "disk full"), ("", "")]);
        // A part of a word beside the whole.
        check(&[
            ("<*> error at <*>", "<*> error at <*>"),
            ("wpad:<*> error at <*>", "<*> error at <*>"),
        ]);
        // A choice of two wordings is no variable.
        check(&[
            ("link up on <*>", "link up on <*>"),
            ("link down on <*>", "link down on <*>"),
        ]);
        // Words would be lost that nothing else says.
        check(&[
            ("<*> error", "<*> error"),
            ("disk error", "<*> error"),
            ("<*> <*>", "<*> <*>"),
        ]);
        // The cover with fewer placeholders wins.
        check(&[
            (
                "user <*> read the table orders",
                "user <*> read the table orders",
            ),
            ("user <*> read the table <*>", "user <*> read the table <*>"),
            (
                "user bob read the table orders",
                "user <*> read the table <*>",
            ),
        ]);
        check(&[
            ("表 <*> 不存在，请检查", "表 <*> 不存在，请检查"),
            ("表 orders 不存在，请检查", "表 <*> 不存在，请检查"),
        ]);
    }

    #[test]
    fn columns() {
        let check = |format: fn(char) -> String, n_values: u8, mined: Option<&str>| {
            let masked: Vec<String> = (0..n_values)
                .map(|value| format((b'a' + value).into()))
                .collect();
            let masked: Vec<&str> = masked.iter().map(String::as_str).collect();
            let found = generalise(&masked);
            match mined {
                Some(mined) => assert!(found.iter().all(|template| template == mined), "{found:?}"),
                None => assert_eq!(found, masked),
            }
        };
        let plain = |value| format!("session of user {value}lice closed");
        check(plain, 7, None);
        check(plain, 8, Some("session of user <*> closed"));
        let identifier = |value| format!("domain root_{value} is full");
        check(identifier, 3, None);
        check(identifier, 4, Some("domain <*> is full"));
        let first = |value| format!("{value}d startup succeeded");
        check(first, 15, None);
        check(first, 16, Some("<*> startup succeeded"));
        let alone = |value| format!("{value}d: <*>");
        check(alone, 20, None);
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let masked = ["a <*> c", "a b c", "a d c", "x=<*>", "a <*> e"];
        let expected = generalise(&masked);
        let backwards: Vec<&str> = masked.iter().rev().copied().chain(masked).collect();
        let found = generalise(&backwards);
        assert!(found[..5].iter().rev().eq(&expected));
        assert_eq!(found[5..], expected);
        let again: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(generalise(&again), expected);
    }
}
