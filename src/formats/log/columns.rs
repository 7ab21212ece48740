//! The columns of a log table: their names, their types, and where their values come from.
//!
//! Text: the named groups of the pattern in order, then `message`, `file`, `line_number`. JSON: the
//! fields of the objects, then `message`, `file`, `line_number`; a field of the objects replaces a
//! built-in column of the same name.

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
const FILE: &str = "file";
const LINE_NUMBER: &str = "line_number";

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnSource {
    /// The text of the event, the group `message`, or the field `message` of the object.
    Message,
    /// The field `message` of the object, or else its field `msg`, or else the line.
    MessageOrMsg,
    /// The path of the file.
    File,
    /// The number of the event's first line in its file.
    LineNumber,
    /// The group of the pattern with this index.
    Group(usize),
    /// The field of the object that has the name of the column.
    Field,
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

impl LogColumns {
    /// The columns of a text table.
    ///
    /// # Errors
    /// When a declared column is not in the table or cannot have its type, or a group has the name
    /// of a built-in column.
    pub(crate) fn of_text(pattern: Option<&Regex>, declared: &Fields) -> Result<Self> {
        let mut columns = Vec::new();
        let groups = pattern
            .into_iter()
            .flat_map(|regex| regex.capture_names().enumerate());
        for (index, name) in groups {
            match name {
                None | Some(MESSAGE) => {}
                Some(FILE | LINE_NUMBER) => {
                    return plan_err!(
                        "A group of the pattern cannot be named file or line_number, since the table has these \
                         columns already: rename the group"
                    );
                }
                Some(name) => {
                    let data_type = group_type(name, declared)?;
                    columns.push((
                        Field::new(name, data_type, true),
                        ColumnSource::Group(index),
                    ));
                }
            }
        }
        columns.extend(own_columns());
        check_declared(declared, &columns)?;
        Ok(Self::new(columns))
    }

    /// The columns of a JSON table whose objects have these fields.
    ///
    /// # Errors
    /// When a field `message` is not TEXT.
    pub(crate) fn of_json(fields: &Fields) -> Result<Self> {
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
        let names: HashSet<String> = fields.iter().map(|field| field.name().clone()).collect();
        let is_free = |name: &str| name == MESSAGE || !names.contains(name);
        // A `msg` of another type, such as a number, is not a message.
        let has_other_msg = fields
            .find(MSG)
            .is_some_and(|(_, field)| !field.data_type().is_string());
        for (field, source) in own_columns() {
            let source = match source {
                ColumnSource::Message if !has_other_msg => ColumnSource::MessageOrMsg,
                source => source,
            };
            if is_free(field.name()) {
                columns.push((field, source));
            }
        }
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
        if !matches!(source, ColumnSource::Group(_)) {
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
