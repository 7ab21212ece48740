//! Masking: from a log line to its template, in one pass over the bytes and without a regular
//! expression.
//!
//! A template is the line with each variable replaced by a placeholder and each run of white space
//! by one blank. It depends only on the line: on no other line, no model, no clock. So it is the
//! same on every machine and for ever. Masking a template again changes nothing, unless `mask` or
//! `max_len` see something new in it. The walk is in `scan`, the verdict on one word in `classify`.
//!
//! That masks alone can give a template, before any grouping, is the experience of the Drain family
//! (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017); those use
//! lists of regular expressions, while the masks here are rules on the shape of words.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regex::Regex;

use crate::algorithms::text::blanks::{is_white, push_with_single_blanks};
use crate::algorithms::text::escapes::without_escapes;
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mask_options::{MaskOptions, Profile, Quotes, Style, Subject};
use crate::algorithms::text::memo::{KnownLine, Memo};
use crate::algorithms::text::scan::{WalkNotes, WalkRules, scan};
use crate::algorithms::text::variable::Variable;
use crate::error::{Error, Result};

/// Finds the variables of log lines and writes templates. It is made once from [`MaskOptions`] and
/// used for any number of lines.
///
/// ```
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker};
///
/// let masker = Masker::new(&MaskOptions::default())?;
/// assert_eq!(masker.template("Connection from 10.0.0.7:51234 closed after 12ms"), "Connection from <*> closed after <*>");
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Masker {
    style: Style,
    profile: Profile,
    quotes: Quotes,
    subject: Subject,
    keep: HashSet<Box<[u8]>>,
    mask: Option<Regex>,
    max_len: usize,
    /// The options as a number, if they alone decide; `None` if `keep`, `mask` or `max_len` is set.
    masks: Option<u8>,
    /// Working space that was used before and remembers lines.
    spaces: Arc<Mutex<Vec<Masking>>>,
}

/// The most spaces that are kept, each with a few megabytes of remembered lines.
const MAX_SPACES: usize = 64;
/// A space that very long lines have made larger than this is not kept.
const MAX_SPACE_BYTES: usize = 1 << 20;

/// Working space lent by a [`Masker`] and returned to it on drop: the next batch profits from the
/// lines that it remembers.
#[derive(Debug)]
pub(crate) struct Space<'a> {
    masking: Masking,
    owner: &'a Masker,
}

impl Deref for Space<'_> {
    type Target = Masking;

    fn deref(&self) -> &Masking {
        &self.masking
    }
}

impl DerefMut for Space<'_> {
    fn deref_mut(&mut self) -> &mut Masking {
        &mut self.masking
    }
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        let masking = std::mem::take(&mut self.masking);
        let mut spaces = self.owner.spaces();
        let variables = masking.variables.capacity() * size_of::<Variable>();
        if spaces.len() < MAX_SPACES && masking.plain.capacity() + variables < MAX_SPACE_BYTES {
            spaces.push(masking);
        }
    }
}

/// The result of masking one line; it is reused for the next one, so that lines cost no
/// allocations.
#[derive(Debug, Clone, Default)]
pub struct Masking {
    variables: Vec<Variable>,
    single_blanks: bool,
    /// The line without its colours, if it has any.
    plain: String,
    has_escapes: bool,
    memo: Memo,
    /// What an earlier line tells about this one.
    known: Option<KnownLine>,
}

impl Masker {
    /// Checks the options and makes a masker of them.
    ///
    /// # Errors
    /// If `mask` is not a regular expression or matches the empty text, or if `max_len` is 0.
    pub fn new(options: &MaskOptions) -> Result<Self> {
        let mask = options.mask.as_deref().map(compile).transpose()?;
        if options.max_len == Some(0) {
            return Err(Error::invalid_option("max_len needs at least 1, got 0"));
        }
        let has_limits = mask.is_some() || options.max_len.is_some() || !options.keep.is_empty();
        let masks = [
            options.style as u8,
            options.profile as u8,
            options.quotes as u8,
            options.subject as u8,
        ];
        let masks = masks.iter().fold(0, |sum, number| 4 * sum + number);
        Ok(Self {
            spaces: Arc::default(),
            masks: (!has_limits).then_some(masks),
            style: options.style,
            profile: options.profile,
            quotes: options.quotes,
            subject: options.subject,
            keep: options
                .keep
                .iter()
                .map(|word| word.as_bytes().into())
                .collect(),
            mask,
            max_len: options.max_len.unwrap_or(usize::MAX),
        })
    }

