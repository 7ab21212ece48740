//! Abbreviations of time zones, as logs write them: `2026-03-02 09:12:01 CEST`.

/// Abbreviations with their offsets from UTC in minutes. Where an abbreviation has several
/// meanings, the first is the usual one; the zone of a table decides for another of them.
const ABBREVIATIONS: [(&str, &[i32]); 62] = [
    ("ACDT", &[630]),
    ("ACST", &[570]),
    ("ADT", &[-180]),
    ("AEDT", &[660]),
    ("AEST", &[600]),
    ("AKDT", &[-480]),
    ("AKST", &[-540]),
    ("ART", &[-180]),
    ("AST", &[-240, 180]),
    ("AWST", &[480]),
    ("BRT", &[-180]),
    ("BST", &[60, 360]),
    ("CAT", &[120]),
    ("CDT", &[-300, -240]),
    ("CEST", &[120]),
    ("CET", &[60]),
    ("CLST", &[-180]),
    ("CLT", &[-240]),
    ("COT", &[-300]),
    ("CST", &[-360, 480, -300]),
    ("EAT", &[180]),
    ("EDT", &[-240]),
    ("EEST", &[180]),
    ("EET", &[120]),
    ("EST", &[-300]),
    ("GMT", &[0]),
    ("GST", &[240]),
    ("HDT", &[-540]),
    ("HKT", &[480]),
    ("HST", &[-600]),
    ("ICT", &[420]),
    ("IDT", &[180]),
    ("IST", &[330, 120, 60]),
    ("JST", &[540]),
    ("KST", &[540]),
    ("MDT", &[-360]),
    ("MEST", &[120]),
    ("MET", &[60]),
    ("MSD", &[240]),
    ("MSK", &[180]),
    ("MST", &[-420]),
    ("MYT", &[480]),
    ("NDT", &[-150]),
    ("NPT", &[345]),
    ("NST", &[-210]),
    ("NZDT", &[780]),
    ("NZST", &[720]),
    ("PDT", &[-420]),
    ("PET", &[-300]),
    ("PHT", &[480]),
    ("PKT", &[300]),
    ("PST", &[-480, 480]),
    ("SAST", &[120]),
    ("SGT", &[480]),
    ("SST", &[-660]),
    ("TRT", &[180]),
    ("UTC", &[0]),
    ("VET", &[-240]),
    ("WAT", &[60]),
    ("WEST", &[60]),
    ("WET", &[0]),
    ("WIB", &[420]),
];

/// The offsets from UTC, in minutes, that an abbreviation can stand for; none if it is not known.
pub(crate) fn offsets_of(abbreviation: &str) -> &'static [i32] {
    let found = ABBREVIATIONS.binary_search_by(|(name, _)| (*name).cmp(abbreviation));
    found.map_or(&[], |index| ABBREVIATIONS[index].1)
}

#[cfg(test)]
mod tests {
    use super::{ABBREVIATIONS, offsets_of};

    #[test]
    fn they_are_sorted() {
        assert!(ABBREVIATIONS.is_sorted_by_key(|(name, _)| name));
        assert_eq!(offsets_of("CEST"), [120]);
        assert!(offsets_of("INFO").is_empty());
    }
}
