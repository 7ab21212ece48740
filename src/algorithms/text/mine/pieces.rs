//! Templates cut into pieces: either into words, placeholders and the delimiters between them, or
//! only at blanks.

use std::collections::HashSet;

use twox_hash::XxHash64;

use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::runs::is_cjk;

/// What a piece of a template is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// `<*>`, `<NUM>`, ...
    Placeholder,
    /// A word of letters alone.
    Word,
    /// A word that looks like a made-up name: with a digit, `_`, `/`, `.`, or an upper-case letter
    /// inside.
    Identifier,
    /// Text that stays as it is: a word that the caller keeps, a whole word when only words with a
    /// placeholder in them are in question, or a template of too many pieces.
    Fixed,
    /// White space, brackets, quotes, `,` `;` `=` `|`, and other characters that form a piece
    /// alone.
    Delimiter,
}

impl PieceKind {
    /// Whether this says something that no placeholder says.
    pub(super) fn is_constant(self) -> bool {
        self.can_vary() || self == Self::Fixed
    }

    /// Whether this can turn out to be a variable.
    pub(super) fn can_vary(self) -> bool {
        matches!(self, Self::Word | Self::Identifier)
    }
}

/// One piece, identified by the hash of its text (the chance that any two of a million words share
/// a hash is 1 in 37 million).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) hash: u64,
    pub(super) kind: PieceKind,
}

impl Piece {
    /// `<*>`.
    pub(super) fn any() -> Self {
        Self::new(VariableKind::Any.placeholder(), PieceKind::Placeholder)
    }

    fn new(text: &str, kind: PieceKind) -> Self {
        let hash = XxHash64::oneshot(0, text.as_bytes());
        Self { hash, kind }
    }
}

/// How a template is cut into pieces; the concatenation of the pieces is the template again.
#[derive(Debug, Clone, Copy)]
pub(super) enum TemplateCut {
    /// Into words, placeholders and delimiters.
    Pieces,
    /// At blanks; only a word with a placeholder in it can vary.
    Words,
}

/// The most pieces of a template. A template with more is one piece that cannot vary: stack traces
/// and dumps, whose columns say nothing.
const MAX_PIECES: usize = 256;

impl TemplateCut {
    /// The pieces of a template; words in `keep` cannot vary.
    pub(super) fn pieces<'a>(
        self,
        template: &'a str,
        keep: &HashSet<String>,
    ) -> Vec<(Piece, &'a str)> {
        let texts = match self {
            Self::Pieces => pieces(template),
            Self::Words => words(template),
        };
        let Some(texts) = texts else {
            return vec![(Piece::new(template, PieceKind::Fixed), template)];
        };
        let kind = |text: &str| match self {
            _ if keep.contains(text) => PieceKind::Fixed,
            Self::Pieces => kind_of(text),
            Self::Words => kind_of_word(text),
        };
        let piece = |text| (Piece::new(text, kind(text)), text);
        texts.into_iter().map(piece).collect()
    }
}

/// Words, placeholders and delimiters; `None` if there are too many.
fn pieces(template: &str) -> Option<Vec<&str>> {
    let mut pieces = vec![];
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        if pieces.len() == MAX_PIECES {
            return None;
        }
        let length = match VariableKind::of_placeholder(rest.as_bytes()) {
            Some((_, length)) => length,
            None => length_of_piece(rest, first),
        };
        let (piece, behind) = rest.split_at(length);
        pieces.push(piece);
        rest = behind;
    }
    Some(pieces)
}

/// The text between blanks, and the blanks; `None` if there are too many.
fn words(template: &str) -> Option<Vec<&str>> {
    let words = template.split_inclusive(' ').flat_map(|word| {
        let (word, blank) = word.split_at(word.trim_end_matches(' ').len());
        [word, blank]
    });
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(MAX_PIECES + 1).collect();
    (words.len() <= MAX_PIECES).then_some(words)
}

fn kind_of_word(word: &str) -> PieceKind {
    match kind_of(word) {
        PieceKind::Placeholder => PieceKind::Placeholder,
        _ if word == " " => PieceKind::Delimiter,
        _ if has_placeholder(word) => PieceKind::Identifier,
        _ => PieceKind::Fixed,
    }
}

fn has_placeholder(word: &str) -> bool {
    let mut openings = word.match_indices('<');
    openings
        .any(|(position, _)| VariableKind::of_placeholder(&word.as_bytes()[position..]).is_some())
}

