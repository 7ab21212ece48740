//! The meaning of a call of a window function: `tumble(t, ts, INTERVAL '30 seconds')`, `hop`,
//! `session`, `count_window`.
//!
//! The arguments are read in two steps: `WindowCall` assigns them to parameters by position or
//! name, and `WindowSpec` has their meaning for the columns of the table.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{self, FunctionArg, FunctionArgExpr};

use crate::algorithms::units::{DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND};
use crate::streams::windows::shape::{WindowShape, nanoseconds_of};
use crate::time::read_duration;

/// The largest number of windows that a row may be in: an hour that slides by a second. Every row
/// is repeated that many times.
const MAX_WINDOWS_PER_ROW: i64 = 3_600;

/// The window functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WindowFunction {
    Tumble,
    Hop,
    Session,
    CountWindow,
}

impl WindowFunction {
    pub(crate) const ALL: [Self; 4] = [Self::Tumble, Self::Hop, Self::Session, Self::CountWindow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tumble => "tumble",
            Self::Hop => "hop",
            Self::Session => "session",
            Self::CountWindow => "count_window",
        }
    }

    /// An example of a call.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Tumble => "tumble(t, ts, INTERVAL '30 seconds')",
            Self::Hop => "hop(t, ts, INTERVAL '10 seconds', INTERVAL '1 minute')",
            Self::Session => "session(t, ts, INTERVAL '5 minutes', user_id)",
            Self::CountWindow => "count_window(t, 1000)",
        }
    }

    /// The parameters after the table; a session has keys after these.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Tumble => &["time", "size"],
            Self::Hop => &["time", "slide", "size"],
            Self::Session => &["time", "gap"],
            Self::CountWindow => &["rows"],
        }
    }
}

/// The arguments of a call, by parameter.
#[derive(Debug)]
pub(crate) struct WindowCall {
    pub(crate) function: WindowFunction,
    pub(crate) table: ast::Expr,
    /// The argument of each parameter.
    values: Vec<Option<ast::Expr>>,
    keys: Vec<ast::Expr>,
}

impl WindowCall {
    /// Assigns the arguments to the parameters.
    ///
    /// # Errors
    /// If the table is missing, there are too many arguments, or one is unknown or given twice.
    pub(crate) fn read(function: WindowFunction, arguments: Vec<FunctionArg>) -> Result<Self> {
        let mut positional = Vec::new();
        let mut named = Vec::new();
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if named.is_empty() => {
                    positional.push(value);
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => named.push((name.value.to_lowercase(), value)),
                FunctionArg::ExprNamed {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => named.push((name.to_string().to_lowercase(), value)),
                other => return wrong(function, &format!("unexpected argument {other}")),
            }
        }
        let mut positional = positional.into_iter();
        let Some(table) = positional.next() else {
            return wrong(function, "the first argument is a table");
        };
        let mut call = Self {
            function,
            table,
            values: vec![None; function.parameters().len()],
            keys: Vec::new(),
        };
        call.place(positional.collect())?;
        for (name, value) in named {
            call.place_named(&name, value)?;
        }
        Ok(call)
    }

    fn place(&mut self, positional: Vec<ast::Expr>) -> Result<()> {
        let parameters = self.function.parameters();
        let takes_keys = self.function == WindowFunction::Session;
        if positional.len() > parameters.len() && !takes_keys {
            let got = format!("takes at most {} arguments", parameters.len() + 1);
            return wrong(self.function, &got);
        }
        // If there is only a length, the time is that of reading.
        let is_length_alone = self.function == WindowFunction::Tumble && positional.len() == 1;
        for (place, value) in positional.into_iter().enumerate() {
            match self.values.get_mut(place + usize::from(is_length_alone)) {
                Some(slot) => *slot = Some(value),
                None => self.keys.push(value),
            }
        }
        Ok(())
    }

