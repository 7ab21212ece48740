//! Decides which part of a word is a variable, from the word alone.
//!
//! The rules are ordered, from the most telling shape to the least, and name no product: each
//! states which kind of value has this shape. They grew out of the masks that log parsers apply
//! before grouping (Zhu et al., "Tools and Benchmarks for Automated Log Parsing", ICSE-SEIP 2019;
//! Khan et al., "Guidelines for Assessing the Accuracy of Log Message Template Identification
//! Techniques", ICSE 2022), without their regular expressions.

use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::random::is_random;
use crate::algorithms::text::shape::{Class, WordShape};
use crate::algorithms::text::words::is_technical_name;

/// The variable part of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WordVerdict {
    /// Nothing: the word belongs to the template.
    Constant,
    /// The whole word.
    Whole(VariableKind),
    /// The first bytes, this many.
    Before(usize, VariableKind),
    /// Everything after the first bytes, this many.
    After(usize, VariableKind),
}

use WordVerdict::{After, Before, Constant, Whole};

/// The verdict on a word that has no border byte and no colon inside.
pub(crate) fn classify(word: &[u8], shape: WordShape) -> WordVerdict {
    let digits = shape.count(Class::Digit);
    if digits == 0 {
        return classify_without_digits(word, shape);
    }
    if shape.count(Class::Letter) == 0 {
        return classify_without_letters(word, shape);
    }
    classify_mixed(word, shape, digits)
}

fn classify_without_digits(word: &[u8], shape: WordShape) -> WordVerdict {
    let letters = shape.count(Class::Letter);
    if letters == 0 {
        return Constant;
    }
    let slashes = shape.count(Class::Slash);
    if slashes > 0 && is_path(word, slashes) || is_windows_path(word) {
        return Whole(VariableKind::Path);
    }
    if is_address_with_at(word) {
        return Whole(VariableKind::Email);
    }
    if is_host_name(word, shape) {
        return Whole(VariableKind::Host);
    }
    // Only letters a to f, and too many of them for a word of a language.
    if word.len() >= 8 && shape.count(Class::HexLetter) == word.len() {
        return Whole(VariableKind::Hex);
    }
    if last_part(word, b'_').is_some_and(is_random) {
        return Whole(VariableKind::Id);
    }
    match shape.count(Class::Dash) {
        0 => {}
        1 => return name_and_random(word).unwrap_or(Constant),
        _ if last_part(word, b'-').is_some_and(is_random_suffix) => return Whole(VariableKind::Id),
        _ => {}
    }
    Constant
}

fn classify_without_letters(word: &[u8], shape: WordShape) -> WordVerdict {
    if word[0] == b'#' {
        return After(1, VariableKind::Num);
    }
    let (dots, dashes, slashes) = (
        shape.count(Class::Dot),
        shape.count(Class::Dash),
        shape.count(Class::Slash),
    );
    // 10.0.0.1, /10.0.0.1, 10.0.0.0/8
    if dots == 3 && dashes == 0 && slashes <= 1 {
        return Whole(VariableKind::Ip);
    }
    // 2005-06-17, 17/06/2005
    if dots == 0 && (dashes == 2 && word[0] != b'-' || slashes == 2 && word[0] != b'/') {
        return Whole(VariableKind::Time);
    }
    Whole(VariableKind::Num)
}

