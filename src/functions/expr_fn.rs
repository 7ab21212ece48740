//! The functions as expressions, for data frames: `log_template(col("message"))`.
//!
//! Each function takes the required arguments of the SQL function. [`with_options`] adds the
//! options, and [`ExprFunctionExt`](datafusion::logical_expr::ExprFunctionExt) of DataFusion adds
//! clauses of aggregates such as `ORDER BY` and `FILTER`.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> datafusion::error::Result<()> {
//! use datafusion::functions_aggregate::expr_fn::count;
//! use datafusion::logical_expr::{col, lit};
//! use datafusion_aiops::expr_fn::{log_template, with_options};
//!
//! let context = datafusion_aiops::session()?;
//! let logs = context.sql("SELECT 'took ' || value || 'ms' AS message FROM range(0, 9)").await?;
//! let template = with_options(log_template(col("message")), "style=typed");
//! let counted = logs.aggregate(vec![template.alias("template")], vec![count(lit(1)).alias("n")])?;
//! let rows = counted.filter(col("template").eq(lit("took <DURATION>")))?;
//! assert_eq!(rows.count().await?, 1);
//! # Ok(())
//! # }
//! ```

use datafusion::logical_expr::expr::{
    AggregateFunction as AggregateCall, ScalarFunction as ScalarCall,
};
use datafusion::logical_expr::{Expr, lit};

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
use crate::functions::ts::ts_anomaly::TsAnomaly;
use crate::functions::ts::ts_capacity::TsCapacity;
use crate::functions::ts::ts_changepoints::TsChangepoints;
use crate::functions::ts::ts_decompose::TsDecompose;
use crate::functions::ts::ts_fill::TsFill;
use crate::functions::ts::ts_forecast::PlainForecast;
use crate::functions::ts::ts_periods::TsPeriods;
use crate::functions::ts::ts_rate::TsRate;
use crate::functions::ts::ts_reaches::TsReaches;

macro_rules! functions {
    ($($function:ident::<$what:ty> $name:ident($($argument:ident),*) $text:literal;)*) => {
        $(
            #[doc = $text]
            pub fn $name($($argument: Expr),*) -> Expr {
                $function::<$what>::udf().call(vec![$($argument),*])
            }
        )*
    };
}

functions! {
    ScalarFunction::<ClusterAssign> cluster_assign(vec, representatives) "The cluster whose representative is nearest to a vector.";
    AggregateFunction::<ClusterFit> cluster_fit(id, vec) "The clusters of vectors, one for each row.";
    AggregateFunction::<ClusterKeywords> cluster_keywords(cluster_id, text) "The words that tell clusters of texts apart.";
    ScalarFunction::<LogMatch> log_match(message, model) "The mined template of a line, and its hash.";
    AggregateFunction::<LogMine> log_mine(message) "The templates of many lines, as a model.";
    ScalarFunction::<LogParse> log_parse(message) "The template of a line, and its variables.";
    ScalarFunction::<LogTemplate> log_template(message) "The template of a line: the line with placeholders for what varies.";
    ScalarFunction::<LogTemplates> log_templates(model) "The templates of a model, with counts and examples.";
    ScalarFunction::<LogTokens> log_tokens(text) "The words of a text.";
    ScalarFunction::<TemplateHash> template_hash(template) "The hash of a template, which never changes.";
    ScalarFunction::<TemplateMatch> template_match(message, template) "Whether a line has this template.";
    ScalarFunction::<TemplateRegex> template_regex(template) "A regular expression for the lines of a template.";
    AggregateFunction::<TfidfFit> tfidf_fit(text) "A model of which words are rare.";
    ScalarFunction::<TfidfTerms> tfidf_terms(model) "The words of a model, with their weights.";
    ScalarFunction::<TfidfVec> tfidf_vec(text, model) "The vector of a text.";
    AggregateFunction::<TsAnomaly> ts_anomaly(ts, value) "A verdict on every point of a series, with hindsight.";
    AggregateFunction::<TsCapacity> ts_capacity(ts, value, horizon, slot) "How many units each time slot needs.";
    AggregateFunction::<TsChangepoints> ts_changepoints(ts, value) "Where a series changes its level or trend.";
    AggregateFunction::<TsDecompose> ts_decompose(ts, value) "Trend, seasons and rest of a series.";
    AggregateFunction::<TsFill> ts_fill(ts, value, step) "A series on an even grid, with gaps filled.";
    AggregateFunction::<PlainForecast> ts_forecast(ts, value, horizon) "The next values of a series, with intervals.";
    AggregateFunction::<TsPeriods> ts_periods(ts, value) "The lengths of the seasons of a series.";
    AggregateFunction::<TsRate> ts_rate(ts, value) "How fast a counter counts.";
    AggregateFunction::<TsReaches> ts_reaches(ts, value, limit) "When a forecast reaches a limit.";
}

/// Adds options, such as `"style=typed"`, to a call of one of these functions. Other expressions
/// are returned unchanged.
///
/// ```
/// use datafusion::logical_expr::col;
/// use datafusion_aiops::expr_fn::{log_tokens, with_options};
///
/// let words = with_options(log_tokens(col("text")), "stop_words=true");
/// assert_eq!(words.to_string(), "log_tokens(text, Utf8(\"stop_words=true\"))");
/// ```
pub fn with_options(call: Expr, options: &str) -> Expr {
    match call {
        Expr::ScalarFunction(ScalarCall { func, mut args }) => {
            args.push(lit(options));
            Expr::ScalarFunction(ScalarCall { func, args })
        }
        Expr::AggregateFunction(AggregateCall { func, mut params }) => {
            params.args.push(lit(options));
            Expr::AggregateFunction(AggregateCall { func, params })
        }
        other => other,
    }
}
