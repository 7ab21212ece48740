//! Every SQL block of README.md and docs/log-files.md runs in the shell and prints the text block after it. A block with
//! a live table does not end: it must print the text after it, as at a terminal, and is then
//! killed. Pipes into the shell are run too.

use crate::golden::{project, run_shell, stdout_of};
use crate::live::LiveShell;

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
    for document in ["README.md", "docs/log-files.md"] {
        check_sql_blocks(document);
    }
}

fn check_sql_blocks(document: &str) {
    let text = std::fs::read_to_string(project().join(document)).unwrap();
    let blocks = blocks(&text);
    let mut n_compared = 0;
    for (position, (language, sql)) in blocks.iter().enumerate() {
        if language != "sql" {
            continue;
        }
        if sql.contains("UNBOUNDED") {
            let (language, expected) = &blocks[position + 1];
            assert_eq!(language, "text", "{sql}");
            let mut shell = LiveShell::start(project(), &["--format", "table", "-c", sql]);
            assert_eq!(shell.as_many_lines_as(expected), *expected, "{sql}");
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
fn pipes_into_the_shell_run() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let mut n_run = 0;
    for (_, text) in blocks(&readme)
        .iter()
        .filter(|(language, _)| language == "sh")
    {
        let Some((_, command)) = text.split_once("| datafusion-aiops -c \"") else {
            continue;
        };
        let (sql, _) = command.rsplit_once('"').unwrap();
        let mut shell = LiveShell::start(project(), &["-c", sql]);
        // Its output depends on when the lines come.
        shell.write(
            "Mar 02 06:10:31 web-1 sshd[17]: error: maximum authentication attempts exceeded\n",
        );
        let (code, printed, errors) = shell.finish();
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{sql}");
        assert_eq!(printed.lines().count(), 2, "{printed}");
        n_run += 1;
    }
    assert!(n_run > 0);
}

#[test]
fn the_refusal_is_as_it_is_shown() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let sql = "CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION 'sql/data/app.jsonl' OPTIONS (format 'json');
               SELECT logger, count(*) FROM logs GROUP BY logger";
    let output = run_shell(&["-q", "-c", sql]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        blocks(&readme).contains(&("text".to_string(), error.clone())),
        "{error}"
    );
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
