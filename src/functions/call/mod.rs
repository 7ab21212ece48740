//! How SQL calls a function: arguments and options checked once, arrays of every string type read
//! once, models as values.

pub(crate) mod aggregate;
pub(crate) mod lists;
pub(crate) mod models;
pub(crate) mod options;
pub(crate) mod parameters;
pub(crate) mod scalar;
pub(crate) mod texts;
pub(crate) mod vectors;
pub(crate) mod words;
