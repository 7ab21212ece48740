//! The points of a series as one value. A GROUP BY emits all groups at once, and a list is several
//! times larger than the points that it is made from. So functions that return lists make them from
//! these values, one batch of groups at a time. The function is not registered: only
//! `planner::late_lists` uses it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::AggregateFunction as AggregateExpr;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Documentation, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::functions::call::aggregate::{Aggregate, AggregateFunction, Fold, LateAnswers};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::series::ResultShape;
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::ts_anomaly::TsAnomaly;
use crate::functions::ts::ts_capacity::TsCapacity;
use crate::functions::ts::ts_changepoints::TsChangepoints;
use crate::functions::ts::ts_decompose::TsDecompose;
use crate::functions::ts::ts_fill::TsFill;
use crate::functions::ts::ts_forecast::ForecastWith;
use crate::functions::ts::ts_periods::TsPeriods;

/// The name of the function in plans.
pub(crate) const POINTS_NAME: &str = "ts_points";

#[derive(Debug, Default)]
pub(crate) struct TsPoints;

impl Aggregate for TsPoints {
    const PARAMETERS: Parameters = Parameters {
        function: POINTS_NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[("holidays", Takes::Dates)],
        has_options: false,
    };

    type Options = ();

    fn documentation(&self) -> Option<&Documentation> {
        None
    }

    fn read_options(_: &mut CallOptions) -> Result<()> {
        Ok(())
    }

    fn return_type(_: &[DataType]) -> DataType {
        ResultShape::Points.data_type()
    }

    fn fold(options: &Arc<()>, types: &[DataType], _: &ArgumentPlaces) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(
            POINTS_NAME,
            options,
            &types[0],
            ResultShape::Points,
            |_, ()| Ok(None),
        )
    }
}

/// The aggregate that collects the points of a series.
pub(crate) fn points_function() -> AggregateUDF {
    AggregateFunction::<TsPoints>::udf()
}

/// A call of an aggregate that returns lists, split into two steps.
#[derive(Debug)]
pub(crate) struct LateList {
    /// Collects the points.
    pub(crate) points: Expr,
    /// Makes the list from the points and the other arguments. It knows these already, but
    /// DataFusion takes two calls with the same arguments for the same call.
    pub(crate) list: ScalarUDF,
    pub(crate) others: Vec<Expr>,
}

/// Splits a call into two steps; `None` for other functions, and for a call that lacks a literal,
/// which fails when it runs.
pub(crate) fn late_list(
    call: &AggregateExpr,
    points: &Arc<AggregateUDF>,
    schema: &DFSchema,
) -> Result<Option<LateList>> {
    let arguments = &call.params.args;
    let types = arguments.iter().map(|argument| argument.get_type(schema));
    let types = types.collect::<Result<Vec<_>>>()?;
    let Some((fold, positions)) = fold_of(call, &types) else {
        return Ok(None);
    };
    let Some(answers) = fold.late_answers() else {
        return Ok(None);
    };
    let holidays = positions.optional.first().copied().flatten();
    let is_collected = |position: usize| position < 2 || Some(position) == holidays;
    let (kept, others): (Vec<_>, Vec<_>) =
        (arguments.iter().cloned().enumerate()).partition(|(position, _)| is_collected(*position));
    let mut collected = call.clone();
    collected.func = Arc::clone(points);
    collected.params.args = kept.into_iter().map(|(_, argument)| argument).collect();
    Ok(Some(LateList {
        others: others.into_iter().map(|(_, argument)| argument).collect(),
        points: Expr::AggregateFunction(collected),
        list: ScalarUDF::new_from_impl(ListOfPoints::new(call.func.name(), answers)),
    }))
}

fn fold_of(call: &AggregateExpr, types: &[DataType]) -> Option<(Box<dyn Fold>, ArgumentPlaces)> {
    let found = fold_of_type::<TsAnomaly>(call, types)
        .or_else(|| fold_of_type::<ForecastWith<false, false>>(call, types))
        .or_else(|| fold_of_type::<ForecastWith<false, true>>(call, types))
        .or_else(|| fold_of_type::<ForecastWith<true, false>>(call, types))
        .or_else(|| fold_of_type::<ForecastWith<true, true>>(call, types))
        .or_else(|| fold_of_type::<TsCapacity>(call, types))
        .or_else(|| fold_of_type::<TsChangepoints>(call, types))
        .or_else(|| fold_of_type::<TsDecompose>(call, types))
        .or_else(|| fold_of_type::<TsFill>(call, types))
        .or_else(|| fold_of_type::<TsPeriods>(call, types));
    found?.ok()
}

type CallFold = Result<(Box<dyn Fold>, ArgumentPlaces)>;

fn fold_of_type<F: Aggregate>(call: &AggregateExpr, types: &[DataType]) -> Option<CallFold> {
    let function = call.func.inner().downcast_ref::<AggregateFunction<F>>()?;
    let arguments = &call.params.args;
    Some(function.fold_of(types, |position| arguments[position].as_literal()))
}

/// The scalar function that makes a list from the points of a series.
#[derive(Debug)]
struct ListOfPoints {
    name: String,
    answers: Arc<dyn LateAnswers>,
    signature: Signature,
}

impl ListOfPoints {
    fn new(name: &str, answers: Arc<dyn LateAnswers>) -> Self {
        Self {
            name: name.to_string(),
            answers,
            signature: Signature::variadic_any(Volatility::Immutable),
        }
    }
}

/// Calls differ by their arguments, and by the type of the result, which depends on the arguments.
impl PartialEq for ListOfPoints {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.answers.data_type() == other.answers.data_type()
    }
}

impl Eq for ListOfPoints {}

impl Hash for ListOfPoints {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for ListOfPoints {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.answers.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return internal_err!("the points of a series come in the first column");
        };
        let states = argument.to_array(args.number_rows)?;
        let Some(states) = states.as_binary_view_opt() else {
            return internal_err!("the points of a series are no {}", states.data_type());
        };
        Ok(ColumnarValue::Array(self.answers.answer_all(states)?))
    }
}
