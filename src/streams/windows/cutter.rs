//! Cuts the rows of a live table into windows, and says which have closed.
//!
//! A cutter is a state machine that is fed rows and watermarks: the same steps give the same
//! windows. A row is compared with the watermark as it was before the step that brought the row.

use std::sync::Arc;

use datafusion::common::Result;

use crate::streams::reorder::Reorder;
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::windows::counts::CountCutter;
use crate::streams::windows::grid::GridCutter;
use crate::streams::windows::parts::CutterParts;
use crate::streams::windows::range_notes::RangeNotes;
use crate::streams::windows::row_plan::Arrived;
use crate::streams::windows::row_store::{Memory, RowStore};
use crate::streams::windows::sessions::SessionCutter;
use crate::streams::windows::shape::WindowShape;

/// Cuts rows into windows.
#[derive(Debug)]
pub(crate) enum WindowCutter {
    Grid(GridCutter),
    Sessions(Box<SessionCutter>),
    Rows(CountCutter),
}

impl WindowCutter {
    /// A cutter that has seen no row.
    ///
    /// # Errors
    /// When no windows can be made of these lengths, for which the call was checked before.
    pub(crate) fn new(parts: CutterParts) -> Result<Self> {
        let counters = Arc::clone(&parts.counters);
        let memory = Memory::new(parts.buffer_bytes, &parts.runtime, Arc::clone(&counters));
        let outputs: Arc<[usize]> = parts.rows.outputs.clone().into();
        let schema = Arc::clone(&parts.rows.schema);
        let store = |memory| {
            let (outputs, schema) = (Arc::clone(&outputs), Arc::clone(&schema));
            RowStore::new(
                outputs,
                schema,
                memory,
                Arc::clone(&parts.runtime),
                parts.metrics,
            )
        };
        match parts.shape {
            WindowShape::Grid { slide, size } => {
                let cutter = GridCutter::new(*size, *slide, store(memory), counters)?;
                Ok(Self::Grid(cutter))
            }
            WindowShape::Rows { n_rows } => {
                let order = parts.is_timed.then(|| Reorder::new(parts.buffer_bytes));
                let cutter = CountCutter::new(*n_rows, order, store(memory), counters)?;
                Ok(Self::Rows(cutter))
            }
            WindowShape::Session { gap, keys } => {
                let cutter = SessionCutter::new(&parts, *gap, keys, memory)?;
                Ok(Self::Sessions(Box::new(cutter)))
            }
        }
    }

    /// Adds rows of this partition of the source that came before the next move of the watermark.
    /// Those that are in no window are counted and kept aside. A tumbling or hopping window has its
    /// rows in the order of range, partition and arrival.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, arrived: &Arrived, partition: u64) -> Result<()> {
        match self {
            Self::Grid(cutter) => cutter.add(arrived, partition),
            Self::Sessions(cutter) => cutter.add(arrived),
            Self::Rows(cutter) => cutter.add(arrived),
        }
    }

    /// Continues where another cutter stopped: the rows of ranges with these notes come again, each
    /// range after [`Self::begin_range`], and then new rows. Windows that close before the last of
    /// these ranges may lack rows, but never those that it closes or that are open after it.
    pub(crate) fn resume(&mut self, again: &[RangeNotes]) {
        match self {
            Self::Grid(_) => {}
            Self::Sessions(cutter) => cutter.resume(again),
            Self::Rows(cutter) => cutter.resume(again),
        }
    }

    /// The rows that come now are of this range of the source.
    pub(crate) fn begin_range(&mut self, range: u64) {
        match self {
            Self::Grid(cutter) => cutter.begin_range(range),
            Self::Sessions(cutter) => cutter.begin_range(range),
            Self::Rows(cutter) => cutter.begin_range(range),
        }
    }

    /// What must be written down about the range whose rows have come; call it before the watermark
    /// moves.
    pub(crate) fn notes(&self) -> RangeNotes {
        match self {
            Self::Grid(_) => RangeNotes::default(),
            Self::Sessions(cutter) => cutter.notes(),
            Self::Rows(cutter) => cutter.notes(),
        }
    }

    /// Whether the range should end although no window closes, because its notes, or the rows that
    /// wait for the watermark, have reached their limit.
    pub(crate) fn ends_range(&self) -> bool {
        match self {
            Self::Grid(_) => false,
            Self::Sessions(cutter) => cutter.ends_range(),
            Self::Rows(cutter) => cutter.ends_range(),
        }
    }

    /// The first range that has rows in open windows, including windows that are closing.
    pub(crate) fn oldest_range(&self) -> Option<u64> {
        match self {
            Self::Grid(cutter) => cutter.oldest_range(),
            Self::Sessions(cutter) => cutter.oldest_range(),
            Self::Rows(cutter) => cutter.oldest_range(),
        }
    }

    /// Whether the windows depend on which partition of a source was read first.
    pub(crate) fn depends_on_order(&self) -> bool {
        !matches!(self, Self::Grid(_))
    }

    /// Whether a window would close at this watermark.
    pub(crate) fn closes_at(&self, watermark: i64) -> bool {
        match self {
            Self::Grid(cutter) => cutter.closes_at(watermark),
            Self::Sessions(cutter) => cutter.closes_at(watermark),
            Self::Rows(cutter) => cutter.closes_at(watermark),
        }
    }

    /// The watermark that closes all open windows; `None` for count windows, which close by their
    /// rows alone.
    pub(crate) fn last_end(&self) -> Option<i64> {
        match self {
            Self::Grid(cutter) => cutter.last_end(),
            Self::Sessions(cutter) => cutter.last_end(),
            Self::Rows(_) => None,
        }
    }

    /// Moves the watermark; [`Self::next_closed`] returns what closes.
    ///
    /// # Errors
    /// When there is no room for the rows of a window.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<()> {
        match self {
            Self::Grid(cutter) => cutter.advance(watermark),
            Self::Sessions(cutter) => cutter.advance(watermark)?,
            Self::Rows(cutter) => cutter.advance(watermark)?,
        }
        Ok(())
    }

    /// The next window that has closed; the one before it is forgotten.
    ///
    /// # Errors
    /// When there is no room for its rows.
    pub(crate) fn next_closed(&mut self) -> Result<Option<CurrentWindow>> {
        let closed = match self {
            Self::Grid(cutter) => cutter.next_closed(),
            Self::Sessions(cutter) => cutter.next_closed(),
            Self::Rows(cutter) => cutter.next_closed(),
        };
        Ok(closed)
    }
}
