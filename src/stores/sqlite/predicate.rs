//! Filters that SQLite evaluates exactly as DataFusion does, as SQL text.
//!
//! These are left to DataFusion: LIKE (SQLite's ignores case), floats compared with zero
//! (DataFusion distinguishes -0.0 from 0.0) or in 32 bits, texts of tables with custom collations,
//! lists, and everything that calls a function. The text of a time may have more digits than it
//! needs if a person wrote it, so SQLite filters times by the second and DataFusion compares them
//! again.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr as PhysicalBinary, Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use rusqlite::types::Value;

use crate::stores::sqlite::stored::StoredTable;
use crate::stores::sqlite::time_text::{date_text, second_around};
use crate::stores::sqlite::types::{is_binary, quoted};

/// SQLite takes at most 32,766 parameters in a statement; longer lists are left to DataFusion.
const MAX_LIST: usize = 1_000;

/// A condition in SQL with the values of its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Condition {
    /// The SQL, with `?` for each value.
    pub(crate) sql: String,
    /// The SQL for people, with the values in it.
    pub(crate) shown: String,
    pub(crate) values: Vec<Value>,
}

/// A filter in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pushed {
    pub(crate) condition: Condition,
    /// Whether SQLite lets exactly the right rows through; otherwise it lets some more through.
    pub(crate) is_exact: bool,
}

impl Condition {
    fn plain(sql: String) -> Self {
        Self {
            shown: sql.clone(),
            sql,
            values: vec![],
        }
    }

    fn value(value: Value) -> Self {
        Self {
            sql: "?".to_string(),
            shown: shown(&value),
            values: vec![value],
        }
    }

    /// Joins the parts, with this text between them.
    fn joined(parts: Vec<Self>, between: &str) -> Self {
        let mut joined = Self::default();
        for (place, part) in parts.into_iter().enumerate() {
            if place > 0 {
                joined.sql.push_str(between);
                joined.shown.push_str(between);
            }
            joined.sql.push_str(&part.sql);
            joined.shown.push_str(&part.shown);
            joined.values.extend(part.values);
        }
        joined
    }

    fn in_brackets(self) -> Self {
        Self {
            sql: format!("({})", self.sql),
            shown: format!("({})", self.shown),
            values: self.values,
        }
    }

    /// The conjunction of the conditions, or `None` if there are none.
    pub(crate) fn all(conditions: Vec<Self>) -> Option<Self> {
        (!conditions.is_empty()).then(|| Self::joined(conditions, " AND "))
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02X}"));
            format!("X'{}'", digits.collect::<String>())
        }
    }
}

/// The filter in SQL, or `None` if SQLite would not find what DataFusion finds.
pub(crate) fn pushed(filter: &Expr, table: &StoredTable) -> Option<Pushed> {
    let exact = |condition| Pushed {
        condition,
        is_exact: true,
    };
    match filter {
        Expr::Column(column) => {
            let (_, field) = table.column(&column.name)?;
            let is_flag = field.data_type() == &DataType::Boolean;
            is_flag.then(|| exact(Condition::plain(quoted(&column.name))))
        }
        Expr::Not(inner) => {
            let inner = pushed(inner, table).filter(|inner| inner.is_exact)?;
            let not = Condition::plain("NOT ".to_string());
            let parts = vec![not, inner.condition.in_brackets()];
            Some(exact(Condition::joined(parts, "")))
        }
        Expr::IsNull(inner) => null_check(inner, table, "IS NULL").map(exact),
        Expr::IsNotNull(inner) => null_check(inner, table, "IS NOT NULL").map(exact),
        Expr::BinaryExpr(binary) => binary_filter(binary, table),
        Expr::InList(list) if list.list.len() <= MAX_LIST => {
            let (name, data_type) = column(&list.expr, table)?;
            let mut values = vec![];
            for value in &list.list {
                values.push(Condition::value(exact_value(&data_type, value)?));
            }
            let word = if list.negated { " NOT IN " } else { " IN " };
            let parts = vec![
                Condition::plain(format!("{}{word}", quoted(&name))),
                Condition::joined(values, ", ").in_brackets(),
            ];
            Some(exact(Condition::joined(parts, "")))
        }
        _ => None,
    }
}

fn null_check(inner: &Expr, table: &StoredTable, check: &str) -> Option<Condition> {
    let Expr::Column(column) = inner else {
        return None;
    };
    table.column(&column.name)?;
    Some(Condition::plain(format!(
        "{} {check}",
        quoted(&column.name)
    )))
}

fn binary_filter(binary: &BinaryExpr, table: &StoredTable) -> Option<Pushed> {
    let word = match binary.op {
        Operator::And => " AND ",
        Operator::Or => " OR ",
        op => {
            return match (column(&binary.left, table), column(&binary.right, table)) {
                (Some(column), None) => comparison(column, op, &binary.right),
                (None, Some(column)) => comparison(column, op.swap()?, &binary.left),
                _ => None,
            };
        }
    };
    let left = pushed(&binary.left, table)?;
    let right = pushed(&binary.right, table)?;
    let parts = vec![left.condition, right.condition];
    Some(Pushed {
        condition: Condition::joined(parts, word).in_brackets(),
        is_exact: left.is_exact && right.is_exact,
    })
}

/// Name and type of a column whose values SQLite orders as DataFusion does.
fn column(expr: &Expr, table: &StoredTable) -> Option<(String, DataType)> {
    let Expr::Column(column) = expr else {
        return None;
    };
    let (_, field) = table.column(&column.name)?;
    let data_type = field.data_type().clone();
    let is_ordered = match &data_type {
        DataType::Float32 | DataType::List(_) | DataType::LargeList(_) => false,
        data_type if data_type.is_string() => table.has_plain_texts,
        _ => true,
    };
    is_ordered.then(|| (column.name.clone(), data_type))
}

