//! The parameters of a function: their names, the types they accept, and the errors for invalid
//! calls.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Signature, TypeSignature, Volatility};

/// The kind of value that a parameter accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Any string type, and dictionaries of them.
    Text,
    /// A model that this function made: any binary type.
    Model(&'static str),
    /// A vector: a list of numbers.
    Vector,
    /// A text, or a list of words.
    TextOrWords,
    /// A text or a whole number that tells rows or clusters apart.
    Id,
    /// A list of structs with `cluster_id` and `vec`.
    Representatives,
    /// A timestamp of any unit and time zone, or a date.
    Time,
    /// A number of any type, and dictionaries of them; read as a double.
    Number,
    /// A length of time: an interval, a duration, or a text such as '5 minutes'.
    Duration,
    /// A whole number of steps, or a length of time.
    Steps,
    /// A list of dates or timestamps, or of texts that are dates.
    Dates,
}

impl Takes {
    pub(crate) fn accepts(self, data_type: &DataType) -> bool {
        match self {
            Self::Text => is_text(data_type),
            Self::Model(_) => matches!(
                data_type,
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView
            ),
            Self::Vector => item(data_type).is_some_and(|item| item.is_numeric() || item.is_null()),
            Self::TextOrWords => {
                is_text(data_type)
                    || item(data_type).is_some_and(|item| is_text(item) || item.is_null())
            }
            Self::Id => is_text(data_type) || data_type.is_integer(),
            Self::Representatives => {
                let takes = |name, takes: Self| {
                    let field = struct_field(data_type, name);
                    field.is_some_and(|field| field.is_null() || takes.accepts(&field))
                };
                item(data_type).is_some_and(DataType::is_null)
                    || takes("cluster_id", Self::Id) && takes("vec", Self::Vector)
            }
            Self::Time => matches!(
                data_type,
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
            ),
            Self::Number => match data_type {
                DataType::Dictionary(_, value) => value.is_numeric(),
                other => other.is_numeric(),
            },
            Self::Duration => {
                matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
                    || data_type.is_string()
            }
            Self::Steps => data_type.is_integer() || Self::Duration.accepts(data_type),
            Self::Dates => item(data_type)
                .is_some_and(|item| Self::Time.accepts(item) || item.is_string() || item.is_null()),
        }
    }

    /// The type of an untyped NULL, and the one that `SHOW FUNCTIONS` shows.
    fn example(self) -> DataType {
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        match self {
            Self::Text | Self::TextOrWords => DataType::Utf8View,
            Self::Model(_) => DataType::BinaryView,
            Self::Vector => list(DataType::Float32),
            Self::Id | Self::Steps => DataType::Int64,
            Self::Representatives => {
                let id = Field::new("cluster_id", DataType::Int64, true);
                let vec = Field::new("vec", list(DataType::Float32), true);
                list(DataType::Struct(vec![id, vec].into()))
            }
            Self::Time => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Number => DataType::Float64,
            Self::Duration => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Dates => list(DataType::Date32),
        }
    }

    /// The type that an argument of this type is cast to.
    fn coerced(self, data_type: &DataType) -> DataType {
        match (self, data_type) {
            (_, DataType::Null) => self.example(),
            (Self::Number, number) if self.accepts(number) => DataType::Float64,
            (Self::Dates, dates) if self.accepts(dates) => self.example(),
            (_, other) => other.clone(),
        }
    }

    fn advice(self, name: &str, got: &DataType) -> String {
        match self {
            Self::Text => {
                format!("{name} must be text, got {got}; write CAST({name} AS TEXT)")
            }
            Self::Model(maker) => {
                format!("{name} must be a model, the result of {maker}, got {got}")
            }
            Self::Vector => {
                format!("{name} must be a list of numbers, such as tfidf_vec returns, got {got}")
            }
            Self::TextOrWords => {
                format!(
                    "{name} must be text or a list of words, got {got}; write CAST({name} AS TEXT)"
                )
            }
            Self::Id => format!(
                "{name} must be a whole number or text, such as template_hash(template), got {got}"
            ),
            Self::Representatives => format!(
                "{name} must be a list of structs with cluster_id and vec, such as \
                 array_agg(named_struct('cluster_id', cluster_id, 'vec', vec)), got {got}"
            ),
            Self::Time if got.is_integer() => format!(
                "{name} must be a timestamp or a date, got {got}; write to_timestamp_seconds({name}) \
                 or to_timestamp_millis({name}), whichever it counts"
            ),
            Self::Time => {
                format!(
                    "{name} must be a timestamp or a date, got {got}; write to_timestamp({name})"
                )
            }
            Self::Number => {
                format!("{name} must be a number, got {got}; write CAST({name} AS DOUBLE)")
            }
            Self::Duration => {
                format!("{name} must be an interval, got {got}; write INTERVAL '5 minutes'")
            }
            Self::Dates if got.is_string() => format!(
                "{name} must be a list of dates, got {got}; all options are one text, such as 'level=0.9,model=fast'"
            ),
            Self::Dates => format!(
                "{name} must be a list of dates, such as (SELECT array_agg(day) FROM holidays), got {got}"
            ),
            Self::Steps => format!(
                "{name} must be a whole number of steps or an interval, got {got}; write 24 or INTERVAL '1 day'"
            ),
        }
    }
}

