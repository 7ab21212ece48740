//! From masked templates to mined ones: other templates tell which words of a template are
//! variables.
//!
//! There are five rules. All but the first two repeat until nothing changes, since one variable may
//! uncover others:
//! - Units after placeholders vary where templates differ only in them
//!   ([`amounts`](crate::algorithms::text::mine::amounts)).
//! - A word with a placeholder in it becomes `<*>` if another template is the same except that it
//!   has only a placeholder there: `wpad:<*> error` beside `<*> error`.
//! - A template that another one covers becomes that one: `mount failed on bglio` beside
//!   `mount failed on <*>`.
//! - A column, that is all templates that differ only in the word at one place, becomes a variable
//!   if its words are values ([`evidence`](crate::algorithms::text::mine::evidence)).
//! - If none of this finds anything, several places become variables at once if the words at each
//!   of them are values: `user alice on host web`, where no user comes with two hosts. The words
//!   tell which places: a word of a log statement occurs in all of its templates, a value in few.
//!   So the rarest word of each template is tried, then the two rarest, and so on.
//!
//! The result is a function of the set of templates: a round judges all templates as they were
//! before it. So neither order nor counts matter. If two templates cover a third, the one with
//! fewer placeholders wins, then the one whose placeholders come first.
//!
//! Columns of templates that agree elsewhere are the oldest idea of the field (SLCT: Vaarandi, "A
//! data clustering algorithm for mining patterns from event logs", IPOM 2003; IPLoM: Makanju et
//! al., KDD 2009). To tell the words of a statement from values by how often they occur at their
//! place is the idea of Brain (Yu et al., "Brain: log parsing with bidirectional parallel tree",
//! IEEE TSC 2023). Those methods count lines; this one counts distinct templates, after masking, so
//! that frequent lines do not decide and partial results can merge.

use std::collections::{HashMap, HashSet};

use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mine::amounts::unite_amounts;
use crate::algorithms::text::mine::cover::{Covers, hash_at, whole_of};
use crate::algorithms::text::mine::evidence::{Context, PlaceWords, is_kind_of_event};
use crate::algorithms::text::mine::pieces::{Piece, PieceKind, TemplateCut};

/// The most places that are tried at once.
const MAX_PLACES: usize = 8;
/// The fewest words that must remain constant, or the template would match anything.
const LEAST_CONSTANTS: usize = 2;
/// How often all rules run: a new variable can be part of a longer word.
const MAX_PASSES: usize = 3;
/// The rounds after which the search ends even if templates still change; each round uncovers one
/// more level of nesting.
const MAX_ROUNDS: usize = 8;

/// Returns the mined template of each masked template, in the same order. Words in `keep` never
/// become variables.
///
/// ```
/// use datafusion_aiops::algorithms::text::generalise;
///
/// let masked = ["NFS mount failed on <*>", "NFS mount failed on bglio", "disk full"];
/// assert_eq!(generalise(&masked, &[]), ["NFS mount failed on <*>", "NFS mount failed on <*>", "disk full"]);
/// ```
pub fn generalise(masked: &[&str], keep: &[String]) -> Vec<String> {
    let keep: HashSet<String> = keep.iter().cloned().collect();
    let mut texts: Vec<String> = masked.iter().map(ToString::to_string).collect();
    for _ in 0..MAX_PASSES {
        let before: Vec<&str> = texts.iter().map(String::as_str).collect();
        let united = unite_amounts(&before);
        let united: Vec<&str> = united.iter().map(AsRef::as_ref).collect();
        let united = unite_words(&united, &keep);
        let united: Vec<&str> = united.iter().map(String::as_str).collect();
        let next = find_variables(&united, &keep);
        if next == texts {
            break;
        }
        texts = next;
    }
    texts
}

/// Applies the rules on pieces: covered templates, columns, several places at once.
fn find_variables(templates: &[&str], keep: &HashSet<String>) -> Vec<String> {
    let mut table = Table::new(templates, TemplateCut::Pieces, keep);
    for _ in 0..MAX_ROUNDS {
        let covered = table.unite_covered();
        let columns = table.replace_columns();
        if !covered && !columns && !table.replace_places() {
            break;
        }
    }
    table.texts()
}

/// Applies the rule on words with a placeholder in them.
fn unite_words(masked: &[&str], keep: &HashSet<String>) -> Vec<String> {
    let mut table = Table::new(masked, TemplateCut::Words, keep);
    table.unite_covered();
    table.texts()
}

/// The current distinct templates, and the one that each masked template has become.
struct Table<'a> {
    texts: HashMap<u64, &'a str>,
    forms: Vec<Vec<Piece>>,
    form_of: Vec<usize>,
    /// The words that were found to be values.
    known: HashSet<u64>,
    /// The words that name kinds of events.
    kinds: HashSet<u64>,
}

/// One place of one template, with the hash of the rest of the template, so that sorting brings the
/// cells of a column together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    rest: u64,
    place: usize,
    form: usize,
}

