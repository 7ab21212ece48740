//! A look at all listed paths: which streams they name, and what becomes of streams that lost their
//! name.

use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use crate::sources::files::follow::disk::{Look, Stamp};
use crate::sources::files::follow::state::{
    COPY_GRACE_NS, CandidateFile, CandidateOrigin, FollowedFiles, LEAVING_GRACE_NS, Problem,
    RACY_NS, Round, Search,
};
use crate::sources::files::follow::stream::{Phase, Stream};

impl FollowedFiles {
    /// Looks at the listed paths, and finds new, changed, renamed, emptied and deleted files. Leave
    /// compressed files out of `paths`. If something goes wrong with a file, it is a [`Problem`]
    /// and does not stop the others.
    pub(crate) fn rescan<P: Into<PathBuf>>(
        &mut self,
        paths: impl IntoIterator<Item = P>,
        now_ns: i64,
    ) {
        self.now_ns = now_ns;
        self.given_up.clear();
        let listed: BTreeSet<PathBuf> = paths.into_iter().map(P::into).collect();
        let mut round = self.begin_round();
        for path in &listed {
            self.look_at_path(&mut round, path);
        }
        self.look_at_handles(&mut round);
        self.look_at_held(&mut round, &listed);
        self.search_siblings(&mut round);
        self.place_all(&mut round);
        self.refused.retain(|path, _| listed.contains(path));
        self.end_round(round);
    }

