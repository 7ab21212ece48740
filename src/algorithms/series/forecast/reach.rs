//! The point at which a forecast reaches a limit.

/// The direction in which a limit is reached.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::Direction;
/// assert_eq!(Direction::towards(80.0, 100.0), Some(Direction::Up));
/// assert_eq!(Direction::towards(100.0, 100.0), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// Values rise to the limit.
    Up,
    /// Values fall to the limit.
    Down,
}

impl Direction {
    /// The direction from a value to a limit; `None` if it is there.
    pub fn towards(value: f64, limit: f64) -> Option<Self> {
        match value.partial_cmp(&limit)? {
            std::cmp::Ordering::Less => Some(Self::Up),
            std::cmp::Ordering::Greater => Some(Self::Down),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Whether a value is at the limit or beyond it.
    pub fn is_reached(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Up => value >= limit,
            Self::Down => value <= limit,
        }
    }
}

/// The first points of a forecast at which a limit is reached, from 0.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{Direction, ForecastOptions, Reach, forecast};
/// let disk: Vec<f64> = (0..60).map(|day| 40.0 + 0.5 * f64::from(day) + f64::from(day % 3)).collect();
/// let forecast = forecast(&disk, None, 90, &ForecastOptions::default()).unwrap();
/// let reach = Reach::new(&forecast.points, &forecast.lower, &forecast.upper, Direction::Up, 90.0);
/// assert!(reach.earliest <= reach.at && (37..44).contains(&reach.at.unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The point at which the forecast itself reaches the limit; `None` if it does not within its
    /// horizon.
    pub at: Option<usize>,
    /// The same for the end of its interval that is closer to the limit.
    pub earliest: Option<usize>,
    /// The same for the other end.
    pub latest: Option<usize>,
}

impl Reach {
    /// Finds the points for a forecast and its interval.
    pub fn new(
        points: &[f64],
        lower: &[f64],
        upper: &[f64],
        direction: Direction,
        limit: f64,
    ) -> Self {
        let first = |numbers: &[f64]| {
            let mut numbers = numbers.iter();
            numbers.position(|&number| direction.is_reached(number, limit))
        };
        let (near, far) = match direction {
            Direction::Up => (upper, lower),
            Direction::Down => (lower, upper),
        };
        Self {
            at: first(points),
            earliest: first(near),
            latest: first(far),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_points_from_either_side() {
        let (points, lower, upper) = (
            [1.0, 2.0, 3.0, 2.0],
            [0.0, 1.0, 2.0, 1.0],
            [2.0, 3.0, 4.0, 9.0],
        );
        for (direction, limit, expected) in [
            (Direction::Up, 3.0, [Some(2), Some(1), None]),
            (Direction::Up, 1.0, [Some(0), Some(0), Some(1)]),
            (Direction::Up, 9.5, [None; 3]),
            (Direction::Down, 1.0, [Some(0), Some(0), None]),
            (Direction::Down, 0.5, [None, Some(0), None]),
        ] {
            let reach = Reach::new(&points, &lower, &upper, direction, limit);
            assert_eq!(
                [reach.at, reach.earliest, reach.latest],
                expected,
                "{direction:?} {limit}"
            );
        }
        // Unknown values reach nothing.
        let unknown = [f64::NAN; 2];
        let reach = Reach::new(&[5.0; 2], &unknown, &unknown, Direction::Up, 4.0);
        assert_eq!(
            (reach.at, reach.earliest, reach.latest),
            (Some(0), None, None)
        );
    }
}
