//! From masked templates to mined ones: which words are variables, told by the templates beside them.
//!
//! Four rules, all but the first repeated until nothing changes, since one variable found uncovers others:
//! - A word with a placeholder in it becomes `<*>` where another template, else equal, has a placeholder alone:
//!   `wpad:<*> error` beside `<*> error`.
//! - A template that another one covers becomes that one: `mount failed on bglio` beside `mount failed on <*>`.
//! - A column, that is all templates that are equal but for the word at one place, becomes a variable when its words are
//!   many ([`PLAIN_VALUES`], [`IDENTIFIER_VALUES`]).
//! - Where none of this finds anything, two columns at once, when the words at both places are many: `user alice on host
//!   web`, where no user comes with two hosts.
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
use crate::algorithms::text::mine::pieces::{Cut, Piece, PieceKind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// So many words of plain letters in one column are values, not a choice of wordings: log statements that differ in one
/// word (states, verbs, components) come in fours and fives, people and machines in dozens. Measured on
/// labelled logs: 8 to 12 give the same templates, 5 and 6 unite states.
const PLAIN_VALUES: usize = 8;
/// So many identifiers in one column are values: an identifier is a name by its looks. Measured: 3 unites states such as
/// `TA_CONTAINER_COMPLETED`, 5 misses some variables.
const IDENTIFIER_VALUES: usize = 4;
/// The part of a column, in tenths, that must be identifiers for the lower number to do.
const IDENTIFIER_TENTHS: usize = 6;
/// Pairs of places are looked for in templates of at most so many words: their number grows with its square.
const MAX_PAIRED_WORDS: usize = 16;
/// The first word names the component more often than a value (Drain rests on this), so it takes so many times more.
const FIRST_WORD_FACTOR: usize = 2;
/// The rounds after which the search ends, changes or not; each of them uncovers one more level of nesting.
const MAX_ROUNDS: usize = 8;

/// The mined template of each masked template, in the same order. Words in `keep` are never a variable.
///
/// ```
/// use datafusion_aiops::algorithms::text::generalise;
///
/// let masked = ["NFS mount failed on <*>", "NFS mount failed on bglio", "disk full"];
/// assert_eq!(generalise(&masked, &[]), ["NFS mount failed on <*>", "NFS mount failed on <*>", "disk full"]);
/// ```
pub fn generalise(masked: &[&str], keep: &[String]) -> Vec<String> {
    let keep: HashSet<String> = keep.iter().cloned().collect();
    let united = unite_words(masked, &keep);
    let united: Vec<&str> = united.iter().map(String::as_str).collect();
    let mut table = Table::new(&united, Cut::Pieces, &keep);
    for _ in 0..MAX_ROUNDS {
        let covered = table.unite_covered();
        let columns = table.replace_columns();
        if !covered && !columns && !table.replace_pairs() {
            break;
        }
    }
    table.texts()
}

/// The first rule.
fn unite_words(masked: &[&str], keep: &HashSet<String>) -> Vec<String> {
    let mut table = Table::new(masked, Cut::Words, keep);
    table.unite_covered();
    table.texts()
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
    fn new(templates: &[&'a str], cut: Cut, keep: &HashSet<String>) -> Self {
        let mut texts = HashMap::from([(Piece::any().hash, Kind::Any.placeholder())]);
        let mut form = |template: &&'a str| {
            let pieces = cut.pieces(template, keep).into_iter();
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
        let columns = columns.filter(|column| self.is_variable(column)).collect();
        let columns = self.that_leave_a_constant(columns);
        for cell in columns.iter().copied().flatten() {
            self.forms[cell.form][cell.place] = Piece::any();
        }
        self.unite_equal();
        !columns.is_empty()
    }

    /// The same for two places at a time. Returns whether a word has become a variable.
    fn replace_pairs(&mut self) -> bool {
        let mut variable: Vec<(usize, usize)> = vec![];
        for ((first, second), mut cells) in self.pairs() {
            cells.sort_unstable();
            for group in cells.chunk_by(|a, b| a.rest == b.rest) {
                if self.is_variable_at(group, first) && self.is_variable_at(group, second) {
                    let forms = group.iter().map(|cell| cell.form);
                    variable.extend(forms.flat_map(|form| [(form, first), (form, second)]));
                }
            }
        }
        for &(form, place) in &variable {
            self.forms[form][place] = Piece::any();
        }
        self.unite_equal();
        !variable.is_empty()
    }

    /// For every pair of places the templates that have words there, under the hash of the rest.
    fn pairs(&self) -> BTreeMap<(usize, usize), Vec<Cell>> {
        let mut pairs: BTreeMap<(usize, usize), Vec<Cell>> = BTreeMap::new();
        for (number, form) in self.forms.iter().enumerate() {
            let can_vary = |&place: &usize| form[place].kind.can_vary();
            let places: Vec<usize> = (0..form.len()).filter(can_vary).collect();
            // Two words must be left, or anything would match.
            if places.len() > MAX_PAIRED_WORDS || self.n_constants(number) < 4 {
                continue;
            }
            let whole = whole_of(form);
            for (position, &place) in places.iter().enumerate() {
                let rest = whole.wrapping_sub(hash_at(place, form[place]));
                for &second in &places[position + 1..] {
                    pairs.entry((place, second)).or_default().push(Cell {
                        rest: rest.wrapping_sub(hash_at(second, form[second])),
                        place,
                        form: number,
                    });
                }
            }
        }
        pairs
    }

    /// Whether the distinct words at this place of these templates are many.
    fn is_variable_at(&self, group: &[Cell], place: usize) -> bool {
        let words = group.iter().map(|cell| self.forms[cell.form][place]);
        let distinct: HashMap<u64, PieceKind> = words.map(|word| (word.hash, word.kind)).collect();
        let n_identifiers = distinct
            .values()
            .filter(|kind| **kind == PieceKind::Identifier)
            .count();
        distinct.len() >= enough_values(distinct.len(), n_identifiers, place)
    }

    /// Where columns would take all constants of a template, the one with the most values is replaced, of equal ones the
    /// last; the others stay constant, in all of their templates.
    fn that_leave_a_constant<'c>(&self, columns: Vec<&'c [Cell]>) -> Vec<&'c [Cell]> {
        let mut of_form: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, column) in columns.iter().enumerate() {
            for cell in *column {
                of_form.entry(cell.form).or_default().push(number);
            }
        }
        let mut stays = vec![false; columns.len()];
        for (form, numbers) in of_form {
            if numbers.len() < self.n_constants(form) {
                continue;
            }
            let rank = |number: &&usize| (columns[**number].len(), columns[**number][0].place);
            let winner = numbers.iter().max_by_key(rank);
            for number in numbers.iter().filter(|number| Some(*number) != winner) {
                stays[*number] = true;
            }
        }
        let mut stays = stays.into_iter();
        let kept = columns.into_iter().filter(|_| stays.next() == Some(false));
        kept.collect()
    }

    fn n_constants(&self, form: usize) -> usize {
        let pieces = self.forms[form].iter();
        pieces.filter(|piece| piece.kind.is_constant()).count()
    }

    /// Every word of every template.
    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![];
        for (number, form) in self.forms.iter().enumerate() {
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
        let enough = enough_values(column.len(), n_identifiers, first.place);
        // Without another constant the template would say nothing.
        column.len() >= enough && self.n_constants(first.form) >= 2
    }

    fn texts(&self) -> Vec<String> {
        let text = |form: &usize| {
            let pieces = self.forms[*form].iter();
            pieces.map(|piece| self.texts[&piece.hash]).collect()
        };
        self.form_of.iter().map(text).collect()
    }
}

