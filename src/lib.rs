//! AIOps as SQL.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod algorithms;
mod error;
mod functions;
mod planner;
mod session;
mod tables;

pub use error::{Error, Result};
pub use functions::register_all;
pub use planner::{check_statement, complete_from_first};
pub use session::{install, session, session_state_builder};
