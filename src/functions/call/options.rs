//! The one optional `options` argument of every function: `'key=value,key=value'` or a struct.
//!
//! A value with a comma in it is put in double quotes, `'mask="\d{1,3}"'`; the elements of a list
//! are separated by `|`. If the options are a literal, every key and value is checked while the
//! query is planned, and the error says what is valid.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

/// No function has this many options: a longer argument is data in the place of options.
const MAX_ENTRIES: usize = 100;

/// Reads the options of one call. Each `take_` method names one valid key; [`CallOptions::finish`]
/// refuses the keys that are left.
#[derive(Debug)]
pub(crate) struct CallOptions {
    function: &'static str,
    entries: Vec<(String, Vec<String>)>,
    known: Vec<&'static str>,
}

impl CallOptions {
    /// The options in this literal; there are none in `None` and NULL.
    pub(crate) fn parse(function: &'static str, literal: Option<&ScalarValue>) -> Result<Self> {
        let entries = match literal {
            None => vec![],
            Some(value) if value.is_null() => vec![],
            Some(ScalarValue::Struct(fields)) => struct_entries(function, fields.as_ref())?,
            Some(value) => match value.try_as_str() {
                Some(text) => text_entries(function, text.unwrap_or_default())?,
                None => {
                    return plan_err!(
                        "{function}: options must be text such as 'key=value' or a struct, got {}",
                        value.data_type()
                    );
                }
            },
        };
        for (position, (key, _)) in entries.iter().enumerate() {
            if entries[..position]
                .iter()
                .any(|(earlier, _)| earlier == key)
            {
                return plan_err!("{function}: option '{key}' is given twice");
            }
        }
        Ok(Self {
            function,
            entries,
            known: vec![],
        })
    }

    /// The function whose options these are.
    pub(crate) fn function(&self) -> &'static str {
        self.function
    }

    fn take(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.known.push(key);
        let position = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.swap_remove(position).1)
    }

    /// The first of these keys that is present.
    pub(crate) fn given(&self, keys: &[&'static str]) -> Option<&'static str> {
        let is_given = |key: &&&str| self.entries.iter().any(|(name, _)| name == **key);
        keys.iter().find(is_given).copied()
    }

    /// The value of `key` as it is written.
    pub(crate) fn take_text(&mut self, key: &'static str) -> Option<String> {
        self.take(key).map(|values| values.join("|"))
    }

    /// The elements of a list; a single text is split at `|`.
    pub(crate) fn take_list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let values = self.take(key)?;
        Some(
            values
                .iter()
                .flat_map(|value| value.split('|'))
                .filter(|value| !value.is_empty())
                .map(str::to_string)
                .collect(),
        )
    }

    /// A number of at least `min`.
    pub(crate) fn take_number<T: FromStr + PartialOrd + fmt::Display>(
        &mut self,
        key: &'static str,
        min: T,
    ) -> Result<Option<T>> {
        let Some(text) = self.take_text(key) else {
            return Ok(None);
        };
        match text.parse::<T>() {
            Ok(number) if number >= min => Ok(Some(number)),
            _ => plan_err!(
                "{}: option {key} needs a whole number from {min} up, got '{text}'",
                self.function
            ),
        }
    }

    /// A finite number from `min` to `max`.
    pub(crate) fn take_real(
        &mut self,
        key: &'static str,
        min: f64,
        max: f64,
    ) -> Result<Option<f64>> {
        let Some(text) = self.take_text(key) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && (min..=max).contains(&number) => Ok(Some(number)),
            _ if min.is_infinite() => plan_err!(
                "{}: option {key} needs a number, got '{text}'",
                self.function
            ),
            _ if max.is_infinite() => plan_err!(
                "{}: option {key} needs a number from {min} up, got '{text}'",
                self.function
            ),
            _ => plan_err!(
                "{}: option {key} needs a number from {min} to {max}, got '{text}'",
                self.function
            ),
        }
    }

    /// One of these words.
    pub(crate) fn take_choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>> {
        let Some(text) = self.take_text(key) else {
            return Ok(None);
        };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                plan_err!(
                    "{}: option {key} must be one of {}, got '{text}'",
                    self.function,
                    words.join(", ")
                )
            }
        }
    }

    /// Several of these words, each at most once.
    pub(crate) fn take_choices<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<Vec<T>>> {
        let Some(texts) = self.take_list(key) else {
            return Ok(None);
        };
        let chosen = |text: &String| choices.iter().position(|(word, _)| word == text);
        let unknown = texts.iter().find(|text| chosen(text).is_none());
        if texts.is_empty() || unknown.is_some() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            return plan_err!(
                "{}: option {key} must be some of {}, separated by |, got '{}'",
                self.function,
                words.join(", "),
                unknown.map_or("", String::as_str)
            );
        }
        let mut positions: Vec<_> = texts.iter().filter_map(chosen).collect();
        positions.sort_unstable();
        positions.dedup();
        let choice = |position: usize| choices[position].1;
        Ok(Some(positions.into_iter().map(choice).collect()))
    }

    /// `on` or `off`; also `true` or `false`, the booleans of a struct.
    pub(crate) fn take_switch(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.take_choice(
            key,
            &[
                ("on", true),
                ("off", false),
                ("true", true),
                ("false", false),
            ],
        )
    }

    /// Refuses keys that no `take_` method asked for.
    pub(crate) fn finish(self) -> Result<()> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => {
                plan_err!(
                    "{}: unknown option '{key}'; valid options are {}",
                    self.function,
                    self.known.join(", ")
                )
            }
        }
    }
}

