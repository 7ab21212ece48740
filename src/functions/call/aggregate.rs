//! The common part of all aggregate functions: each function of this crate is an [`Aggregate`] that
//! makes a [`Fold`], and DataFusion sees it as an [`AggregateFunction`].

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::expr::{
    AggregateFunction as AggregateExpr, AggregateFunctionParams, WindowFunctionParams,
};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Signature,
};
use datafusion::physical_expr::expressions::Literal;

use crate::functions::call::options::{CallOptions, Prepared};
use crate::functions::call::parameters::{ArgumentPlaces, Parameters};

/// A function of many rows.
pub(crate) trait Aggregate: Debug + Default + Send + Sync + 'static {
    const PARAMETERS: Parameters;

    /// The name by which a registry finds it, where one name of SQL stands for several functions.
    const REGISTERED_NAME: &'static str = Self::PARAMETERS.function;

    /// The checked options.
    type Options: Debug + Send + Sync + 'static;

    fn documentation(&self) -> Option<&Documentation>;

    /// Reads the options of a call; options that it does not ask for are refused.
    fn read_options(options: &mut CallOptions) -> Result<Self::Options>;

    /// Checks the options and the arguments against each other.
    fn check_call(_: &Self::Options, _: &ArgumentPlaces) -> Result<()> {
        Ok(())
    }

    /// Refuses arguments that belong to another form of the function, before they are counted and
    /// checked one by one.
    fn check_form(_: &[DataType]) -> Result<()> {
        Ok(())
    }

    /// Checks the types of the arguments against each other.
    fn check_types(_: &[DataType], _: &ArgumentPlaces) -> Result<()> {
        Ok(())
    }

    fn return_type(types: &[DataType]) -> DataType;

    /// The positions of the required parameters that must be constant.
    const CONSTANTS: &'static [usize] = &[];

    /// The options with the values of the constants added.
    fn with_constants(
        options: &Arc<Self::Options>,
        _: &[&ScalarValue],
    ) -> Result<Arc<Self::Options>> {
        Ok(Arc::clone(options))
    }

    /// The empty state.
    fn fold(
        options: &Arc<Self::Options>,
        types: &[DataType],
        positions: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>>;
}

/// The state of an aggregate after the rows that it has seen. The result must not depend on the
/// order of the rows or on how they were divided into folds.
pub(crate) trait Fold: Debug + Send + Sync {
    /// Adds rows; `optional` are the columns of the optional parameters.
    fn update(&mut self, required: &[ArrayRef], optional: &[Option<&ArrayRef>]) -> Result<()>;

    /// The state as bytes, for [`Fold::merge`] of another fold.
    fn state(&self) -> Result<Vec<u8>>;

    fn merge(&mut self, state: &[u8]) -> Result<()>;

    /// Whether [`Fold::leave`] is supported. Window frames whose start moves need it.
    fn can_leave(&self) -> bool {
        false
    }

    /// Removes rows: the oldest of those that are still in the fold.
    fn leave(&mut self, _required: &[ArrayRef]) -> Result<()> {
        internal_err!("rows of this aggregate cannot be taken away")
    }

    fn finish(&self) -> Result<ScalarValue>;

    fn memory_bytes(&self) -> usize;

    /// Makes results from states later, for functions whose results are too long for those of all
    /// groups to be in memory together.
    fn late_answers(&self) -> Option<Arc<dyn LateAnswers>> {
        None
    }

    /// The empty state of many groups, for functions that keep them cheaper together than in one
    /// fold each.
    fn groups(&self, _: &ArgumentPlaces) -> Option<Box<dyn GroupsAccumulator>> {
        None
    }
}

/// Makes the results of a function from the states of its groups.
pub(crate) trait LateAnswers: Debug + Send + Sync {
    fn data_type(&self) -> DataType;

    /// The result for each state.
    fn answer_all(&self, states: &BinaryViewArray) -> Result<ArrayRef>;
}

/// An [`Aggregate`] as DataFusion knows it.
#[derive(Debug)]
pub(crate) struct AggregateFunction<F: Aggregate> {
    function: F,
    signature: Signature,
    options: Arc<Prepared<F::Options>>,
}

impl<F: Aggregate> Default for AggregateFunction<F> {
    fn default() -> Self {
        Self {
            function: F::default(),
            signature: F::PARAMETERS.signature(),
            options: Arc::default(),
        }
    }
}

impl<F: Aggregate> AggregateFunction<F> {
    pub(crate) fn udf() -> AggregateUDF {
        AggregateUDF::new_from_impl(Self::default())
    }

    /// What stands for this function where people read its name.
    fn shown(&self) -> ShownName {
        ShownName {
            name: F::PARAMETERS.function,
            signature: self.signature.clone(),
        }
    }

    /// The empty state of a call, and the positions of its arguments.
    fn fold(&self, args: &AccumulatorArgs) -> Result<(Box<dyn Fold>, ArgumentPlaces)> {
        let types: Vec<_> = args
            .expr_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let literal = |position: usize| args.exprs[position].downcast_ref::<Literal>();
        self.fold_of(&types, |position| literal(position).map(Literal::value))
    }