fn classify_mixed(word: &[u8], shape: WordShape, digits: usize) -> WordVerdict {
    if let Some(verdict) = verdict_of_form(word, shape) {
        return verdict;
    }
    let letters = shape.count(Class::Letter);
    let (dots, dashes, slashes) = (
        shape.count(Class::Dot),
        shape.count(Class::Dash),
        shape.count(Class::Slash),
    );
    // Digits and the letters a to f: a digest, an address. Short ones such as "ee0" or "3d" are
    // names.
    if letters == shape.count(Class::HexLetter)
        && slashes == 0
        && (word.len() >= 4 || word.len() == 3 && digits == 2)
    {
        return Whole(VariableKind::Hex);
    }
    if is_windows_path(word) {
        return Whole(VariableKind::Path);
    }
    // The address of an instruction after its function: schedule+0x1f/0x3c
    if let Some(plus) = word
        .iter()
        .position(|&byte| byte == b'+')
        .filter(|&plus| plus > 0)
        && is_hex_number(&word[plus + 1..])
        && is_stable_prefix(&word[..plus])
    {
        return After(plus + 1, VariableKind::Hex);
    }
    // A protocol and its version are a name; the walk decides otherwise at the end of a request
    // line.
    if word.starts_with(b"HTTP/") {
        return Constant;
    }
    if slashes == 1
        && let Some(verdict) = name_and_number(word, b'/').or_else(|| code_and_name(word))
    {
        return verdict;
    }
    if slashes > 0 {
        return Whole(VariableKind::Path);
    }
    // An object after its class: QuorumServer@33557fe4
    if let Some(at) = word.iter().position(|&byte| byte == b'@') {
        let class = &word[..at];
        if at > 0 && is_stable_prefix(class) && word[at + 1..].iter().all(u8::is_ascii_hexdigit) {
            return After(at + 1, VariableKind::Hex);
        }
        return Whole(VariableKind::Email);
    }
    if dots >= 2 && is_reverse_domain(word) {
        return Constant;
    }
    if dashes == 1
        && let Some(verdict) = name_and_version(word).or_else(|| name_and_random(word))
    {
        return verdict;
    }
    if dots >= 2 && dots * 2 < word.len() {
        return Whole(if is_domain(word) {
            VariableKind::Host
        } else {
            VariableKind::Id
        });
    }
    if word.contains(&b'_') && (digits >= 2 || word.last().is_some_and(u8::is_ascii_digit)) {
        return Whole(VariableKind::Id);
    }
    if dashes >= 2 {
        return Whole(VariableKind::Id);
    }
    for joiner in [b'-', b'.', b'#'] {
        if let Some(verdict) = name_and_number(word, joiner) {
            return verdict;
        }
    }
    // More digits than a name has: 04DN8IQ, R63, worker136; "ssh2", "eth0" and "tty12" are names.
    if digits >= 4
        || digits >= letters && word.len() > 2
        || dashes > 0 && digits >= 3
        || trailing_digits(word) >= 3
    {
        return Whole(VariableKind::Id);
    }
    if is_random(last_part(word, b'_').unwrap_or(word)) {
        return Whole(VariableKind::Id);
    }
    Constant
}

/// The verdict on a word with a standardised form: a number with its unit, a time, a UUID.
fn verdict_of_form(word: &[u8], shape: WordShape) -> Option<WordVerdict> {
    let kind = match () {
        () if is_technical_name(word) => return Some(Constant),
        () if is_iso_duration(word) => VariableKind::Duration,
        () if is_hex_number(word) => VariableKind::Hex,
        () if is_iso_time(word) => VariableKind::Time,
        () if is_uuid(word, shape) => VariableKind::Uuid,
        () => return number_with_unit(word).map(Whole),
    };
    Some(Whole(kind))
}

/// The part after the last `sign`.
fn last_part(word: &[u8], sign: u8) -> Option<&[u8]> {
    let last = word.iter().rposition(|&byte| byte == sign)?;
    Some(&word[last + 1..])
}

/// A name and a generated suffix: `fluentd-x7k2p`, `req-1f9c07ab22de`.
fn name_and_random(word: &[u8]) -> Option<WordVerdict> {
    let dash = word.iter().position(|&byte| byte == b'-')?;
    let (name, behind) = (&word[..dash], &word[dash + 1..]);
    let is_made_up = is_random_suffix(behind) || is_random(behind) || is_digest(behind);
    let found = dash > 1 && is_made_up && name.iter().all(u8::is_ascii_alphabetic);
    found.then_some(After(dash + 1, VariableKind::Id))
}