fn text_entries(function: &str, text: &str) -> Result<Vec<(String, Vec<String>)>> {
    let mut entries = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if entries.len() == MAX_ENTRIES {
            return plan_err!("{function}: more than {MAX_ENTRIES} options");
        }
        let no_value = || {
            plan_datafusion_err!(
                "{function}: options are written 'key=value,key=value', several values of a key as a|b, a value with a comma in double quotes, got '{text}'"
            )
        };
        let (key, behind) = rest.split_once('=').ok_or_else(no_value)?;
        let behind = behind.trim_start();
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => {
                let unclosed = || {
                    plan_datafusion_err!(
                        "{function}: the value of option '{}' has no closing quote",
                        key.trim()
                    )
                };
                let (value, behind) = quoted.split_once('"').ok_or_else(unclosed)?;
                if !behind.trim_start().is_empty() && !behind.trim_start().starts_with(',') {
                    return Err(no_value());
                }
                (
                    value,
                    behind.trim_start().strip_prefix(',').unwrap_or(behind),
                )
            }
            None => {
                let (value, behind) = behind.split_once(',').unwrap_or((behind, ""));
                (value.trim_end(), behind)
            }
        };
        if key.trim().is_empty() || key.contains(',') {
            return Err(no_value());
        }
        entries.push((key.trim().to_string(), vec![value.to_string()]));
        rest = behind.trim_start();
    }
    Ok(entries)
}

fn struct_entries(function: &str, fields: &dyn Array) -> Result<Vec<(String, Vec<String>)>> {
    let fields = fields.as_struct();
    let mut entries = vec![];
    for (field, column) in fields.fields().iter().zip(fields.columns()) {
        let values = match ScalarValue::try_from_array(column, 0)? {
            value if value.is_null() => continue,
            ScalarValue::List(list) => list_elements(function, field.name(), &list.value(0))?,
            ScalarValue::LargeList(list) => list_elements(function, field.name(), &list.value(0))?,
            ScalarValue::FixedSizeList(list) => {
                list_elements(function, field.name(), &list.value(0))?
            }
            value => vec![scalar_text(function, field.name(), &value)?],
        };
        entries.push((field.name().clone(), values));
    }
    Ok(entries)
}

fn list_elements(function: &str, key: &str, list: &dyn Array) -> Result<Vec<String>> {
    (0..list.len())
        .filter(|&row| list.is_valid(row))
        .map(|row| scalar_text(function, key, &ScalarValue::try_from_array(list, row)?))
        .collect()
}

fn scalar_text(function: &str, key: &str, value: &ScalarValue) -> Result<String> {
    match value.data_type() {
        data_type
            if data_type.is_string()
                || data_type.is_numeric()
                || data_type == DataType::Boolean =>
        {
            Ok(value.to_string())
        }
        other => {
            plan_err!("{function}: option {key} must be text, a number or a boolean, got {other}")
        }
    }
}