    /// Working space for many lines.
    pub(crate) fn space(&self) -> Space<'_> {
        let masking = self.spaces().pop().unwrap_or_default();
        Space {
            masking,
            owner: self,
        }
    }

    /// The lock is held only to push and pop, so that a poisoned one is still sound.
    fn spaces(&self) -> MutexGuard<'_, Vec<Masking>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the variables of `line`. Their positions refer to [`Masking::text`], the line without
    /// the colours of a terminal.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::{VariableKind, MaskOptions, Masker, Masking};
    ///
    /// let masker = Masker::new(&MaskOptions::default())?;
    /// let mut masking = Masking::default();
    /// masker.mask("took 12ms", &mut masking);
    /// assert_eq!(masking.variables()[0].kind, VariableKind::Duration);
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn mask(&self, line: &str, masking: &mut Masking) {
        let whole = line.len();
        let mut plain = std::mem::take(&mut masking.plain);
        let line = without_escapes(line, &mut plain);
        masking.has_escapes = line.len() < whole;
        masking.known = self.masks.and_then(|masks| masking.memo.find(line, masks));
        if masking.known.is_none() {
            self.walk(line, masking);
        }
        masking.plain = plain;
    }

    /// Masks a line that is not known, and remembers it.
    fn walk(&self, line: &str, masking: &mut Masking) {
        masking.variables.clear();
        let found = if self.masks.is_some() {
            scan(
                line.as_bytes(),
                0,
                line.len(),
                self.rules(),
                &mut masking.variables,
            )
        } else {
            self.walk_with_limits(line, &mut masking.variables)
        };
        masking.single_blanks = found.single_blanks;
        if self.masks.is_some() && !found.looked_at_digits {
            let Masking {
                variables, memo, ..
            } = masking;
            masking.known = memo.insert(variables, found.single_blanks, |out| {
                self.write(line, variables, found.single_blanks, out);
            });
        }
    }

    /// Walks over a line up to `max_len`, with the matches of `mask` as variables.
    fn walk_with_limits(&self, line: &str, variables: &mut Vec<Variable>) -> WalkNotes {
        let bytes = line.as_bytes();
        let stop = if line.len() > self.max_len {
            cut_at_word(line, self.max_len)
        } else {
            line.len()
        };
        let mut single_blanks = true;
        let mut start = 0;
        let matches = self
            .mask
            .iter()
            .flat_map(|mask| mask.find_iter(&line[..stop]));
        for found in matches.filter(|found| !found.is_empty()) {
            single_blanks &=
                scan(bytes, start, found.start(), self.rules(), variables).single_blanks;
            variables.push(Variable {
                start: found.start(),
                end: found.end(),
                kind: VariableKind::Custom,
            });
            start = found.end();
        }
        single_blanks &= scan(bytes, start, stop, self.rules(), variables).single_blanks;
        if stop < line.len() {
            variables.push(Variable {
                start: stop,
                end: line.len(),
                kind: VariableKind::Any,
            });
        }
        WalkNotes {
            single_blanks,
            looked_at_digits: true,
        }
    }

    fn rules(&self) -> WalkRules<'_> {
        WalkRules {
            profile: self.profile,
            quotes: self.quotes,
            subject: self.subject,
            keep: &self.keep,
        }
    }

    /// Appends the template of `line` to `out`, given the result of [`Masker::mask`] for the same
    /// line.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Masking};
    ///
    /// let masker = Masker::new(&MaskOptions::default())?;
    /// let (mut masking, mut out) = (Masking::default(), String::new());
    /// for line in ["took 12ms", "took 7ms"] {
    ///     masker.mask(line, &mut masking);
    ///     masker.write_template(line, &masking, &mut out);
    ///     out.push('\n');
    /// }
    /// assert_eq!(out, "took <*>\ntook <*>\n");
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn write_template(&self, line: &str, masking: &Masking, out: &mut String) {
        let line = masking.text(line);
        match masking
            .known
            .as_ref()
            .and_then(|known| masking.memo.template(known))
        {
            Some(template) => out.push_str(template),
            None => self.write(line, masking.variables(), masking.has_single_blanks(), out),
        }
    }

    fn write(&self, line: &str, variables: &[Variable], single_blanks: bool, out: &mut String) {
        let base = out.len();
        let mut at = 0;
        for variable in variables {
            write_constant(&line[at..variable.start], single_blanks, base, out);
            out.push_str(match self.style {
                Style::Star => VariableKind::Any.placeholder(),
                Style::Typed => variable.kind.placeholder(),
            });
            at = variable.end;
        }
        write_constant(&line[at..], single_blanks, base, out);
        if !single_blanks && out[base..].ends_with(' ') {
            out.pop();
        }
    }

    /// The template of one line.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Style};
    ///
    /// let mut options = MaskOptions::default();
    /// options.style = Style::Typed;
    /// let masker = Masker::new(&options)?;
    /// assert_eq!(masker.template("GET /cart 503 in 1.5s"), "GET <PATH> <NUM> in <DURATION>");
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn template(&self, line: &str) -> String {
        let (mut masking, mut out) = (self.space(), String::with_capacity(line.len()));
        self.mask(line, &mut masking);
        self.write_template(line, &masking, &mut out);
        out
    }
}

