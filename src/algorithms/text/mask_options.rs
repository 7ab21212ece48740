//! The options of masking.

/// How variables are shown in a template.
///
/// ```
/// use datafusion_aiops::algorithms::text::Style;
/// assert_eq!(Style::default(), Style::Star);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Style {
    /// `<*>` for every variable.
    #[default]
    Star,
    /// `<NUM>`, `<IP>`, `<PATH>`, ...: the placeholder of the variable's
    /// [`VariableKind`](crate::algorithms::text::VariableKind).
    Typed,
}

/// What kind of lines to expect.
///
/// ```
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Profile};
///
/// let mut options = MaskOptions::default();
/// options.profile = Profile::KeyValue;
/// let masker = Masker::new(&options)?;
/// assert_eq!(masker.template("level=info path=home user=7"), "level=info path=<*> user=<*>");
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Text with values in it.
    #[default]
    Default,
    /// `key=value` lines: every key is constant and every value is one variable, except for the
    /// values of keys that say what kind of event it is. They are masked like a text: `level`, `severity`, `logger`, `event`, `type`, `kind`, `msg`, `message`, `text`,
    /// `error`, `err`, `exception`, `reason`, the stack trace, and other spellings of these.
    KeyValue,
    /// JSON lines, handled in the same way; the elements of a list are one variable.
    Json,
}

/// How a word in quotes is treated.
///
/// ```
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Quotes};
///
/// let masker = |quotes| {
///     let mut options = MaskOptions::default();
///     options.quotes = quotes;
///     Masker::new(&options)
/// };
/// assert_eq!(masker(Quotes::Mask)?.template("no tag 'v1' in shop"), "no tag '<*>' in shop");
/// assert_eq!(masker(Quotes::Keep)?.template("no tag 'v1' in shop"), "no tag 'v1' in shop");
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Quotes {
    /// It is a variable: `user "alice"`. Options, signs, words in capitals and the keys of JSON
    /// stay.
    #[default]
    Mask,
    /// It is judged like a word without quotes.
    Keep,
}

/// How the name is treated that a line begins with and then says something about:
/// `orders: no such table`.
///
/// ```
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Subject};
///
/// let masker = |subject| {
///     let mut options = MaskOptions::default();
///     options.subject = subject;
///     Masker::new(&options)
/// };
/// assert_eq!(masker(Subject::Mask)?.template("orders: no such table"), "<*>: no such table");
/// assert_eq!(masker(Subject::Keep)?.template("orders: no such table"), "orders: no such table");
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Subject {
    /// It is a variable, unless it says how bad the message is (`error: no such table`) or the text
    /// after it begins with a capital letter, as after the name of a component
    /// (`kubelet: Started`).
    #[default]
    Mask,
    /// It is judged like any other word. Mining looks at all lines and does not need to guess.
    Keep,
}

/// The options of a [`Masker`](crate::algorithms::text::Masker).
///
/// ```
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker};
///
/// let mut options = MaskOptions::default();
/// options.keep = vec!["404".to_string()];
/// options.mask = Some("web[a-z]".to_string());
/// assert_eq!(Masker::new(&options)?.template("weba said 404 in 3 s"), "<*> said 404 in <*> s");
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MaskOptions {
    /// How variables are shown.
    pub style: Style,
    /// What kind of lines to expect.
    pub profile: Profile,
    /// How a word in quotes is treated.
    pub quotes: Quotes,
    /// How the name before the first colon is treated.
    pub subject: Subject,
    /// Words that are never masked, in exactly this spelling.
    pub keep: Vec<String>,
    /// A regular expression whose matches are variables, whatever else they look like.
    pub mask: Option<String>,
    /// All text after this many bytes of a line is one variable. `None` means that there is no
    /// limit.
    pub max_len: Option<usize>,
}
