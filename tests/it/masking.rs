//! Properties of masking. A template does not depend on the value of a variable: sixty kinds of
//! values in forty texts. And over a million random and mutated lines: masking never fails, its
//! variables are in order, masking a template changes nothing, the values filled into the template
//! give the line, and the template matches its line.

use datafusion_aiops::algorithms::text::{
    MaskOptions, Masker, Masking, Profile, Quotes, Style, TemplateMatcher, fill_template,
    is_same_text, template_regex, with_single_blanks,
};
use proptest::prelude::*;

use crate::values::{KINDS, Kind, LISTS, NEIGHBOURHOODS, Random};

/// The sample logs that ship with the project, which the tests mutate.
const SAMPLES: [&str; 5] = [
    include_str!("../../sql/data/postgresql.log"),
    include_str!("../../sql/data/nginx_error.log"),
    include_str!("../../sql/data/nginx_access.log"),
    include_str!("../../sql/data/app.jsonl"),
    include_str!("../../sql/data/app_python.log"),
];

/// Pieces of lines where rules meet: borders, joiners, placeholders, dates, names, units, scripts.
const PIECES: [&str; 94] = [
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
    "“",
    "”",
    "`",
    "\x1b[1m",
    "[]",
    "{}",
    "\\n",
    "\\u",
    "\\\\",
    "表",
];

/// A sequence of pieces, half of the time with blanks between them.
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

/// A sample line with some pieces inserted, and bytes removed or changed, at any place.
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

/// The number of draws of each kind of value.
const N_DRAWS: usize = 1000;

/// Checks that `line` has the same template with every value of every kind in place of `@`, and
/// that the value is in it whole.
fn check_values(masker: &Masker, kinds: &[Kind], line: &str) {
    let expected = with_single_blanks(&line.replace('@', "<*>"));
    for (kind, draw) in kinds {
        let mut random = Random(7);
        for _ in 0..N_DRAWS {
            let value = draw(&mut random);
            let found = masker.template(&line.replace('@', &value));
            assert_eq!(found, expected, "{kind} {value:?} in {line:?}");
        }
    }
}

#[test]
fn a_template_does_not_depend_on_a_value() {
    let masker = masker(Profile::Default, Style::Star);
    for line in NEIGHBOURHOODS {
        check_values(&masker, &KINDS, line);
    }
}

/// The same if words in quotes are judged like others.
#[test]
fn a_template_does_not_depend_on_a_value_without_the_rule_on_quotes() {
    let mut options = MaskOptions::default();
    options.quotes = Quotes::Keep;
    let masker = Masker::new(&options).unwrap();
    for line in [
        "rejected '@' again",
        "rejected \"@\" again",
        "rejected “@” again",
        "x=\"@\"",
    ] {
        check_values(&masker, &KINDS, line);
    }
}

#[test]
fn a_template_does_not_depend_on_the_length_of_a_list() {
    let masker = masker(Profile::Default, Style::Star);
    for line in [
        "x IN (@)",
        "took [@] of them",
        "{@}",
        "ids=(@), again",
        "列表（ids=[@]）",
    ] {
        check_values(&masker, &LISTS[..3], line);
    }
    let strings = |random: &mut Random| LISTS[3].1(random);
    for line in ["x IN (@)", "took [@] of them"] {
        let expected = line.replace('@', "'<*>'");
        let mut random = Random(7);
        for _ in 0..N_DRAWS {
            let value = strings(&mut random);
            assert_eq!(
                masker.template(&line.replace('@', &value)),
                expected,
                "{value}"
            );
        }
    }
}

