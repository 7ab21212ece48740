//! The columns of a log table: their names, their types, and where their values come from.
//!
//! Text: the named groups of the pattern in order, then `message`, `file`, `line_number`. JSON: the
//! fields of the objects, then `message`, `file`, `line_number`; a field of the objects replaces a
//! built-in column of the same name. Formats that were found: `ts`, `level`, `message`, then the
//! columns of the formats, `format` if there are several, `file`, `line_number`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit,
};
use datafusion::common::{Result, plan_err};
use regex::Regex;

use crate::time::is_time_name;

/// The name of the message column.
pub(crate) const MESSAGE: &str = "message";
/// What zap, logrus, slog and pino call the message.
pub(crate) const MSG: &str = "msg";
/// The columns that all known formats have beside the message.
pub(crate) const TIME: &str = "ts";
pub(crate) const LEVEL: &str = "level";
/// The name of the format of an event, where a table has several.
pub(crate) const FORMAT: &str = "format";
/// The fields of an object that have no column, as JSON.
pub(crate) const REST: &str = "rest";
/// The event as it is in the file, if the option `raw` asks for it.
pub(crate) const RAW: &str = "raw";
pub(crate) const FILE: &str = "file";
pub(crate) const LINE_NUMBER: &str = "line_number";

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnSource {
    /// The group `message`, or the field that is the message, or else the text of the event.
    Message,
    /// The path of the file.
    File,
    /// The number of the event's first line in its file.
    LineNumber,
    /// The group of the pattern, or the field of the object, that has the name of the column.
    Field,
    /// The time of the event, wherever its format has it.
    Time,
    /// The level of the event, wherever its format has it.
    Level,
    /// The name of the event's format.
    Format,
    /// The fields of the object that have no column.
    Rest,
    /// The event as it is in the file.
    Raw,
}

impl ColumnSource {
    /// Whether the values come from the text of the event.
    pub(crate) fn is_from_text(&self) -> bool {
        !matches!(self, Self::File | Self::LineNumber | Self::Format)
    }
}

/// The columns of a table without its partition columns.
#[derive(Debug, Clone)]
pub(crate) struct LogColumns {
    pub(crate) schema: SchemaRef,
    pub(crate) sources: Vec<ColumnSource>,
}

/// The type of a time column that CREATE does not declare.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// The same for times that are shown in a zone.
fn time_type_in(zone: &str) -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(zone.into()))
}

impl LogColumns {
    /// The columns of a text table.
    ///
    /// # Errors
    /// When a declared column is not in the table or cannot have its type, or a group has the name
    /// of a built-in column.
    pub(crate) fn of_text(pattern: Option<&Regex>, declared: &Fields) -> Result<Self> {
        let mut columns = Vec::new();
        let groups = pattern.into_iter().flat_map(Regex::capture_names);
        for name in groups.flatten().filter(|name| *name != MESSAGE) {
            if [FILE, LINE_NUMBER].contains(&name) {
                return plan_err!(
                    "A group of the pattern cannot be named file or line_number, since the table has these \
                     columns already: rename the group"
                );
            }
            let data_type = group_type(name, declared)?;
            columns.push((Field::new(name, data_type, true), ColumnSource::Field));
        }
        columns.extend(own_columns());
        check_declared(declared, &columns)?;
        Ok(Self::new(columns))
    }

    /// The columns of a table whose files have known formats: those that all have, then `own` in
    /// order, without those of another type under one name, which are TEXT.
    ///
    /// # Errors
    /// When a declared column is not in the table or cannot have its type.
    pub(crate) fn of_formats(
        own: &[(String, DataType)],
        names_formats: bool,
        has_rest: bool,
        declared: &Fields,
    ) -> Result<Self> {
        let [message, file, line_number] = own_columns();
        let text = |name| Field::new(name, DataType::Utf8View, true);
        let mut columns = vec![
            (Field::new(TIME, time_type(), true), ColumnSource::Time),
            (text(LEVEL), ColumnSource::Level),
            message,
        ];
        for (name, data_type) in own {
            let known = columns.iter_mut().find(|(field, _)| field.name() == name);
            match known {
                None => columns.push((
                    Field::new(name, data_type.clone(), true),
                    ColumnSource::Field,
                )),
                Some((field, ColumnSource::Field)) if field.data_type() != data_type => {
                    *field = text(name);
                }
                Some(_) => {}
            }
        }
        let is_free = |columns: &[(Field, ColumnSource)], name: &str| {
            columns.iter().all(|(field, _)| field.name() != name)
        };
        if has_rest && is_free(&columns, REST) {
            columns.push((text(REST), ColumnSource::Rest));
        }
        if names_formats && is_free(&columns, FORMAT) {
            columns.push((text(FORMAT), ColumnSource::Format));
        }
        for own in [file, line_number] {
            if is_free(&columns, own.0.name()) {
                columns.push(own);
            }
        }
        for field in declared {
            let known = columns
                .iter_mut()
                .find(|(own, _)| own.name() == field.name());
            if let Some((own, ColumnSource::Field | ColumnSource::Time)) = known {
                let data_type = group_type(field.name(), declared)?;
                *own = Field::new(field.name(), data_type, true);
            }
        }
        check_declared(declared, &columns)?;
        Ok(Self::new(columns))
    }

