//! An error as it is explained to a person.

/// The explanation of an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) text: String,
    pub(crate) hints: Vec<String>,
    /// Line and column, from 1, in the text that the statement came from.
    pub(crate) place: Option<(u64, u64)>,
}

impl Explanation {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn place(mut self, place: Option<(u64, u64)>) -> Self {
        self.place = self.place.or(place);
        self
    }

    /// Puts the circumstances before the text.
    pub(crate) fn within(mut self, circumstances: &str) -> Self {
        self.text = format!("{circumstances}: {}", self.text);
        self
    }
}
