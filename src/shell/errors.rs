//! stub
use datafusion::error::DataFusionError;
use std::io::Write;
pub(crate) fn report(error: &DataFusionError, place: Option<&str>) {
    let _ = writeln!(std::io::stderr(), "RAW {place:?}\n  display: {error}\n  debug: {error:?}");
}
pub(crate) fn say(text: &str) { let _ = writeln!(std::io::stderr(), "{text}"); }
pub(crate) fn is_broken_pipe(error: &DataFusionError) -> bool { error.to_string().contains("Broken pipe") }
