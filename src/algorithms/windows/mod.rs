//! Windows over event time: placeholder until the real module is here.
pub(crate) mod watermark;
