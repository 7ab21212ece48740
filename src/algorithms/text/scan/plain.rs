//! The bulk of every line: words of letters, and numbers. Most of them mean the same in any
//! position and are handled here; the rest is left to the walk, which gives the same answer at more
//! cost.

use super::{LONGEST_UNIT, Scanner, SeenWord};
use crate::algorithms::text::blanks::is_white;
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::shape::{Class, WordShape};
use crate::algorithms::text::variable::Variable;
use crate::algorithms::text::words;

impl Scanner<'_> {
    /// Whether this is a word or a number that nothing around it turns into something else. A
    /// number is added to the variables.
    #[inline]
    pub(super) fn is_plain(&mut self, start: usize, end: usize, shape: WordShape) -> bool {
        let is_word = shape.is_plain();
        if !is_word && !shape.is_of_digits(end - start) || !self.stands_free(start, end) {
            return false;
        }
        if is_word {
            let is_part = end - start <= LONGEST_UNIT && self.is_next_to_variable(start);
            return !is_part && !can_be_more(&self.line[start..end], shape);
        }
        let is_alone = !self.is_next_to_variable(start) && !self.is_behind_month();
        if is_alone {
            self.found.push(Variable {
                start,
                end,
                kind: VariableKind::Num,
            });
        }
        is_alone
    }

    /// Whether no name is expected here and the surroundings have no placeholder, no padding, no
    /// Chinese noun, and no blanks that align a value.
    fn stands_free(&self, start: usize, end: usize) -> bool {
        let before = match self.line[..start] {
            [] => true,
            [.., before, b' '] => {
                before < 0x80
                    && !is_white(before)
                    && !matches!(before, b'[' | b'(' | b'{' | b'=' | b'>')
            }
            [.., before] => before < 0x80 && before != b'>' && !is_white(before),
        };
        before
            && !matches!(self.at(end), Some(b'=' | b'<'))
            && self.user.is_none()
            && self.name_at != start
            && self.rules.keep.is_empty()
    }

    /// Whether at most one blank separates this from the variable before it.
    fn is_next_to_variable(&self, at: usize) -> bool {
        self.found.last().is_some_and(|last| last.end + 1 >= at)
    }

    fn is_behind_month(&self) -> bool {
        let SeenWord { start, end } = self.words[0];
        end - start == 3 && words::is_month_or_weekday(&self.line[start..end])
    }
}

/// Whether a word of letters can be a variable in some position: a truth value, an account, digits
/// of a hexadecimal number, a random name.
fn can_be_more(word: &[u8], shape: WordShape) -> bool {
    match word.len() {
        3 => word[0] == b'n',
        4 => matches!(word[0], b't' | b'T' | b'n' | b'N' | b'r' | b'u' | b'U'),
        5 => matches!(word[0], b'f' | b'F' | b'a'),
        13 if matches!(word[0], b'a' | b'A') => true,
        8.. => shape.count(Class::Upper) >= 2 || shape.count(Class::HexLetter) == word.len(),
        _ => false,
    }
}
