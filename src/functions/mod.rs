//! The SQL interface to the algorithms: one file per function, named as in SQL.

pub(crate) mod call;
mod cluster;
pub mod expr_fn;
mod log;
pub(crate) mod ts;

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::error::{Error, ErrorKind};
use crate::functions::call::aggregate::AggregateFunction;
use crate::functions::call::scalar::ScalarFunction;
use crate::functions::cluster::cluster_assign::ClusterAssign;
use crate::functions::cluster::cluster_fit::ClusterFit;
use crate::functions::cluster::cluster_keywords::ClusterKeywords;
use crate::functions::cluster::tfidf_fit::TfidfFit;
use crate::functions::cluster::tfidf_terms::TfidfTerms;
use crate::functions::cluster::tfidf_vec::TfidfVec;
use crate::functions::log::log_match::LogMatch;
use crate::functions::log::log_mine::LogMine;
use crate::functions::log::log_parse::LogParse;
use crate::functions::log::log_template::LogTemplate;
use crate::functions::log::log_templates::LogTemplates;
use crate::functions::log::log_tokens::LogTokens;
use crate::functions::log::template_hash::TemplateHash;
use crate::functions::log::template_match::TemplateMatch;
use crate::functions::log::template_regex::TemplateRegex;
use crate::functions::ts::anomaly_over::AnomalyOver;
use crate::functions::ts::forecast_fields::ForecastFields;
use crate::functions::ts::over_routing::OverRouting;
use crate::functions::ts::ts_anomaly::TsAnomaly;
use crate::functions::ts::ts_capacity::TsCapacity;
use crate::functions::ts::ts_changepoints::TsChangepoints;
use crate::functions::ts::ts_decompose::TsDecompose;
use crate::functions::ts::ts_fill::TsFill;
#[cfg(feature = "distributed")]
use crate::functions::ts::ts_forecast::ForecastWith;
use crate::functions::ts::ts_forecast::PlainForecast;
use crate::functions::ts::ts_periods::TsPeriods;
#[cfg(feature = "distributed")]
use crate::functions::ts::ts_points::{list_functions, points_function};
use crate::functions::ts::ts_rate::TsRate;
use crate::functions::ts::ts_reaches::TsReaches;
#[cfg(feature = "distributed")]
use crate::functions::ts::verdicts::Unpack;

/// Registers every function of this crate with a registry: a `SessionContext`, a `SessionState` or
/// a custom one.
///
/// Table formats need more than a registry; [`crate::install`] adds those too. `ts_anomaly(...)
/// OVER (...)` and the options of `ts_forecast` that add fields need a registry that accepts
/// expression planners, as sessions do.
///
/// # Errors
/// The error that the registry returns when it refuses a function.
///
/// ```
/// use datafusion::prelude::SessionContext;
///
/// let mut context = SessionContext::new();
/// datafusion_aiops::register_all(&mut context)?;
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in scalar_functions() {
        registry.register_udf(Arc::new(function))?;
    }
    for function in aggregate_functions() {
        registry.register_udaf(Arc::new(function))?;
    }
    let anomaly = Arc::new(AnomalyOver::udwf());
    registry.register_udwf(Arc::clone(&anomaly))?;
    let planners: [Arc<dyn ExprPlanner>; 2] = [
        Arc::new(OverRouting::new(&anomaly)),
        Arc::new(ForecastFields::new()),
    ];
    for planner in planners {
        match registry.register_expr_planner(planner) {
            // A registry that accepts only functions plans no SQL.
            Ok(()) | Err(DataFusionError::NotImplemented(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Registers the functions that only planners call, under names that no query writes. A process
/// that runs parts of plans looks up every function by its name.
///
/// # Errors
/// The error that the registry returns when it refuses a function.
#[cfg(feature = "distributed")]
pub(crate) fn register_hidden(registry: &mut dyn FunctionRegistry) -> Result<()> {
    registry.register_udf(Arc::new(ScalarUDF::new_from_impl(Unpack::new())))?;
    for list in list_functions() {
        registry.register_udf(Arc::new(list))?;
    }
    let aggregates = [
        points_function(),
        AggregateFunction::<ForecastWith<true, false>>::udf(),
        AggregateFunction::<ForecastWith<false, true>>::udf(),
        AggregateFunction::<ForecastWith<true, true>>::udf(),
    ];
    for aggregate in aggregates {
        registry.register_udaf(Arc::new(aggregate))?;
    }
    Ok(())
}

fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        ScalarFunction::<ClusterAssign>::udf(),
        ScalarFunction::<LogMatch>::udf(),
        ScalarFunction::<LogParse>::udf(),
        ScalarFunction::<LogTemplate>::udf(),
        ScalarFunction::<LogTemplates>::udf(),
        ScalarFunction::<LogTokens>::udf(),
        ScalarFunction::<TemplateHash>::udf(),
        ScalarFunction::<TemplateMatch>::udf(),
        ScalarFunction::<TemplateRegex>::udf(),
        ScalarFunction::<TfidfTerms>::udf(),
        ScalarFunction::<TfidfVec>::udf(),
    ]
}

fn aggregate_functions() -> Vec<AggregateUDF> {
    vec![
        AggregateFunction::<ClusterFit>::udf(),
        AggregateFunction::<ClusterKeywords>::udf(),
        AggregateFunction::<LogMine>::udf(),
        AggregateFunction::<TfidfFit>::udf(),
        AggregateFunction::<TsAnomaly>::udf(),
        AggregateFunction::<TsCapacity>::udf(),
        AggregateFunction::<TsChangepoints>::udf(),
        AggregateFunction::<TsDecompose>::udf(),
        AggregateFunction::<TsFill>::udf(),
        AggregateFunction::<PlainForecast>::udf(),
        AggregateFunction::<TsPeriods>::udf(),
        AggregateFunction::<TsRate>::udf(),
        AggregateFunction::<TsReaches>::udf(),
    ]
}

/// An invalid option is a mistake in the query and becomes a plan error; invalid data is found when
/// the query runs.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidOption => Self::Plan(error.to_string()),
            ErrorKind::InvalidInput => Self::Execution(error.to_string()),
        }
    }
}
