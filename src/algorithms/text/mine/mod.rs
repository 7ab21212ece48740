//! Mining: finds variables that no mask can see, from all lines together.
//!
//! Lines are masked one by one; a [`TemplateTally`] counts the masked templates, [`generalise`]
//! finds the words in them that vary, and [`MinedTemplates`] matches lines to the result.

mod amounts;
mod cover;
mod evidence;
mod generalise;
mod model;
mod pieces;
mod tally;

pub use generalise::generalise;
pub use model::MinedTemplates;
pub use tally::{Sighting, TemplateTally};