    fn begin_round(&self) -> Round {
        let open = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.file.is_some());
        let by_inode = open.filter_map(|(id, stream)| Some((stream.stamp.inode?, *id)));
        Round {
            by_inode: by_inode.collect(),
            ..Round::default()
        }
    }

    fn look_at_path(&mut self, round: &mut Round, path: &Path) {
        let settled = match self.disk.look(path) {
            Ok(Look::File(stamp)) => self.settle(round, path, stamp),
            Ok(Look::Folder) => return,
            Ok(Look::NoFile) => return self.refuse(path),
            Err(error) => Err(error),
        };
        match settled {
            Ok(()) => {
                self.refused.remove(path);
            }
            Err(error) => {
                self.keep_name(round, path, &error);
                self.fail(path, &error);
            }
        }
    }

    /// A path that cannot be looked at may still name its file; one that is not there does not.
    fn keep_name(&self, round: &mut Round, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound
            && let Some(id) = self.names.get(path)
        {
            round.name(path.to_path_buf(), *id);
        }
    }

    pub(super) fn fail(&mut self, path: &Path, error: &io::Error) {
        let kind = error.kind();
        // It went away between listing and looking.
        if kind == io::ErrorKind::NotFound {
            return;
        }
        if self.refused.insert(path.to_path_buf(), kind) != Some(kind) {
            self.report(Problem::Unreadable {
                path: path.to_path_buf(),
                kind,
                error: error.to_string(),
            });
        }
    }

    fn refuse(&mut self, path: &Path) {
        let kind = io::ErrorKind::InvalidInput;
        if self.refused.insert(path.to_path_buf(), kind) != Some(kind) {
            let path = path.to_path_buf();
            self.report(Problem::NoFile { path });
        }
    }

    /// Finds the stream that a listed path names, if that can be told without other paths.
    fn settle(&mut self, round: &mut Round, path: &Path, stamp: Stamp) -> io::Result<()> {
        let owner = self.names.get(path).copied();
        let owner = owner.filter(|id| self.streams.contains_key(id));
        if let Some(id) = owner
            && self.is_unchanged(id, stamp)
        {
            round.name(path.to_path_buf(), id);
            return Ok(());
        }
        let by_inode = stamp.inode.and_then(|inode| round.by_inode.get(&inode));
        if let Some(id) = by_inode.copied() {
            if self.is_blank(id) {
                return self.wake(round, path, id);
            }
            round.name(path.to_path_buf(), id);
            round.changed.insert(id);
            return Ok(());
        }
        if self.held.contains_key(path) {
            round.held.push((path.to_path_buf(), stamp));
            return Ok(());
        }
        match owner {
            Some(id) if self.is_blank(id) && self.may_be_same(id) => self.wake(round, path, id),
            Some(id) => self.settle_owned(round, path, id),
            None => self.enqueue(round, path, CandidateOrigin::Listed),
        }
    }

    /// Whether the stamp is as before, and old enough that a change would show.
    fn is_unchanged(&self, id: u64, stamp: Stamp) -> bool {
        let is_racy = stamp.modified_ns > self.now_ns.saturating_sub(RACY_NS);
        let is_same = |stream: &Stream| stream.stamp == stamp && !stream.is_doubtful;
        !is_racy && self.streams.get(&id).is_some_and(is_same)
    }

    fn is_blank(&self, id: u64) -> bool {
        self.streams.get(&id).is_some_and(Stream::is_blank)
    }

    /// Whether only the content can tell if a path still names the file of a stream.
    fn may_be_same(&self, id: u64) -> bool {
        self.streams.get(&id).is_some_and(Stream::is_lost) || !self.disk.uses_inodes()
    }

    /// Looks at a file that was empty: its first bytes, if it has them now, tell what it is.
    fn wake(&mut self, round: &mut Round, path: &Path, id: u64) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let Some(mut candidate) = CandidateFile::open(&self.disk, path, CandidateOrigin::Listed)?
        else {
            return Ok(());
        };
        let was = stream.stamp;
        if stream.file.is_some() && was.inode != candidate.stamp.inode {
            // It was renamed after it was listed; the next rescan sorts that out.
            round.name(path.to_path_buf(), id);
            return Ok(());
        }
        if candidate.head.is_empty() {
            round.name(path.to_path_buf(), id);
            let stamp = Stamp {
                size: 0,
                ..candidate.stamp
            };
            if stamp != was {
                // It may have been filled, copied and emptied in between.
                round.search_beside(path, was.modified_ns);
            }
            stream.stamp = stamp;
            return Ok(());
        }
        // Without a handle, the path may name any other file by now.
        if stream.was_emptied && stream.file.is_some() {
            candidate.origin = CandidateOrigin::Emptied;
        }
        round.search_beside(path, was.modified_ns);
        round.queue.push_back(candidate);
        self.streams.remove(&id);
        Ok(())
    }

    /// Like [`Self::wake`], for a file that was renamed or deleted meanwhile.
    fn wake_nameless(&mut self, round: &mut Round, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(file) = stream.file.take() else {
            return;
        };
        let path = stream.path.clone();
        let origin = CandidateOrigin::Sibling { is_rotated: true };
        match CandidateFile::from_file(&self.disk, path.clone(), file, origin) {
            Ok(candidate) if candidate.head.is_empty() => stream.file = Some(candidate.file),
            Ok(candidate) => {
                round.search_beside(&path, stream.stamp.modified_ns);
                round.queue.push_back(candidate);
                self.streams.remove(&id);
            }
            Err(error) => self.fail(&path, &error),
        }
    }

    /// Settles a path that named a stream, but whose file is another one now, or whose handle is
    /// closed, or that has no inode.
    fn settle_owned(&mut self, round: &mut Round, path: &Path, id: u64) -> io::Result<()> {
        let may_be_same = self.may_be_same(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let Some(candidate) = CandidateFile::open(&self.disk, path, CandidateOrigin::Listed)?
        else {
            return Ok(());
        };
        if may_be_same
            && !matches!(stream.phase, Phase::Truncated { .. })
            && candidate.stamp.size >= stream.stamp.size
            && stream.evidence.holds(&self.disk, &candidate.file)?
        {
            let was = stream.phase;
            let id = self.attach(id, candidate);
            self.keep_leaving(id, was);
            round.name(path.to_path_buf(), id);
            return Ok(());
        }
        round.search_beside(path, stream.stamp.modified_ns);
        round.queue.push_back(candidate);
        Ok(())
    }

    /// Keeps a stream in the phase `Leaving` if it was rotated away under its present name.
    fn keep_leaving(&mut self, id: u64, was: Phase) {
        if let Some(stream) = self.streams.get_mut(&id)
            && was == Phase::Leaving
        {
            stream.phase = was;
            // After a restart it is not known when it grew.
            if stream.quiet_since_ns == 0 {
                stream.quiet_since_ns = self.now_ns;
            }
        }
    }

    /// Looks at files that changed or lost their name, through their handles.
    fn look_at_handles(&mut self, round: &mut Round) {
        let nameless = self
            .streams
            .iter()
            .filter(|(id, stream)| stream.file.is_some() && !round.named.contains(id));
        let mut ids: BTreeSet<u64> = nameless.map(|(id, _)| *id).collect();
        ids.append(&mut round.changed);
        for id in ids {
            self.look_at_handle(round, id);
        }
    }

    /// Looks at a file through its handle; `false` if it was emptied, and its new content waits in
    /// the queue.
    pub(super) fn look_at_handle(&mut self, round: &mut Round, id: u64) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return true;
        };
        if stream.is_blank() && !round.named.contains(&id) {
            self.wake_nameless(round, id);
            return true;
        }
        match stream.look(&self.disk, self.now_ns) {
            Ok(true) => true,
            Ok(false) => {
                self.truncated(round, id);
                false
            }
            Err(error) => {
                let path = stream.path.clone();
                self.fail(&path, &error);
                true
            }
        }
    }

    /// Ends the reading of a file that has other content now: that is a new stream, and the rest of
    /// the old one must be in a copy.
    fn truncated(&mut self, round: &mut Round, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.phase = Phase::Truncated {
            since_ns: self.now_ns,
        };
        let file = stream.file.take();
        round.search_beside(&stream.path, stream.stamp.modified_ns);
        round.named.remove(&id);
        let names = round.names.extract_if(.., |_, named| *named == id);
        let names: Vec<PathBuf> = names.map(|(path, _)| path).collect();
        let (Some(path), Some(file)) = (names.first(), file) else {
            return;
        };
        match CandidateFile::from_file(&self.disk, path.clone(), file, CandidateOrigin::Emptied) {
            Ok(candidate) => round.queue.push_back(candidate),
            Err(error) => self.fail(path, &error),
        }
    }

    /// Copies stay held while they are unchanged and their original lives.
    fn look_at_held(&mut self, round: &mut Round, listed: &BTreeSet<PathBuf>) {
        let mut present = mem::take(&mut round.held);
        for path in self.held.keys().filter(|path| !listed.contains(*path)) {
            if let Ok(Look::File(stamp)) = self.disk.look(path) {
                present.push((path.clone(), stamp));
            }
        }
        let mut before = mem::take(&mut self.held);
        for (path, stamp) in present {
            let Some(held) = before.remove(&path) else {
                continue;
            };
            if held.is_copy && held.stamp == stamp && !self.is_truncated(held.original) {
                self.held.insert(path, held);
                continue;
            }
            if let Err(error) = self.enqueue_held(round, &path, held) {
                self.fail(&path, &error);
            }
        }
    }

    fn is_truncated(&self, id: u64) -> bool {
        let stream = self.streams.get(&id);
        stream.is_some_and(|stream| matches!(stream.phase, Phase::Truncated { .. }))
    }

    /// Searches beside the listed paths for streams that are nowhere else, and for rotations that
    /// were not seen.
    fn search_siblings(&mut self, round: &mut Round) {
        for (id, stream) in &self.streams {
            let is_unnamed = stream.is_lost() && !round.named.contains(id);
            let is_wanted = is_unnamed && stream.phase != Phase::Finished;
            if (is_wanted && !stream.is_blank()) || self.is_truncated(*id) {
                round.search_beside(&stream.path, stream.stamp.modified_ns);
            }
        }
        for (path, since_ns) in mem::take(&mut round.families) {
            self.search_later(path, since_ns);
        }
        self.searches
            .retain(|_, search| search.until_ns > self.now_ns);
        self.enqueue_siblings(round);
    }

    /// Looks for old files of `path` at each rescan for a while: a search may run into the next
    /// rotation and miss some.
    fn search_later(&mut self, path: PathBuf, since_ns: i64) {
        let until_ns = self.now_ns.saturating_add(LEAVING_GRACE_NS);
        let search = Search { since_ns, until_ns };
        let running = self.searches.entry(path).or_insert(search);
        running.since_ns = running.since_ns.min(since_ns);
        running.until_ns = until_ns;
    }

    fn end_round(&mut self, round: Round) {
        self.names = round.names;
        self.old_siblings
            .retain(|path, _| self.names.contains_key(path) || self.searches.contains_key(path));
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        for id in ids {
            let is_named = round.named.contains(&id);
            self.age(id, is_named);
        }
        self.is_first = false;
        self.close_surplus(None);
    }

    /// Moves one stream to its next phase, if it is time.
    fn age(&mut self, id: u64, is_named: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let is_past =
            |since_ns: i64, grace_ns: i64| self.now_ns.saturating_sub(since_ns) >= grace_ns;
        match stream.phase {
            Phase::Finished if is_named => {}
            Phase::Finished if stream.consumed >= stream.offset => {
                self.recent.remember(stream.position(id));
                self.streams.remove(&id);
            }
            Phase::Finished => {}
            _ if stream.is_blank() && !is_named && stream.file.is_none() => {
                self.streams.remove(&id);
            }
            Phase::Truncated { since_ns } | Phase::Missing { since_ns } => {
                if is_past(since_ns, COPY_GRACE_NS) {
                    self.give_up(id);
                }
            }
            Phase::Named if !is_named && stream.file.is_none() => {
                stream.phase = Phase::Missing {
                    since_ns: self.now_ns,
                };
            }
            Phase::Leaving if stream.is_restored && !is_named => {
                stream.phase = Phase::Missing {
                    since_ns: self.now_ns,
                };
            }
            Phase::Named if !is_named => self.leave(id),
            Phase::Named => self.keep_path(id),
            Phase::Leaving => {
                if !stream.has_more() && is_past(stream.quiet_since_ns, LEAVING_GRACE_NS) {
                    self.finish(id);
                }
            }
        }
    }

    fn leave(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.phase = Phase::Leaving;
            stream.quiet_since_ns = self.now_ns;
            let (path, since_ns) = (stream.path.clone(), stream.stamp.modified_ns);
            self.search_later(path, since_ns);
        }
    }

    /// A file that is listed under another name now was rotated away.
    fn keep_path(&mut self, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if self.names.get(&stream.path) == Some(&id) {
            return;
        }
        if let Some((path, _)) = self.names.iter().find(|(_, named)| **named == id) {
            let path = path.clone();
            self.leave(id);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.path = path;
            }
        }
    }

    pub(super) fn finish(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.phase = Phase::Finished;
            stream.file = None;
        }
    }

    /// Gives up a stream, because the rest of its content was not found.
    fn give_up(&mut self, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let (path, n_bytes) = (stream.path.clone(), stream.unread());
        let offset = stream.offset;
        let is_restored = mem::take(&mut stream.is_restored);
        self.given_up.push(id);
        self.finish(id);
        if is_restored {
            self.report(Problem::NotFound { id, path, offset });
        } else if n_bytes > 0 {
            self.report(Problem::BytesLost { id, path, n_bytes });
        }
        // Files that looked like copies still being written now count as copies.
        for held in self.held.values_mut() {
            held.is_copy |= held.original == id;
        }
    }
}
