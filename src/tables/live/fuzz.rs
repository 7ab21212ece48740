//! What the targets of `crate::fuzz` do with the positions of live tables.

use crate::tables::live::bounded::n_rows_of;
use crate::tables::live::folder::TakenFiles;
use crate::tables::live::source::Positions;

/// What is read of the positions of a folder is written in the same way.
pub(crate) fn positions(positions: &Positions) {
    let _ = n_rows_of(positions);
    if let Ok(taken) = TakenFiles::parse(positions) {
        let value = serde_json::to_value(&taken).expect("positions are written");
        let again = TakenFiles::parse(&value).expect("what was written is read");
        assert_eq!(
            serde_json::to_value(&again).expect("they are written"),
            value
        );
    }
}