/// How many distinct values make a variable at this place, of which so many are identifiers.
fn enough_values(n_values: usize, n_identifiers: usize, place: usize) -> usize {
    let mostly_identifiers = n_identifiers * 10 >= n_values * IDENTIFIER_TENTHS;
    let values = if mostly_identifiers {
        IDENTIFIER_VALUES
    } else {
        PLAIN_VALUES
    };
    let factor = if place == 0 { FIRST_WORD_FACTOR } else { 1 };
    values * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let check = |cases: &[(&str, &str)]| {
            let masked: Vec<&str> = cases.iter().map(|case| case.0).collect();
            let expected: Vec<&str> = cases.iter().map(|case| case.1).collect();
            assert_eq!(generalise(&masked, &[]), expected);
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
        // Of two covers with as many placeholders the first place wins; what is covered by a wider one goes on to it.
        check(&[
            ("user <*> read table orders", "user <*> read table orders"),
            ("user bob read table <*>", "user bob read table <*>"),
            ("user bob read table orders", "user <*> read table orders"),
        ]);
        check(&[
            ("user <*> read table orders", "user <*> read table <*>"),
            ("user <*> read table <*>", "user <*> read table <*>"),
            ("user bob read table orders", "user <*> read table <*>"),
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
            let found = generalise(&masked, &[]);
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
    fn pairs() {
        let line = |value: u8| {
            let [user, state] = [b'a' + value, b'z' - value].map(char::from);
            format!("user {user}lice entered state {state}dle")
        };
        let check = |n_lines: u8, expected: Option<&str>| {
            let lines: Vec<String> = (0..n_lines).map(line).collect();
            let masked: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mined = generalise(&masked, &[]);
            match expected {
                Some(expected) => assert!(mined.iter().all(|template| template == expected)),
                None => assert_eq!(mined, masked),
            }
        };
        check(7, None);
        check(8, Some("user <*> entered state <*>"));
    }

    #[test]
    fn a_constant_is_left() {
        let users = (b'a'..=b'p').map(|user| format!("{}li", char::from(user)));
        let verbs = (b'a'..=b'h').map(|verb| format!("{}o", char::from(verb)));
        let lines = users.flat_map(|user| verbs.clone().map(move |verb| format!("{user} {verb}")));
        let lines: Vec<String> = lines.collect();
        let masked: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mined = generalise(&masked, &[]);
        assert_eq!(mined[0], "<*> ao");
        assert_eq!(mined.iter().collect::<HashSet<_>>().len(), 8);
    }

    #[test]
    fn kept_words_stay() {
        let masked = ["took <*> ms", "took 3 ms"];
        assert_eq!(generalise(&masked, &["3".to_string()]), masked);
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let masked = ["a <*> c", "a b c", "a d c", "x=<*>", "a <*> e"];
        let expected = generalise(&masked, &[]);
        let backwards: Vec<&str> = masked.iter().rev().copied().chain(masked).collect();
        let found = generalise(&backwards, &[]);
        assert!(found[..5].iter().rev().eq(&expected));
        assert_eq!(found[5..], expected);
        let again: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(generalise(&again, &[]), expected);
    }
}
