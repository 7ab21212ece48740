//! The story of README.md: a pipeline is left running on a log that grows, a person asks the
//! knowledge base and writes a solution, and the next errors are answered. All files of
//! sql/knowledge_base run along with it, in the order of the story.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::golden::{compare, project};

const DEADLINE: Duration = Duration::from_secs(120);
/// The lines of the first day in sql/data/postgresql.log.
const FIRST_DAY_LINES: usize = 1389;

/// A run of the shell in a folder that has a link to sql.
fn shell(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"));
    command.args(arguments).current_dir(folder);
    command
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = shell(folder, arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?} failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A pipeline that is left running, and the lines of its progress.
struct Running {
    child: Child,
    lines: Receiver<String>,
    told: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let pipeline = [
            "run",
            "sql/streaming/log_clustering.sql",
            "--checkpoint",
            "log_clustering/checkpoint",
        ];
        let mut child = shell(folder, &pipeline)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let progress = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in progress.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            told: String::new(),
        }
    }

    /// Waits for the window whose line begins with this text.
    fn wait_for(&mut self, window: &str) {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("{window} does not come behind\n{}", self.told);
            };
            self.told.push_str(&line);
            self.told.push('\n');
            if line.starts_with(window) {
                return;
            }
        }
    }

    /// Asks it to stop: it ends after the window that it is running.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        let stopped = Command::new("kill").arg(pid).status().unwrap();
        assert!(stopped.success());
        for line in self.lines.iter() {
            self.told.push_str(&line);
            self.told.push('\n');
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.told
    }
}

/// Progress without what differs from run to run.
fn steady(progress: &str, folder: &Path) -> String {
    let folder = format!("{}/", folder.display());
    let without_time = |line: &str| match line.rsplit_once("  ") {
        Some((before, time)) if time.ends_with(" ms") => before.to_string(),
        _ => line.replace(&folder, ""),
    };
    progress
        .lines()
        .map(|line| without_time(line) + "\n")
        .collect()
}

#[test]
fn from_a_growing_log_to_answered_errors() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(project().join("sql"), folder.join("sql")).unwrap();
    std::fs::create_dir(folder.join("log_clustering")).unwrap();
    let log = std::fs::read_to_string(project().join("sql/data/postgresql.log")).unwrap();
    let (second_day, _) = log.match_indices("\n2026-03-03").next().unwrap();
    let (first_day, second_day) = log.split_at(second_day + 1);
    assert_eq!(first_day.lines().count(), FIRST_DAY_LINES);
    let app_log = folder.join("log_clustering/app.log");
    std::fs::write(&app_log, first_day).unwrap();

    let mut running = Running::start(&folder);
    // The last window of the day waits for a later line, or for its end on the clock.
    running.wait_for("2026-03-02 22:00:00");
    let ask = |name: &str| {
        let file = format!("sql/knowledge_base/{name}.sql");
        let answer = printed(&folder, &["-f", &file]);
        compare(&format!("knowledge_base/{name}.txt"), &answer);
        answer
    };
    for name in ["1_one_line", "2_lines_over_time", "7_joins_to_consider"] {
        ask(name);
    }
    let without_solution = ask("4_without_solution");
    let by_hand = ask("5_by_hand");

    let mut grown = OpenOptions::new().append(true).open(&app_log).unwrap();
    grown.write_all(second_day.as_bytes()).unwrap();
    running.wait_for("2026-03-03 16:00:00");
    for name in ["3_new_clusters", "6_compare"] {
        ask(name);
    }
    let question = readme_question();
    let answered = printed(&folder, &["-c", &question]);

    let progress = running.stop();
    compare("streaming/log_clustering.txt", &steady(&progress, &folder));

    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    for shown in [without_solution, by_hand, answered] {
        // The counts of UPDATE and other statements come before the answer.
        let table = match shown.rsplit_once("+-------+\n+-") {
            Some((_, table)) => format!("+-{table}"),
            None => shown,
        };
        assert!(readme.contains(&table), "README.md does not show\n{table}");
    }
}

/// The question about the answered lines that README.md asks.
fn readme_question() -> String {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let (_, question) = readme
        .split_once("datafusion-aiops -c \"SELECT ts, message, solution")
        .expect("README.md asks for answered lines");
    let (question, _) = question.split_once('"').unwrap();
    format!("SELECT ts, message, solution{question}")
}