/// A template without its words at some places; templates with the same rest are a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    /// A hash of the places, including those of placeholders.
    places: u64,
    rest: u64,
    form: usize,
    /// The number of these places that have words.
    n_words: usize,
}

impl Member {
    fn take(&mut self, place: usize, piece: Piece) {
        self.places = self.places.wrapping_add(hash_at(place, Piece::any()));
        self.rest = self.rest.wrapping_sub(hash_at(place, piece));
    }
}

impl<'a> Table<'a> {
    fn new(templates: &[&'a str], cut: TemplateCut, keep: &HashSet<String>) -> Self {
        let mut texts = HashMap::from([(Piece::any().hash, VariableKind::Any.placeholder())]);
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
        let kinds = texts.iter().filter(|(_, text)| is_kind_of_event(text));
        let kinds = kinds.map(|(hash, _)| *hash).collect();
        let mut table = Self {
            kinds,
            form_of: (0..forms.len()).collect(),
            texts,
            forms,
            known: HashSet::new(),
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
        // A template has fewer placeholders than the one that covers it, so this ends.
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
        let places = columns.iter().copied().flatten();
        let places: Vec<_> = places.map(|cell| (cell.form, cell.place)).collect();
        self.replace(&places)
    }

    /// Makes variables of the words at these places of templates. Returns whether there are any.
    fn replace(&mut self, places: &[(usize, usize)]) -> bool {
        for &(form, place) in places {
            let piece = &mut self.forms[form][place];
            if piece.kind.can_vary() {
                self.known.insert(piece.hash);
            }
            *piece = Piece::any();
        }
        self.unite_equal();
        !places.is_empty()
    }

    /// Makes variables of the words at several places of a template at once. Returns whether a word
    /// has become a variable.
    fn replace_places(&mut self) -> bool {
        let rarest = self.rarest_words();
        let mut families = self.families(&rarest);
        families.sort_unstable();
        // If a template belongs to several families, the one with the fewest new variables counts.
        let mut fewest: HashMap<usize, usize> = HashMap::new();
        for family in families.chunk_by(|a, b| (a.places, a.rest) == (b.places, b.rest)) {
            if family.len() < 2 || !self.is_family(family, &rarest) {
                continue;
            }
            for member in family.iter().filter(|member| member.n_words > 0) {
                let n_words = fewest.entry(member.form).or_insert(member.n_words);
                *n_words = member.n_words.min(*n_words);
            }
        }
        let mut places = vec![];
        for (form, n_words) in fewest {
            let words = &rarest[form][..n_words];
            places.extend(words.iter().map(|place| (form, *place)));
        }
        self.replace(&places)
    }

    /// The places of the words of each template, rarest word first: the one that the fewest
    /// templates of the same build have at that place.
    fn rarest_words(&self) -> Vec<Vec<usize>> {
        let builds: Vec<u64> = self.forms.iter().map(|form| build_of(form)).collect();
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let key = |build: u64, place: usize, piece: Piece| build ^ hash_at(place, piece);
        let words = |form: &[Piece]| -> Vec<(usize, Piece)> {
            let words = form.iter().copied().enumerate();
            words.filter(|(_, piece)| piece.kind.can_vary()).collect()
        };
        for (form, build) in self.forms.iter().zip(&builds) {
            for (place, piece) in words(form) {
                *counts.entry(key(*build, place, piece)).or_default() += 1;
            }
        }
        let sorted = |(form, build): (&Vec<Piece>, &u64)| {
            let mut words = words(form);
            words.sort_by_key(|(place, piece)| counts[&key(*build, *place, *piece)]);
            words.into_iter().map(|(place, _)| place).collect()
        };
        self.forms.iter().zip(&builds).map(sorted).collect()
    }

    /// Each template without any word taken out, without its rarest word, without its two rarest,
    /// and so on while enough words remain.
    fn families(&self, rarest: &[Vec<usize>]) -> Vec<Member> {
        let mut families = vec![];
        for (number, (form, words)) in self.forms.iter().zip(rarest).enumerate() {
            let mut member = Member {
                places: 0,
                rest: whole_of(form),
                form: number,
                n_words: 0,
            };
            for (place, piece) in form.iter().enumerate() {
                if piece.kind == PieceKind::Placeholder {
                    member.take(place, *piece);
                }
            }
            families.push(member);
            let n_tried = self.n_constants(number).saturating_sub(LEAST_CONSTANTS);
            for &place in words.iter().take(n_tried.min(MAX_PLACES)) {
                member.take(place, form[place]);
                member.n_words += 1;
                families.push(member);
            }
        }
        families
    }

    /// Whether the templates of a family differ only in values.
    fn is_family(&self, family: &[Member], rarest: &[Vec<usize>]) -> bool {
        let Some(widest) = family.iter().max_by_key(|member| member.n_words) else {
            return false;
        };
        let forms: Vec<usize> = family.iter().map(|member| member.form).collect();
        let words = &rarest[widest.form][..widest.n_words];
        let placeholders = self.forms[widest.form].iter().enumerate();
        let placeholders = placeholders.filter(|(_, piece)| piece.kind == PieceKind::Placeholder);
        let mut places = words
            .iter()
            .copied()
            .chain(placeholders.map(|(place, _)| place));
        places.all(|place| self.are_values(&forms, place))
    }

    /// Whether the words at this place of these templates are values; also true if no template has
    /// a word there, since there is nothing to find.
    fn are_values(&self, forms: &[usize], place: usize) -> bool {
        let pieces: HashMap<u64, Piece> = forms
            .iter()
            .map(|form| self.forms[*form][place])
            .map(|piece| (piece.hash, piece))
            .collect();
        let mut words = PlaceWords::default();
        for piece in pieces.values() {
            if !piece.kind.can_vary() {
                words.has_placeholder = true;
                continue;
            }
            words.n_words += 1;
            words.n_known += usize::from(self.known.contains(&piece.hash));
            if self.kinds.contains(&piece.hash) {
                words.n_kinds += 1;
            } else if piece.kind == PieceKind::Identifier {
                words.n_identifiers += 1;
            }
        }
        let text = |piece: Piece| self.texts[&piece.hash];
        let contexts = forms
            .iter()
            .map(|form| Context::of(&self.forms[*form], place, text));
        // If neighbours vary too, contexts differ; the one with the lowest odds decides.
        let context = contexts.min_by(|a, b| a.log_odds().total_cmp(&b.log_odds()));
        words.n_words == 0 || context.is_some_and(|context| words.are_values(context))
    }

    /// Drops columns that together would take all constants of a template. The column with the most
    /// values is replaced, the last one on a tie; the others stay constant, in all of their
    /// templates.
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
        let forms: Vec<usize> = column.iter().map(|cell| cell.form).collect();
        // Without another constant the template would say nothing.
        self.n_constants(first.form) >= LEAST_CONSTANTS && self.are_values(&forms, first.place)
    }

    fn texts(&self) -> Vec<String> {
        let text = |form: &usize| {
            let pieces = self.forms[*form].iter();
            pieces.map(|piece| self.texts[&piece.hash]).collect()
        };
        self.form_of.iter().map(text).collect()
    }
}

/// A hash of the text between the words of a template, and of its number of pieces.
fn build_of(form: &[Piece]) -> u64 {
    let delimiters = form.iter().enumerate();
    let delimiters = delimiters
        .filter(|(_, piece)| !piece.kind.can_vary() && piece.kind != PieceKind::Placeholder);
    delimiters.fold(form.len() as u64, |sum, (place, piece)| {
        sum.wrapping_add(hash_at(place, *piece))
    })
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
        // A part of a word beside the whole word.
        check(&[
            ("<*> error at <*>", "<*> error at <*>"),
            ("wpad:<*> error at <*>", "<*> error at <*>"),
        ]);
        // A choice of two wordings is not a variable.
        check(&[
            ("link up on <*>", "link up on <*>"),
            ("link down on <*>", "link down on <*>"),
        ]);
        // These words would be lost, and no other template has them.
        check(&[
            ("<*> error", "<*> error"),
            ("disk error", "<*> error"),
            ("<*> <*>", "<*> <*>"),
        ]);
        // If two covers have the same number of placeholders, the one whose placeholder comes first
        // wins. A cover that a wider one covers gives way to it.
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
        check(plain, 8, None);
        check(plain, 9, Some("session of user <*> closed"));
        let identifier = |value| format!("domain root_{value} is full");
        check(identifier, 5, None);
        check(identifier, 6, Some("domain <*> is full"));
        let first = |value| format!("{value}d startup succeeded");
        check(first, 9, None);
        check(first, 10, Some("<*> startup succeeded"));
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
        check(8, None);
        check(9, Some("user <*> entered state <*>"));
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

    /// The kind of an error stays, up to ten kinds at a place. With more it is rather one message
    /// that prints whatever it is given.
    #[test]
    fn kinds_of_failures_stay_apart() {
        const KINDS: [&str; 10] = [
            "TimeoutException",
            "IllegalArgumentException",
            "KeyError",
            "ENOSPC",
            "EHOSTUNREACH",
            "OOMKilled",
            "ImagePullBackOff",
            "java.sql.SQLException",
            "CRITICAL",
            "UNAVAILABLE",
        ];
        for text in [
            "job <*> ended: @",
            "@: job <*> ended",
            "job <*> ended with @ on <*>",
            "job <*> ended (@)",
        ] {
            for n_kinds in 2..=KINDS.len() {
                let masked: Vec<String> = KINDS[..n_kinds]
                    .iter()
                    .map(|kind| text.replace('@', kind))
                    .collect();
                let masked: Vec<&str> = masked.iter().map(String::as_str).collect();
                assert_eq!(generalise(&masked, &[]), masked);
            }
        }
    }
}
