//! Tests of whole sources with real files.

mod replays;
