//! The words that masking knows: few, and each list with its reason.

use crate::algorithms::text::kind::VariableKind;

/// Names of months and weekdays as `strftime` writes them; next to a number or a time they belong
/// to it.
pub(crate) fn is_month_or_weekday(word: &[u8]) -> bool {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDecMonTueWedThuFriSatSun";
    word.len() == 3
        && word[0].is_ascii_uppercase()
        && NAMES.chunks_exact(3).any(|name| name == word)
}

/// Time zones and halves of the day, which follow a time.
pub(crate) fn is_zone(word: &[u8]) -> bool {
    matches!(
        word,
        b"UTC"
            | b"GMT"
            | b"CET"
            | b"CEST"
            | b"EET"
            | b"EEST"
            | b"WET"
            | b"BST"
            | b"IST"
            | b"JST"
            | b"KST"
            | b"AEST"
            | b"EST"
            | b"EDT"
            | b"CST"
            | b"CDT"
            | b"MST"
            | b"MDT"
            | b"PST"
            | b"PDT"
            | b"AM"
            | b"PM"
            | b"am"
            | b"pm"
    )
}

/// Truth values and the spellings of "nothing", from every programming language.
pub(crate) fn is_literal(word: &[u8]) -> bool {
    matches!(
        word,
        b"true"
            | b"false"
            | b"True"
            | b"False"
            | b"TRUE"
            | b"FALSE"
            | b"null"
            | b"NULL"
            | b"nil"
            | b"None"
            | b"n/a"
            | b"N/A"
    )
}

/// Accounts that every system has; after "for" or "by" they are names like any other.
pub(crate) fn is_known_account(word: &[u8]) -> bool {
    matches!(
        word,
        b"root" | b"admin" | b"Administrator" | b"administrator"
    )
}

/// Words before "user" after which a name follows: "session opened for user alice".
pub(crate) fn announces_user(word: &[u8]) -> bool {
    matches!(
        word,
        b"for"
            | b"by"
            | b"as"
            | b"invalid"
            | b"Invalid"
            | b"illegal"
            | b"Illegal"
            | b"unknown"
            | b"Unknown"
    )
}

/// Words that follow "user" and are not names: verbs, and nouns that form a compound with it ("by
/// user request").
pub(crate) fn is_no_name(word: &[u8]) -> bool {
    matches!(
        word,
        b"is"
            | b"was"
            | b"has"
            | b"does"
            | b"did"
            | b"not"
            | b"from"
            | b"on"
            | b"in"
            | b"at"
            | b"and"
            | b"or"
            | b"to"
            | b"by"
            | b"with"
            | b"unknown"
            | b"request"
            | b"action"
            | b"input"
            | b"command"
            | b"error"
            | b"interrupt"
            | b"interaction"
            | b"intervention"
            | b"data"
            | b"name"
            | b"id"
    )
}

/// Keys whose value is the name of a person, a machine or a thing: `user=alice rhost=gw`.
pub(crate) fn is_identity_key(word: &[u8]) -> bool {
    matches!(
        word,
        b"user"
            | b"ruser"
            | b"username"
            | b"login"
            | b"logname"
            | b"account"
            | b"host"
            | b"rhost"
            | b"hostname"
            | b"name"
    ) || matches!(
        str::from_utf8(word),
        Ok("用户" | "用户名" | "主机" | "主机名" | "账号" | "姓名")
    )
}

/// The methods of HTTP, which a target follows (RFC 9110, RFC 5789).
pub(crate) fn is_http_method(word: &[u8]) -> bool {
    matches!(
        word,
        b"GET"
            | b"HEAD"
            | b"POST"
            | b"PUT"
            | b"DELETE"
            | b"CONNECT"
            | b"OPTIONS"
            | b"TRACE"
            | b"PATCH"
    )
}

/// Words for how bad a message is, or for the part of a message that follows.
pub(crate) fn is_severity(word: &[u8]) -> bool {
    is_level(word)
        || matches!(
            word,
            b"exception"
                | b"failed"
                | b"failure"
                | b"hint"
                | b"detail"
                | b"context"
                | b"usage"
                | b"reason"
                | b"cause"
                | b"message"
                | b"status"
                | b"result"
                | b"timeout"
                | b"success"
                | b"unknown"
                | b"user"
                | b"denied"
                | b"abort"
                | b"aborted"
        )
}

/// Protocols: before a colon they name the part of a program that writes the message.
pub(crate) fn is_protocol(word: &[u8]) -> bool {
    matches!(
        word,
        b"tcp"
            | b"udp"
            | b"dns"
            | b"tls"
            | b"ssl"
            | b"ssh"
            | b"ftp"
            | b"sftp"
            | b"smtp"
            | b"imap"
            | b"ldap"
            | b"http"
            | b"https"
            | b"http2"
            | b"grpc"
            | b"rpc"
            | b"amqp"
            | b"mqtt"
            | b"sql"
            | b"json"
            | b"x509"
            | b"oauth"
            | b"jwt"
    )
}