/// Any value of such a line is one variable: quoted or not, empty, a list or an object.
#[test]
fn values_of_keys_are_whole() {
    let of_keys: [Kind; 4] = [
        ("word", |r| {
            r.one_of(&["bob", "张三", "a b", "", "it's", "x,y", "a=b"])
                .to_string()
        }),
        ("list", |r| LISTS[r.below(LISTS.len())].1(r)),
        ("nothing", |_| String::new()),
        ("any", |r| KINDS[r.below(KINDS.len())].1(r)),
    ];
    let json = masker(Profile::Json, Style::Star);
    for line in [
        r#"{"level":"info","user":"@","n":1}"#,
        r#"{"msg": "done", "user": "@"}"#,
        r#"{"level":"info","用户":["@"]}"#,
    ] {
        for (kind, draw) in of_keys {
            let mut random = Random(3);
            for _ in 0..N_DRAWS {
                let value = draw(&mut random).replace('\\', r"\\");
                let expected = line
                    .replace("[\"@\"]", "<*>")
                    .replace("\"@\"", "<*>")
                    .replace("\"n\":1", "\"n\":<*>");
                assert_eq!(
                    json.template(&line.replace('@', &value)),
                    expected,
                    "{kind} {value:?}"
                );
            }
        }
    }
    let key_value = masker(Profile::KeyValue, Style::Star);
    for line in [
        "level=info user=\"@\" n=1",
        "level=info 用户=\"@\" n=1",
        "level=info at=[@] n=1",
        "level=info at=(@) n=1",
        "level=info at={a:@} n=1",
    ] {
        for (kind, draw) in of_keys {
            let mut random = Random(3);
            for _ in 0..N_DRAWS {
                let value = draw(&mut random).replace('\\', "/");
                let head = line.split_inclusive('=').take(2).collect::<String>();
                let found = key_value.template(&line.replace('@', &value));
                assert_eq!(
                    found,
                    format!("{head}<*> n=<*>"),
                    "{kind} {value:?} in {line}"
                );
            }
        }
    }
    for line in [
        "level=info user= n=1",
        "level=info user=null n=1",
        "level=info user='a b' n=1",
        "level=info user=/a,b n=7",
    ] {
        assert_eq!(key_value.template(line), "level=info user=<*> n=<*>");
    }
}