/// Whether this looks like a suffix of Kubernetes: letters and digits that cannot spell words, and
/// the digits that Kubernetes leaves out.
fn is_random_suffix(text: &[u8]) -> bool {
    const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz0123456789";
    text.len() == 5 && text.iter().all(|byte| SAFE.contains(byte))
}

/// Whether these are digits and letters a to f, more than a name has.
fn is_digest(text: &[u8]) -> bool {
    text.len() >= 8 && text.iter().all(u8::is_ascii_hexdigit)
}

fn trailing_digits(word: &[u8]) -> usize {
    word.iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// A name and its number: `node-129`, `core.2275`, `PS/2`.
fn name_and_number(word: &[u8], joiner: u8) -> Option<WordVerdict> {
    let name = word.len() - trailing_digits(word);
    let found = name < word.len()
        && name > 1
        && word[name - 1] == joiner
        && word[name - 2].is_ascii_alphanumeric()
        && is_stable_prefix(&word[..name]);
    found.then_some(After(name, VariableKind::Num))
}

/// A code and its name: `1/FAILURE`.
fn code_and_name(word: &[u8]) -> Option<WordVerdict> {
    let slash = word.iter().position(|&byte| byte == b'/')?;
    let (code, name) = (&word[..slash], &word[slash + 1..]);
    let found = slash > 0
        && code.iter().all(u8::is_ascii_digit)
        && name.iter().all(u8::is_ascii_alphabetic);
    found.then_some(Before(slash, VariableKind::Num))
}

/// A name and its version: `jetty-6.1.26`.
fn name_and_version(word: &[u8]) -> Option<WordVerdict> {
    let name = word.len()
        - word
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count();
    let found = name < word.len()
        && name > 1
        && word[name - 1] == b'-'
        && word[name - 2].is_ascii_alphanumeric()
        && word[name].is_ascii_digit()
        && is_stable_prefix(&word[..name]);
    found.then_some(After(name, VariableKind::Num))
}

/// Whether the constant beginning of a word stays constant when it is seen again without its end.
fn is_stable_prefix(prefix: &[u8]) -> bool {
    let end = prefix
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b':'))
        .map_or(0, |last| last + 1);
    let shape = WordShape::of(&prefix[..end]);
    shape.count(Class::Digit) == 0 && classify_without_digits(&prefix[..end], shape) == Constant
}

/// The kind of a number with optional sign, fraction, exponent and unit, as far as the word tells:
/// `-12.5ms`, `64K`, `3rd`, `1e-3`, `2h13m4s`.
fn number_with_unit(word: &[u8]) -> Option<VariableKind> {
    let start = usize::from(matches!(word.first(), Some(b'+' | b'-' | b'$')));
    let end = start + number_length(&word[start..]);
    if end == start {
        return None;
    }
    let behind = &word[end..];
    if let [b'e' | b'E', exponent @ ..] = behind {
        let digits = exponent
            .strip_prefix(b"-")
            .or(exponent.strip_prefix(b"+"))
            .unwrap_or(exponent);
        if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            return Some(VariableKind::Num);
        }
    }
    unit(behind).or_else(|| is_rest_of_duration(behind).then_some(VariableKind::Duration))
}

/// The length of the digits, with fraction, that a text begins with.
fn number_length(text: &[u8]) -> usize {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while is_digit(end) || end > 0 && text.get(end) == Some(&b'.') && is_digit(end + 1) {
        end += 1;
    }
    end
}

/// Whether this is the rest of a duration after its first number, such as `2h13m4s`: units of time,
/// with numbers between them.
fn is_rest_of_duration(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let letters = text
            .iter()
            .take_while(|byte| !byte.is_ascii_digit())
            .count();
        let (name, behind) = text.split_at(letters);
        // A lone `m` is taken for megabytes; among units of time it means minutes.
        if unit(name) != Some(VariableKind::Duration) && name != b"m" {
            return false;
        }
        text = &behind[number_length(behind)..];
        if text.is_empty() && !behind.is_empty() {
            return false;
        }
    }
    true
}

