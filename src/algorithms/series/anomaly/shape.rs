//! The shape of a shift: whether the values stepped, or have been drifting.
//!
//! A step and a ramp are fitted to the newest slow residuals, each from the onset that fits best
//! (least squares, with 0 before the onset). Both have an onset and a height, so the one that
//! leaves smaller residuals is the better description.

/// The number of residuals that are kept, a power of two.
const N_KEPT: usize = 128;

/// The number of residuals that are fitted: as many as a trend needs to look different from a step.
const N_FITTED: usize = 96;

/// A shift has at least this many points.
const N_LEAST: usize = 4;

/// The newest slow residuals.
#[derive(Debug)]
pub(super) struct AlertShape {
    residuals: [f64; N_KEPT],
    n_points: usize,
}

impl AlertShape {
    pub(super) fn new() -> Self {
        Self {
            residuals: [0.0; N_KEPT],
            n_points: 0,
        }
    }

    pub(super) fn push(&mut self, residual: f64) {
        self.residuals[self.n_points % N_KEPT] = residual;
        self.n_points += 1;
    }

    /// Whether a ramp describes the newest residuals better than a step.
    ///
    /// Going backwards from the newest point, `sum` is that of the residuals since the onset and
    /// `moment` that of the residuals times their distance from it; the squares that a fit explains
    /// follow from these.
    pub(super) fn is_ramp(&self) -> bool {
        let (mut sum, mut moment) = (0.0, 0.0);
        let (mut step, mut ramp) = (0.0_f64, 0.0_f64);
        for back in 0..N_FITTED.min(self.n_points) {
            sum += self.residuals[(self.n_points - 1 - back) % N_KEPT];
            moment += sum;
            if back + 1 >= N_LEAST {
                let n = (back + 1) as f64;
                step = step.max(sum * sum / n);
                ramp = ramp.max(moment * moment / (n * (n + 1.0) * (2.0 * n + 1.0) / 6.0));
            }
        }
        ramp > step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_ramps() {
        let is_ramp = |residual: &dyn Fn(i32) -> f64| {
            let mut shape = AlertShape::new();
            for at in 0..200 {
                shape.push(residual(at) + f64::from(at * 7 % 5) * 0.3);
            }
            shape.is_ramp()
        };
        assert!(is_ramp(&|at| f64::from((at - 150).max(0)) * 0.2));
        assert!(!is_ramp(&|at| if at < 150 { 0.0 } else { 10.0 }));
        assert!(!is_ramp(&|at| if at < 195 { 0.0 } else { 10.0 }));
    }
}
