//! Files whose content must be looked at to tell what they are.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::sources::files::follow::content::{self, Evidence, SAMPLE_BYTES};
use crate::sources::files::follow::disk::{Disk, Look, Stamp};
use crate::sources::files::follow::positions::Position;
use crate::sources::files::follow::siblings;
use crate::sources::files::follow::state::{
    COPY_GRACE_NS, CandidateFile, CandidateOrigin, FollowFrom, FollowedFiles, HeldFile, Round,
};
use crate::sources::files::follow::stream::{Phase, Stream};

/// How far back from its end a file is searched for its last line end. Anything longer is not a
/// line.
const LINE_END_SEARCH_BYTES: u64 = 1024 * 1024;

/// How a candidate relates to the streams that are read.
enum Likeness {
    None,
    /// It has the same content as this stream, or its beginning.
    Copy(u64),
    /// The same, as far as its few bytes tell.
    Suspect(u64),
    /// It has the content of this stream and more.
    Longer(u64),
    /// The stream turned out to be emptied: compare again.
    Changed,
}

impl FollowedFiles {
    pub(super) fn enqueue(
        &mut self,
        round: &mut Round,
        path: &Path,
        origin: CandidateOrigin,
    ) -> io::Result<()> {
        if let Some(candidate) = CandidateFile::open(&self.disk, path, origin)? {
            round.queue.push_back(candidate);
        }
        Ok(())
    }

    pub(super) fn enqueue_held(
        &mut self,
        round: &mut Round,
        path: &Path,
        held: HeldFile,
    ) -> io::Result<()> {
        if let Some(mut candidate) = CandidateFile::open(&self.disk, path, held.origin)? {
            candidate.held = Some(held);
            round.queue.push_back(candidate);
        }
        Ok(())
    }

    /// Opens the files beside the paths of interest, so that their content can be looked at.
    pub(super) fn enqueue_siblings(&mut self, round: &mut Round) {
        let searches: Vec<(PathBuf, i64)> = (self.searches.iter())
            .map(|(path, search)| (path.clone(), search.since_ns))
            .collect();
        let mut known: HashSet<PathBuf> = round.names.keys().cloned().collect();
        known.extend(self.held.keys().cloned());
        known.extend(round.queue.iter().map(|candidate| candidate.path.clone()));
        for (path, since_ns) in searches {
            for sibling in round.folders.siblings(&path) {
                if !known.insert(sibling.clone()) {
                    continue;
                }
                let Ok(Look::File(stamp)) = self.disk.look(&sibling) else {
                    continue;
                };
                let is_old = |old: &HashSet<Stamp>| old.contains(&stamp);
                let is_rotated = siblings::is_numbered(&path, &sibling)
                    && stamp.modified_ns >= since_ns
                    && !self.old_siblings.get(&path).is_some_and(is_old);
                let origin = CandidateOrigin::Sibling { is_rotated };
                // It is not listed, so a failure does not matter: content that is found nowhere
                // else is reported.
                let _ = self.enqueue(round, &sibling, origin);
            }
        }
    }

    /// Finds out what the candidates are, in the order in which they were written: a copy belongs
    /// to content that was there before. At the start nothing was there before, and the longest is
    /// the original.
    pub(super) fn place_all(&mut self, round: &mut Round) {
        let is_first = self.is_first;
        round.queue.make_contiguous().sort_by_key(|candidate| {
            // Files that are certainly no copies come before those that may be copies of them.
            let may_be_copy = candidate.origin != CandidateOrigin::Emptied;
            if is_first {
                (may_be_copy, Reverse(candidate.stamp.size), 0)
            } else {
                (may_be_copy, Reverse(0), candidate.stamp.modified_ns)
            }
        });
        while let Some(candidate) = round.queue.pop_front() {
            let path = candidate.path.clone();
            if let Err(error) = self.place(round, candidate) {
                self.fail(&path, &error);
            }
        }
    }

