//! Inputs made from other inputs: a small engine whose random numbers depend on a seed alone.

/// Longer inputs are slow and find nothing more.
const MAX_BYTES: usize = 32 << 10;
/// The most changes to one input.
const MAX_CHANGES: usize = 6;
/// Texts that mean something to at least one target.
const TOKENS: [&str; 30] = [
    "'",
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\t",
    ";",
    ",",
    "=",
    "|",
    "--",
    "/*",
    "$$",
    "\u{feff}",
    "é",
    "日本",
    "\u{0}",
    "NULL",
    "NaN",
    "-1",
    "0",
    "1e999",
    "18446744073709551615",
    "-9223372036854775808",
    "(?<a>",
    "{1000}",
    "[",
    "{\"a\":",
    "|> ",
    " OVER (",
];
const NESTS: [(&str, &str); 8] = [
    ("(", ")"),
    ("[", "]"),
    ("{\"a\":", "}"),
    ("CASE WHEN ", " THEN 1 END"),
    ("STRUCT<a ", ">"),
    ("(SELECT ", ")"),
    ("NOT ", ""),
    ("EXPLAIN ", ""),
];

/// Makes inputs.
#[derive(Debug)]
pub(crate) struct Mutator {
    state: u64,
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number: SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, and 0 for an `end` of 0.
    fn below(&mut self, end: usize) -> usize {
        match u64::try_from(end) {
            Ok(0) | Err(_) => 0,
            Ok(end) => usize::try_from(self.next() % end).unwrap_or_default(),
        }
    }

    /// One of the seeds, changed; there must be at least one seed.
    pub(crate) fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(MAX_CHANGES) {
            self.change(&mut input, seeds);
            input.truncate(MAX_BYTES);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => self.flip(input),
            1 => {
                let token = TOKENS[self.below(TOKENS.len())];
                input.splice(at..at, token.bytes());
            }
            2 => {
                let span = self.span(input);
                input.drain(span);
            }
            3 => {
                let other = &seeds[self.below(seeds.len())];
                let span = self.span(other);
                input.splice(at..at, other[span].iter().copied());
            }
            4 => {
                let span = self.span(input);
                let copies = 1 + self.below(40);
                let repeated = input[span].repeat(copies);
                input.splice(at..at, repeated);
            }
            5 => self.nest(input),
            6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let span = self.span(input);
                input.splice(span, token.bytes());
            }
            _ => {
                // Replaces a word by a word of another seed.
                let other = &seeds[self.below(seeds.len())];
                let word = self.word(other);
                let word = other[word].to_vec();
                let place = self.word(input);
                input.splice(place, word);
            }
        }
    }

    fn flip(&mut self, input: &mut [u8]) {
        let at = self.below(input.len());
        let bit = self.below(8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn nest(&mut self, input: &mut Vec<u8>) {
        let (open, close) = NESTS[self.below(NESTS.len())];
        let n_levels = 1 + self.below(200);
        let span = self.span(input);
        let nested = [
            open.repeat(n_levels).into_bytes(),
            input[span.clone()].to_vec(),
            close.repeat(n_levels).into_bytes(),
        ];
        input.splice(span, nested.concat());
    }

    /// A part, mostly a short one.
    fn span(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(input.len() + 1);
        let longest = 1 << self.below(9);
        let to = from + self.below(longest + 1);
        from..to.min(input.len())
    }

    /// A part without a separator.
    fn word(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let at = self.below(input.len());
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let from = input[..at].iter().rposition(|byte| !is_part(byte));
        let to = input[at..].iter().position(|byte| !is_part(byte));
        from.map_or(0, |from| from + 1)..to.map_or(input.len(), |to| at + to)
    }
}
