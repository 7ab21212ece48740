//! A table in a file: its name, its columns, its key, and what identifies its rows.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Constraint, Constraints, Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;
use rusqlite::Connection;

use crate::stores::sqlite::file::DatabaseFile;
use crate::stores::sqlite::types::{arrow_type, declared_type, holds, in_create, quoted};

/// The names of the rowid, in the order of SQLite's manual.
const ROWIDS: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// A table in a file, with the columns that the statement asks for.
#[derive(Debug)]
pub(crate) struct StoredTable {
    pub(crate) file: Arc<DatabaseFile>,
    /// The name in the file.
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    /// The columns of the primary key, in its order.
    pub(crate) key: Vec<usize>,
    /// The name of the column that identifies a row; `None` for views and tables WITHOUT ROWID.
    pub(crate) rowid: Option<&'static str>,
    /// Whether texts are compared byte by byte, so that SQLite finds what DataFusion would.
    pub(crate) has_plain_texts: bool,
    pub(crate) is_view: bool,
}

impl StoredTable {
    /// Index and field of a column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Field)> {
        self.schema.column_with_name(name)
    }

    pub(crate) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// What the key guarantees to DataFusion. It need not exclude NULL: SQLite allows NULL in the
    /// keys of tables that people have made.
    pub(crate) fn constraints(&self) -> Constraints {
        let key = &self.key;
        let is_null_free = key
            .iter()
            .all(|index| !self.schema.field(*index).is_nullable());
        Constraints::new_unverified(match key.is_empty() {
            true => vec![],
            false if is_null_free => vec![Constraint::PrimaryKey(key.clone())],
            false => vec![Constraint::Unique(key.clone())],
        })
    }

    /// The order of rows: by rowid, or by the key.
    pub(crate) fn order(&self) -> Vec<String> {
        match self.rowid {
            Some(rowid) => vec![rowid.to_string()],
            None => {
                let names = self
                    .key
                    .iter()
                    .map(|index| self.schema.field(*index).name());
                names.map(|name| quoted(name)).collect()
            }
        }
    }
}

/// What a file says about a table.
#[derive(Debug)]
pub(crate) struct FileTable {
    columns: Vec<FileColumn>,
    is_view: bool,
    has_rowid: bool,
    has_plain_texts: bool,
}

#[derive(Debug)]
struct FileColumn {
    name: String,
    declared: String,
    is_nullable: bool,
    /// The position in the primary key, from 1; 0 if it is not in the key.
    key_place: u32,
}

