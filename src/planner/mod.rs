//! What extends the SQL language.

mod statement_check;

pub use statement_check::check_statement;