    fn place(&mut self, round: &mut Round, candidate: CandidateFile) -> io::Result<()> {
        if let Some(id) = self.with_inode_of(&candidate) {
            name_if_listed(round, &candidate, id);
            return Ok(());
        }
        if candidate.head.is_empty() {
            self.start(round, candidate, 0);
            return Ok(());
        }
        if let Some(id) = self.stream_that_goes_on_in(round, &candidate)? {
            self.go_on_in(round, candidate, id);
            return Ok(());
        }
        match self.likeness(round, &candidate)? {
            Likeness::None => self.place_new(round, candidate),
            Likeness::Copy(id) => {
                self.hold(&candidate, id, true);
                Ok(())
            }
            Likeness::Suspect(id) => {
                let since_ns = candidate.held.map_or(self.now_ns, |held| held.since_ns);
                let is_over = self.now_ns.saturating_sub(since_ns) >= COPY_GRACE_NS;
                if is_over && !self.is_waited_for(id) {
                    return self.place_new(round, candidate);
                }
                self.hold(&candidate, id, false);
                Ok(())
            }
            Likeness::Longer(id) => {
                // A copy that is not listed is not what is followed, even if it is longer.
                if !matches!(candidate.origin, CandidateOrigin::Sibling { .. }) {
                    self.swap(round, candidate, id);
                }
                Ok(())
            }
            Likeness::Changed => {
                round.queue.push_back(candidate);
                Ok(())
            }
        }
    }

    /// Places a file that is like no stream: it was read before, or is new.
    fn place_new(&mut self, round: &mut Round, candidate: CandidateFile) -> io::Result<()> {
        let CandidateFile {
            file, head, stamp, ..
        } = &candidate;
        let is_listed = !matches!(candidate.origin, CandidateOrigin::Sibling { .. });
        if let Some(evidence) = self.recent.find(&self.disk, file, head, *stamp)? {
            if is_listed {
                self.resume(round, candidate, evidence);
            }
            return Ok(());
        }
        let is_unseen_rotation = candidate.origin == CandidateOrigin::Sibling { is_rotated: true };
        if !is_listed && (!is_unseen_rotation || siblings::is_compressed(head)) {
            return Ok(());
        }
        let offset = match self.end_at_first(&candidate) {
            Some(size) => after_last_line(&self.disk, file, size)?,
            None => 0,
        };
        self.start(round, candidate, offset);
        Ok(())
    }

    /// Starts a stream at `offset`.
    fn start(&mut self, round: &mut Round, candidate: CandidateFile, offset: u64) {
        let is_listed = !matches!(candidate.origin, CandidateOrigin::Sibling { .. });
        if !is_listed && candidate.head.is_empty() {
            return;
        }
        if candidate.origin == CandidateOrigin::Listed
            && !self.searches.contains_key(&candidate.path)
        {
            self.remember_old_siblings(round, &candidate.path);
        }
        let CandidateFile {
            path,
            file,
            stamp,
            head,
            origin,
            ..
        } = candidate;
        let evidence = match offset {
            0 => Ok(Evidence::from_head(&head)),
            _ => Evidence::of_file(&self.disk, &file, &head, offset),
        };
        let mut stream = Stream::new(path.clone(), file, stamp, head, self.now_ns);
        stream.was_emptied = origin == CandidateOrigin::Emptied;
        match evidence {
            Ok(evidence) => {
                stream.evidence = evidence;
                stream.begin_at(offset);
            }
            Err(error) => return self.fail(&path, &error),
        }
        let id = self.add(stream);
        if is_listed {
            round.name(path, id);
        }
        self.close_surplus(None);
    }

    /// Resumes a file that was read to its end, left, and came back: there may be more of it now.
    fn resume(&mut self, round: &mut Round, candidate: CandidateFile, evidence: Evidence) {
        let CandidateFile {
            path,
            file,
            stamp,
            head,
            ..
        } = candidate;
        let mut stream = Stream::new(path.clone(), file, stamp, head, self.now_ns);
        stream.begin_at(evidence.checked_to);
        stream.evidence = evidence;
        if stream.unread() == 0 {
            stream.phase = Phase::Finished;
            stream.file = None;
        }
        let id = self.add(stream);
        round.name(path, id);
        self.close_surplus(None);
    }

    /// Remembers the old files of a path that is followed from now on, which are not rotations that
    /// were missed.
    fn remember_old_siblings(&mut self, round: &mut Round, path: &Path) {
        let siblings = round.folders.siblings(path).into_iter();
        let numbered = siblings.filter(|sibling| siblings::is_numbered(path, sibling));
        let stamps = numbered.filter_map(|sibling| match self.disk.look(&sibling) {
            Ok(Look::File(stamp)) => Some(stamp),
            _ => None,
        });
        let stamps: HashSet<Stamp> = stamps.collect();
        if !stamps.is_empty() {
            self.old_siblings.insert(path.to_path_buf(), stamps);
        }
    }