const LONGEST_UNIT: usize = 12;

/// The kind of a number that has this unit.
pub(crate) fn unit(text: &[u8]) -> Option<VariableKind> {
    let mut buffer = [0; LONGEST_UNIT];
    let lower = buffer.get_mut(..text.len())?;
    lower.copy_from_slice(text);
    lower.make_ascii_lowercase();
    match &*lower {
        b"" | b"%" | b"x" | b"th" | b"st" | b"nd" | b"rd" | b"hz" | b"khz" | b"mhz" | b"ghz"
        | b"v" | b"mv" | b"w" | b"kw" | b"c" | b"f" | b"px" | b"rpm" | b"qps" | b"rps" | b"ops"
        | b"ops/s" | b"req/s" => Some(VariableKind::Num),
        b"b" | b"k" | b"m" | b"g" | b"t" | b"p" | b"kb" | b"mb" | b"gb" | b"tb" | b"pb" | b"eb"
        | b"kib" | b"mib" | b"gib" | b"tib" | b"pib" | b"eib" | b"ki" | b"mi" | b"gi" | b"ti"
        | b"pi" | b"ei" | b"byte" | b"bytes" | b"bit" | b"bits" | b"bps" | b"kbps" | b"mbps"
        | b"gbps" | b"tbps" | b"kbit" | b"mbit" | b"gbit" | b"kbit/s" | b"mbit/s" | b"gbit/s"
        | b"b/s" | b"kb/s" | b"mb/s" | b"gb/s" | b"kib/s" | b"mib/s" | b"gib/s" => {
            Some(VariableKind::Size)
        }
        b"ms" | b"us" | b"ns" | b"s" | b"sec" | b"secs" | b"second" | b"seconds" | b"min"
        | b"mins" | b"minute" | b"minutes" | b"h" | b"hr" | b"hrs" | b"hour" | b"hours" | b"d"
        | b"day" | b"days" | b"wk" | b"week" | b"weeks" | b"mo" | b"month" | b"months" | b"y"
        | b"yr" | b"yrs" | b"year" | b"years" | b"msec" | b"msecs" | b"usec" | b"usecs"
        | b"nsec" | b"nsecs" | b"millis" | b"micros" | b"nanos" => Some(VariableKind::Duration),
        _ => match str::from_utf8(text).ok()? {
            "µs" | "μs" => Some(VariableKind::Duration),
            "°" | "°C" | "°F" | "£" => Some(VariableKind::Num),
            _ => None,
        },
    }
}

/// Whether this is a path from the root, from the current folder or from home, or one of at least
/// three parts; `and/or` is not.
fn is_path(word: &[u8], slashes: usize) -> bool {
    word[0] == b'/' && word.len() > 1
        || slashes >= 2
        || is_file_in_folder(word)
        || word.len() > 3 && matches!(word[0], b'.' | b'~') && word[1] == b'/'
}

/// Whether this has one slash inside, and a dot: `conf/app.yaml`, `com.example/.Main`.
/// `java.base/java.lang.Thread.run` is a method in its module.
fn is_file_in_folder(word: &[u8]) -> bool {
    let name = word
        .iter()
        .position(|&byte| byte == b'/')
        .map_or(word, |slash| &word[slash + 1..]);
    word.contains(&b'.')
        && !is_reverse_domain(name)
        && !matches!(word.last(), Some(b'/'))
        && !matches!(word.first(), Some(b'/'))
}

fn is_windows_path(word: &[u8]) -> bool {
    word.iter().filter(|&&byte| byte == b'\\').count() >= 2
}

/// Whether this is `name@place`, with something on both sides.
fn is_address_with_at(word: &[u8]) -> bool {
    word.iter()
        .position(|&byte| byte == b'@')
        .is_some_and(|at| at > 0 && at + 1 < word.len())
}

