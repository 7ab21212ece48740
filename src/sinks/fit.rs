//! Whether new files can be read together with those in a folder: COPY may add to what other
//! statements wrote.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::catalog::Session;
use datafusion::common::{Column, Result, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::object_store::{ObjectMeta, ObjectStore};
use futures::{StreamExt, TryStreamExt};

use crate::sinks::target::{Target, WriteMode, relative};

/// Checks and casts the rows, so that they can be read together with the files in the folder.
///
/// # Errors
/// When the folder has data of other partitions, of other types or, for files that are read by
/// position, of other columns.
pub(crate) async fn fitted(
    target: &Target,
    rows: &Arc<LogicalPlan>,
    format: &dyn FileFormat,
    session: &dyn Session,
) -> Result<Arc<LogicalPlan>> {
    let adds = matches!(
        target.mode,
        WriteMode::Append | WriteMode::OverwritePartitions
    );
    if target.is_single_file || !adds {
        return Ok(Arc::clone(rows));
    }
    let store = session.runtime_env().object_store(&target.url)?;
    let Some((file, name)) = some_file(target, &store).await? else {
        return Ok(Arc::clone(rows));
    };
    target.check_partitions(&name)?;
    let known = format.infer_schema(session, &store, &[file]).await?;
    match target.extension.split('.').next() {
        Some("csv" | "tsv") => target.check_positions(&known, rows)?,
        // Readers of JSON infer the types from all files together.
        Some("json" | "ndjson") => {}
        _ => return target.with_types(&known, rows),
    }
    Ok(Arc::clone(rows))
}

/// One data file of the folder, and its name relative to the folder.
async fn some_file(
    target: &Target,
    store: &Arc<dyn ObjectStore>,
) -> Result<Option<(ObjectMeta, String)>> {
    let folder = target.folder();
    let mut files = store.list(Some(target.url.prefix())).boxed();
    while let Some(file) = files.try_next().await? {
        let name = relative(&file.location, &folder);
        if let Some(name) = name.filter(|name| target.is_data(name)) {
            return Ok(Some((file, name)));
        }
    }
    Ok(None)
}

impl Target {
    fn check_partitions(&self, file: &str) -> Result<()> {
        let folders = file.split('/').rev().skip(1);
        let mut known: Vec<&str> = folders
            .filter_map(|folder| Some(folder.split_once('=')?.0))
            .collect();
        known.reverse();
        if known == self.partition_columns {
            return Ok(());
        }
        let shown = |columns: &str| match columns {
            "" => "without partitions".to_string(),
            columns => format!("by {columns}"),
        };
        plan_err!(
            "the folder '{}' has files {}, and the statement writes {}: write them in the same way, or into another folder",
            self.name,
            shown(&known.join(", ")),
            shown(&self.partition_columns.join(", "))
        )
    }

    /// Checks files that are read by position: the columns must be the same, in the same order.
    fn check_positions(&self, known: &Schema, rows: &LogicalPlan) -> Result<()> {
        let names = |fields: &Fields| -> Vec<String> {
            let names = fields.iter().map(|field| field.name().clone());
            names
                .filter(|name| !self.partition_columns.contains(name))
                .collect()
        };
        let (known, new) = (names(known.fields()), names(rows.schema().fields()));
        let has_no_header = known.iter().all(|name| name.starts_with("column_"));
        if known == new || has_no_header && known.len() == new.len() {
            return Ok(());
        }
        let is_permuted = BTreeSet::from_iter(&known) == BTreeSet::from_iter(&new);
        let what_to_write = if is_permuted {
            format!("write SELECT {}", known.join(", "))
        } else {
            "write the same columns, or into another folder".to_string()
        };
        plan_err!(
            "the folder '{}' has .{} files of the columns {}, and the statement writes {}; they are read by position: \
             {what_to_write}",
            self.name,
            self.extension,
            known.join(", "),
            new.join(", ")
        )
    }

    /// The rows with the types of the files, where only the layout of values differs.
    fn with_types(&self, known: &Schema, rows: &Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        let mut columns = vec![];
        let mut is_other = false;
        for (qualifier, field) in rows.schema().iter() {
            let column = Expr::Column(Column::from((qualifier, field)));
            let wanted = match known.field_with_name(field.name()) {
                Ok(other) if !self.partition_columns.contains(field.name()) => {
                    self.wanted_type(other, field)?
                }
                _ => None,
            };
            is_other |= wanted.is_some();
            columns.push(match wanted {
                Some(wanted) => cast(column, wanted).alias(field.name()),
                None => column,
            });
        }
        if !is_other {
            return Ok(Arc::clone(rows));
        }
        let cast = LogicalPlanBuilder::new_from_arc(Arc::clone(rows)).project(columns)?;
        cast.build().map(Arc::new)
    }

    /// The type to cast a column to, if it has another type in the files.
    fn wanted_type(&self, known: &Field, new: &Field) -> Result<Option<DataType>> {
        let (name, known, new) = (new.name(), known.data_type(), new.data_type());
        if known.equals_datatype(new) {
            return Ok(None);
        }
        if new.is_null() || without_layout(known) == without_layout(new) {
            return Ok(Some(known.clone()));
        }
        plan_err!(
            "column {name} is {known} in the files of '{}', and {new} in the statement: write \
             arrow_cast({name}, '{known}') AS {name}, or into another folder",
            self.name
        )
    }
}

/// The type, disregarding how its values are laid out in memory.
fn without_layout(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => without_layout(values),
        other => other.clone(),
    }
}
