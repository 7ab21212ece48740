//! Reading followed files, and their positions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use crate::sources::files::follow::disk::Disk;
use crate::sources::files::follow::positions::FilePositions;
use crate::sources::files::follow::recent::{self, Recent};
use crate::sources::files::follow::reread::Stretch;
use crate::sources::files::follow::state::{
    FileState, FollowOptions, FollowedFiles, IDLE_NS, MAX_OPEN_FILES, MAX_PROBLEMS, Problem,
    ReadBytes,
};
use crate::sources::files::follow::stream::{Phase, Stream};

impl FollowedFiles {
    /// Follows from scratch.
    pub(crate) fn new(options: FollowOptions) -> Self {
        Self {
            disk: Disk::new(options.uses_inodes),
            read_from: options.read_from,
            streams: BTreeMap::new(),
            names: BTreeMap::new(),
            held: BTreeMap::new(),
            old_siblings: BTreeMap::new(),
            searches: BTreeMap::new(),
            recent: Recent::default(),
            problems: Vec::new(),
            n_problems_dropped: 0,
            given_up: Vec::new(),
            refused: BTreeMap::new(),
            next_id: 0,
            now_ns: 0,
            is_first: true,
        }
    }

    /// Continues where `positions` were taken. Files that are not in them appeared later and are
    /// read from their start, whatever `read_from` says.
    pub(crate) fn with_positions(options: FollowOptions, positions: FilePositions) -> Self {
        let mut files = Self::new(options);
        files.is_first = false;
        files.next_id = positions.next_id;
        for position in positions.finished {
            files.recent.remember(position);
        }
        files.recent.begin_range();
        for position in positions.files {
            let (id, path) = (position.id, position.path.clone());
            let is_named = !position.is_finished || !files.names.contains_key(&path);
            files.next_id = files.next_id.max(id.saturating_add(1));
            files.streams.insert(id, Stream::from_position(position));
            if is_named {
                files.names.insert(path, id);
            }
        }
        files
    }

