//! What extends the SQL language.

pub(crate) mod continuous;
mod cte_copies;
mod from_first;
mod join_conditions;
mod late_lists;
pub(crate) mod live_planner;
mod near_filters;
pub(crate) mod plan_size;
mod running_steps;
mod short_batches;
mod statement_check;
mod statement_size;
mod unchecked_keys;
mod unnest_keys;
pub(crate) mod windows;
pub(crate) mod workarounds;
pub(crate) mod write_planner;

pub use from_first::complete_from_first;
pub use live_planner::check_plan;
pub(crate) use running_steps::RunningSteps;
pub use statement_check::check_statement;
pub use statement_size::{MAX_STATEMENT_BYTES, check_size};
pub(crate) use unnest_keys::UnnestKeys;