    /// Where the file ended when following from the end began, if it was there then.
    fn end_at_first(&self, candidate: &CandidateFile) -> Option<u64> {
        match candidate.held {
            Some(held) => held.end_at_first,
            None if self.is_first && self.read_from == FollowFrom::End => {
                Some(candidate.stamp.size)
            }
            None => None,
        }
    }

    fn hold(&mut self, candidate: &CandidateFile, original: u64, is_copy: bool) {
        let held = HeldFile {
            original,
            stamp: candidate.stamp,
            since_ns: candidate.held.map_or(self.now_ns, |held| held.since_ns),
            origin: candidate.origin,
            is_copy,
            end_at_first: self.end_at_first(candidate),
        };
        self.held.insert(candidate.path.clone(), held);
    }

    /// Whether a copy of this stream that is being written is waited for, until the stream is given
    /// up.
    fn is_waited_for(&self, id: u64) -> bool {
        let stream = self.streams.get(&id);
        stream.is_some_and(|stream| matches!(stream.phase, Phase::Truncated { .. }))
    }

    /// The stream whose open file this is.
    fn with_inode_of(&self, candidate: &CandidateFile) -> Option<u64> {
        let inode = candidate.stamp.inode?;
        let is_same = |stream: &Stream| stream.file.is_some() && stream.stamp.inode == Some(inode);
        let mut streams = self.streams.iter();
        streams
            .find(|(_, stream)| is_same(stream))
            .map(|(id, _)| *id)
    }