/// The parameters of a function, in the order of the arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters {
    pub(crate) function: &'static str,
    pub(crate) required: &'static [(&'static str, Takes)],
    pub(crate) optional: &'static [(&'static str, Takes)],
    /// Whether an options argument can follow.
    pub(crate) has_options: bool,
}

/// The positions of the arguments of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArgumentPlaces {
    /// The position of each optional parameter, if it is given.
    pub(crate) optional: Vec<Option<usize>>,
    pub(crate) options: Option<usize>,
}

impl Parameters {
    fn given(&self) -> impl Iterator<Item = &(&'static str, Takes)> {
        self.required.iter().chain(self.optional)
    }

    /// The parameters in the order of the signature's names. DataFusion lets a call leave out only
    /// the last ones.
    fn named(&self) -> impl Iterator<Item = (&'static str, Takes)> {
        let is_last = |takes: Takes| takes == Takes::Dates;
        let given = || self.given().copied();
        let options = self.has_options.then_some(("options", Takes::Text));
        let first = given().filter(move |(_, takes)| !is_last(*takes));
        let last = given().filter(move |(_, takes)| is_last(*takes));
        first.chain(options).chain(last)
    }

    /// A signature with named parameters that accepts any type. [`Self::check`] explains what is
    /// wrong with a call; the exact types are examples for `SHOW FUNCTIONS`.
    pub(crate) fn signature(&self) -> Signature {
        let shown = |takes: Takes| match takes.example() {
            DataType::Utf8View => DataType::Utf8,
            other => other,
        };
        let example = self.named().map(|(_, takes)| shown(takes));
        let any = TypeSignature::OneOf(vec![
            TypeSignature::UserDefined,
            TypeSignature::Exact(example.collect()),
        ]);
        let names = self.named().map(|(name, _)| name.to_string()).collect();
        Signature {
            parameter_names: Some(names),
            ..Signature::new(any, Volatility::Immutable)
        }
    }

    /// The types that the arguments are cast to. They keep their own types, except that numbers
    /// become doubles, dates in a list become days, and an untyped NULL gets the type of its
    /// parameter.
    pub(crate) fn coerce(&self, types: &[DataType]) -> Vec<DataType> {
        let optional = |data_type: &DataType| {
            let mut optional = self.optional.iter().map(|parameter| parameter.1);
            optional.find(|takes| takes.accepts(data_type))
        };
        let takes = |(position, data_type): (usize, &DataType)| match self.given().nth(position) {
            Some((_, takes)) if position < self.required.len() || data_type.is_null() => *takes,
            // The optional parameter that accepts it; otherwise it is the options, which are text.
            _ => optional(data_type).unwrap_or(Takes::Text),
        };
        let types = types.iter().enumerate();
        types
            .map(|(position, data_type)| takes((position, data_type)).coerced(data_type))
            .collect()
    }

    /// Returns the positions of the arguments. A wrong number or type of arguments is refused, with
    /// what to write instead.
    pub(crate) fn check(&self, types: &[DataType]) -> Result<ArgumentPlaces> {
        let function = self.function;
        if types.len() < self.required.len() || types.len() > self.named().count() {
            return plan_err!(
                "{function} is called as {}, got {} arguments",
                self.usage(),
                types.len()
            );
        }
        for (position, ((name, takes), data_type)) in self.required.iter().zip(types).enumerate() {
            if !takes.accepts(data_type) {
                let others = &types[position + 1..];
                if *takes == Takes::Time && others.iter().any(|other| takes.accepts(other)) {
                    return plan_err!(
                        "{function}: {name} comes first, got {data_type}; it is called as {}",
                        self.usage()
                    );
                }
                return plan_err!("{function}: {}", takes.advice(name, data_type));
            }
        }
        self.positions(types)
    }