impl FileTable {
    /// The table of this name, or `None` if there is none.
    ///
    /// # Errors
    /// The errors of SQLite.
    pub(crate) fn read(connection: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection.prepare(
            "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
        )?;
        let columns = statement.query_map([name], |row| {
            Ok(FileColumn {
                name: row.get(0)?,
                declared: row.get(1)?,
                is_nullable: !row.get::<_, bool>(2)?,
                key_place: row.get(3)?,
            })
        })?;
        let columns: Vec<FileColumn> = columns.collect::<rusqlite::Result<_>>()?;
        if columns.is_empty() {
            return Ok(None);
        }
        let (kind, sql, without_rowid): (String, Option<String>, bool) = connection.query_row(
            "SELECT l.type, m.sql, l.wr FROM pragma_table_list(?1) AS l \
             LEFT JOIN sqlite_master AS m ON m.name = l.name COLLATE NOCASE AND m.type = l.type WHERE l.schema = 'main'",
            [name],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
        let sql = sql.unwrap_or_default().to_ascii_uppercase();
        Ok(Some(Self {
            columns,
            is_view: kind == "view",
            has_rowid: kind == "table" && !without_rowid,
            has_plain_texts: kind == "table" && encoding == "UTF-8" && !sql.contains("COLLATE"),
        }))
    }

    /// The table as this statement asks for it.
    ///
    /// # Errors
    /// When the table in the file is different.
    pub(crate) fn checked(
        &self,
        file: &Arc<DatabaseFile>,
        name: &str,
        command: &CreateExternalTable,
    ) -> Result<StoredTable> {
        let declared = command.schema.as_arrow().fields();
        let asked: Vec<Field> = if declared.is_empty() {
            self.own_fields(name)?
        } else {
            declared.iter().map(|field| Field::clone(field)).collect()
        };
        let mut fields = vec![];
        for field in asked {
            fields.push(self.checked_field(name, field)?);
        }
        let schema = Arc::new(Schema::new(fields));
        let key = self.key(&schema);
        if !declared.is_empty() {
            self.check_key(name, asked_key(command))?;
        }
        let rowid = ROWIDS.into_iter().find(|rowid| {
            let names = self.columns.iter().map(|column| &column.name);
            !names.clone().any(|name| name.eq_ignore_ascii_case(rowid))
        });
        Ok(StoredTable {
            file: Arc::clone(file),
            name: name.to_string(),
            schema,
            key,
            rowid: rowid.filter(|_| self.has_rowid),
            has_plain_texts: self.has_plain_texts,
            is_view: self.is_view,
        })
    }

    fn own_fields(&self, name: &str) -> Result<Vec<Field>> {
        let field = |column: &FileColumn| match arrow_type(&column.declared) {
            Some(data_type) => Ok(Field::new(&column.name, data_type, true)),
            None => plan_err!(
                "Column {} of table {name} in the file has the type '{}', which does not tell what is in it: declare the \
                 columns that are wanted, as in CREATE EXTERNAL TABLE t ({} TEXT, …) STORED AS SQLITE …",
                column.name,
                column.declared,
                column.name
            ),
        };
        self.columns.iter().map(field).collect()
    }

    fn checked_field(&self, table: &str, field: Field) -> Result<Field> {
        let column = self
            .columns
            .iter()
            .find(|column| column.name == *field.name());
        let Some(column) = column else {
            return plan_err!(
                "Table {table} is in the file already, without a column {}: it has {}. Ask for what it has, leave the \
                 columns out, or name another table: OPTIONS (table '…')",
                field.name(),
                self.shown()
            );
        };
        let asked = declared_type(field.data_type());
        if asked.is_none() || !holds(&column.declared, field.data_type()) {
            return plan_err!(
                "Table {table} is in the file already, with a column {} that is {}, not {}: write that type, leave the \
                 columns out, or name another table: OPTIONS (table '…')",
                field.name(),
                column.declared,
                asked.unwrap_or_else(|| field.data_type().to_string())
            );
        }
        if !field.is_nullable() && column.is_nullable && column.key_place == 0 {
            return plan_err!(
                "Table {table} is in the file already, with a column {} that can be NULL: write it without NOT NULL",
                field.name()
            );
        }
        Ok(field.with_nullable(column.is_nullable))
    }

    fn key(&self, schema: &Schema) -> Vec<usize> {
        let names = self.key_names();
        let places: Option<Vec<usize>> = names
            .into_iter()
            .map(|name| schema.column_with_name(name).map(|(index, _)| index))
            .collect();
        places.unwrap_or_default()
    }

    fn key_names(&self) -> Vec<&str> {
        let mut columns: Vec<&FileColumn> = self
            .columns
            .iter()
            .filter(|column| column.key_place > 0)
            .collect();
        columns.sort_by_key(|column| column.key_place);
        columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn check_key(&self, table: &str, asked: Vec<&str>) -> Result<()> {
        let mut in_file = self.key_names();
        let shown = in_file.join(", ");
        let asked_shown = asked.join(", ");
        let mut asked = asked;
        in_file.sort_unstable();
        asked.sort_unstable();
        match (in_file == asked, in_file.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => plan_err!(
                "Table {table} is in the file already, without a primary key: leave PRIMARY KEY ({asked_shown}) out"
            ),
            (false, false) => plan_err!(
                "Table {table} is in the file already, with another primary key: write PRIMARY KEY ({shown})"
            ),
        }
    }

    fn shown(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|column| match column.declared.as_str() {
                "" => column.name.clone(),
                declared => format!("{} {declared}", column.name),
            });
        columns.collect::<Vec<_>>().join(", ")
    }
}

fn asked_key(command: &CreateExternalTable) -> Vec<&str> {
    let fields = command.schema.as_arrow().fields();
    let key = command
        .constraints
        .iter()
        .find_map(|constraint| match constraint {
            Constraint::PrimaryKey(key) => Some(key),
            Constraint::Unique(_) => None,
        });
    let name = |index: &usize| fields.get(*index).map(|field| field.name().as_str());
    key.into_iter().flatten().filter_map(name).collect()
}

/// The CREATE TABLE for the file that corresponds to this statement.
///
/// # Errors
/// When there is no column, or a type cannot be stored.
pub(crate) fn create_statement(name: &str, command: &CreateExternalTable) -> Result<String> {
    let fields = command.schema.as_arrow().fields();
    if fields.is_empty() {
        return plan_err!(
            "There is no table {name} in the file yet: declare its columns, as in CREATE EXTERNAL TABLE kb \
             (template_hash BIGINT, solution TEXT, PRIMARY KEY (template_hash)) STORED AS SQLITE …, or name another \
             table: OPTIONS (table '…')"
        );
    }
    let key = asked_key(command);
    let mut lines = vec![];
    for field in fields {
        let Some(declared) = declared_type(field.data_type()) else {
            return plan_err!(
                "Column {} cannot be stored as {}: SQLite tables have TEXT, whole numbers, DOUBLE, BOOLEAN, TIMESTAMP, \
                 DATE, BYTEA and lists of all but BYTEA, such as TEXT[]{}",
                field.name(),
                field.data_type(),
                instead(field.data_type())
            );
        };
        let is_null_free = !field.is_nullable() || key.contains(&field.name().as_str());
        let null_free = if is_null_free { " NOT NULL" } else { "" };
        let column = quoted(field.name());
        lines.push(format!("{column} {}{null_free}", in_create(&declared)));
    }
    for constraint in command.constraints.iter() {
        let (word, columns) = match constraint {
            Constraint::PrimaryKey(columns) => ("PRIMARY KEY", columns),
            Constraint::Unique(columns) => ("UNIQUE", columns),
        };
        let names = columns.iter().filter_map(|index| fields.get(*index));
        let names: Vec<_> = names.map(|field| quoted(field.name())).collect();
        lines.push(format!("{word} ({})", names.join(", ")));
    }
    Ok(format!(
        "CREATE TABLE {} (\n  {}\n)",
        quoted(name),
        lines.join(",\n  ")
    ))
}

fn instead(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Decimal128(..) | DataType::Decimal256(..) => ". Write DOUBLE or BIGINT",
        DataType::Struct(_) | DataType::Map(..) => {
            ". Write a column for each field, or TEXT with JSON in it"
        }
        _ => "",
    }
}