    /// The stream without a name whose content the candidate has: it was renamed, copied, or
    /// written again.
    fn stream_that_goes_on_in(
        &self,
        round: &Round,
        candidate: &CandidateFile,
    ) -> io::Result<Option<u64>> {
        for (id, stream) in &self.streams {
            if round.named.contains(id) || stream.is_blank() {
                continue;
            }
            if stream.evidence.head.begins(&candidate.head)
                && self.may_go_on_in(stream, candidate)?
                && stream.evidence.holds(&self.disk, &candidate.file)?
            {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    fn may_go_on_in(&self, stream: &Stream, candidate: &CandidateFile) -> io::Result<bool> {
        let was = stream.stamp;
        let now = candidate.stamp;
        let is_sure = stream.evidence.is_strong();
        let Some(file) = &stream.file else {
            return Ok(match stream.phase {
                // A copy is made after the last write, and not where the old content was emptied.
                Phase::Truncated { .. } => {
                    let is_later = now.modified_ns >= was.modified_ns;
                    candidate.origin != CandidateOrigin::Emptied && (is_sure || is_later)
                }
                Phase::Finished => {
                    let is_untouched = now.size == was.size && now.modified_ns == was.modified_ns;
                    is_sure || is_untouched
                }
                _ => true,
            });
        };
        // The file was deleted or renamed, but its handle is held: continue in the candidate only
        // if no content is left behind.
        let held = self.disk.stamp(file)?;
        let is_whole = now.size >= held.size;
        let is_gone = !held.is_linked || is_sure;
        Ok(is_whole && (is_gone || !self.disk.uses_inodes()))
    }

    fn go_on_in(&mut self, round: &mut Round, candidate: CandidateFile, id: u64) -> u64 {
        let name = match candidate.origin {
            CandidateOrigin::Sibling { .. } => None,
            _ => Some(candidate.path.clone()),
        };
        let id = self.attach(id, candidate);
        if let Some(name) = name {
            round.name(name, id);
        }
        id
    }

    /// Continues a stream in a file that has all of its content and more: that file is the living
    /// one, and the file so far was a copy of it.
    fn swap(&mut self, round: &mut Round, candidate: CandidateFile, id: u64) {
        let names = round.names.extract_if(.., |_, named| *named == id);
        for (path, _) in names.collect::<Vec<_>>() {
            if let Ok(Look::File(stamp)) = self.disk.look(&path) {
                let held = HeldFile {
                    original: id,
                    stamp,
                    since_ns: self.now_ns,
                    origin: CandidateOrigin::Listed,
                    is_copy: true,
                    end_at_first: None,
                };
                self.held.insert(path, held);
            }
        }
        round.named.remove(&id);
        let id = self.go_on_in(round, candidate, id);
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.phase == Phase::Leaving
        {
            stream.phase = Phase::Named;
        }
    }

    /// Continues a stream in a file that has its content. The id is a new one if the owner was told
    /// that the old one is finished.
    pub(super) fn attach(&mut self, id: u64, candidate: CandidateFile) -> u64 {
        let CandidateFile {
            path,
            file,
            stamp,
            head,
            ..
        } = candidate;
        let Some(mut stream) = self.streams.remove(&id) else {
            return id;
        };
        let (was, was_read_to) = (stream.phase, stream.offset);
        let before = stream.position(id);
        let grew = stamp.size > stream.stamp.size;
        let is_elsewhere = stream.path != path;
        stream.attach(file, stamp, head);
        if grew || is_elsewhere {
            stream.quiet_since_ns = self.now_ns;
        }
        stream.path = path;
        stream.phase = if is_elsewhere || matches!(was, Phase::Truncated { .. }) {
            Phase::Leaving
        } else {
            Phase::Named
        };
        let has_grown_late = was == Phase::Finished && stream.stamp.size > was_read_to;
        if was == Phase::Finished && !has_grown_late {
            stream.phase = Phase::Finished;
            stream.file = None;
        }
        let id = if has_grown_late {
            self.recent.remember(Position {
                is_superseded: true,
                ..before
            });
            stream.began = stream.offset;
            stream.name = None;
            self.add(stream)
        } else {
            self.streams.insert(id, stream);
            id
        };
        self.close_surplus(None);
        id
    }

    /// Compares a candidate with all streams.
    fn likeness(&mut self, round: &mut Round, candidate: &CandidateFile) -> io::Result<Likeness> {
        if candidate.origin == CandidateOrigin::Emptied {
            return Ok(Likeness::None);
        }
        let alike = self.streams.iter();
        let alike = alike.filter(|(_, stream)| content::begin_alike(&stream.head, &candidate.head));
        let ids: Vec<u64> = alike.map(|(id, _)| *id).collect();
        for id in ids {
            match self.likeness_to(round, candidate, id)? {
                Likeness::None => {}
                likeness => return Ok(likeness),
            }
        }
        Ok(Likeness::None)
    }

    fn likeness_to(
        &mut self,
        round: &mut Round,
        candidate: &CandidateFile,
        id: u64,
    ) -> io::Result<Likeness> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(Likeness::None);
        };
        if matches!(stream.phase, Phase::Truncated { .. }) {
            // The original is gone: a copy that is too short may still be being written.
            return Ok(if candidate.stamp.size < stream.evidence.checked_to {
                Likeness::Suspect(id)
            } else {
                Likeness::None
            });
        }
        let opened = match &stream.file {
            Some(_) => None,
            None => self.disk.open(&stream.path).ok().flatten(),
        };
        let Some(file) = stream.file.as_ref().or(opened.as_ref()) else {
            return Ok(Likeness::None);
        };
        let stamp = self.disk.stamp(file)?;
        let n_common = stamp.size.min(candidate.stamp.size);
        let is_alike = content::end_alike(&self.disk, file, &candidate.file, n_common)?;
        // This comes last: only if the content is still there after the comparison was it compared.
        if opened.is_none() && !self.look_at_handle(round, id) {
            return Ok(Likeness::Changed);
        }
        let is_longer = candidate.stamp.size > stamp.size;
        let is_sure = n_common >= SAMPLE_BYTES as u64 || (!stamp.is_linked && !is_longer);
        Ok(match (is_alike, is_sure) {
            (false, _) => Likeness::None,
            (true, false) => Likeness::Suspect(id),
            (true, true) if is_longer => Likeness::Longer(id),
            (true, true) => Likeness::Copy(id),
        })
    }
}

fn name_if_listed(round: &mut Round, candidate: &CandidateFile, id: u64) {
    if !matches!(candidate.origin, CandidateOrigin::Sibling { .. }) {
        round.name(candidate.path.clone(), id);
    }
}

/// The place after the last line end: a line that is still being written is read from its start.
fn after_last_line(disk: &Disk, file: &File, size: u64) -> io::Result<u64> {
    let from = size.saturating_sub(LINE_END_SEARCH_BYTES);
    let len = usize::try_from(size - from).unwrap_or(0);
    let end = disk.bytes(file, from, len)?;
    Ok(match memchr::memrchr(b'\n', &end) {
        Some(line_end) => from + line_end as u64 + 1,
        None if from == 0 => 0,
        None => size,
    })
}
