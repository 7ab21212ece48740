//! One test for each thing that happens to log files.

use super::*;
use crate::sources::files::follow::state::MAX_OPEN_FILES;

#[test]
fn growing_files() {
    let mut rig = Rig::new(ALL);
    rig.poll();
    rig.append("empty", "");
    rig.append("a", "one\ntw");
    rig.poll();
    rig.check(&["one\ntw"]);
    rig.append("a", "o\n");
    rig.append("b", "x\n");
    rig.append("empty", "full\n");
    rig.poll();
    rig.append("a", "three\n");
    rig.settle();
    rig.check(&["one\ntwo\nthree\n", "x\n", "full\n"]);
    rig.check_problems(&[]);
    assert!(rig.finished.is_empty());
}

#[test]
fn folder_that_appears_later() {
    let mut rig = Rig::new(ALL);
    let path = rig.path("later/app.log");
    rig.files.rescan([path.clone()], rig.now_ns);
    fs::create_dir(rig.path("later")).unwrap();
    append(&path, "x\n");
    rig.files.rescan([path], rig.now_ns);
    while rig.read_one(0) {}
    rig.check(&["x\n"]);
    rig.check_problems(&[]);
}

#[test]
fn blocks_of_any_size() {
    let text = lines("a", 0..300);
    for block_bytes in [1, 3, 1023, 1024, 1025, 100_000] {
        let mut rig = Rig::new(ALL);
        rig.block_bytes = block_bytes;
        rig.append("a", &text[..700]);
        rig.poll();
        rig.append("a", &text[700..]);
        rig.poll();
        rig.check(&[&text]);
    }
}

#[test]
fn from_the_end() {
    let mut rig = Rig::from_end(ALL);
    rig.append("a", "old\nhalf");
    rig.append("b", "old\n");
    rig.append("c", "half");
    rig.append("d", "");
    rig.poll();
    rig.append("a", " line\n");
    rig.append("b", "new\n");
    rig.append("d", "d\n");
    rig.append("later", "all\n");
    rig.poll();
    let mut texts = rig.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["all\n", "d\n", "half", "half line\n", "new\n"]);
}

fn check_rename(listing: Listing, uses_inodes: bool) {
    let options = FollowOptions {
        uses_inodes,
        ..FollowOptions::default()
    };
    let mut rig = Rig::with(listing, options);
    rig.append("app.log", &lines("a", 0..100));
    rig.rescan();
    rig.read_one(0);
    rig.append("app.log", &lines("a", 100..110));
    let mut writer = OpenOptions::new()
        .append(true)
        .open(rig.path("app.log"))
        .unwrap();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "new 1\n");
    rig.poll();
    writer.write_all(b"late\n").unwrap();
    rig.pass(4);
    rig.poll();
    assert!(rig.finished.is_empty());
    rig.pass(4);
    rig.poll();
    writer.write_all(b"later\n").unwrap();
    rig.append("app.log", "new 2\n");
    rig.poll();
    rig.pass(5);
    rig.poll();
    let old = format!("{}late\nlater\n", lines("a", 0..110));
    rig.check(&[&old, "new 1\nnew 2\n"]);
    assert_eq!(rig.finished, [0]);
    // A cascade, more than once, with nothing read again.
    for generation in 2..5 {
        for n in (1..generation).rev() {
            rig.rename(&format!("app.log.{n}"), &format!("app.log.{}", n + 1));
        }
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &format!("generation {generation}\n"));
        rig.settle();
    }
    rig.check(&[
        &old,
        "new 1\nnew 2\n",
        "generation 2\n",
        "generation 3\n",
        "generation 4\n",
    ]);
    rig.check_problems(&[]);
}

#[test]
fn rename() {
    check_rename(ONLY_APP, true);
    check_rename(APP_STAR, true);
}

#[test]
fn rename_without_inodes() {
    check_rename(ONLY_APP, false);
    check_rename(APP_STAR, false);
}

#[test]
fn renames_between_two_rescans() {
    for listing in [ONLY_APP, APP_STAR] {
        for is_old_there in [false, true] {
            let mut rig = Rig::new(listing);
            if is_old_there && !listing("app.log.1") {
                rig.append("app.log.1", "from before\n");
            }
            rig.append("app.log", "first\n");
            rig.poll();
            for generation in ["second\n", "third\n", "fourth\n"] {
                for n in (1..5).rev() {
                    let from = rig.path(&format!("app.log.{n}"));
                    if from.exists() {
                        rig.rename(&format!("app.log.{n}"), &format!("app.log.{}", n + 1));
                    }
                }
                rig.rename("app.log", "app.log.1");
                rig.append("app.log", generation);
            }
            rig.settle();
            let mut texts = rig.texts();
            texts.sort_unstable();
            assert_eq!(texts, ["first\n", "fourth\n", "second\n", "third\n"]);
        }
    }
}

