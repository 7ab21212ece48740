//! The identity of a template: a hash that is the same in every release, on every machine and in
//! other programs.
//!
//! **Specification, version 1.** The hash is XXH64 (Collet, "xxHash fast digest algorithm",
//! specification 0.1.1, 2018; the algorithm of `xxHash64` in ClickHouse and of `xxhash64` in Trino)
//! with seed 0 over all UTF-8 bytes of the template, without a terminator and without
//! normalisation. Its highest bit is then cleared, so that the value fits a signed 64-bit integer:
//! `XXH64(bytes, 0) AND 0x7FFFFFFFFFFFFFFF`. The chance that any two of a million templates share a
//! hash is 1 in 18 million. The test vectors are in the tests of this file and must never change.

use twox_hash::XxHash64;

/// The hash of a template, from 0 to 2^63-1.
///
/// ```
/// use datafusion_aiops::algorithms::text::template_hash;
/// assert_eq!(template_hash("Connection from <*> closed"), 2_463_772_990_271_665_740);
/// ```
pub fn template_hash(template: &str) -> i64 {
    (XxHash64::oneshot(0, template.as_bytes()) & i64::MAX as u64).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation: Python's `xxhash.xxh64_intdigest(text.encode()) & (2**63 -
    /// 1)`.
    const VECTORS: [(&str, i64); 6] = [
        ("", 8_018_337_217_222_601_113),
        ("a", 5_930_894_301_504_237_147),
        ("<*>", 1_589_267_369_306_769_090),
        ("Connection from <*> closed", 2_463_772_990_271_665_740),
        ("磁盘配额不足: <*>", 7_224_481_083_081_313_137),
        (
            "abcdefghijklmnopqrstuvwxyz0123456789\
             abcdefghijklmnopqrstuvwxyz0123456789\
             abcdefghijklmnopqrstuvwxyz0123456789\
             abcdefghijklmnopqrstuvwxyz0123456789",
            5_321_595_546_696_034_920,
        ),
    ];

    #[test]
    fn test_vectors() {
        for (template, hash) in VECTORS {
            assert_eq!(template_hash(template), hash, "{template}");
        }
    }
}