impl Masking {
    /// The variables of the line, in order and without overlap. A variable can be empty: in
    /// `10.0.0.1 ()` the name between the brackets is missing.
    pub fn variables(&self) -> &[Variable] {
        match &self.known {
            Some(known) => self.memo.variables(known),
            None => &self.variables,
        }
    }

    fn has_single_blanks(&self) -> bool {
        self.known
            .map_or(self.single_blanks, |known| known.single_blanks)
    }

    /// The text that the positions of the variables refer to: the line that was masked, without the
    /// colours of a terminal.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::{MaskOptions, Masker, Masking};
    ///
    /// let (line, mut masking) = ("took \u{1b}[33m12ms\u{1b}[0m", Masking::default());
    /// Masker::new(&MaskOptions::default())?.mask(line, &mut masking);
    /// let variable = masking.variables()[0];
    /// assert_eq!(&masking.text(line)[variable.start..variable.end], "12ms");
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn text<'a>(&'a self, line: &'a str) -> &'a str {
        if self.has_escapes { &self.plain } else { line }
    }
}

/// Appends constant text with every run of white space as one blank, and none at the beginning of a
/// template.
fn write_constant(text: &str, single_blanks: bool, base: usize, out: &mut String) {
    if single_blanks {
        return out.push_str(text);
    }
    push_with_single_blanks(text, base, out);
}

fn compile(mask: &str) -> Result<Regex> {
    let regex = Regex::new(mask).map_err(|error| {
        Error::invalid_option(format!("mask is no regular expression: {error}"))
    })?;
    if regex.is_match("") {
        return Err(Error::invalid_option(format!(
            "mask '{mask}' matches the empty text; let it match at least one character"
        )));
    }
    Ok(regex)
}

/// The last beginning of a word that is not after `limit`, so that no word is cut in two unless it
/// is very long.
fn cut_at_word(line: &str, limit: usize) -> usize {
    const LONGEST_WORD: usize = 256;
    let window = &line.as_bytes()[limit.saturating_sub(LONGEST_WORD)..limit];
    match window.iter().rposition(|&byte| is_white(byte)) {
        Some(blank) => limit - window.len() + blank + 1,
        None => line.floor_char_boundary(limit),
    }
}
