//! Placeholder until the real module is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatermarkOptions {
    pub(crate) delay: i64,
    pub(crate) idle_timeout: i64,
    pub(crate) max_skew: i64,
}
#[derive(Debug)]
pub(crate) struct Watermark {
    options: WatermarkOptions,
    now: i64,
}
impl Watermark {
    pub(crate) fn new(options: WatermarkOptions) -> Self {
        Self {
            options,
            now: i64::MIN,
        }
    }
    pub(crate) fn open(&mut self, _p: u64, _now: i64) {}
    pub(crate) fn observe(&mut self, _p: u64, largest: i64, _now: i64) {
        self.now = self.now.max(largest - self.options.delay);
    }
    pub(crate) fn caught_up(&mut self, _p: u64, _since: i64) {}
    pub(crate) fn behind(&mut self, _p: u64) {}
    pub(crate) fn close(&mut self, _p: u64) {}
    pub(crate) fn advance(&mut self, _now: i64) -> i64 {
        self.now
    }
    pub(crate) fn end(&mut self) {
        self.now = i64::MAX;
    }
    pub(crate) fn current(&self) -> i64 {
        self.now
    }
}
