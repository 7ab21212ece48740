//! What happens while the process is down.

use super::*;

fn started(listing: Listing, n_lines: u32) -> Rig {
    let mut rig = Rig::new(listing);
    rig.append("app.log", &lines("a", 0..n_lines));
    rig.poll();
    rig
}

#[test]
fn goes_on_at_its_offset() {
    for n_lines in [2, 100] {
        let mut rig = started(ALL, n_lines);
        rig.append("app.log", "more\n");
        rig.append("new", "new\n");
        rig.restart();
        rig.settle();
        rig.check(&["more\n", "new\n"]);
        rig.check_problems(&[]);
    }
}

#[test]
fn goes_on_where_the_owner_was() {
    let mut rig = Rig::new(ALL);
    rig.append("app.log", &lines("a", 0..100));
    rig.rescan();
    let mut buffer = Vec::new();
    rig.files.read(0, 2000, &mut buffer).unwrap();
    rig.files.consumed(0, 30);
    rig.files.consumed(0, 10);
    rig.restart();
    rig.settle();
    rig.check(&[&lines("a", 0..100)[30..]]);
}

#[test]
fn renamed_while_down() {
    for listing in [ONLY_APP, APP_STAR] {
        for n_lines in [2, 100] {
            let mut rig = started(listing, n_lines);
            rig.append("app.log", "unread 1\n");
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", "second\n");
            rig.rename("app.log.1", "app.log.2");
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", "third\n");
            rig.restart();
            rig.settle();
            let mut texts = rig.texts();
            texts.sort_unstable();
            assert_eq!(texts, ["second\n", "third\n", "unread 1\n"]);
            assert!(rig.finished.contains(&0));
            rig.check_problems(&[]);
        }
    }
}

#[test]
fn truncated_while_down() {
    for listing in [ONLY_APP, APP_STAR] {
        for n_new in [0, 1, 500] {
            let mut rig = started(listing, 100);
            rig.append("app.log", "unread 1\n");
            rig.copytruncate("app.log", "app.log.1");
            rig.append("app.log", &lines("b", 0..n_new));
            rig.restart();
            rig.settle();
            let new = lines("b", 0..n_new);
            let expected = ["unread 1\n", &new];
            rig.check(&expected[..if n_new == 0 { 1 } else { 2 }]);
            rig.check_problems(&[]);
        }
    }
}

#[test]
fn gone_while_down() {
    let mut rig = started(ALL, 100);
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.append("app.log", "other\n");
    rig.restart();
    rig.settle();
    rig.check(&["other\n"]);
    let offset = lines("a", 0..100).len();
    rig.check_problems(&[&format!(
        "app.log was read up to byte {offset} and is nowhere now: what came after is lost"
    )]);
    // Reported once, and not again after the next restart.
    rig.restart();
    rig.settle();
    rig.check_problems(&[]);
}

#[test]
fn finished_files_are_not_read_again() {
    for n_lines in [2, 100] {
        let mut rig = started(APP_STAR, n_lines);
        for generation in 1..4 {
            for n in (1..generation).rev() {
                rig.rename(&format!("app.log.{n}"), &format!("app.log.{}", n + 1));
            }
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(&format!("g{generation}"), 0..n_lines));
            rig.settle();
        }
        rig.restart();
        rig.settle();
        rig.check(&[]);
        // Rotated while down, on top of it.
        for n in (1..4).rev() {
            rig.rename(&format!("app.log.{n}"), &format!("app.log.{}", n + 1));
        }
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", "new\n");
        rig.restart();
        rig.settle();
        rig.check(&["new\n"]);
        rig.check_problems(&[]);
    }
}
