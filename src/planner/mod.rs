//! What extends the SQL language.

mod from_first;
mod statement_check;

pub use from_first::complete_from_first;
pub use statement_check::check_statement;