/// The prepared options of a function, made once for each distinct literal and shared by all
/// batches of a query.
pub(crate) struct Prepared<T> {
    made: Mutex<HashMap<Option<ScalarValue>, Arc<T>>>,
}

/// The cache is cleared when one process uses more distinct options than this.
const MAX_PREPARED: usize = 64;

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self {
            made: Mutex::new(HashMap::new()),
        }
    }
}

impl<T> Prepared<T> {
    /// The result of `make` for the options literal, from the cache if it was made before.
    pub(crate) fn get(
        &self,
        function: &'static str,
        literal: Option<&ScalarValue>,
        make: impl FnOnce(&mut CallOptions) -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = literal.cloned();
        if let Some(found) = made.get(&key) {
            return Ok(Arc::clone(found));
        }
        let mut options = CallOptions::parse(function, literal)?;
        let new = Arc::new(make(&mut options)?);
        options.finish()?;
        if made.len() >= MAX_PREPARED {
            made.clear();
        }
        made.insert(key, Arc::clone(&new));
        Ok(new)
    }
}

/// The options argument at `position` while a query is planned; `None` if its value is not known
/// yet. A struct becomes a literal only when the optimizer has evaluated it.
pub(crate) fn planned_options<'a>(
    args: &ReturnFieldArgs<'a>,
    position: Option<usize>,
) -> Option<Option<&'a ScalarValue>> {
    match position {
        None => Some(None),
        Some(position) => args.scalar_arguments[position].map(Some),
    }
}

/// The options argument at `position` of a running call.
pub(crate) fn called_options<'a>(
    function: &str,
    args: &'a [ColumnarValue],
    position: Option<usize>,
) -> Result<Option<&'a ScalarValue>> {
    match position.map(|position| &args[position]) {
        None => Ok(None),
        Some(ColumnarValue::Scalar(literal)) => Ok(Some(literal)),
        Some(ColumnarValue::Array(_)) => {
            plan_err!("{function}: options must be a constant, not a column")
        }
    }
}

/// The cache does not count: two functions are equal whatever they have been called with.
impl<T> PartialEq for Prepared<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Prepared<T> {}

impl<T> Hash for Prepared<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CallOptions> {
        CallOptions::parse("f", Some(&ScalarValue::from(text)))
    }

    #[test]
    fn reads_text() {
        let mut options = parse(r#" a = 1 , b="x,y=z" ,c=p|q,d="""#).unwrap();
        assert_eq!(options.take_number("a", 0).unwrap(), Some(1));
        assert_eq!(options.take_text("b").unwrap(), "x,y=z");
        assert_eq!(options.take_list("c").unwrap(), ["p", "q"]);
        assert_eq!(options.take_text("d").unwrap(), "");
        assert_eq!(options.take_text("e"), None);
        options.finish().unwrap();
    }

    #[test]
    fn errors_say_what_is_valid() {
        let check = |result: Result<()>, expected: &str| {
            assert_eq!(
                result.unwrap_err().strip_backtrace(),
                format!("Error during planning: f: {expected}")
            );
        };
        check(
            parse("style").map(drop),
            "options are written 'key=value,key=value', several values of a key as a|b, a value with a comma in double quotes, got 'style'",
        );
        check(parse("a=1,a=2").map(drop), "option 'a' is given twice");
        check(
            parse("a=\"1").map(drop),
            "the value of option 'a' has no closing quote",
        );
        let mut options = parse("stile=star").unwrap();
        options.take_text("style");
        options.take_text("keep");
        check(
            options.finish(),
            "unknown option 'stile'; valid options are style, keep",
        );
        let number = parse("n=0").unwrap().take_number("n", 1);
        check(
            number.map(drop),
            "option n needs a whole number from 1 up, got '0'",
        );
        let choice = parse("s=x")
            .unwrap()
            .take_choice("s", &[("on", 1), ("off", 2)]);
        check(choice.map(drop), "option s must be one of on, off, got 'x'");
    }
}