/// Words for how bad a message is, in lower case.
pub(crate) fn is_level(word: &[u8]) -> bool {
    matches!(
        word,
        b"emerg"
            | b"emergency"
            | b"alert"
            | b"crit"
            | b"critical"
            | b"panic"
            | b"fatal"
            | b"severe"
            | b"error"
            | b"err"
            | b"warning"
            | b"warn"
            | b"notice"
            | b"note"
            | b"info"
            | b"information"
            | b"debug"
            | b"trace"
            | b"verbose"
            | b"fine"
    )
}

/// Words for the state of a thing and for the outcome of an attempt: they say what happened, not
/// what it happened to.
pub(crate) fn is_status(word: &[u8]) -> bool {
    matches!(
        word,
        b"success"
            | b"succeeded"
            | b"successful"
            | b"failed"
            | b"failure"
            | b"ok"
            | b"started"
            | b"starting"
            | b"stopped"
            | b"stopping"
            | b"up"
            | b"down"
            | b"open"
            | b"opened"
            | b"closed"
            | b"pending"
            | b"running"
            | b"completed"
            | b"finished"
            | b"cancelled"
            | b"canceled"
            | b"aborted"
            | b"rejected"
            | b"accepted"
            | b"denied"
            | b"timeout"
            | b"unknown"
            | b"active"
            | b"inactive"
            | b"online"
            | b"offline"
            | b"healthy"
            | b"unhealthy"
            | b"enabled"
            | b"disabled"
            | b"connected"
            | b"disconnected"
            | b"expired"
            | b"lost"
            | b"missing"
            | b"throttled"
            | b"ready"
            | b"refused"
    )
}

/// Whether a word is a severity, in upper or lower case.
pub(crate) fn is_severity_in_any_case(word: &[u8]) -> bool {
    let mut buffer = [0; 9];
    let Some(lower) = buffer.get_mut(..word.len()) else {
        return false;
    };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    is_severity(lower)
}

/// Whether a word is an error code in the style of compilers, databases and routers: one to six
/// capital letters and three to seven digits, or `%FACILITY-3-MNEMONIC`.
pub(crate) fn is_error_code(word: &[u8]) -> bool {
    if let [b'%', b'A'..=b'Z', rest @ ..] = word {
        let is_sign = |byte: &u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        };
        return rest.iter().all(is_sign);
    }
    let letters = word
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    let digits = word[letters..]
        .strip_prefix(b"-")
        .unwrap_or(&word[letters..]);
    (1..=6).contains(&letters)
        && (3..=7).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
}

/// The Chinese unit of time that a text begins with: its length, and the kind of a number with this
/// unit. `分` is a minute, and `时` an hour, if a number follows; otherwise they begin other words.
pub(crate) fn chinese_unit(text: &[u8]) -> Option<(usize, VariableKind)> {
    const DURATIONS: [&str; 7] = ["毫秒", "微秒", "纳秒", "秒", "分钟", "小时", "天"];
    const DATES: [&str; 3] = ["年", "月", "日"];
    let starts = |unit: &&&str| text.starts_with(unit.as_bytes());
    let before_number =
        |unit: &&&str| starts(unit) && text.get(unit.len()).is_some_and(u8::is_ascii_digit);
    let duration = || {
        DURATIONS
            .iter()
            .find(starts)
            .or_else(|| ["分", "时"].iter().find(before_number))
    };
    match DATES.iter().find(starts) {
        Some(unit) => Some((unit.len(), VariableKind::Time)),
        None => duration().map(|unit| (unit.len(), VariableKind::Duration)),
    }
}

/// Nouns of databases; a dotted word after one is a name.
pub(crate) fn is_schema_noun(word: &[u8]) -> bool {
    const NOUNS: [&[u8]; 8] = [
        b"table",
        b"view",
        b"relation",
        b"column",
        b"field",
        b"partition",
        b"schema",
        b"database",
    ];
    NOUNS.iter().any(|noun| word.eq_ignore_ascii_case(noun))
}

/// Whether a text ends with a Chinese noun that a name follows: user, table, host, column, field,
/// partition, database, node, service.
pub(crate) fn ends_with_chinese_noun(text: &[u8]) -> bool {
    const NOUNS: [&str; 9] = [
        "用户",
        "表",
        "主机",
        "列",
        "字段",
        "分区",
        "数据库",
        "节点",
        "服务",
    ];
    NOUNS.iter().any(|noun| text.ends_with(noun.as_bytes()))
}

/// Keys whose value is a level, even if it is a number: `"level":30`.
pub(crate) fn is_level_key(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [b"level", b"lvl", b"severity", b"sev", b"priority"];
    KEYS.iter().any(|known| key.eq_ignore_ascii_case(known))
}