    /// Assigns the optional arguments, any of which may be left out. A text or struct in the last
    /// place is the options; every other argument goes to the next parameter that accepts its type.
    fn positions(&self, types: &[DataType]) -> Result<ArgumentPlaces> {
        let mut positions = ArgumentPlaces {
            optional: vec![None; self.optional.len()],
            options: None,
        };
        let mut next = 0;
        for (position, data_type) in types.iter().enumerate().skip(self.required.len()) {
            let is_last = position + 1 == types.len();
            let is_text = self.has_options && is_options(data_type) && positions.options.is_none();
            let is_taken = || {
                self.optional[next..]
                    .iter()
                    .any(|(_, takes)| takes.accepts(data_type))
            };
            if is_text && (is_last || !is_taken()) {
                positions.options = Some(position);
                continue;
            }
            let rest = self.optional.iter().enumerate().skip(next);
            let taken = rest
                .filter(|(_, (_, takes))| takes.accepts(data_type))
                .map(|(number, _)| number)
                .next();
            match taken {
                Some(number) => {
                    positions.optional[number] = Some(position);
                    next = number + 1;
                }
                None => return self.refuse(next, data_type),
            }
        }
        Ok(positions)
    }

    fn refuse(&self, next: usize, data_type: &DataType) -> Result<ArgumentPlaces> {
        let function = self.function;
        match self.optional.get(next) {
            Some((name, takes)) => {
                plan_err!("{function}: {}", takes.advice(name, data_type))
            }
            None => plan_err!(
                "{function}: options must be text such as 'key=value' or a struct, got {data_type}"
            ),
        }
    }

    /// The call syntax, for error messages.
    fn usage(&self) -> String {
        let required: Vec<_> = self.required.iter().map(|parameter| parameter.0).collect();
        let mut usage = required.join(", ");
        let options = self.has_options.then_some("options");
        for name in self
            .optional
            .iter()
            .map(|parameter| parameter.0)
            .chain(options)
        {
            usage.push_str(&format!(" [, {name}]"));
        }
        format!("{}({usage})", self.function)
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => value.is_string(),
        other => other.is_string(),
    }
}

fn is_options(data_type: &DataType) -> bool {
    data_type.is_string() || matches!(data_type, DataType::Struct(_))
}

/// The type of the elements of a list.
fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

/// The type of a field of the structs in a list.
pub(crate) fn struct_field(list: &DataType, name: &str) -> Option<DataType> {
    match item(list)? {
        DataType::Struct(fields) => Some(fields.find(name)?.1.data_type().clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: Parameters = Parameters {
        function: "f",
        required: &[("id", Takes::Id)],
        optional: &[("prior", Takes::Id)],
        has_options: true,
    };

    #[test]
    fn finds_what_is_given() {
        let check = |types: &[DataType], prior, options| {
            let found = FUNCTION.check(types).unwrap();
            assert_eq!(
                (found.optional[0], found.options),
                (prior, options),
                "{types:?}"
            );
        };
        let (number, text) = (DataType::Int64, DataType::Utf8);
        check(std::slice::from_ref(&number), None, None);
        check(&[number.clone(), text.clone()], None, Some(1));
        check(&[number.clone(), number.clone()], Some(1), None);
        check(
            &[text.clone(), text.clone(), text.clone()],
            Some(1),
            Some(2),
        );
    }

    #[test]
    fn says_what_to_write() {
        let check = |types: &[DataType], expected: &str| {
            let error = FUNCTION.check(types).unwrap_err();
            assert_eq!(
                error.strip_backtrace(),
                format!("Error during planning: {expected}")
            );
        };
        check(
            &[],
            "f is called as f(id [, prior] [, options]), got 0 arguments",
        );
        check(
            &[DataType::Float64],
            "f: id must be a whole number or text, such as template_hash(template), got Float64",
        );
        check(
            &[DataType::Int64, DataType::Int64, DataType::Int64],
            "f: options must be text such as 'key=value' or a struct, got Int64",
        );
    }
}
