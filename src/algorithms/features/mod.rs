//! Features: texts as vectors.

mod term_counts;
mod vocabulary;

pub use term_counts::{Selection, TermCounts};
pub use vocabulary::{Norm, Vocabulary, Weight, hashed_vector};
