//! The options of `ts_anomaly`, the same for both of its forms.

use datafusion::common::{Result, plan_datafusion_err};

use crate::algorithms::series::Season;
use crate::algorithms::series::anomaly::{
    AnomalyKind, AnomalyMethod, AnomalyOptions, AnomalyParams, Sides,
};
use crate::functions::call::options::CallOptions;
use crate::functions::ts::season::read_season;
use crate::functions::ts::times::{UNTIL_KEY, read_time};

/// The checked options of a call.
#[derive(Debug)]
pub(crate) struct AnomalyCall {
    pub(crate) params: AnomalyParams,
    /// Whether an option is a duration or a time, which has no meaning without timestamps.
    pub(super) needs_times: bool,
    /// The time until which values are complete.
    pub(super) until_ns: Option<i64>,
}

impl AnomalyCall {
    /// Whether the step of a row at this time has not ended; `step_ns` is 0 if the length of a step
    /// is not known.
    pub(super) fn is_running(&self, utc_ns: i64, step_ns: i64) -> bool {
        let end_ns = utc_ns.saturating_add(step_ns.max(1));
        self.until_ns.is_some_and(|until_ns| end_ns > until_ns)
    }
}

pub(super) fn read_anomaly_options(options: &mut CallOptions) -> Result<AnomalyCall> {
    let sides = [
        ("both", Sides::Both),
        ("up", Sides::Up),
        ("down", Sides::Down),
    ];
    let methods = [
        ("adaptive", AnomalyMethod::Adaptive),
        ("zscore", AnomalyMethod::ZScore),
    ];
    let default = AnomalyOptions::default();
    let read = AnomalyOptions {
        kinds: options
            .take_choices("kinds", &AnomalyKind::ALL.map(|kind| (kind.as_str(), kind)))?
            .unwrap_or(default.kinds),
        sides: options
            .take_choice("sides", &sides)?
            .unwrap_or(default.sides),
        season: read_season(options)?,
        level: options
            .take_real("level", 0.5, 1.0)?
            .unwrap_or(default.level),
        min_points: options
            .take_number("min_points", 3)?
            .unwrap_or(default.min_points),
        method: options
            .take_choice("method", &methods)?
            .unwrap_or(default.method),
    };
    let until_ns = read_time(options, UNTIL_KEY)?;
    let params = read
        .check()
        .map_err(|error| plan_datafusion_err!("{}: {error}", options.function()))?;
    Ok(AnomalyCall {
        params,
        needs_times: until_ns.is_some() || matches!(read.season, Season::Durations(_)),
        until_ns,
    })
}