/// The keys under which programs and log services write the text of an event, which is masked like
/// an event.
#[test]
fn message_keys() {
    let json = masker(Profile::Json, Style::Star);
    for key in [
        "msg",
        "message",
        "MESSAGE",
        "Message",
        "log",
        "short_message",
        "@mt",
        "body",
        "textPayload",
        "error.message",
        "消息",
    ] {
        let line = format!(r#"{{"{key}":"took 12ms\n","n":7}}"#);
        let expected = format!(r#"{{"{key}":"took <*>\n","n":<*>}}"#);
        assert_eq!(json.template(&line), expected);
    }
    for line in [
        r#"{"log.level":"error"}"#,
        r#"{"severity":"ERROR","n":<*>}"#,
        r#"{"@l":"Error"}"#,
    ] {
        assert_eq!(json.template(line), line);
    }
}

/// Lines that once failed, or took time quadratic in their length.
#[test]
fn malformed_and_long_lines() {
    let json = masker(Profile::Json, Style::Star);
    assert_eq!(
        json.template(r#"{"msg":"\u0éé12345"}"#),
        r#"{"msg":"\u0<*>"}"#
    );
    assert_eq!(
        json.template(r#"{"msg":"GET /a?x=1\nat home"}"#),
        r#"{"msg":"GET <*>\nat home"}"#
    );
    assert_eq!(json.template("{\"ids\":\n[1,2]}"), "{\"ids\": <*>}");
    let key_value = masker(Profile::KeyValue, Style::Star);
    assert_eq!(
        key_value.template("user= 2fa=on n=1"),
        "user=<*> 2fa=<*> n=<*>"
    );
    assert_eq!(
        key_value.template("user=map[a:1 b:2] n=1"),
        "user=<*> n=<*>"
    );
    // A path longer than the limit of the scan, of two-byte characters, at both parities.
    for pad in ["", "x"] {
        let line = format!(r#"{{"msg":"/a?{pad}{}"}}"#, "é".repeat(5000));
        assert!(json.template(&line).starts_with(r#"{"msg":"<*>"#));
    }
    let long = format!("g{}", "7".repeat(509));
    assert_eq!(
        masker(Profile::Default, Style::Typed).template(&long),
        "<ID>"
    );
    for piece in [
        "a: ",
        "\u{1b}]",
        r"a\n",
        "[",
        "]",
        "'",
        "\"",
        "“",
        "=",
        "a=",
        r"\",
        "1, ",
        "(1",
        "/a ",
        "-> ",
        "表 ",
        "用户 张 ",
        "x:\"y\"",
    ] {
        let line = format!("{}{}", " ".repeat(10_000), piece.repeat(10_000));
        for profile in [Profile::Default, Profile::KeyValue, Profile::Json] {
            let masker = masker(profile, Style::Star);
            masker.template(&line);
            masker.template(&format!("{{\"msg\":\"{line}"));
        }
    }
}

/// One event each, as reported by users of log parsers: values that used to split a template.
#[test]
fn one_template_an_event() {
    let default = masker(Profile::Default, Style::Star);
    let check = |template: &str, lines: &[&str]| {
        for line in lines {
            assert_eq!(default.template(line), template, "{line:?}");
        }
    };
    // B01: units.
    check(
        "keep for <*>",
        &[
            "keep for 7weeks",
            "keep for 90mins",
            "keep for 12hrs",
            "keep for 2d4h",
            "keep for 100years",
        ],
    );
    check(
        "link at <*>",
        &["link at 10Gbps", "link at 9.6kbps", "link at 1000Mbit/s"],
    );
    check(
        "耗时<*>，完成",
        &[
            "耗时35毫秒，完成",
            "耗时1.2秒，完成",
            "耗时1小时2分3秒，完成",
            "耗时12ms，完成",
            "耗时2分30秒，完成",
        ],
    );
    check("于<*>到期", &["于2026年3月2日到期", "于2026-03-02到期"]);
    check(
        "used <*> of CPU",
        &["used 1h 2min 3.5s of CPU", "used 12ms of CPU"],
    );
    // B02: lists.
    check(
        "key in (<*>) gone",
        &[
            "key in (1, 22, 333) gone",
            "key in (1,22) gone",
            "key in (5) gone",
        ],
    );
    // B03: paths and URLs.
    check(
        "read <*> twice",
        &[
            "read /数据/日志.gz twice",
            "read /a (2).log twice",
            "read /it's.log twice",
            "read C:\\临时\\a.log twice",
            "read /a[1].log twice",
        ],
    );
    check(
        "POST <*> done",
        &[
            "POST / done",
            "POST /购物车?id=订单 done",
            "POST /a;v=2 done",
            "POST /a?x[]=1 done",
        ],
    );
    // B04: dates with their weekday.
    check(
        "until <*>",
        &[
            "until Fri, 06 Mar 2026 09:12:01 GMT",
            "until Fri 06 Mar 2026 09:12:01 GMT",
            "until Fri Mar  6 09:12:01 2026",
        ],
    );
    // B05: aligned numbers.
    check(
        "[<*>] usb: reset",
        &["[    7.25] usb: reset", "[12345.25] usb: reset"],
    );
    check("n=<*> of them", &["n=   7 of them", "n=1234 of them"]);
    // B06: base64 and random names.
    check(
        "blob <*> lost",
        &["blob aGVsbG8gd29ybA== lost", "blob Zm9v/mFy+g== lost"],
    );
    check(
        "session <*> lost",
        &[
            "session 2Y4fKj8sQwZtPnXbVr lost",
            "session KvTzQpLmXwRsNdBy lost",
        ],
    );
    check(
        "pod kafka-<*> lost",
        &[
            "pod kafka-x7k2p lost",
            "pod kafka-wgwhx lost",
            "pod kafka-7 lost",
        ],
    );
    // Quotes: after other quotes, in CJK, of a user agent, empty.
    check(
        "{\"user\":\"<*>\",\"host\":\"<*>\"}",
        &[
            "{\"user\":\"bob\",\"host\":\"web-1\"}",
            "{\"user\":\"al\",\"host\":\"10.0.0.1\"}",
        ],
    );
    check("{'user': '<*>'}", &["{'user': 'bob'}", "{'user': 'al'}"]);
    check(
        "access of '<*>'@'<*>'",
        &["access of 'root'@'localhost'", "access of 'app'@'10.0.0.1'"],
    );
    check("用户\"<*>\"登录", &["用户\"张三\"登录", "用户\"bob\"登录"]);
    check("of «<*>» failed", &["of «orders» failed", "of «7» failed"]);
    check(
        "<*> \"<*>\" \"<*>\"",
        &[
            "200 \"-\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\"",
            "304 \"https://a.example/b\" \"kube-probe/1.27\"",
        ],
    );
    check(
        "vhost '<*>' is up",
        &["vhost '/' is up", "vhost 'shop' is up"],
    );
    check(
        "to <*> lost",
        &[
            "to localhost:5672 lost",
            "to [::1]:5672 lost",
            "to 10.0.0.1:5672 lost",
        ],
    );
    // B09: colours.
    check(
        "WARN disk <*>",
        &[
            "\x1b[33mWARN\x1b[0m disk \x1b[1m91%\x1b[22m",
            "WARN disk 7%",
        ],
    );
    // C02: codes of errors.
    for line in [
        "AH00126: no such module",
        "error CS0103: no such name",
        "ORA-00942: no such table",
        "%LINK-3-UPDOWN: changed state",
    ] {
        check(line, &[line]);
    }
    check(
        "at java.base/java.lang.Thread.run(Thread.java:<*>)",
        &["at java.base/java.lang.Thread.run(Thread.java:829)"],
    );
    // C01: names of modules are not hosts; names after a noun of databases are variables.
    check("shop.core.io: failed", &["shop.core.io: failed"]);
    check("shop.core.db: failed", &["shop.core.db: failed"]);
    check(
        "column <*> is ambiguous",
        &[
            "column orders.id is ambiguous",
            "column a.b.no is ambiguous",
        ],
    );
    check(
        "表 <*> 不存在",
        &["表 orders 不存在", "表 shop.orders_v2 不存在"],
    );
    check(
        "用户 <*> 登录失败",
        &[
            "用户 张三 登录失败",
            "用户 欧阳修 登录失败",
            "用户 bob-7 登录失败",
        ],
    );
    check(
        "user=<*> 登录失败",
        &["user=张三 登录失败", "user=bob 登录失败"],
    );
    check("用户 登录失败", &["用户 登录失败"]);
    check("用户<*>已登录", &["用户alice已登录", "用户bob-7已登录"]);
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
    let text = masking.text(line);
    for variable in masking.variables() {
        assert!(
            at <= variable.start && variable.start <= variable.end,
            "{line:?}: {variable:?} is out of order"
        );
        assert!(
            text.is_char_boundary(variable.start) && text.is_char_boundary(variable.end),
            "{line:?}: {variable:?} cuts a character"
        );
        at = variable.end;
    }
    template.clear();
    masker.write_template(line, masking, template);
    let values = masking
        .variables()
        .iter()
        .map(|variable| &text[variable.start..variable.end]);
    let filled = fill_template(template, values);
    assert!(
        is_same_text(&filled, text),
        "{line:?}: template {template:?} filled is {filled:?}"
    );
    let regular = with_single_blanks(text);
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
    let mut options = MaskOptions::default();
    options.profile = profile;
    options.style = style;
    Masker::new(&options).unwrap()
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

/// The fast path for plain words and the full one give the same result: with a word to keep, here
/// one that no line contains, only the full path remains.
#[test]
fn the_short_way_finds_what_the_long_one_does() {
    let samples: Vec<&str> = SAMPLES.iter().flat_map(|sample| sample.lines()).collect();
    let mut random = Random(6);
    for profile in [Profile::Default, Profile::KeyValue, Profile::Json] {
        let short = masker(profile, Style::Typed);
        let keep = vec!["\u{1}".to_string()];
        let mut options = MaskOptions::default();
        options.profile = profile;
        options.style = Style::Typed;
        options.keep = keep;
        let long = Masker::new(&options).unwrap();
        for _ in 0..100_000 {
            for line in [
                random_line(&mut random),
                mutated_line(&samples, &mut random),
            ] {
                assert_eq!(short.template(&line), long.template(&line), "{line:?}");
            }
        }
    }
}

/// A line that differs from an earlier one only in its digits is not scanned again; the answer is
/// the same.
#[test]
fn what_was_seen_before_changes_nothing() {
    let samples: Vec<&str> = SAMPLES.iter().flat_map(|sample| sample.lines()).collect();
    let mut random = Random(8);
    for (profile, style) in [
        (Profile::Default, Style::Typed),
        (Profile::KeyValue, Style::Star),
        (Profile::Json, Style::Star),
    ] {
        let masker = masker(profile, style);
        let mut seen = Masking::default();
        for _ in 0..100_000 {
            let line = if random.below(2) == 0 {
                random_line(&mut random)
            } else {
                mutated_line(&samples, &mut random)
            };
            for _ in 0..2 {
                let digits = |char: char| {
                    if char.is_ascii_digit() {
                        char::from(b'0' + random.below(10) as u8)
                    } else {
                        char
                    }
                };
                let line: String = line.chars().map(digits).collect();
                let mut template = String::new();
                masker.mask(&line, &mut seen);
                masker.write_template(&line, &seen, &mut template);
                assert_eq!(template, masker.template(&line), "{line:?}");
            }
        }
    }
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
        let line = mutated_line(&samples, &mut random).replace('\u{1b}', "");
        let pattern = template_regex(&masker.template(&line));
        let regex = regex::Regex::new(&pattern).unwrap();
        assert!(regex.is_match(&line), "{line:?} does not match {pattern:?}");
    }
}

proptest! {
    // A failing line is in the message; no file is written.
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

    /// A line that is cut at `max_len` still gives itself back and matches.
    #[test]
    fn any_max_len(line in "[ -~]{0,80}", max_len in 1usize..90) {
        let mut options = MaskOptions::default();
        options.max_len = Some(max_len);
        let masker = Masker::new(&options).unwrap();
        let mut masking = Masking::default();
        masker.mask(&line, &mut masking);
        let values: Vec<&str> = masking.variables().iter().map(|variable| &line[variable.start..variable.end]).collect();
        let template = masker.template(&line);
        prop_assert!(is_same_text(&fill_template(&template, values), &line));
    }
}
