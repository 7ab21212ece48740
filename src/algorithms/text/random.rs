//! Detects words that a random generator made: ids in base58, base62 or base64, request ids, the
//! names of pods.
//!
//! A name that a person chose consists of pairs of letters that occur in languages, changes from
//! small to capital letters where a word begins, and has its digits together. Random words do none
//! of that. So each pair of neighbours in a word is evidence for a name or for a random word,
//! weighted by the logarithm of how much likelier it is there; the sum decides. To tell identifiers
//! from words by a Markov chain of letter pairs is folklore of detectors for generated domain names
//! (Yadav et al., "Detecting Algorithmically Generated Malicious Domain Names", IMC 2010).
//!
//! One in a hundred identifiers of programs is taken for random (`pbeWithMD5AndRC2`); one in 90
//! random words in base62 of 11 letters is missed, and one in 550 of 16 letters
//! (`benches/record/2026-11-30-templates.md`).

/// The shortest word that is judged; a shorter one says too little.
const SHORTEST: usize = 10;

/// Ten times the logarithm of the likelihood of a pair in a name over that in a random word.
mod weight {
    pub(super) const COMMON_PAIR: i32 = 8;
    pub(super) const RARE_PAIR: i32 = -25;
    pub(super) const COMMON_CAPITALS: i32 = 4;
    pub(super) const RARE_CAPITALS: i32 = -9;
    pub(super) const SMALL_TO_CAPITAL: i32 = -13;
    pub(super) const TWO_DIGITS: i32 = 4;
    pub(super) const DIGIT_AND_LETTER: i32 = -14;
}

/// The sum below which a word is random.
const RANDOM: i32 = -20;

/// For each letter, the letters that often follow it in names: 300 of the 676 pairs, which cover 95
/// in 100 pairs in the identifiers of programs.
const FOLLOWERS: [&[u8]; 26] = [
    b"bcdefgiklmnprstuvwxy",    // a
    b"aceilorsu",               // b
    b"acdefghiklmoprstuvy",     // c
    b"acdefilorsu",             // d
    b"abcdefgiklmnopqrstuvwxy", // e
    b"acdefilorstu",            // f
    b"aehilnorsu",              // g
    b"aeimortu",                // h
    b"abcdefglmnoprstvxz",      // i
    b"e",                       // j
    b"deis",                    // k
    b"acdefiklostuy",           // l
    b"abdeilmopstu",            // m
    b"acdefgiklnopstuv",        // n
    b"abcdfgiklmnoprstuvw",     // o
    b"acdehikloprstu",          // p
    b"u",                       // q
    b"acdefgiklmnoprstuvy",     // r
    b"aceghiklmnoprstuy",       // s
    b"abcdefhilmnoprstuxy",     // t
    b"abcdefgilmnprst",         // u
    b"aeio",                    // v
    b"aeinor",                  // w
    b"aceipt",                  // x
    b"nps",                     // y
    b"e",                       // z
];

/// The same as one bit per letter.
static FOLLOWER_BITS: [u32; 26] = follower_bits();

const fn follower_bits() -> [u32; 26] {
    let mut bits = [0; 26];
    let mut letter = 0;
    while letter < bits.len() {
        let mut position = 0;
        while position < FOLLOWERS[letter].len() {
            bits[letter] |= 1 << (FOLLOWERS[letter][position] - b'a');
            position += 1;
        }
        letter += 1;
    }
    bits
}

/// Whether a random generator made a word of ASCII letters and digits. A word that is all lower
/// case or all upper case is taken for a word of some language.
pub(crate) fn is_random(word: &[u8]) -> bool {
    let has = |is_such: fn(&u8) -> bool| word.iter().any(is_such);
    word.len() >= SHORTEST
        && (has(u8::is_ascii_digit) || has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
        && word.iter().all(u8::is_ascii_alphanumeric)
        && word
            .windows(2)
            .map(|pair| weight_of(pair[0], pair[1]))
            .sum::<i32>()
            < RANDOM
}

fn weight_of(first: u8, second: u8) -> i32 {
    match (first.is_ascii_digit(), second.is_ascii_digit()) {
        (true, true) => return weight::TWO_DIGITS,
        (false, false) => {}
        _ => return weight::DIGIT_AND_LETTER,
    }
    let is_common = is_common_pair(first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match (first.is_ascii_uppercase(), second.is_ascii_uppercase()) {
        (false, true) => weight::SMALL_TO_CAPITAL,
        (true, true) if is_common => weight::COMMON_CAPITALS,
        (true, true) => weight::RARE_CAPITALS,
        _ if is_common => weight::COMMON_PAIR,
        _ => weight::RARE_PAIR,
    }
}

fn is_common_pair(first: u8, second: u8) -> bool {
    FOLLOWER_BITS[usize::from(first - b'a')] & 1 << (second - b'a') != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_words_and_names() {
        for word in [
            "NqVwYS81VP7",
            "0ujsswThIGTUYm2K8FjOOfXtY1K",
            "cNpXk2vQ7bZt",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "hdLjzyfgffBlpZsWIt",
            "x7f3kq9zt2",
        ] {
            assert!(is_random(word.as_bytes()), "{word}");
        }
        for word in [
            "GetObjectV2",
            "NullPointerException",
            "blockManagerMaster",
            "HTTPServerChannel",
            "ipv6AddressPool",
            "worker12Restarted",
            "connection",
            "shujukulianjie",
            "MAX_RETRIES",
            "short1",
        ] {
            assert!(!is_random(word.as_bytes()), "{word}");
        }
    }
}