#[test]
fn empty_file_that_is_filled_and_renamed_unseen() {
    let mut rig = Rig::new(ONLY_APP);
    rig.append("app.log", "");
    rig.poll();
    rig.append("app.log", "first\n");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "second\n");
    rig.settle();
    let mut texts = rig.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["first\n", "second\n"]);
}

#[test]
fn bytes_after_the_end_have_a_new_id() {
    let mut rig = Rig::new(APP_STAR);
    rig.append("app.log", "one\n");
    rig.poll();
    rig.rename("app.log", "app.log.1");
    rig.settle();
    assert_eq!(rig.finished, [0]);
    rig.append("app.log.1", "very late\n");
    rig.settle();
    rig.check(&["one\n", "very late\n"]);
}

#[test]
fn compressed_copy_is_known() {
    let mut rig = Rig::new(ONLY_APP);
    let content = lines("a", 0..100);
    rig.append("app.log", &content);
    rig.poll();
    assert!(rig.files.knows_content(content.as_bytes()));
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.settle();
    assert_eq!(rig.files.files().count(), 0);
    assert!(rig.files.knows_content(content.as_bytes()));
    assert!(!rig.files.knows_content(&content.as_bytes()[1..]));
    assert!(!rig.files.knows_content(b"short"));
    rig.restart();
    assert!(rig.files.knows_content(content.as_bytes()));
}

fn check_copytruncate(listing: Listing, n_old: u32, copy_is_early: bool, n_new: u32) {
    let mut rig = Rig::new(listing);
    rig.append("app.log", &lines("a", 0..n_old / 2));
    rig.rescan();
    rig.read_one(0);
    rig.append("app.log", &lines("a", n_old / 2..n_old));
    rig.copy("app.log", "app.log.1");
    if copy_is_early {
        rig.rescan();
        rig.rescan();
    }
    rig.truncate("app.log", 0);
    rig.append("app.log", &lines("b", 0..n_new));
    rig.poll();
    rig.append("app.log", &lines("b", n_new..n_new + 3));
    rig.settle();
    rig.check(&[&lines("a", 0..n_old), &lines("b", 0..n_new + 3)]);
    rig.check_problems(&[]);
    assert_eq!(rig.finished, [0]);
    // And again, over the older copy.
    rig.rename("app.log.1", "app.log.2");
    rig.copytruncate("app.log", "app.log.1");
    rig.append("app.log", &lines("c", 0..2));
    rig.settle();
    let expected = [
        lines("a", 0..n_old),
        lines("b", 0..n_new + 3),
        lines("c", 0..2),
    ];
    rig.check(&[&expected[0], &expected[1], &expected[2]]);
    rig.check_problems(&[]);
}

#[test]
fn copytruncate() {
    for listing in [ONLY_APP, APP_STAR] {
        for n_old in [4, 200] {
            for copy_is_early in [false, true] {
                for n_new in [0, 1, 1000] {
                    check_copytruncate(listing, n_old, copy_is_early, n_new);
                }
            }
        }
    }
}

#[test]
fn two_copytruncates_between_two_rescans() {
    for listing in [ONLY_APP, APP_STAR] {
        let mut rig = Rig::new(listing);
        rig.append("app.log", &lines("a", 0..100));
        rig.rescan();
        rig.read_one(0);
        rig.copytruncate("app.log", "app.log.1");
        rig.append("app.log", &lines("b", 0..100));
        rig.rename("app.log.1", "app.log.2");
        rig.copytruncate("app.log", "app.log.1");
        rig.append("app.log", &lines("c", 0..100));
        rig.settle();
        let mut texts = rig.texts();
        texts.sort_unstable();
        assert_eq!(
            texts,
            [lines("a", 0..100), lines("b", 0..100), lines("c", 0..100)]
        );
    }
}

