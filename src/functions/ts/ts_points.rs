//! The points of a series as one value. A GROUP BY emits all groups at once, and a list is several
//! times larger than the points that it is made from. So functions that return lists make them from
//! these values, one batch of groups at a time. Only `planner::late_lists` calls these functions, so
//! no session registers them but that of a worker, which looks up by name what it is sent.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::AggregateFunction as AggregateExpr;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Documentation, Expr, ExprSchemable, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
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
    /// Makes the list from the points and `others`.
    pub(crate) list: ScalarUDF,
    /// The arguments of the call, with a NULL of the same type in place of each that is collected:
    /// they are all that the list depends on beside the points.
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
    let Some((list, positions)) = list_of(call, &types) else {
        return Ok(None);
    };
    let holidays = positions.optional.first().copied().flatten();
    let (mut kept, mut others) = (vec![], vec![]);
    for (position, (argument, data_type)) in arguments.iter().zip(&types).enumerate() {
        if position < 2 || Some(position) == holidays {
            kept.push(argument.clone());
            others.push(Expr::Literal(ScalarValue::try_from(data_type)?, None));
        } else {
            others.push(argument.clone());
        }
    }
    let mut collected = call.clone();
    collected.func = Arc::clone(points);
    collected.params.args = kept;
    Ok(Some(LateList {
        points: Expr::AggregateFunction(collected),
        list,
        others,
    }))
}

/// All functions that make lists, for a registry of names.
#[cfg(feature = "distributed")]
pub(crate) fn list_functions() -> Vec<ScalarUDF> {
    vec![
        ListOfPoints::<TsAnomaly>::udf(),
        ListOfPoints::<ForecastWith<false, false>>::udf(),
        ListOfPoints::<ForecastWith<false, true>>::udf(),
        ListOfPoints::<ForecastWith<true, false>>::udf(),
        ListOfPoints::<ForecastWith<true, true>>::udf(),
        ListOfPoints::<TsCapacity>::udf(),
        ListOfPoints::<TsChangepoints>::udf(),
        ListOfPoints::<TsDecompose>::udf(),
        ListOfPoints::<TsFill>::udf(),
        ListOfPoints::<TsPeriods>::udf(),
    ]
}

/// The function that makes the list of a call, and the places of the call's arguments.
fn list_of(call: &AggregateExpr, types: &[DataType]) -> Option<(ScalarUDF, ArgumentPlaces)> {
    list_of_type::<TsAnomaly>(call, types)
        .or_else(|| list_of_type::<ForecastWith<false, false>>(call, types))
        .or_else(|| list_of_type::<ForecastWith<false, true>>(call, types))
        .or_else(|| list_of_type::<ForecastWith<true, false>>(call, types))
        .or_else(|| list_of_type::<ForecastWith<true, true>>(call, types))
        .or_else(|| list_of_type::<TsCapacity>(call, types))
        .or_else(|| list_of_type::<TsChangepoints>(call, types))
        .or_else(|| list_of_type::<TsDecompose>(call, types))
        .or_else(|| list_of_type::<TsFill>(call, types))
        .or_else(|| list_of_type::<TsPeriods>(call, types))
}

fn list_of_type<F: Aggregate>(
    call: &AggregateExpr,
    types: &[DataType],
) -> Option<(ScalarUDF, ArgumentPlaces)> {
    let function = call.func.inner().downcast_ref::<AggregateFunction<F>>()?;
    let arguments = &call.params.args;
    let literal = |position: usize| arguments[position].as_literal();
    let (fold, positions) = function.fold_of(types, literal).ok()?;
    fold.late_answers()?;
    Some((ListOfPoints::<F>::udf(), positions))
}

/// The scalar function that makes the list of `F` from the points of a series. Its first argument
/// is the points, the others are the arguments of `F`.
#[derive(Debug)]
struct ListOfPoints<F: Aggregate> {
    name: String,
    function: AggregateFunction<F>,
    signature: Signature,
}

impl<F: Aggregate> ListOfPoints<F> {
    fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            name: format!("{}_list", F::REGISTERED_NAME),
            function: AggregateFunction::default(),
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    }

    fn answers<'a>(
        &self,
        fields: &[FieldRef],
        literal: impl Fn(usize) -> Option<&'a ScalarValue>,
    ) -> Result<Arc<dyn LateAnswers>> {
        let types = fields.iter().skip(1).map(|field| field.data_type().clone());
        let types: Vec<_> = types.collect();
        let (fold, _) = self.function.fold_of(&types, |place| literal(place + 1))?;
        match fold.late_answers() {
            Some(answers) => Ok(answers),
            None => internal_err!("{} makes no lists", self.name),
        }
    }
}

/// Functions are equal if their types are, as aggregates.
impl<F: Aggregate> PartialEq for ListOfPoints<F> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<F: Aggregate> Eq for ListOfPoints<F> {}

impl<F: Aggregate> Hash for ListOfPoints<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<F: Aggregate> ScalarUDFImpl for ListOfPoints<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the options")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let literal = |place: usize| args.scalar_arguments[place];
        let answers = self.answers(args.arg_fields, literal)?;
        Ok(Arc::new(Field::new(&self.name, answers.data_type(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let answers = self.answers(&args.arg_fields, |place| match &args.args[place] {
            ColumnarValue::Scalar(scalar) => Some(scalar),
            ColumnarValue::Array(_) => None,
        })?;
        let Some(argument) = args.args.first() else {
            return internal_err!("the points of a series come in the first column");
        };
        let states = argument.to_array(args.number_rows)?;
        let Some(states) = states.as_binary_view_opt() else {
            return internal_err!("the points of a series are no {}", states.data_type());
        };
        Ok(ColumnarValue::Array(answers.answer_all(states)?))
    }
}
