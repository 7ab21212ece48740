//! Selects the fields of the result of `ts_forecast`: its options `quantiles` and `explain` add
//! some.
//!
//! DataFusion asks for the type of a result before it knows any constants, but it asks the
//! expression planners before that. The planner here reads options that are a literal, as text or
//! as a struct, and puts in the variant of `ts_forecast` whose result has the fields that they ask
//! for. The function itself refuses these options if the planner could not read them.

use std::sync::Arc;

use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr,
};
use datafusion::logical_expr::{AggregateUDF, Expr, WindowFunctionDefinition};

use crate::functions::call::aggregate::AggregateFunction;
use crate::functions::call::options::CallOptions;
use crate::functions::ts::ts_forecast::{EXPLAIN_KEY, ForecastWith, NAME, QUANTILES_KEY};

/// The number of required arguments, after which the options are the last argument.
const N_REQUIRED: usize = 3;

/// The planner of calls of `ts_forecast`. It holds the functions itself, since expression planners
/// do not get a registry.
#[derive(Debug)]
pub(crate) struct ForecastFields {
    quantiles: Arc<AggregateUDF>,
    explain: Arc<AggregateUDF>,
    both: Arc<AggregateUDF>,
}

impl ForecastFields {
    pub(crate) fn new() -> Self {
        Self {
            quantiles: Arc::new(AggregateFunction::<ForecastWith<true, false>>::udf()),
            explain: Arc::new(AggregateFunction::<ForecastWith<false, true>>::udf()),
            both: Arc::new(AggregateFunction::<ForecastWith<true, true>>::udf()),
        }
    }

    /// The function with the fields that the arguments ask for; `None` if the plain function has
    /// them.
    fn function(&self, arguments: &[Expr]) -> Option<&Arc<AggregateUDF>> {
        match asked_fields(arguments.get(N_REQUIRED..)?.last()?) {
            (false, false) => None,
            (true, false) => Some(&self.quantiles),
            (false, true) => Some(&self.explain),
            (true, true) => Some(&self.both),
        }
    }
}

impl ExprPlanner for ForecastFields {
    fn plan_aggregate(&self, mut raw: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if raw.func.name() == NAME
            && let Some(function) = self.function(&raw.args)
        {
            raw.func = Arc::clone(function);
        }
        Ok(PlannerResult::Original(raw))
    }

    fn plan_window(&self, mut raw: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if raw.func_def.name() == NAME
            && let Some(function) = self.function(&raw.args)
        {
            raw.func_def = WindowFunctionDefinition::AggregateUDF(Arc::clone(function));
        }
        Ok(PlannerResult::Original(raw))
    }
}

/// Whether options ask for quantiles, and for an explanation.
fn asked_fields(options: &Expr) -> (bool, bool) {
    match options {
        Expr::Literal(literal, _) => asked_by_text(literal),
        // A struct is not a literal yet: it is a call whose arguments alternate between names and
        // values.
        Expr::ScalarFunction(call) if call.name() == "named_struct" => {
            let (entries, _) = call.args.as_chunks::<2>();
            let value = |key: &str| {
                let is_key = |name: &Expr| {
                    let name = name.as_literal().and_then(ScalarValue::try_as_str);
                    name.flatten() == Some(key)
                };
                let entry = entries.iter().find(|[name, _]| is_key(name))?;
                let is_null = entry[1].as_literal().is_some_and(ScalarValue::is_null);
                (!is_null).then_some(&entry[1])
            };
            let explain = value(EXPLAIN_KEY).and_then(Expr::as_literal);
            (
                value(QUANTILES_KEY).is_some(),
                explain
                    .is_some_and(|explain| matches!(explain.to_string().as_str(), "on" | "true")),
            )
        }
        _ => (false, false),
    }
}

/// Whether the options in a literal ask for quantiles, and for an explanation. Options that cannot
/// be read ask for nothing: the function reports what is wrong with them.
fn asked_by_text(literal: &ScalarValue) -> (bool, bool) {
    let Ok(mut options) = CallOptions::parse(NAME, Some(literal)) else {
        return (false, false);
    };
    let explain = options.take_switch(EXPLAIN_KEY).ok().flatten();
    (
        options.given(&[QUANTILES_KEY]).is_some(),
        explain.unwrap_or_default(),
    )
}
