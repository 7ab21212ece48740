//! W3C extended logs, as IIS writes them: the line `#Fields:` names the values of the lines after it.

use std::sync::Arc;

use crate::formats::log::known_formats::KnownFormat;

const FIELDS: &str = "#Fields:";
/// The fields that have a name of ours, with their types.
const NAMES: [(&str, &str, &str); 18] = [
    ("c-ip", "client", "TEXT"),
    ("c-port", "client_port", "INT"),
    ("cs(Referer)", "referrer", "TEXT"),
    ("cs(User-Agent)", "user_agent", "TEXT"),
    ("cs-bytes", "received_bytes", "BIGINT"),
    ("cs-host", "host", "TEXT"),
    ("cs-method", "method", "TEXT"),
    ("cs-uri-query", "query", "TEXT"),
    ("cs-uri-stem", "path", "TEXT"),
    ("cs-username", "user", "TEXT"),
    ("cs-version", "protocol", "TEXT"),
    ("s-ip", "server", "TEXT"),
    ("s-port", "port", "INT"),
    ("sc-bytes", "bytes", "BIGINT"),
    ("sc-status", "status", "INT"),
    ("sc-substatus", "substatus", "INT"),
    ("sc-win32-status", "windows_status", "BIGINT"),
    ("time-taken", "duration_ms", "BIGINT"),
];

/// The format of the lines after the first line of fields; `None` without one.
pub(crate) fn w3c_format(lines: &[&str]) -> Option<Arc<KnownFormat>> {
    let fields = lines
        .iter()
        .take(16)
        .find_map(|line| line.strip_prefix(FIELDS))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let mut pattern = String::from("^");
    let mut types = vec![];
    let mut index = 0;
    while let Some(field) = fields.get(index) {
        if index > 0 {
            pattern.push(' ');
        }
        let request = ["cs-method", "cs-uri-stem", "cs-uri-query"];
        if fields[index..].starts_with(&["date", "time"]) {
            pattern.push_str(r"(?<ts>\S+ \S+)");
            index += 2;
        } else if fields[index..].starts_with(&request) {
            pattern.push_str(r"(?<message>(?<method>\S+) (?<path>\S+) (?<query>\S+))");
            index += request.len();
        } else {
            pattern.push_str(&format!(r"(?<{}>\S+)", name_of(field)));
            index += 1;
        }
    }
    for field in &fields {
        let known = NAMES.iter().find(|(name, _, _)| name == field);
        types.extend(known.map(|(_, name, data_type)| (*name, *data_type)));
    }
    pattern.push('$');
    Some(Arc::new(KnownFormat::of_w3c(pattern, &types).ok()?))
}

/// The column of a field: its name of ours, or its own in letters that SQL needs no quotes for.
fn name_of(field: &str) -> String {
    if let Some((_, name, _)) = NAMES.iter().find(|(name, _, _)| *name == field) {
        return (*name).to_string();
    }
    let letters = field.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        _ => '_',
    });
    let name: String = letters.collect();
    format!("w3c_{}", name.trim_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::w3c_format;

    #[test]
    fn the_fields_are_the_columns() {
        let lines = [
            "#Software: Microsoft Internet Information Services 10.0",
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken x-forwarded-for",
            "2026-11-29 10:00:00 10.0.0.1 GET /cart id=7 443 - 10.0.0.7 Mozilla/5.0+(X11) 200 15 -",
        ];
        let format = w3c_format(&lines).unwrap();
        assert!(format.fits(lines[2].as_bytes()));
        let names: Vec<_> = format
            .own_columns()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "server",
                "method",
                "path",
                "query",
                "port",
                "user",
                "client",
                "user_agent",
                "status",
                "duration_ms",
                "w3c_x_forwarded_for"
            ]
        );
        assert!(w3c_format(&["2026-11-29 a"]).is_none());
    }
}
