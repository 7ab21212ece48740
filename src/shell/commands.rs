//! The commands of the prompt: a backslash and a letter.

/// The command of an entry, without its backslash. `exit`, as in other shells, is one too.
pub(crate) fn command_of(entry: &str) -> Option<&str> {
    let entry = entry.trim();
    if let Some(command) = entry.strip_prefix('\\') {
        return Some(command);
    }
    let word =
        entry.trim_end_matches(|character: char| character == ';' || character.is_whitespace());
    match word.to_ascii_lowercase().as_str() {
        "exit" | "quit" => Some("q"),
        "help" => Some("?"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::command_of;

    #[test]
    fn commands_with_and_without_a_backslash() {
        for (entry, expected) in [
            ("\\q", Some("q")),
            (" \\d t ", Some("d t")),
            ("exit", Some("q")),
            ("QUIT ;", Some("q")),
            ("Exit;", Some("q")),
            ("help", Some("?")),
            ("Help;\n", Some("?")),
            ("SELECT help;", None),
            ("exit now", None),
            (";", None),
            ("", None),
        ] {
            assert_eq!(command_of(entry), expected, "{entry}");
        }
    }
}