#[test]
fn copy_that_is_still_being_written() {
    for listing in [ONLY_APP, APP_STAR] {
        let content = lines("a", 0..200);
        let mut rig = Rig::new(listing);
        rig.append("app.log", &content[..4000]);
        rig.poll();
        rig.append("app.log", &content[4000..]);
        rig.append("app.log.1", "");
        rig.rescan();
        rig.append("app.log.1", &content[..300]);
        rig.rescan();
        rig.append("app.log.1", &content[300..3000]);
        rig.rescan();
        rig.truncate("app.log", 0);
        rig.append("app.log", "new\n");
        rig.poll();
        rig.append("app.log.1", &content[3000..4500]);
        rig.poll();
        rig.append("app.log.1", &content[4500..]);
        rig.settle();
        rig.check(&[&content, "new\n"]);
        rig.check_problems(&[]);
    }
}

#[test]
fn truncated_without_a_copy() {
    let mut rig = Rig::new(APP_STAR);
    rig.append("app.log", &lines("a", 0..100));
    rig.rescan();
    rig.read_one(0);
    rig.truncate("app.log", 0);
    rig.append("app.log", "new\n");
    rig.settle();
    rig.check(&[&lines("a", 0..100)[..1000], "new\n"]);
    let n_bytes = lines("a", 0..100).len() - 1000;
    rig.check_problems(&[&format!(
        "app.log was truncated or removed with {n_bytes} unread bytes"
    )]);
    assert_eq!(rig.finished, [0]);
}

#[test]
fn copy_of_a_file_that_lives_is_not_read() {
    let mut rig = Rig::new(ALL);
    rig.append("app.log", &lines("a", 0..100));
    rig.poll();
    rig.copy("app.log", "backup");
    rig.settle();
    rig.append("app.log", &lines("a", 100..200));
    rig.settle();
    rig.check(&[&lines("a", 0..200)]);
}

#[test]
fn longer_file_with_the_same_content_takes_over() {
    let mut rig = Rig::new(ALL);
    rig.append("part", &lines("a", 0..100));
    rig.poll();
    rig.append("whole", &lines("a", 0..150));
    rig.settle();
    rig.append("whole", &lines("a", 150..160));
    rig.settle();
    rig.check(&[&lines("a", 0..160)]);
    assert!(rig.finished.is_empty());
}

#[test]
fn deleted_file_is_read_to_its_end() {
    let mut rig = Rig::new(ALL);
    rig.append("a", &lines("a", 0..100));
    rig.rescan();
    fs::remove_file(rig.path("a")).unwrap();
    rig.settle();
    rig.check(&[&lines("a", 0..100)]);
    assert_eq!(rig.finished, [0]);
    assert_eq!(rig.files.files().count(), 0);
}

#[test]
fn created_again() {
    for is_seen_between in [false, true] {
        for n_lines in [2, 100] {
            let mut rig = Rig::new(ALL);
            rig.append("a", &lines("a", 0..n_lines));
            rig.poll();
            let same = fs::read_to_string(rig.path("a")).unwrap();
            fs::remove_file(rig.path("a")).unwrap();
            if is_seen_between {
                rig.poll();
            }
            rig.append("a", &(same.clone() + "more\n"));
            rig.poll();
            rig.check(&[&(same.clone() + "more\n")]);
            fs::remove_file(rig.path("a")).unwrap();
            rig.append("a", "other\n");
            rig.settle();
            rig.check(&[&(same + "more\n"), "other\n"]);
        }
    }
}

#[test]
fn replaced_by_rename() {
    let mut rig = Rig::new(|name| name == "a");
    rig.append("a", &lines("a", 0..100));
    rig.poll();
    rig.append(".a.tmp", &lines("a", 0..120));
    rig.rename(".a.tmp", "a");
    rig.settle();
    rig.append("a", "end\n");
    rig.settle();
    rig.check(&[&(lines("a", 0..120) + "end\n")]);
    assert!(rig.finished.is_empty());
}

#[test]
fn same_banner() {
    for banner_bytes in [10, 1023, 1024, 5000] {
        let banner = format!("{}\n", "#".repeat(banner_bytes));
        let mut rig = Rig::new(ALL);
        rig.append("a", &banner);
        rig.append("b", &format!("{banner}b\n"));
        rig.append("c", &format!("{banner}c\n"));
        rig.poll();
        rig.append("a", "a\n");
        rig.append("d", &format!("{banner}d\n"));
        rig.settle();
        let mut texts = rig.texts();
        texts.sort_unstable();
        let expected = ["a", "b", "c", "d"].map(|name| format!("{banner}{name}\n"));
        if banner_bytes < 1024 {
            assert_eq!(texts, expected);
        } else {
            // The banner alone was a copy, until it differed: nothing is lost, but it is not read
            // twice either.
            assert_eq!(texts.concat().matches('#').count(), 4 * banner_bytes);
        }
    }
}