/// Whether this is a dotted name that ends like a domain. Packages and classes
/// (`java.io.IOException`, `org.apache.hadoop`) are not.
fn is_host_name(word: &[u8], shape: WordShape) -> bool {
    let dots = shape.count(Class::Dot);
    let others = shape.count(Class::Other) + shape.count(Class::Slash);
    dots >= 1 && others == 0 && word[0] != b'.' && is_domain(word) && !is_reverse_domain(word)
}

/// Whether the last part of a dotted name is a top-level domain: a common one or, in a name of at
/// least three parts, a country. Some countries are also words in programs (`app.core.io`,
/// `user.address.id`): for these the name needs a digit or a dash, which names of machines have.
pub(crate) fn is_domain(word: &[u8]) -> bool {
    let mut parts = word.rsplit(|&byte| byte == b'.');
    let last = parts.next().unwrap_or_default();
    let rest = parts.count();
    matches!(
        last,
        b"com"
            | b"net"
            | b"org"
            | b"edu"
            | b"gov"
            | b"local"
            | b"internal"
            | b"lan"
            | b"localdomain"
    ) || rest >= 2
        && (is_country(last)
            || is_country_and_word(last)
                && word
                    .iter()
                    .any(|byte| byte.is_ascii_digit() || *byte == b'-'))
}

fn is_country(name: &[u8]) -> bool {
    const NAMES: &[u8] =
        b"aearataubrcachclcnczdedkeeeseufifrgrhkhuieiljpkrltlvmxnlnzplptrorusesgsithtrtwuausukvnza";
    name.len() == 2 && NAMES.chunks_exact(2).any(|known| known == name)
}

fn is_country_and_word(name: &[u8]) -> bool {
    const NAMES: &[u8] = b"agaiamasbebgbzcccocxdodjdmfmggidioinisitkelamamdmemkmlmmmsmymunonupepmpsrsscsdshsosttotvwsvc";
    name.len() == 2 && NAMES.chunks_exact(2).any(|known| known == name)
}

fn is_reverse_domain(word: &[u8]) -> bool {
    [
        &b"com."[..],
        b"org.",
        b"net.",
        b"edu.",
        b"io.",
        b"java.",
        b"javax.",
        b"sun.",
        b"jdk.",
    ]
    .iter()
    .any(|first| word.starts_with(first))
}

/// Whether this is `2026-03-02T09:12:01.123Z` or its part before the first colon.
fn is_iso_time(word: &[u8]) -> bool {
    word.len() >= 11
        && word[..4].iter().all(u8::is_ascii_digit)
        && word[4] == b'-'
        && word[7] == b'-'
        && matches!(word[10], b'T' | b't')
}

/// Whether this is a duration of ISO 8601: `PT1H30M`, `P3DT2S`.
fn is_iso_duration(word: &[u8]) -> bool {
    let [b'P', rest @ ..] = word else {
        return false;
    };
    let is_pair = |part: &[u8]| {
        matches!(
            part,
            [.., b'0'..=b'9', b'Y' | b'M' | b'W' | b'D' | b'H' | b'S']
        )
    };
    let mut pairs = rest.split_inclusive(u8::is_ascii_uppercase);
    pairs.all(|part| part == b"T" || is_pair(part) && number_length(part) + 1 == part.len())
}

/// Whether this is a number such as `0x1f`; the digit before the x may be any.
fn is_hex_number(word: &[u8]) -> bool {
    matches!(word, [b'0'..=b'9', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit())
}

fn is_uuid(word: &[u8], shape: WordShape) -> bool {
    word.len() == 36
        && shape.count(Class::Dash) == 4
        && shape.count(Class::Digit) + shape.count(Class::HexLetter) == 32
        && [8, 13, 18, 23].iter().all(|&dash| word[dash] == b'-')
}
