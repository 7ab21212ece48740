//! Extensions of the SQL language.

pub(crate) mod continuous;
mod cte_copies;
pub(crate) mod from_first;
mod join_conditions;
mod late_lists;
pub(crate) mod live_planner;
pub(crate) mod live_tables;
mod near_filters;
pub(crate) mod plan_size;
pub(crate) mod running_steps;
pub(crate) mod short_batches;
pub(crate) mod short_times;
pub(crate) mod statement_check;
pub(crate) mod statement_size;
pub(crate) mod statements;
mod unchecked_keys;
pub(crate) mod unnest_keys;
pub(crate) mod windows;
pub(crate) mod workarounds;
pub(crate) mod write_planner;
