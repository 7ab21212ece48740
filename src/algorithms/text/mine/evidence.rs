//! Decides whether the words at one place are values of a variable. Evidence comes from the place
//! and from the words, in log odds.
//!
//! A place has a prior: how often the format strings of programs have a conversion such as `%s`
//! there, counted over thirty thousand messages of two dozen message catalogues. Nine in ten words
//! in quotes are conversions, one in twenty bare words. Every further word then doubles the odds:
//! log statements that are alike except for one word come in twos and threes, rarely in dozens.
//! Words that look like made-up names, or are values elsewhere in the same log, say more; the name
//! of a kind of event says the opposite, since `NullPointerException` and `OOMKilled` say what the
//! error is. The prior and the doubling follow Bayes' rule; the weights of how words look were
//! measured on labelled logs, and results hardly change around these values.

use crate::algorithms::text::concepts::ConceptTable;
use crate::algorithms::text::mine::pieces::Piece;
use crate::algorithms::text::words;

/// The log odds from which on words count as values: twelve to one.
const SURE: f64 = 2.5;

/// Added for each further word.
const STEP: f64 = std::f64::consts::LN_2;

/// Added if most words look like made-up names: `orders_v2`, `eth0`.
const IDENTIFIERS: f64 = 2.0;

/// Added if most words are values in other templates.
const KNOWN: f64 = 3.0;

/// Added if another template has a placeholder at the place: masking saw a value there.
const BESIDE_PLACEHOLDER: f64 = 3.0;

/// Subtracted if most words name a kind of event.
const KINDS: f64 = 6.0;

/// The position of a word in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// `'x'`, `"x"`, `‘x’`.
    Quotes,
    /// `(x)`
    Parentheses,
    /// `[x]`
    Brackets,
    /// `<x>`
    Angles,
    /// `a=x`
    Value,
    /// `a = x`
    SpacedValue,
    /// `x: no such file`
    Subject,
    /// `cannot open: x`
    Detail,
    /// The first word of a template.
    First,
    /// The last word of a template.
    Last,
    /// After a preposition: `from x`.
    Object,
    /// Any other word.
    Bare,
}

impl Context {
    /// The context of the piece at `place`.
    pub(super) fn of<'a>(form: &[Piece], place: usize, text: impl Fn(Piece) -> &'a str) -> Self {
        let at = |place: Option<usize>| {
            let piece = place.and_then(|place| form.get(place));
            piece.map_or("", |piece| text(*piece))
        };
        let [before, last] = [1, 2].map(|back| at(place.checked_sub(back)));
        let [behind, next] = [1, 2].map(|ahead| at(Some(place + ahead)));
        match (last, before, behind) {
            (_, before, behind) if is_quote(before) && is_quote(behind) => Self::Quotes,
            (_, "(", ")") => Self::Parentheses,
            (_, "[", "]") => Self::Brackets,
            (_, "<", ">") => Self::Angles,
            (_, "=", _) => Self::Value,
            ("=", " ", _) => Self::SpacedValue,
            (_, "", ":") => Self::Subject,
            (":", " ", _) => Self::Detail,
            (_, "", _) => Self::First,
            (_, _, "") => Self::Last,
            (_, _, "." | "!" | "?") if next.is_empty() => Self::Last,
            (last, " ", _) if is_preposition(last) => Self::Object,
            _ => Self::Bare,
        }
    }

    /// The share of format strings that have a conversion in this context.
    fn share(self) -> f64 {
        match self {
            Self::Quotes => 0.85,
            Self::SpacedValue => 0.8,
            Self::Subject => 0.76,
            Self::Parentheses => 0.6,
            Self::Detail => 0.55,
            Self::Value => 0.31,
            Self::Last => 0.27,
            Self::Object => 0.13,
            Self::Brackets => 0.12,
            Self::Bare => 0.06,
            Self::First => 0.035,
            Self::Angles => 0.03,
        }
    }

    pub(super) fn log_odds(self) -> f64 {
        let share = self.share();
        (share / (1.0 - share)).ln()
    }
}

fn is_quote(text: &str) -> bool {
    matches!(
        text,
        "\"" | "'" | "`" | "‘" | "’" | "“" | "”" | "«" | "»" | "「" | "」" | "『" | "』"
    )
}