fn comparison(column: (String, DataType), op: Operator, literal: &Expr) -> Option<Pushed> {
    let (name, data_type) = column;
    let name = quoted(&name);
    if let DataType::Timestamp(unit, _) = &data_type {
        return time_comparison(&name, *unit, op, literal);
    }
    let sign = match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        Operator::IsNotDistinctFrom => "IS",
        Operator::IsDistinctFrom => "IS NOT",
        _ => return None,
    };
    let value = exact_value(&data_type, literal)?;
    let parts = vec![
        Condition::plain(format!("{name} {sign} ")),
        Condition::value(value),
    ];
    Some(Pushed {
        condition: Condition::joined(parts, ""),
        is_exact: true,
    })
}

/// Compares times by the second.
fn time_comparison(name: &str, unit: TimeUnit, op: Operator, literal: &Expr) -> Option<Pushed> {
    let Expr::Literal(literal, _) = literal else {
        return None;
    };
    let value = match (literal, unit) {
        (ScalarValue::TimestampSecond(value, _), TimeUnit::Second)
        | (ScalarValue::TimestampMillisecond(value, _), TimeUnit::Millisecond)
        | (ScalarValue::TimestampMicrosecond(value, _), TimeUnit::Microsecond)
        | (ScalarValue::TimestampNanosecond(value, _), TimeUnit::Nanosecond) => (*value)?,
        _ => return None,
    };
    let (from, to) = second_around(value, unit)?;
    let bound = |sign: &str, text: String| {
        let sign = Condition::plain(format!("{name} {sign} "));
        Condition::joined(vec![sign, Condition::value(Value::Text(text))], "")
    };
    let condition = match op {
        Operator::Eq => Condition::joined(vec![bound(">=", from), bound("<", to)], " AND "),
        Operator::Gt | Operator::GtEq => bound(">=", from),
        Operator::Lt | Operator::LtEq => bound("<", to),
        _ => return None,
    };
    Some(Pushed {
        condition: condition.in_brackets(),
        is_exact: false,
    })
}

/// The value of a literal in SQLite, if comparing it there gives the same result.
fn exact_value(data_type: &DataType, literal: &Expr) -> Option<Value> {
    let Expr::Literal(literal, _) = literal else {
        return None;
    };
    Some(match literal {
        ScalarValue::Float64(Some(number)) if data_type == &DataType::Float64 => {
            (!number.is_nan() && *number != 0.0).then_some(Value::Real(*number))?
        }
        ScalarValue::Boolean(Some(flag)) if data_type == &DataType::Boolean => {
            Value::Integer((*flag).into())
        }
        ScalarValue::Date32(Some(days)) if data_type == &DataType::Date32 => {
            Value::Text(date_text(*days)?)
        }
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
            if data_type.is_string() =>
        {
            Value::Text(text.clone())
        }
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
            if is_binary(data_type) =>
        {
            Value::Blob(bytes.clone())
        }
        ScalarValue::Int8(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::Int16(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::Int32(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::Int64(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::UInt8(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::UInt16(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::UInt32(Some(number)) if data_type.is_integer() => Value::from(*number),
        ScalarValue::UInt64(Some(number)) if data_type.is_integer() => {
            Value::Integer(i64::try_from(*number).ok()?)
        }
        _ => return None,
    })
}

/// The current parts, in SQL, of a filter that a join or the like makes while it runs. They let
/// more rows through than the filter does.
pub(crate) fn pushed_now(filter: &Arc<dyn PhysicalExpr>, table: &StoredTable) -> Vec<Condition> {
    let Some(filter) = conjuncts(filter) else {
        return vec![];
    };
    let parts = filter.iter().flat_map(|part| split_conjunction(part));
    let mut conditions: Vec<Condition> = vec![];
    for pushed in parts.filter_map(|part| pushed(part, table)) {
        if !conditions.contains(&pushed.condition) {
            conditions.push(pushed.condition);
        }
    }
    conditions
}

/// The parts of a conjunction that can be converted.
fn conjuncts(filter: &Arc<dyn PhysicalExpr>) -> Option<Vec<Expr>> {
    if let Some(dynamic) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
        return conjuncts(&dynamic.current().ok()?);
    }
    if let Some(binary) = filter.downcast_ref::<PhysicalBinary>()
        && binary.op() == &Operator::And
    {
        let mut parts = conjuncts(binary.left()).unwrap_or_default();
        parts.extend(conjuncts(binary.right()).unwrap_or_default());
        return Some(parts);
    }
    logical(filter).map(|expr| vec![expr])
}

/// The expression as it was before it was planned, or `None` if it cannot be converted.
fn logical(expr: &Arc<dyn PhysicalExpr>) -> Option<Expr> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        let column = datafusion::common::Column::new_unqualified(column.name());
        return Some(Expr::Column(column));
    }
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return Some(Expr::Literal(literal.value().clone(), None));
    }
    if let Some(binary) = expr.downcast_ref::<PhysicalBinary>() {
        let left = Box::new(logical(binary.left())?);
        let right = Box::new(logical(binary.right())?);
        return Some(Expr::BinaryExpr(BinaryExpr::new(left, *binary.op(), right)));
    }
    let list = expr.downcast_ref::<InListExpr>()?;
    let values: Option<Vec<Expr>> = list.list().iter().map(logical).collect();
    Some(logical(list.expr())?.in_list(values?, list.negated()))
}