fn length_of_piece(text: &str, first: char) -> usize {
    let is_alone = |position: usize, char: char| is_delimiter(char, &text[position..]);
    if is_alone(0, first) {
        return first.len_utf8();
    }
    // Text without blanks (Chinese, Japanese) is a separate word next to a Latin one.
    let ends = |&(position, char): &(usize, char)| {
        is_alone(position, char) || is_cjk(char) != is_cjk(first)
    };
    text.char_indices()
        .find(ends)
        .map_or(text.len(), |(position, _)| position)
}

/// Whether this character is a piece alone. A colon belongs to `a:b` and `12:30`, and delimits if a
/// blank or a placeholder follows; `<` can begin a placeholder.
fn is_delimiter(char: char, text: &str) -> bool {
    match char {
        ' ' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '\'' | ',' | ';' | '='
        | '|' => true,
        '`' => true,
        ':' => matches!(text.as_bytes().get(1), None | Some(b' ' | b'<')),
        // The end of a sentence.
        '.' | '?' | '!' => matches!(text.as_bytes().get(1), None | Some(b' ')),
        _ => !char.is_ascii() && !char.is_alphanumeric(),
    }
}

/// The kind of a piece, judged by its text.
fn kind_of(piece: &str) -> PieceKind {
    if VariableKind::of_placeholder(piece.as_bytes())
        .is_some_and(|(_, length)| length == piece.len())
    {
        return PieceKind::Placeholder;
    }
    if !piece.chars().any(char::is_alphanumeric) {
        return PieceKind::Delimiter;
    }
    let is_made_up = |char: char| char.is_ascii_digit() || matches!(char, '_' | '/' | '.');
    let mixes_cases =
        piece.chars().any(char::is_lowercase) && piece.chars().skip(1).any(char::is_uppercase);
    if mixes_cases || piece.chars().any(is_made_up) {
        PieceKind::Identifier
    } else {
        PieceKind::Word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let check = |template: &str, expected: &[&str]| {
            let found = TemplateCut::Pieces.pieces(template, &HashSet::new());
            let found: Vec<&str> = found.iter().map(|piece| piece.1).collect();
            assert_eq!(found, expected, "{template}");
            assert_eq!(found.concat(), template);
        };
        check("", &[]);
        check("user=<*>", &["user", "=", "<*>"]);
        check("a <NUM> b", &["a", " ", "<NUM>", " ", "b"]);
        check("node-<*>: down", &["node-", "<*>", ":", " ", "down"]);
        check("t:<*> 12:30", &["t", ":", "<*>", " ", "12:30"]);
        check("表orders不存在", &["表", "orders", "不存在"]);
        check("é ñ", &["é", " ", "ñ"]);
        check(
            "访问 orders，错误码",
            &["访问", " ", "orders", "，", "错误码"],
        );
    }

    #[test]
    fn splits_at_blanks() {
        let found = TemplateCut::Words.pieces("wpad:<*> error <*> ", &HashSet::new());
        let texts: Vec<&str> = found.iter().map(|piece| piece.1).collect();
        assert_eq!(texts, ["wpad:<*>", " ", "error", " ", "<*>", " "]);
        let varying: Vec<bool> = found.iter().map(|piece| piece.0.kind.can_vary()).collect();
        assert_eq!(varying, [true, false, false, false, false, false]);
    }

    #[test]
    fn kept_words_and_long_templates_cannot_vary() {
        let keep = HashSet::from(["root".to_string()]);
        let found = TemplateCut::Pieces.pieces("root x", &keep);
        let varying: Vec<bool> = found.iter().map(|piece| piece.0.kind.can_vary()).collect();
        assert_eq!(varying, [false, false, true]);
        let long = "a ".repeat(MAX_PIECES);
        for cut in [TemplateCut::Pieces, TemplateCut::Words] {
            assert_eq!(cut.pieces(&long, &keep).len(), 1);
        }
    }

    #[test]
    fn kinds() {
        let check = |piece: &str, expected| assert_eq!(kind_of(piece), expected, "{piece}");
        check("<*>", PieceKind::Placeholder);
        check("<IP>", PieceKind::Placeholder);
        check("root", PieceKind::Word);
        check("FAILED", PieceKind::Word);
        check("Failed", PieceKind::Word);
        check("磁盘", PieceKind::Word);
        check("root_domain", PieceKind::Identifier);
        check("EventType", PieceKind::Identifier);
        check("eth0", PieceKind::Identifier);
        check("=", PieceKind::Delimiter);
        check("->", PieceKind::Delimiter);
    }
}