    /// The same columns with times that are shown in the zone of the session, in which literals are
    /// read, too. Times that CREATE declares stay as they are.
    #[must_use]
    pub(crate) fn in_zone(self, zone: Option<&str>, declared: &Fields) -> Self {
        let Some(zone) = zone else { return self };
        let fields = self.schema.fields().iter().map(|field| {
            let is_own = *field.data_type() == time_type() && declared.find(field.name()).is_none();
            if is_own {
                Arc::new(field.as_ref().clone().with_data_type(time_type_in(zone)))
            } else {
                Arc::clone(field)
            }
        });
        Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            sources: self.sources,
        }
    }

    /// The same columns, and the event as it is in the file.
    #[must_use]
    pub(crate) fn with_raw(self) -> Self {
        if self.schema.index_of(RAW).is_ok() {
            return self;
        }
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(RAW, DataType::Utf8View, false)));
        let mut sources = self.sources;
        sources.push(ColumnSource::Raw);
        Self {
            schema: Arc::new(Schema::new(fields)),
            sources,
        }
    }

    /// The columns of a JSON table whose objects have these fields.
    ///
    /// # Errors
    /// When a field `message` is not TEXT.
    pub(crate) fn of_json(fields: &Fields, has_rest: bool) -> Result<Self> {
        let mut columns = Vec::new();
        for field in fields.iter().filter(|field| field.name() != MESSAGE) {
            columns.push((
                field.as_ref().clone().with_nullable(true),
                ColumnSource::Field,
            ));
        }
        if let Some((_, field)) = fields.find(MESSAGE) {
            check_own_type(field, &DataType::Utf8View)?;
        }
        let names: HashSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let is_free = |name: &str| name == MESSAGE || !names.contains(name);
        let rest = (
            Field::new(REST, DataType::Utf8View, true),
            ColumnSource::Rest,
        );
        let [message, file, line_number] = own_columns();
        let rest = has_rest.then_some(rest);
        let own = [Some(message), rest, Some(file), Some(line_number)];
        columns.extend(
            own.into_iter()
                .flatten()
                .filter(|(field, _)| is_free(field.name())),
        );
        Ok(Self::new(columns))
    }

    fn new(columns: Vec<(Field, ColumnSource)>) -> Self {
        let (fields, sources): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        Self {
            schema: Arc::new(Schema::new(fields)),
            sources,
        }
    }
}

fn own_columns() -> [(Field, ColumnSource); 3] {
    [
        (
            Field::new(MESSAGE, DataType::Utf8View, false),
            ColumnSource::Message,
        ),
        (
            Field::new(FILE, DataType::Utf8View, false),
            ColumnSource::File,
        ),
        (
            Field::new(LINE_NUMBER, DataType::Int64, false),
            ColumnSource::LineNumber,
        ),
    ]
}

fn group_type(name: &str, declared: &Fields) -> Result<DataType> {
    let Some((_, field)) = declared.find(name) else {
        return Ok(if is_time_name(name) {
            time_type()
        } else {
            DataType::Utf8View
        });
    };
    let data_type = field.data_type();
    if data_type.is_nested() || !can_cast_types(&DataType::Utf8View, data_type) {
        return plan_err!(
            "Column {name} cannot be {data_type}: a group of the pattern is text, which cannot become that. \
             Declare it TEXT and convert it in the query"
        );
    }
    Ok(data_type.clone())
}

fn check_declared(declared: &Fields, columns: &[(Field, ColumnSource)]) -> Result<()> {
    for field in declared {
        let Some((own, source)) = columns.iter().find(|(own, _)| own.name() == field.name()) else {
            let names: Vec<_> = columns.iter().map(|(own, _)| own.name().as_str()).collect();
            return plan_err!(
                "Column {} is declared, but the table has no such column: it has {}. A column of a text log is a \
                 named group (?<{}>…) of the option pattern; for JSON lines write format 'json'",
                field.name(),
                names.join(", "),
                field.name()
            );
        };
        if !matches!(source, ColumnSource::Field | ColumnSource::Time) {
            check_own_type(field, own.data_type())?;
        }
    }
    Ok(())
}

fn check_own_type(field: &FieldRef, own: &DataType) -> Result<()> {
    let both_text = field.data_type().is_string() && own.is_string();
    if both_text || field.data_type() == own {
        return Ok(());
    }
    plan_err!(
        "Column {} is always {own}, it cannot be declared as {}: leave it out of the column list",
        field.name(),
        field.data_type()
    )
}