    /// [`Self::fold`], from the types of the arguments and the values of the literals among them.
    pub(crate) fn fold_of<'a>(
        &self,
        types: &[DataType],
        literal: impl Fn(usize) -> Option<&'a ScalarValue>,
    ) -> Result<(Box<dyn Fold>, ArgumentPlaces)> {
        let function = F::PARAMETERS.function;
        let positions = F::PARAMETERS.check(types)?;
        let options = match positions.options {
            None => None,
            Some(position) => match literal(position) {
                Some(options) => Some(options),
                None => return plan_err!("{}", not_constant::<F>()),
            },
        };
        let options = self.options.get(function, options, F::read_options)?;
        F::check_call(&options, &positions)?;
        let mut constants = vec![];
        for &position in F::CONSTANTS {
            match literal(position) {
                Some(constant) => constants.push(constant),
                None => {
                    let (name, _) = F::PARAMETERS.required[position];
                    return plan_err!("{function}: {name} must be a constant, not a column");
                }
            }
        }
        let options = F::with_constants(&options, &constants)?;
        Ok((F::fold(&options, types, &positions)?, positions))
    }
}

/// Functions are equal if their types are; the remembered options do not count.
impl<F: Aggregate> PartialEq for AggregateFunction<F> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<F: Aggregate> Eq for AggregateFunction<F> {}

impl<F: Aggregate> Hash for AggregateFunction<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        F::REGISTERED_NAME.hash(state);
    }
}

/// Names a call as SQL does. It cannot be called.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ShownName {
    name: &'static str,
    signature: Signature,
}

impl AggregateUDFImpl for ShownName {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{} is shown, not called", self.name)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        internal_err!("{} is shown, not called", self.name)
    }
}

impl<F: Aggregate> AggregateUDFImpl for AggregateFunction<F> {
    fn name(&self) -> &str {
        F::REGISTERED_NAME
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.shown().schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.shown().human_display(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.shown().display_name(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.shown().window_function_schema_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.shown().window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(F::PARAMETERS.coerce(types))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        F::check_form(types)?;
        let positions = F::PARAMETERS.check(types)?;
        F::check_types(types, &positions)?;
        Ok(F::return_type(types))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "rows");
        Ok(vec![Arc::new(Field::new(name, DataType::BinaryView, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (fold, positions) = self.fold(&args)?;
        Ok(Box::new(FoldAccumulator {
            function: F::PARAMETERS.function,
            fold,
            n_required: F::PARAMETERS.required.len(),
            positions,
        }))
    }

    /// An invalid call is reported later, when its accumulator is created.
    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        let fold = self.fold(&args);
        fold.is_ok_and(|(fold, positions)| fold.groups(&positions).is_some())
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let (fold, positions) = self.fold(&args)?;
        match fold.groups(&positions) {
            Some(groups) => Ok(groups),
            None => internal_err!("{} keeps its groups one by one", F::PARAMETERS.function),
        }
    }

    /// Simplifies nothing: this is where an invalid option is found while the query is planned.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let prepared = Arc::clone(&self.options);
        Some(Box::new(move |call: AggregateExpr, context| {
            if call.params.distinct {
                return plan_err!(
                    "{}(DISTINCT ...) is not supported; select the distinct rows first",
                    F::PARAMETERS.function
                );
            }
            let types: Vec<_> = call
                .params
                .args
                .iter()
                .map(|argument| context.get_data_type(argument))
                .collect::<Result<_>>()?;
            let positions = F::PARAMETERS.check(&types)?;
            let argument = positions
                .options
                .map(|position| &call.params.args[position]);
            let literal = match argument {
                None => None,
                Some(Expr::Literal(literal, _)) => Some(literal),
                Some(_) => return Ok(Expr::AggregateFunction(call)),
            };
            let options = prepared.get(F::PARAMETERS.function, literal, F::read_options)?;
            F::check_call(&options, &positions)?;
            let constants = F::CONSTANTS.iter().map(|&position| {
                let argument = &call.params.args[position];
                argument.as_literal()
            });
            // An argument that is not a literal yet can still become one; it is checked when the
            // accumulator is created.
            if let Some(constants) = constants.collect::<Option<Vec<_>>>() {
                F::with_constants(&options, &constants)?;
            }
            Ok(Expr::AggregateFunction(call))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

/// The error message for options that are a column. A text in the last place is read as options,
/// even if it was meant as the argument before them.
fn not_constant<F: Aggregate>() -> String {
    let function = F::PARAMETERS.function;
    match F::PARAMETERS.optional.last() {
        None => format!("{function}: options must be a constant, not a column"),
        Some((name, _)) => format!(
            "{function}: options must be a constant, not a column; if this is {name}, write '' after it"
        ),
    }
}

/// A [`Fold`] as a DataFusion accumulator; its state is one binary value.
#[derive(Debug)]
struct FoldAccumulator {
    function: &'static str,
    fold: Box<dyn Fold>,
    n_required: usize,
    positions: ArgumentPlaces,
}

impl Accumulator for FoldAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let optional = self.positions.optional.iter();
        let optional: Vec<_> = optional
            .map(|position| position.map(|position| &values[position]))
            .collect();
        self.fold.update(&values[..self.n_required], &optional)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(states) = states
            .first()
            .and_then(|states| states.as_binary_view_opt())
        else {
            return exec_err!(
                "{}: the state of a partition is no binary view",
                self.function
            );
        };
        for state in (0..states.len()).filter(|&row| states.is_valid(row)) {
            self.fold.merge(states.value(state))?;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.fold.can_leave()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.fold.leave(&values[..self.n_required])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::BinaryView(Some(self.fold.state()?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.fold.finish()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.fold.memory_bytes()
    }
}