    fn place_named(&mut self, name: &str, value: ast::Expr) -> Result<()> {
        let function = self.function;
        if name == "key" && function == WindowFunction::Session {
            self.keys.push(value);
            return Ok(());
        }
        let parameters = function.parameters();
        let Some(place) = parameters.iter().position(|parameter| *parameter == name) else {
            let known = parameters.join(", ");
            let keys = if function == WindowFunction::Session {
                ", key"
            } else {
                ""
            };
            return wrong(
                function,
                &format!("no argument is named {name}, known are {known}{keys}"),
            );
        };
        // `tumble(t, ts, size => ..)`: the argument that was taken for a length is the time.
        let is_moved = function == WindowFunction::Tumble
            && name == "size"
            && self.values.first().is_some_and(Option::is_none);
        if is_moved {
            self.values.rotate_left(1);
        }
        match self.values.get_mut(place) {
            Some(slot) if slot.is_none() => *slot = Some(value),
            _ => return wrong(function, &format!("{name} is given twice")),
        }
        Ok(())
    }

    /// The meaning of the arguments for a table with these columns; `plan` turns an argument into
    /// an expression.
    ///
    /// # Errors
    /// If the time is not a timestamp column, or windows cannot have such a length.
    pub(crate) fn spec(
        self,
        schema: &DFSchema,
        mut plan: impl FnMut(ast::Expr) -> Result<Expr>,
    ) -> Result<WindowSpec> {
        let function = self.function;
        let mut expressions = Vec::with_capacity(self.values.len());
        for value in self.values {
            expressions.push(value.map(&mut plan).transpose()?);
        }
        if function == WindowFunction::CountWindow {
            let n_rows = count(function, expressions.into_iter().next().flatten(), schema)?;
            return Ok(WindowSpec {
                function,
                shape: WindowShape::Rows { n_rows },
                time: None,
            });
        }
        let mut expressions = expressions.into_iter();
        let time = expressions.next().flatten();
        let time = time
            .map(|time| column(function, "time", &time, schema))
            .transpose()?;
        if time.is_none() && function != WindowFunction::Tumble {
            return wrong(function, "the time column is missing");
        }
        let unit = match time {
            Some(column) => unit_of(function, column, schema)?,
            None => TimeUnit::Nanosecond,
        };
        let mut lengths = Vec::new();
        for (name, length) in function.parameters().iter().skip(1).zip(expressions) {
            lengths.push(nanoseconds(function, name, length, schema, unit)?);
        }
        let mut keys = Vec::with_capacity(self.keys.len());
        for key in self.keys {
            keys.push(column(function, "key", &plan(key)?, schema)?);
        }
        let shape = shape(function, &lengths, keys)?;
        Ok(WindowSpec {
            function,
            shape,
            time,
        })
    }
}

/// The meaning of a call: the function, the shape of its windows, and the time column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WindowSpec {
    pub(crate) function: WindowFunction,
    pub(crate) shape: WindowShape,
    /// The time column; `None` if the time is that of reading, or if rows are counted.
    pub(crate) time: Option<usize>,
}

impl WindowSpec {
    /// The text for EXPLAIN, over this table with these columns.
    pub(crate) fn text(&self, table: &str, columns: &[String]) -> String {
        let name = |index: &usize| columns.get(*index).cloned().unwrap_or_default();
        let mut parts = vec![table.to_string()];
        parts.extend(self.time.as_ref().map(name));
        match &self.shape {
            WindowShape::Grid { slide, size } if self.function == WindowFunction::Hop => {
                parts.extend([
                    ShownLength(*slide).to_string(),
                    ShownLength(*size).to_string(),
                ]);
            }
            WindowShape::Grid { size, .. } => parts.push(ShownLength(*size).to_string()),
            WindowShape::Session { gap, keys } => {
                parts.push(ShownLength(*gap).to_string());
                parts.extend(keys.iter().map(name));
            }
            WindowShape::Rows { n_rows } => parts.push(n_rows.to_string()),
        }
        format!("{}({})", self.function.name(), parts.join(", "))
    }
}

/// A length of time, in its largest whole unit.
struct ShownLength(i64);

impl Display for ShownLength {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let units = [
            (DAY, "d"),
            (HOUR, "h"),
            (MINUTE, "m"),
            (SECOND, "s"),
            (MILLISECOND, "ms"),
            (MICROSECOND, "us"),
        ];
        let fitting = units.iter().find(|(unit, _)| self.0 % unit == 0);
        let (unit, name) = fitting.copied().unwrap_or((1, "ns"));
        write!(formatter, "{}{name}", self.0 / unit)
    }
}

