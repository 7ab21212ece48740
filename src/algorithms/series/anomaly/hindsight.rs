//! Hindsight: judges a whole series at once, as the [`Detector`] does, and then reviews the
//! verdicts from its end.
//!
//! * All points of an alert get the kind that it turned out to be: a level shift begins as a spike.
//! * The neighbours of a strong point are suspicious too, as an incident rarely begins and ends
//!   with the point that was noticed. Their scores rise, but not to that of an anomaly: the alerts
//!   are the same as without hindsight.

use crate::algorithms::series::anomaly::finding::Finding;
use crate::algorithms::series::anomaly::rule::GAP_POINTS;
use crate::algorithms::series::anomaly::{AnomalyKind, AnomalyParams, Detector, Verdict};

/// The least strength of the neighbours of a point, nearest first, as a part of its strength.
const NEIGHBOURS: [f64; 2] = [0.8, 0.6];

/// The largest strength that neighbours gain from.
const STRONGEST: f64 = 3.0;

/// The largest strength that a neighbour gains: no alert.
const SUSPICIOUS: f64 = 0.99;

/// Values stay away from the slow expectation if they are this many scales off, at this many
/// points, with this many exceptions for values on the way there and missing ones.
const STAYING: f64 = 2.5;
const N_STAYING: usize = 12;
const N_EXCEPTIONS: usize = 3;

/// Judges all points of a series, which are in ascending order of time.
///
/// Without times a point counts for five minutes. A value that is not finite is missing. If there
/// are fewer times than values, the remaining values count as if at the last time.
///
/// ```
/// use datafusion_aiops::algorithms::series::anomaly::{AnomalyOptions, AnomalyKind, detect};
/// let mut load: Vec<f64> = (0..600).map(|at| f64::from(100 + at * 7 % 13)).collect();
/// for value in &mut load[500..] {
///     *value += 50.0;
/// }
/// let verdicts = detect(None, &load, &AnomalyOptions::default().check()?);
/// assert_eq!(verdicts[500].kind, Some(AnomalyKind::LevelShift));
/// assert_eq!(verdicts[599].kind, None);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
pub fn detect(times_ns: Option<&[i64]>, values: &[f64], params: &AnomalyParams) -> Vec<Verdict> {
    let mut detector = Detector::new(params);
    let time =
        |at: usize| times_ns.and_then(|times_ns| times_ns.get(at).or(times_ns.last()).copied());
    let mut findings: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(at, value)| detector.find(time(at), *value))
        .collect();
    settle_kinds(&mut findings);
    suspect_neighbours(&mut findings);
    findings
        .iter()
        .map(|finding| detector.verdict(finding))
        .collect()
}

/// Gives all points of an alert the commonest kind of its second half; if two are equally common,
/// the later one. But a spike or dip from which the values do not come back is a level shift, which
/// the fast expectation has followed at once.
fn settle_kinds(findings: &mut [Finding]) {
    let alerts: Vec<_> = (0..findings.len())
        .filter(|&at| findings[at].alert.is_some())
        .collect();
    let direction = |at: usize| findings[at].alert.map_or(0, |(_, direction)| direction);
    let belong = |first: &usize, second: &usize| {
        // A spike and the dip after it are two things.
        second - first <= GAP_POINTS && direction(*first) * direction(*second) >= 0
    };
    let runs: Vec<_> = alerts.chunk_by(belong).collect();
    for run in runs {
        let later = run[run.len() / 2..]
            .iter()
            .filter_map(|&at| findings[at].alert);
        let Some(mut settled) = commonest(later) else {
            continue;
        };
        if matches!(settled.0, AnomalyKind::Spike | AnomalyKind::Dip)
            && stays(&findings[run[0]..], settled.1)
        {
            settled.0 = AnomalyKind::LevelShift;
        }
        for &at in run {
            findings[at].alert = Some(settled);
        }
    }
}

/// Whether the values stay off in this direction from the start of an alert.
fn stays(findings: &[Finding], direction: i8) -> bool {
    let newest = &findings[..findings.len().min(N_STAYING)];
    let is_off = |finding: &&Finding| finding.stays * f64::from(direction) >= STAYING;
    newest.len() == N_STAYING && newest.iter().filter(is_off).count() >= N_STAYING - N_EXCEPTIONS
}

fn commonest(alerts: impl Iterator<Item = (AnomalyKind, i8)> + Clone) -> Option<(AnomalyKind, i8)> {
    let count = |kind: AnomalyKind| alerts.clone().filter(|(other, _)| *other == kind).count();
    alerts.clone().max_by_key(|(kind, _)| count(*kind))
}

fn suspect_neighbours(findings: &mut [Finding]) {
    let strengths: Vec<_> = findings
        .iter()
        .map(|finding| finding.strength.min(STRONGEST))
        .collect();
    for (at, finding) in findings.iter_mut().enumerate() {
        if finding.alert.is_some() {
            continue;
        }
        for (distance, part) in (1..).zip(NEIGHBOURS) {
            let before = at.checked_sub(distance).map_or(0.0, |at| strengths[at]);
            let after = strengths.get(at + distance).copied().unwrap_or(0.0);
            let lent = (part * before.max(after)).min(SUSPICIOUS);
            finding.strength = finding.strength.max(lent);
        }
    }
}