fn is_preposition(word: &str) -> bool {
    const WORDS: [&str; 8] = ["at", "by", "for", "from", "in", "of", "on", "to"];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The distinct words of some templates at one place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlaceWords {
    pub(super) n_words: usize,
    /// The number of words that look like made-up names.
    pub(super) n_identifiers: usize,
    /// The number of words that name a kind of event.
    pub(super) n_kinds: usize,
    /// The number of words that are values in other templates.
    pub(super) n_known: usize,
    /// Whether a template has a placeholder there.
    pub(super) has_placeholder: bool,
}

impl PlaceWords {
    /// Whether these words are values. A single word does not vary.
    pub(super) fn are_values(&self, context: Context) -> bool {
        let n_forms = self.n_words + usize::from(self.has_placeholder);
        n_forms >= 2 && context.log_odds() + self.log_odds() >= SURE
    }

    fn log_odds(&self) -> f64 {
        let n_forms = self.n_words + usize::from(self.has_placeholder);
        // The weight grows from zero at a quarter of the words to full at three quarters.
        let weight = |n_such: usize| {
            let share = n_such as f64 / self.n_words as f64;
            (2.0 * share - 0.5).clamp(0.0, 1.0)
        };
        let beside = if self.has_placeholder {
            BESIDE_PLACEHOLDER
        } else {
            0.0
        };
        STEP * (n_forms as f64 - 1.0)
            + beside
            + IDENTIFIERS * weight(self.n_identifiers)
            + KNOWN * weight(self.n_known)
            - KINDS * weight(self.n_kinds)
    }
}

/// Whether a word names a kind of event: a level, a status, a state or a code in capitals, the
/// class of an exception, a reason such as `CrashLoopBackOff`, or several words joined into one
/// that speak of a failure (`AccessDenied`).
pub(super) fn is_kind_of_event(word: &str) -> bool {
    const ENDINGS: [&str; 6] = [
        "Exception",
        "Error",
        "Failure",
        "Fault",
        "Killed",
        "BackOff",
    ];
    let is_in_capitals = word.len() >= 2
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let ends = |ending: &&str| word.len() > ending.len() && word.ends_with(*ending);
    let lower = word.to_ascii_lowercase();
    let is_word = words::is_level(lower.as_bytes()) || words::is_status(lower.as_bytes());
    is_in_capitals || is_word || ENDINGS.iter().any(ends) || speaks_of_failure(word)
}

fn speaks_of_failure(word: &str) -> bool {
    let has_parts = word.chars().next().is_some_and(char::is_uppercase)
        && word.chars().skip(1).any(char::is_uppercase)
        && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    has_parts && !ConceptTable::built_in().concepts(word).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::text::mine::pieces::TemplateCut;
    use std::collections::HashSet;

    fn context(template: &str, word: &str) -> Context {
        let pieces = TemplateCut::Pieces.pieces(template, &HashSet::new());
        let place = pieces.iter().position(|(_, text)| *text == word).unwrap();
        let form: Vec<Piece> = pieces.iter().map(|(piece, _)| *piece).collect();
        let text = |wanted: Piece| {
            let found = pieces.iter().find(|(piece, _)| *piece == wanted);
            found.unwrap().1
        };
        Context::of(&form, place, text)
    }

    #[test]
    fn contexts() {
        for (template, expected) in [
            ("no tag 'x' here", Context::Quotes),
            ("no tag \"x\"", Context::Quotes),
            ("标签“x”不存在", Context::Quotes),
            ("points to nothing (x)", Context::Parentheses),
            ("unit [x] failed", Context::Brackets),
            ("user=x logged in", Context::Value),
            ("user = x", Context::SpacedValue),
            ("x: no such file", Context::Subject),
            ("cannot open file: x", Context::Detail),
            ("x is gone", Context::First),
            ("waits for the x", Context::Last),
            ("updated to the x.", Context::Last),
            ("came from x again", Context::Object),
            ("the x is gone", Context::Bare),
        ] {
            assert_eq!(context(template, "x"), expected, "{template}");
        }
    }

    /// The number of plain words that a place needs, and of identifiers.
    #[test]
    fn words_that_a_place_needs() {
        let needed = |context: Context, words: fn(usize) -> PlaceWords| {
            (1..100).find(|&n_words| words(n_words).are_values(context))
        };
        let plain = |n_words| PlaceWords {
            n_words,
            ..PlaceWords::default()
        };
        let identifiers = |n_words| PlaceWords {
            n_identifiers: n_words,
            ..PlaceWords {
                n_words,
                ..PlaceWords::default()
            }
        };
        for (context, n_plain, n_identifiers) in [
            (Context::Quotes, 3, 2),
            (Context::Subject, 3, 2),
            (Context::Detail, 5, 2),
            (Context::Last, 7, 4),
            (Context::Bare, 9, 6),
            (Context::First, 10, 7),
        ] {
            assert_eq!(needed(context, plain), Some(n_plain), "{context:?}");
            assert_eq!(
                needed(context, identifiers),
                Some(n_identifiers),
                "{context:?}"
            );
        }
        // One word that is a value elsewhere, beside a placeholder.
        let one = PlaceWords {
            n_words: 1,
            n_known: 1,
            has_placeholder: true,
            ..PlaceWords::default()
        };
        assert!(one.are_values(Context::Bare));
        assert!(
            !PlaceWords {
                n_words: 1,
                n_known: 1,
                ..PlaceWords::default()
            }
            .are_values(Context::Quotes)
        );
        assert!(!PlaceWords::default().are_values(Context::Quotes));
        // Exceptions need many more.
        let classes = |n_words| PlaceWords {
            n_words,
            n_kinds: n_words,
            ..PlaceWords::default()
        };
        assert_eq!(needed(Context::Detail, classes), Some(13));
    }

    #[test]
    fn kinds_of_events() {
        for word in [
            "OOMKilled",
            "CrashLoopBackOff",
            "NullPointerException",
            "ENOENT",
            "RUNNING",
            "KeyError",
            "AccessDenied",
            "warn",
            "Failed",
        ] {
            assert!(is_kind_of_event(word), "{word}");
        }
        for word in ["orders", "A", "web1", "BlockManagerMaster"] {
            assert!(!is_kind_of_event(word), "{word}");
        }
    }
}