/// Keys whose value tells the kind of event, or is itself a text. In the profiles for key-value and
/// JSON lines these values are masked like a text; all others are variables as a whole. The last
/// part of `log.level` or `error.message` counts.
///
/// The names of a message are those of Docker (`log`), journald (`MESSAGE`), GELF
/// (`short_message`), Serilog (`@mt`), OpenTelemetry (`body`) and Google Cloud (`textPayload`), and
/// the Chinese ones.
pub(crate) fn is_text_key(key: &[u8]) -> bool {
    const LONGEST: usize = 16;
    let name = key.rsplit(|&byte| byte == b'.').next().unwrap_or(key);
    let mut buffer = [0; LONGEST];
    let Some(lower) = buffer.get_mut(..name.len()) else {
        return false;
    };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"level"
            | b"@level"
            | b"level_name"
            | b"sev"
            | b"priority"
            | b"@message"
            | b"messagetemplate"
            | b"errmsg"
            | b"error_message"
            | b"errormessage"
            | b"error_code"
            | b"errorcode"
            | b"eventname"
            | b"event_name"
            | b"event_type"
            | b"eventtype"
            | b"logger_name"
            | b"loggername"
            | b"exc_info"
            | b"lvl"
            | b"@l"
            | b"severity"
            | b"severitytext"
            | b"severity_text"
            | b"levelname"
            | b"loglevel"
            | b"log_level"
            | b"logger"
            | b"event"
            | b"type"
            | b"kind"
            | b"msg"
            | b"message"
            | b"text"
            | b"log"
            | b"body"
            | b"short_message"
            | b"full_message"
            | b"@m"
            | b"@mt"
            | b"textpayload"
            | b"error"
            | b"err"
            | b"exception"
            | b"@x"
            | b"reason"
            | b"stack"
            | b"stack_trace"
            | b"stacktrace"
            | b"traceback"
    ) || !name.is_ascii()
        && matches!(
            str::from_utf8(name),
            Ok("级别"
                | "日志级别"
                | "类型"
                | "事件"
                | "消息"
                | "信息"
                | "日志"
                | "错误"
                | "异常"
                | "原因")
        )
}

/// Names of architectures and algorithms that end in a number and are not identifiers.
pub(crate) fn is_technical_name(word: &[u8]) -> bool {
    let (name, number) = name_and_number(word);
    match number {
        b"64" => name.eq_ignore_ascii_case(b"x86_"),
        b"509" => name.eq_ignore_ascii_case(b"x"),
        b"386" | b"486" | b"586" | b"686" => name == b"i",
        b"128" | b"192" | b"224" | b"256" | b"384" | b"512" => is_algorithm(name),
        _ => false,
    }
}

/// Whether the digits of a word decide if it is a technical name.
pub(crate) fn can_be_technical_name(word: &[u8]) -> bool {
    let (name, number) = name_and_number(word);
    match number.len() {
        2 => matches!(name, [b'x' | b'X', b'0'..=b'9', b'0'..=b'9', b'_']),
        3 => matches!(name, b"x" | b"X" | b"i") || is_algorithm(name),
        _ => false,
    }
}

fn name_and_number(word: &[u8]) -> (&[u8], &[u8]) {
    let digits = word.iter().rev().take_while(|byte| byte.is_ascii_digit());
    word.split_at(word.len() - digits.count())
}

fn is_algorithm(name: &[u8]) -> bool {
    matches!(
        name,
        b"sha"
            | b"SHA"
            | b"aes"
            | b"AES"
            | b"RS"
            | b"ES"
            | b"HS"
            | b"PS"
            | b"rs"
            | b"es"
            | b"hs"
            | b"P"
    )
}

/// File extensions of source code; `main.rs:12` is a place in a program, while `example.rs:443`
/// would be a host.
pub(crate) fn is_source_ending(ending: &[u8]) -> bool {
    matches!(
        ending,
        b"c" | b"h"
            | b"cc"
            | b"cpp"
            | b"hpp"
            | b"cs"
            | b"go"
            | b"hs"
            | b"java"
            | b"js"
            | b"jsx"
            | b"kt"
            | b"lua"
            | b"m"
            | b"php"
            | b"pl"
            | b"py"
            | b"rb"
            | b"rs"
            | b"scala"
            | b"sh"
            | b"sql"
            | b"swift"
            | b"ts"
            | b"tsx"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_weekdays() {
        for name in ["Jan", "Sep", "Mon", "Sun"] {
            assert!(is_month_or_weekday(name.as_bytes()));
        }
        for word in ["may", "anF", "Foo", "June", ""] {
            assert!(!is_month_or_weekday(word.as_bytes()));
        }
    }

    #[test]
    fn technical_names() {
        for name in ["x86_64", "i386", "sha256", "AES128"] {
            assert!(is_technical_name(name.as_bytes()), "{name}");
        }
        for word in ["x86_65", "worker256", "x", "256"] {
            assert!(!is_technical_name(word.as_bytes()), "{word}");
        }
    }
}