    /// The streams, oldest first, without empty files and without files that are not found yet
    /// after a restart.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileState<'_>> {
        let known = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.is_blank() && !stream.is_restored);
        known.map(|(id, stream)| FileState {
            id: *id,
            path: &stream.path,
            name: match &stream.name {
                Some(name) => Cow::Borrowed(name),
                None => stream.path.to_string_lossy(),
            },
            offset: stream.offset,
            has_more: stream.has_more(),
            quiet_since_ns: stream.quiet_since_ns,
            modified_ns: stream.stamp.modified_ns,
            is_finished: stream.phase == Phase::Finished,
        })
    }

    /// Reads the next bytes of a stream, at most `max_bytes`, into `buffer`, which is cleared
    /// first.
    ///
    /// # Errors
    /// The file cannot be opened or read. Nothing is lost: the same bytes come with the next
    /// successful read.
    pub(crate) fn read(
        &mut self,
        id: u64,
        max_bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<ReadBytes> {
        buffer.clear();
        self.reopen(id)?;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(ReadBytes {
                offset: 0,
                n_bytes: 0,
            });
        };
        let offset = stream.offset;
        if stream.has_more() {
            stream.read(&self.disk, max_bytes, buffer)?;
        }
        if stream.name.is_none() {
            stream.name = Some(stream.path.to_string_lossy().into_owned());
        }
        if !buffer.is_empty() {
            stream.quiet_since_ns = self.now_ns;
        }
        let n_bytes = buffer.len();
        Ok(ReadBytes { offset, n_bytes })
    }

    /// Notes that the owner has finished with everything before `offset`: after a restart, reading
    /// continues there. A finished stream is kept until it is consumed to its end, so call this
    /// even if positions are never written.
    pub(crate) fn consumed(&mut self, id: u64, offset: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.consumed = offset.min(stream.offset).max(stream.consumed);
        }
    }

    /// Begins a range: the owner has written positions from which it would read again, so later
    /// ones need not record what was before.
    pub(crate) fn begin_range(&mut self) {
        self.recent.begin_range();
    }

    /// Whether the owner should write positions and [begin a range](Self::begin_range), because
    /// many files were read to their end since the last time.
    pub(crate) fn ends_range(&self) -> bool {
        self.recent.ends_range()
    }

    /// The positions of all files, to be written down.
    pub(crate) fn positions(&self) -> FilePositions {
        let known = self.streams.iter().filter(|(_, stream)| !stream.is_blank());
        FilePositions {
            next_id: self.next_id,
            files: known.map(|(id, stream)| stream.position(*id)).collect(),
            finished: self.recent.written(),
        }
    }

    /// The streams of [`Self::positions`], in that order. They keep these ids after a restart.
    pub(crate) fn ids_of_positions(&self) -> impl Iterator<Item = u64> {
        let known = self.streams.iter().filter(|(_, stream)| !stream.is_blank());
        known.map(|(id, _)| *id)
    }

    /// Streams whose rest was not found at the last rescan: those from the written positions that
    /// it looked for first, and those that it gave up. The owner may know better; see
    /// [`Self::let_go`].
    pub(crate) fn missing(&self) -> Vec<u64> {
        let since_ns = self.now_ns;
        let now_missing = self.streams.iter().filter(|(_, stream)| {
            stream.is_restored && stream.phase == (Phase::Missing { since_ns })
        });
        let now_missing = now_missing.map(|(id, _)| *id);
        now_missing.chain(self.given_up.iter().copied()).collect()
    }

    /// The rest of a stream, with which the owner has not finished: a stretch without bytes,
    /// because its end is not known.
    pub(crate) fn rest(&self, id: u64) -> Option<Stretch> {
        let stream = self.streams.get(&id)?;
        Some(Stretch::after(&stream.position(id), stream.stamp.size))
    }

    /// Ends a stream with what was consumed, because the owner has found the rest elsewhere.
    pub(crate) fn let_go(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.is_restored = false;
            stream.offset = stream.consumed;
        }
        self.finish(id);
        self.problems.retain(|problem| !problem.is_of(id));
    }

    /// What went wrong since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut self.problems);
        let n_problems = std::mem::take(&mut self.n_problems_dropped);
        if n_problems > 0 {
            problems.push(Problem::More { n_problems });
        }
        problems
    }

    /// Whether content that begins with `head` is, or was lately, followed, so that the compressed
    /// copy of a rotated file can be left out. Give its first 1024 bytes, or all if there are
    /// fewer; the answer is false for less than 64.
    pub(crate) fn knows_content(&self, head: &[u8]) -> bool {
        let followed = self.streams.values().map(|stream| stream.evidence.head);
        recent::is_among(head, followed.chain(self.recent.heads()))
    }

    /// Whether content that begins with `head` may be that of a stream whose file is looked for: if
    /// so, wait for [`Self::missing`].
    pub(crate) fn awaits_content(&self, head: &[u8]) -> bool {
        self.streams.values().any(|stream| {
            let is_unfound = matches!(
                stream.phase,
                Phase::Truncated { .. } | Phase::Missing { .. }
            );
            is_unfound && !stream.is_blank() && stream.evidence.head.begins(head)
        })
    }

    pub(super) fn add(&mut self, stream: Stream) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.streams.insert(id, stream);
        id
    }

    pub(super) fn report(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem)
        } else {
            self.n_problems_dropped += 1
        }
    }

    /// Reopens the file of a stream that was closed to save handles. If its path has other content
    /// now, there is nothing to read until the next rescan has found it.
    pub(super) fn reopen(&mut self, id: u64) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.file.is_some() || !stream.has_more() {
            return Ok(());
        }
        match self.disk.open(&stream.path)? {
            Some(file) if stream.evidence.holds(&self.disk, &file)? => stream.file = Some(file),
            _ => {
                stream.readable_to = stream.offset;
                stream.is_doubtful = true;
            }
        }
        self.close_surplus(Some(id));
        Ok(())
    }

    /// Closes handles beyond [`MAX_OPEN_FILES`]: first those of idle files, then those of files at
    /// their end, then the others. The handle of a file that lost its name is never closed, because
    /// its bytes are nowhere else.
    pub(super) fn close_surplus(&mut self, spared: Option<u64>) {
        let open = self.streams.values().filter(|stream| stream.file.is_some());
        let mut n_surplus = open.count().saturating_sub(MAX_OPEN_FILES);
        let idle_since = self.now_ns.saturating_sub(IDLE_NS);
        while n_surplus > 0 {
            let closable = self.streams.iter_mut().filter(|(id, stream)| {
                stream.file.is_some() && stream.phase == Phase::Named && Some(**id) != spared
            });
            let worth = |stream: &Stream| {
                let is_idle = stream.quiet_since_ns <= idle_since;
                (stream.has_more(), !is_idle, stream.quiet_since_ns)
            };
            let Some((_, stream)) = closable.min_by_key(|(_, stream)| worth(stream)) else {
                return;
            };
            stream.file = None;
            n_surplus -= 1;
        }
    }
}
