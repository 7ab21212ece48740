//! Properties of masking, over a million random and mutated lines: it never fails, its variables are in order, masking
//! a template changes nothing, the values put back give the line, and the template matches its line.

use datafusion_aiops::algorithms::text::{
    MaskOptions, Masker, Masking, Profile, Style, TemplateMatcher, fill_template, is_same_text,
    template_regex, with_single_blanks,
};
use proptest::prelude::*;

/// The sample logs that ship with the project: what is mutated.
const SAMPLES: [&str; 5] = [
    include_str!("../../sql/data/postgresql.log"),
    include_str!("../../sql/data/nginx_error.log"),
    include_str!("../../sql/data/nginx_access.log"),
    include_str!("../../sql/data/app.jsonl"),
    include_str!("../../sql/data/app_python.log"),
];

/// Pieces of lines where rules meet: borders, joiners, placeholders, dates, names, units, scripts.
const PIECES: [&str; 84] = [
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    ":",
    ".",
    "..",
    ",",
    "-",
    "_",
    "/",
    "//",
    "\\",
    "@",
    "#",
    "+",
    "=",
    "|",
    "(",
    ")",
    "()",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "\"",
    "'",
    "?",
    "&",
    "%",
    "$",
    "*",
    "~",
    "0",
    "1",
    "7",
    "42",
    "2005",
    "1999",
    "123456",
    "0x1f",
    "+0x",
    "a",
    "f",
    "ff",
    "deadbeef",
    "x",
    "user",
    "for",
    "by",
    "from",
    "invalid",
    "root",
    "alice",
    "name=",
    "host=",
    "user=",
    "Jun",
    "Sat",
    "UTC",
    "bytes",
    "KB",
    "ms",
    "sec",
    "true",
    "null",
    "<*>",
    "<NUM>",
    "<IP>",
    "10.0.0.1",
    "2026-03-02",
    "09:12:01",
    "http://",
    "HTTP/1.1",
    "example.com",
    "::",
    "连接",
    "，",
    "é",
    "🦀",
];

/// A xorshift generator (Marsaglia, "Xorshift RNGs", 2003): the same lines in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Pieces in a row, half of the time with blanks between them.
fn random_line(random: &mut Random) -> String {
    if random.below(2) == 0 {
        let blanks = [" ", " ", "  ", "\t", " \n "];
        return (0..random.below(14))
            .flat_map(|_| {
                [
                    PIECES[random.below(PIECES.len())],
                    blanks[random.below(blanks.len())],
                ]
            })
            .collect();
    }
    (0..random.below(14))
        .map(|_| PIECES[random.below(PIECES.len())])
        .collect()
}

/// A sample line with some pieces put in, bytes taken out or changed, at any place.
fn mutated_line(samples: &[&str], random: &mut Random) -> String {
    let mut bytes = samples[random.below(samples.len())].as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(3) {
            0 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            1 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            _ if at < bytes.len() => bytes[at] = random.below(256) as u8,
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Working space of [`check`].
#[derive(Default)]
struct Space {
    masking: Masking,
    template: String,
    again: String,
    matcher: TemplateMatcher,
}

fn check(masker: &Masker, line: &str, space: &mut Space) {
    let Space {
        masking,
        template,
        again,
        matcher,
    } = space;
    masker.mask(line, masking);
    let mut at = 0;
    for variable in masking.variables() {
        assert!(
            at <= variable.start && variable.start <= variable.end,
            "{line:?}: {variable:?} is out of order"
        );
        assert!(
            line.is_char_boundary(variable.start) && line.is_char_boundary(variable.end),
            "{line:?}: {variable:?} cuts a character"
        );
        at = variable.end;
    }
    template.clear();
    masker.write_template(line, masking, template);
    let values = masking
        .variables()
        .iter()
        .map(|variable| &line[variable.start..variable.end]);
    let filled = fill_template(template, values);
    assert!(
        is_same_text(&filled, line),
        "{line:?}: template {template:?} filled is {filled:?}"
    );
    let regular = with_single_blanks(line);
    masker.mask(&regular, masking);
    again.clear();
    masker.write_template(&regular, masking, again);
    assert!(
        again == template,
        "{line:?}: template {template:?} depends on white space: {again:?}"
    );
    assert!(
        matcher.is_match(line, template),
        "{line:?} does not match its template {template:?}"
    );
    masker.mask(template, masking);
    again.clear();
    masker.write_template(template, masking, again);
    assert!(
        again == template,
        "{line:?}: template {template:?} masked again is {again:?}"
    );
}

fn masker(profile: Profile, style: Style) -> Masker {
    Masker::new(&MaskOptions {
        profile,
        style,
        ..MaskOptions::default()
    })
    .unwrap()
}

fn check_many(masker: &Masker, n_lines: usize, seed: u64) {
    let samples: Vec<&str> = SAMPLES.iter().flat_map(|sample| sample.lines()).collect();
    let (mut random, mut space) = (Random(seed), Space::default());
    for _ in 0..n_lines / 2 {
        check(masker, &random_line(&mut random), &mut space);
        check(masker, &mutated_line(&samples, &mut random), &mut space);
    }
}

#[test]
fn a_million_lines() {
    check_many(&masker(Profile::Default, Style::Star), 1_000_000, 1);
}

#[test]
fn typed_style() {
    check_many(&masker(Profile::Default, Style::Typed), 100_000, 2);
}

#[test]
fn key_value_profile() {
    check_many(&masker(Profile::KeyValue, Style::Star), 100_000, 3);
}

#[test]
fn json_profile() {
    check_many(&masker(Profile::Json, Style::Star), 100_000, 4);
}

#[test]
fn template_regex_matches_what_template_match_does() {
    let samples: Vec<&str> = SAMPLES.iter().flat_map(|sample| sample.lines()).collect();
    let (mut random, masker) = (Random(5), masker(Profile::Default, Style::Star));
    for _ in 0..500 {
        let line = mutated_line(&samples, &mut random);
        let pattern = template_regex(&masker.template(&line));
        let regex = regex::Regex::new(&pattern).unwrap();
        assert!(regex.is_match(&line), "{line:?} does not match {pattern:?}");
    }
}

proptest! {
    // A failing line stands in the message; no file is written.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(line in any::<String>()) {
        check(&masker(Profile::Default, Style::Star), &line, &mut Space::default());
    }

    #[test]
    fn any_text_in_any_profile(line in "[ -~\\n]{0,60}") {
        for profile in [Profile::Default, Profile::KeyValue, Profile::Json] {
            check(&masker(profile, Style::Typed), &line, &mut Space::default());
        }
    }

    /// A line cut at `max_len` still gives itself back and matches.
    #[test]
    fn any_max_len(line in "[ -~]{0,80}", max_len in 1usize..90) {
        let masker = Masker::new(&MaskOptions { max_len: Some(max_len), ..MaskOptions::default() }).unwrap();
        let mut masking = Masking::default();
        masker.mask(&line, &mut masking);
        let values: Vec<&str> = masking.variables().iter().map(|variable| &line[variable.start..variable.end]).collect();
        let template = masker.template(&line);
        prop_assert!(is_same_text(&fill_template(&template, values), &line));
    }
}
