//! A model: mined templates, ready to match lines.

use std::collections::HashSet;

use hashbrown::HashMap;

use crate::algorithms::text::hash::template_hash;
use crate::algorithms::text::mine::amounts::without_units;
use crate::algorithms::text::mine::cover::Covers;
use crate::algorithms::text::mine::pieces::{Piece, TemplateCut};
use crate::algorithms::text::mine::tally::kept_of;

/// Finds the mined template of a masked line.
///
/// ```
/// use datafusion_aiops::algorithms::text::MinedTemplates;
///
/// let model = MinedTemplates::new([("user bob logged in", "user <*> logged in")], None, &[]);
/// let found = |masked| model.find(masked).map(|number| model.templates()[number].as_str());
/// assert_eq!(found("user bob logged in"), Some("user <*> logged in"));
/// assert_eq!(found("user eve logged in"), Some("user <*> logged in"));
/// assert_eq!(found("disk full"), None);
/// ```
#[derive(Debug)]
pub struct MinedTemplates {
    templates: Vec<String>,
    hashes: Vec<i64>,
    known: HashMap<Box<str>, usize>,
    numbers: HashMap<Box<str>, usize>,
    words_kept: usize,
    keep: HashSet<String>,
    by_words: Covers,
    by_pieces: Covers,
}

impl MinedTemplates {
    /// Builds a model from pairs of a masked and a mined template. `words_kept` is the number of
    /// words to which the masked ones were cut; words in `keep` are never variables.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        words_kept: Option<usize>,
        keep: &[String],
    ) -> Self {
        let mut templates = vec![];
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut known = HashMap::new();
        for (masked, mined) in pairs {
            let number = *numbers.entry(mined).or_insert_with(|| {
                templates.push(mined.to_string());
                templates.len() - 1
            });
            known.insert(masked.into(), number);
        }
        let keep: HashSet<String> = keep.iter().cloned().collect();
        let covers = |cut: TemplateCut| {
            let forms: Vec<_> = templates
                .iter()
                .map(|text| form(cut.pieces(text, &keep)))
                .collect();
            Covers::new(&forms)
        };
        Self {
            by_words: covers(TemplateCut::Words),
            by_pieces: covers(TemplateCut::Pieces),
            numbers: numbers
                .into_iter()
                .map(|(mined, number)| (mined.into(), number))
                .collect(),
            hashes: templates.iter().map(|text| template_hash(text)).collect(),
            templates,
            known,
            words_kept: words_kept.unwrap_or(usize::MAX),
            keep,
        }
    }

    /// The mined templates, each once, in the order of their first pairs.
    pub fn templates(&self) -> &[String] {
        &self.templates
    }

    /// The hashes of the templates, in the same order.
    pub fn hashes(&self) -> &[i64] {
        &self.hashes
    }

    /// The number of the template that was mined from this masked line, or else of one that covers
    /// it: a template that is equal except that it has placeholders in place of words, at most as
    /// many as the words that stay; or else of one that differs in the units of amounts alone. `None`
    /// if there is none of these.
    pub fn find(&self, masked: &str) -> Option<usize> {
        let masked = kept_of(masked, self.words_kept);
        if let Some(&number) = self.known.get(masked.as_ref()) {
            return Some(number);
        }
        let by_pieces = || {
            self.by_pieces
                .find(&form(TemplateCut::Pieces.pieces(&masked, &self.keep)))
        };
        let by_words = || {
            self.by_words
                .find(&form(TemplateCut::Words.pieces(&masked, &self.keep)))
        };
        let by_amounts = || {
            let bare = without_units(&masked);
            self.numbers.get(bare.as_ref()).copied()
        };
        by_pieces().or_else(by_words).or_else(by_amounts)
    }
}

fn form(pieces: Vec<(Piece, &str)>) -> Vec<Piece> {
    pieces.into_iter().map(|(piece, _)| piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::text::{MaskOptions, Masker, generalise};
    use std::collections::BTreeSet;

    #[test]
    fn finds_what_it_was_mined_from_and_what_that_covers() {
        let masked = [
            "wpad:<*> error",
            "<*> error",
            "user <*> has no right to read",
            "a b",
        ];
        let mined = generalise(&masked, &[]);
        let pairs = masked.into_iter().zip(mined.iter().map(String::as_str));
        let model = MinedTemplates::new(pairs, None, &[]);
        let check = |line: &str, expected: Option<&str>| {
            let found = model
                .find(line)
                .map(|number| model.templates()[number].as_str());
            assert_eq!(found, expected, "{line}");
        };
        check("wpad:<*> error", Some("<*> error"));
        check("other:<*> error", Some("<*> error"));
        check(
            "user bob has no right to read",
            Some("user <*> has no right to read"),
        );
        check("user bob has no right to write", None);
        check("a c", None);
        check("", None);
    }

    /// On real logs: mined templates are found again, and mining them again changes nothing.
    #[test]
    fn mined_templates_of_the_sample_logs() {
        let text = [
            include_str!("../../../../sql/data/postgresql.log"),
            include_str!("../../../../sql/data/nginx_error.log"),
            include_str!("../../../../sql/data/app_python.log"),
        ]
        .concat();
        let masker = Masker::new(&MaskOptions::default()).unwrap();
        let masked: BTreeSet<String> = text.lines().map(|line| masker.template(line)).collect();
        let masked: Vec<&str> = masked.iter().map(String::as_str).collect();
        let mined = generalise(&masked, &[]);
        let pairs = || masked.iter().copied().zip(mined.iter().map(String::as_str));
        let model = MinedTemplates::new(pairs(), None, &[]);
        for (line, template) in pairs() {
            let found = model
                .find(line)
                .map(|number| model.templates()[number].as_str());
            assert_eq!(found, Some(template), "{line}");
        }
        let templates: Vec<&str> = model.templates().iter().map(String::as_str).collect();
        assert_eq!(generalise(&templates, &[]), templates);
        assert!(templates.len() < masked.len());
    }

    #[test]
    fn cuts_lines_as_the_model_was_cut() {
        let model = MinedTemplates::new([("a b <*>", "a b <*>")], Some(2), &[]);
        assert_eq!(model.find("a b c d"), Some(0));
        assert_eq!(model.find("a"), None);
        assert_eq!(MinedTemplates::new([], None, &[]).find("a"), None);
    }
}