#[test]
fn same_banner_after_a_rotation() {
    let mut rig = Rig::new(ONLY_APP);
    rig.append("app.log", "banner\none\n");
    rig.poll();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "banner\n");
    rig.settle();
    rig.append("app.log", "two\n");
    rig.settle();
    rig.check(&["banner\none\n", "banner\ntwo\n"]);
}

#[test]
fn file_that_became_shorter_is_read_again() {
    let mut rig = Rig::new(ALL);
    rig.append("a", "one\ntwo\nthree\n");
    rig.poll();
    rig.truncate("a", 4);
    rig.settle();
    rig.append("a", "four\n");
    rig.settle();
    rig.check(&["one\ntwo\nthree\n", "one\nfour\n"]);
    assert_eq!(rig.finished, [0]);
}

#[test]
fn handles_are_few_and_idle_files_cost_one_look() {
    let mut rig = Rig::new(ALL);
    for n in 0..1000 {
        rig.append(&format!("{n:04}"), &format!("file {n}\n"));
    }
    rig.poll();
    let open = |rig: &Rig| {
        rig.files
            .streams
            .values()
            .filter(|s| s.file.is_some())
            .count()
    };
    assert_eq!(open(&rig), MAX_OPEN_FILES);
    rig.pass(100);
    rig.poll();
    let before = rig.files.disk.counts();
    rig.poll();
    let after = rig.files.disk.counts();
    let spent: Vec<u64> = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    assert_eq!(spent, [1000, 0, 0], "looks, opens, reads");
    // Half of them are closed. They continue where they were.
    for n in 0..1000 {
        rig.append(&format!("{n:04}"), "more\n");
    }
    rig.rename("0000", "x");
    rig.rename("0999", "y");
    rig.settle();
    assert!(open(&rig) <= MAX_OPEN_FILES);
    let mut texts = rig.texts();
    texts.sort_unstable();
    let mut expected: Vec<String> = (0..1000).map(|n| format!("file {n}\nmore\n")).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
    rig.check_problems(&[]);
}

#[cfg(unix)]
#[test]
fn odd_paths() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let mut rig = Rig::new(ALL);
    append(
        &rig.folder.path().join(OsStr::from_bytes(b"\xff\xfe.log")),
        "odd\n",
    );
    fs::create_dir(rig.path("folder.log")).unwrap();
    symlink(rig.path("nowhere"), rig.path("dangling")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(rig.path("pipe"))
        .status();
    let expected: &[&str] = if made.is_ok_and(|status| status.success()) {
        &["pipe is a pipe, socket or device, not a file"]
    } else {
        &[]
    };
    rig.settle();
    rig.check(&["odd\n"]);
    rig.check_problems(expected);
    rig.restart();
    rig.settle();
    rig.check(&[]);
}

#[cfg(unix)]
#[test]
fn symbolic_links() {
    use std::os::unix::fs::symlink;
    let mut rig = Rig::new(|name| name.ends_with(".log"));
    rig.append("target.1", "one\n");
    symlink(rig.path("target.1"), rig.path("a.log")).unwrap();
    symlink(rig.path("target.1"), rig.path("b.log")).unwrap();
    rig.poll();
    rig.append("target.1", "two\n");
    rig.append("target.2", "other\n");
    symlink(rig.path("target.2"), rig.path("new")).unwrap();
    rig.rename("new", "a.log");
    fs::remove_file(rig.path("b.log")).unwrap();
    rig.settle();
    rig.check(&["one\ntwo\n", "other\n"]);
    assert_eq!(rig.finished, [0]);
    rig.check_problems(&[]);
}

#[cfg(unix)]
#[test]
fn unreadable_file_does_not_stop_the_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::new(ALL);
    rig.append("a", "a\n");
    rig.append("b", "b\n");
    let set_mode = |mode| {
        fs::set_permissions(rig.path("a"), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o000);
    // Root may read it all the same.
    let is_refused = fs::File::open(rig.path("a")).is_err();
    rig.settle();
    if is_refused {
        rig.check(&["b\n"]);
        let set_mode = |mode| {
            fs::set_permissions(rig.path("a"), fs::Permissions::from_mode(mode)).unwrap();
        };
        set_mode(0o600);
        rig.check_problems(&["a cannot be read: Permission denied (os error 13)"]);
        rig.settle();
    }
    let mut texts = rig.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["a\n", "b\n"]);
}
