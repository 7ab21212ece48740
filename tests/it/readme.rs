//! Every SQL block of README.md runs in the shell and prints the text block behind it.

use crate::golden::{project, run_shell, stdout_of};

/// The fenced blocks of a Markdown text: language and content.
fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = vec![];
    let mut is_inside = false;
    for line in markdown.lines() {
        match line.strip_prefix("```") {
            Some(_) if is_inside => is_inside = false,
            Some(language) => {
                is_inside = true;
                found.push((language.to_string(), String::new()));
            }
            None if is_inside => {
                let (_, content) = found.last_mut().unwrap();
                content.push_str(line);
                content.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_inside, "a block is not closed");
    found
}

#[test]
fn sql_blocks_print_what_stands_behind_them() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let blocks = blocks(&readme);
    let mut n_compared = 0;
    for (position, (language, sql)) in blocks.iter().enumerate() {
        if language != "sql" {
            continue;
        }
        let output = run_shell(&["-c", sql]);
        assert!(
            output.status.success(),
            "{sql}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if let Some((language, expected)) = blocks.get(position + 1)
            && language == "text"
        {
            assert_eq!(stdout_of(&["-c", sql]), *expected, "{sql}");
            n_compared += 1;
        }
    }
    assert!(n_compared > 0);
}

#[test]
fn files_that_are_named_exist() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    for target in readme
        .split("](")
        .skip(1)
        .map(|rest| rest.split([')', '#']).next().unwrap())
    {
        let is_here =
            target.is_empty() || target.starts_with("http") || project().join(target).exists();
        assert!(is_here, "README.md links to {target}, which does not exist");
    }
}
