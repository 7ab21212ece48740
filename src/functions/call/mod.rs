//! How SQL calls a function: the common code that checks arguments and options, reads arrays of
//! every string type, and treats models as values.

pub(crate) mod aggregate;
pub(crate) mod lists;
pub(crate) mod models;
pub(crate) mod options;
pub(crate) mod parameters;
pub(crate) mod scalar;
pub(crate) mod texts;
pub(crate) mod vectors;
pub(crate) mod words;
