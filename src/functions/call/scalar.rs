//! The common part of all scalar functions: each function of this crate implements [`Scalar`], and
//! DataFusion sees it as a [`ScalarFunction`].

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

use crate::functions::call::options::{CallOptions, Prepared, called_options, planned_options};
use crate::functions::call::parameters::{ArgumentPlaces, Parameters};

/// A function of one row, computed one batch at a time.
pub(crate) trait Scalar: Debug + Default + Send + Sync + 'static {
    const PARAMETERS: Parameters;

    /// The checked options.
    type Options: Debug + Send + Sync + 'static;

    fn documentation(&self) -> Option<&Documentation>;

    /// Reads the options of a call; options that it does not ask for are refused.
    fn read_options(options: &mut CallOptions) -> Result<Self::Options>;

    /// Checks the options and the arguments against each other.
    fn check_call(_: &Self::Options, _: &ArgumentPlaces) -> Result<()> {
        Ok(())
    }

    fn return_type(&self, types: &[DataType]) -> DataType;

    /// Whether a row can be NULL although none of its arguments is.
    const MAKES_NULLS: bool = false;

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &Self::Options,
    ) -> Result<ColumnarValue>;
}

/// The arguments of a call on one batch.
#[derive(Debug)]
pub(crate) struct BatchArguments<'a> {
    values: &'a [ColumnarValue],
    positions: ArgumentPlaces,
    pub(crate) n_rows: usize,
}

impl<'a> BatchArguments<'a> {
    pub(crate) fn required(&self, number: usize) -> &'a ColumnarValue {
        &self.values[number]
    }

    pub(crate) fn optional(&self, number: usize) -> Option<&'a ColumnarValue> {
        self.positions.optional[number].map(|position| &self.values[position])
    }
}

/// A [`Scalar`] as DataFusion knows it.
#[derive(Debug)]
pub(crate) struct ScalarFunction<F: Scalar> {
    function: F,
    signature: Signature,
    options: Prepared<F::Options>,
}

impl<F: Scalar> ScalarFunction<F> {
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            function: F::default(),
            signature: F::PARAMETERS.signature(),
            options: Prepared::default(),
        })
    }
}

/// Functions are equal if their types are; the remembered options do not count.
impl<F: Scalar> PartialEq for ScalarFunction<F> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<F: Scalar> Eq for ScalarFunction<F> {}

impl<F: Scalar> Hash for ScalarFunction<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        F::PARAMETERS.function.hash(state);
    }
}

impl<F: Scalar> ScalarUDFImpl for ScalarFunction<F> {
    fn name(&self) -> &str {
        F::PARAMETERS.function
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(F::PARAMETERS.coerce(types))
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("return_field_from_args is called instead")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types = types_of(args.arg_fields);
        let positions = F::PARAMETERS.check(&types)?;
        if let Some(literal) = planned_options(&args, positions.options) {
            let function = F::PARAMETERS.function;
            let options = self.options.get(function, literal, F::read_options)?;
            F::check_call(&options, &positions)?;
        }
        let is_null = |(position, field): (usize, &FieldRef)| {
            Some(position) != positions.options && field.is_nullable()
        };
        let is_nullable = F::MAKES_NULLS || args.arg_fields.iter().enumerate().any(is_null);
        let data_type = self.function.return_type(&types);
        Ok(Arc::new(Field::new(self.name(), data_type, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let function = F::PARAMETERS.function;
        let positions = F::PARAMETERS.check(&types_of(&args.arg_fields))?;
        let literal = called_options(function, &args.args, positions.options)?;
        let options = self.options.get(function, literal, F::read_options)?;
        F::check_call(&options, &positions)?;
        let is_scalar = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
        let is_one_call = args.args.iter().all(is_scalar);
        let arguments = BatchArguments {
            values: &args.args,
            positions,
            n_rows: if is_one_call { 1 } else { args.number_rows },
        };
        match self.function.call(&arguments, &options)? {
            // If all arguments are constant, the result is a single value.
            ColumnarValue::Array(array) if is_one_call => {
                let value = ScalarValue::try_from_array(&array, 0)?;
                Ok(ColumnarValue::Scalar(value))
            }
            value => Ok(value),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

fn types_of(fields: &[FieldRef]) -> Vec<DataType> {
    fields
        .iter()
        .map(|field| field.data_type().clone())
        .collect()
}