fn wrong<T>(function: WindowFunction, what: &str) -> Result<T> {
    plan_err!("{}: {what}: write {}", function.name(), function.example())
}

fn shape(function: WindowFunction, lengths: &[i64], keys: Vec<usize>) -> Result<WindowShape> {
    match (function, lengths) {
        (WindowFunction::Tumble, [size]) => Ok(WindowShape::Grid {
            slide: *size,
            size: *size,
        }),
        (WindowFunction::Hop, [slide, size]) => {
            if size % slide != 0 {
                return plan_err!(
                    "hop: size must be a multiple of slide, got {} and {}",
                    ShownLength(*size),
                    ShownLength(*slide)
                );
            }
            if size / slide > MAX_WINDOWS_PER_ROW {
                return plan_err!(
                    "hop: a row would be in {} windows, at most {MAX_WINDOWS_PER_ROW} are allowed: \
                     make slide longer or size shorter",
                    size / slide
                );
            }
            Ok(WindowShape::Grid {
                slide: *slide,
                size: *size,
            })
        }
        (WindowFunction::Session, [gap]) => Ok(WindowShape::Session { gap: *gap, keys }),
        _ => wrong(function, "wrong arguments"),
    }
}

fn column(
    function: WindowFunction,
    name: &str,
    expression: &Expr,
    schema: &DFSchema,
) -> Result<usize> {
    match expression {
        Expr::Column(column) => schema.index_of_column(column),
        other => plan_err!(
            "{}: {name} must be a column, got {other}: give it a name in a subquery",
            function.name()
        ),
    }
}

fn unit_of(function: WindowFunction, column: usize, schema: &DFSchema) -> Result<TimeUnit> {
    let field = schema.field(column);
    match field.data_type() {
        DataType::Timestamp(unit, _) => Ok(*unit),
        other => plan_err!(
            "{}: the time column {} is {other}, not a timestamp: cast it in a subquery, \
             (SELECT *, {}::TIMESTAMP AS time FROM ..)",
            function.name(),
            field.name(),
            field.name()
        ),
    }
}

fn constant(expression: Expr, schema: &DFSchema) -> Option<ScalarValue> {
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let expression = simplifier.coerce(expression, schema).ok()?;
    match simplifier.simplify(expression).ok()? {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn nanoseconds(
    function: WindowFunction,
    name: &str,
    length: Option<Expr>,
    schema: &DFSchema,
    unit: TimeUnit,
) -> Result<i64> {
    let Some(length) = length else {
        return wrong(function, &format!("{name} is missing"));
    };
    let text = length.to_string();
    let Some(value) = constant(length, schema) else {
        return wrong(
            function,
            &format!("{name} must be a constant interval, got {text}"),
        );
    };
    let Some(nanoseconds) = read_duration(function.name(), name, &value)? else {
        return wrong(function, &format!("{name} is NULL"));
    };
    if nanoseconds % nanoseconds_of(unit) != 0 {
        return plan_err!(
            "{}: {name} must be whole {}, as the time column has no smaller part, got {}",
            function.name(),
            unit_name(unit),
            ShownLength(nanoseconds)
        );
    }
    Ok(nanoseconds)
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    }
}

fn count(function: WindowFunction, rows: Option<Expr>, schema: &DFSchema) -> Result<u64> {
    let Some(rows) = rows else {
        return wrong(function, "rows is missing");
    };
    let text = rows.to_string();
    let n_rows = match constant(rows, schema) {
        Some(ScalarValue::Int64(Some(n_rows))) => u64::try_from(n_rows).unwrap_or(0),
        Some(ScalarValue::UInt64(Some(n_rows))) => n_rows,
        _ => 0,
    };
    // Row numbers are BIGINT.
    if n_rows == 0 || i64::try_from(n_rows).is_err() {
        return wrong(
            function,
            &format!("rows must be a whole number above 0, got {text}"),
        );
    }
    Ok(n_rows)
}
