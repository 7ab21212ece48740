//! Seeded data for the tests of this folder, and the trees of scipy.

use std::num::NonZeroUsize;

use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::algorithms::cluster::hierarchical::{Dendrogram, Linkage};
use crate::algorithms::cluster::labels::{members, n_clusters, number_by_first_row};
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::numbers::to_f32;
use crate::algorithms::cluster::{Metric, Vectors};

pub(crate) fn vectors(rows: &[&[f32]]) -> Vectors {
    let mut vectors = Vectors::new(rows.first().map_or(0, |row| row.len()));
    for row in rows {
        assert_eq!(vectors.push(row), Ok(true));
    }
    vectors
}

fn generated(n_rows: usize, dimensions: usize, mut row: impl FnMut(usize, &mut [f32])) -> Vectors {
    let mut vectors = Vectors::new(dimensions);
    let mut dense = vec![0.0; dimensions];
    for number in 0..n_rows {
        dense.fill(0.0);
        row(number, &mut dense);
        assert_eq!(vectors.push(&dense), Ok(true));
    }
    vectors
}

/// Numbers from 0 to 1.
struct Uniform(Xoshiro256Plus);

impl Uniform {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256Plus::seed_from_u64(seed))
    }

    fn next(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % end
    }
}

/// Normally distributed values (sums of twelve uniform ones are close enough).
pub(crate) fn gaussian(n_rows: usize, dimensions: usize, seed: u64) -> Vectors {
    let mut uniform = Uniform::new(seed);
    generated(n_rows, dimensions, |_, dense| {
        dense.fill_with(|| to_f32((0..12).map(|_| uniform.next()).sum::<f64>() - 6.0));
    })
}

/// Zeros and ones.
pub(crate) fn zeros_and_ones(n_rows: usize, dimensions: usize, seed: u64) -> Vectors {
    let mut uniform = Uniform::new(seed);
    generated(n_rows, dimensions, |_, dense| {
        dense.fill_with(|| f32::from(u8::from(uniform.next() < 0.4)));
    })
}

/// Rows like those of log templates: ten words with weights, eight of them from one of a hundred
/// topics, the rest from all.
pub(crate) fn words(n_rows: usize, dimensions: usize, seed: u64) -> Vectors {
    let mut uniform = Uniform::new(seed);
    let topics: Vec<_> = (0..100)
        .map(|_| {
            (0..8)
                .map(|_| uniform.below(dimensions))
                .collect::<Vec<_>>()
        })
        .collect();
    generated(n_rows, dimensions, |_, dense| {
        let topic = &topics[uniform.below(topics.len())];
        for position in 0..10 {
            let word = if position < 8 {
                topic[uniform.below(topic.len())]
            } else {
                uniform.below(dimensions)
            };
            dense[word] = to_f32(0.5 + uniform.next());
        }
    })
}

/// Groups far apart; the rows take turns among them. Also returns the group of each row.
pub(crate) fn blobs(
    n_rows: usize,
    n_blobs: usize,
    dimensions: usize,
    seed: u64,
) -> (Vectors, Vec<usize>) {
    let mut uniform = Uniform::new(seed);
    let rows = generated(n_rows, dimensions, |row, dense| {
        let blob = row % n_blobs;
        dense.fill_with(|| to_f32(uniform.next()));
        dense[blob % dimensions] += to_f32(100.0 * count(1 + blob / dimensions));
    });
    (rows, (0..n_rows).map(|row| row % n_blobs).collect())
}

/// The adjusted Rand index of two groupings: 1 if they are the same, 0 if they agree as much as by
/// chance (Hubert and Arabie, "Comparing partitions", 1985).
pub(crate) fn agreement(first: &[usize], second: &[usize]) -> f64 {
    let (first, second) = (
        number_by_first_row(first.iter().copied()),
        number_by_first_row(second.iter().copied()),
    );
    let width = n_clusters(&second);
    let both = number_by_first_row(
        first
            .iter()
            .zip(&second)
            .map(|(first, second)| first * width + second),
    );
    let pairs = |labels: &[usize]| {
        members(labels)
            .iter()
            .map(|rows| count(rows.len()) * count(rows.len() - 1) / 2.0)
            .sum::<f64>()
    };
    let all = count(first.len()) * count(first.len() - 1) / 2.0;
    let chance = pairs(&first) * pairs(&second) / all;
    (pairs(&both) - chance) / ((pairs(&first) + pairs(&second)) / 2.0 - chance)
}

/// `sklearn.metrics.adjusted_rand_score([0, 0, 1, 1, 2], [0, 0, 1, 2, 2])`
#[test]
fn agreement_of_scikit_learn() {
    assert!((agreement(&[0, 0, 1, 1, 2], &[0, 0, 1, 2, 2]) - 0.375).abs() < 1e-12);
}

/// Metric, linkage, the heights of the merges, and the clusters of `fcluster(z, 5, "maxclust")`.
/// From scipy 1.17:
///
/// ```python
/// s = 1; x = []
/// for _ in range(20 * 4):
///     s = (s * 1103515245 + 12345) % 2**31
///     x.append(np.float32(s / 2**31))
/// z = linkage(pdist(np.array(x, dtype=np.float64).reshape(20, 4), metric), method)
/// ```
const SCIPY: [(Metric, Linkage, [f64; 19], [usize; 20]); 7] = [
    (
        Metric::Cosine,
        Linkage::Average,
        [
            0.0055573, 0.0114800, 0.0143212, 0.0177317, 0.0193632, 0.0222540, 0.0242768, 0.0412902,
            0.0414164, 0.0443953, 0.0700231, 0.0789803, 0.0900307, 0.0907031, 0.1157328, 0.1210577,
            0.1607269, 0.2289484, 0.2662267,
        ],
        [0, 1, 0, 2, 2, 1, 3, 2, 2, 0, 2, 3, 2, 4, 3, 3, 1, 2, 4, 4],
    ),
    (
        Metric::Cosine,
        Linkage::Complete,
        [
            0.0055573, 0.0114800, 0.0143212, 0.0177317, 0.0222540, 0.0226299, 0.0355598, 0.0412902,
            0.0443953, 0.0497900, 0.0938382, 0.1069822, 0.1230790, 0.1638986, 0.2243657, 0.2254985,
            0.2540373, 0.4773617, 0.7086628,
        ],
        [0, 1, 0, 2, 2, 1, 3, 2, 2, 4, 1, 3, 1, 4, 3, 3, 1, 2, 0, 0],
    ),
    (
        Metric::Cosine,
        Linkage::Single,
        [
            0.0055573, 0.0114800, 0.0129939, 0.0143212, 0.0160965, 0.0177317, 0.0222540, 0.0263615,
            0.0330427, 0.0400237, 0.0401925, 0.0412902, 0.0443953, 0.0479991, 0.0483217, 0.0484386,
            0.0643784, 0.0687633, 0.0852250,
        ],
        [0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 0, 3, 4, 1, 0, 0, 3, 3],
    ),
    (
        Metric::Euclidean,
        Linkage::Average,
        [
            0.1720943, 0.2244380, 0.2555284, 0.2592012, 0.2728988, 0.3193688, 0.3549212, 0.3605789,
            0.3747693, 0.3859221, 0.4495772, 0.5163747, 0.5222898, 0.5662820, 0.6254764, 0.6826109,
            0.7210281, 0.8046536, 0.8507604,
        ],
        [0, 1, 0, 1, 2, 1, 3, 2, 2, 0, 1, 3, 4, 0, 3, 3, 1, 1, 0, 0],
    ),
    (
        Metric::Euclidean,
        Linkage::Complete,
        [
            0.1720943, 0.2244380, 0.2555284, 0.2592012, 0.2728988, 0.3193688, 0.4073818, 0.4380890,
            0.4389817, 0.4422784, 0.5188488, 0.5708995, 0.6050396, 0.7042416, 0.7489773, 0.8142017,
            0.9795062, 1.0964632, 1.2678207,
        ],
        [0, 1, 0, 2, 3, 1, 4, 3, 3, 0, 2, 4, 1, 0, 4, 4, 1, 2, 0, 0],
    ),
    (
        Metric::Euclidean,
        Linkage::Single,
        [
            0.1720943, 0.2244380, 0.2555284, 0.2592012, 0.2728988, 0.2821761, 0.3024605, 0.3114497,
            0.3193688, 0.3295657, 0.3642507, 0.3722488, 0.3727739, 0.3809735, 0.4319036, 0.4590917,
            0.4775454, 0.4790363, 0.5108318,
        ],
        [0, 0, 0, 1, 2, 0, 0, 2, 2, 0, 1, 0, 3, 0, 4, 0, 0, 1, 0, 0],
    ),
    (
        Metric::Euclidean,
        Linkage::Ward,
        [
            0.1720943, 0.2244380, 0.2555284, 0.2592012, 0.2728988, 0.3193688, 0.3863070, 0.4059081,
            0.4255008, 0.4274846, 0.5014034, 0.5782821, 0.5901044, 0.7586241, 0.7819827, 1.0074165,
            1.2197145, 1.5453668, 1.8792458,
        ],
        [0, 1, 0, 2, 3, 1, 4, 3, 3, 0, 2, 4, 2, 0, 4, 4, 1, 2, 0, 0],
    ),
];

#[test]
fn trees_of_scipy() {
    let mut state = 1_u64;
    let rows = generated(20, 4, |_, dense| {
        dense.fill_with(|| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            to_f32(f64::from(u32::try_from(state).unwrap()) / f64::from(1_u32 << 31))
        });
    });
    for (metric, linkage, heights, clusters) in SCIPY {
        let tree = Dendrogram::new(&rows, metric, linkage).unwrap();
        for (merge, height) in tree.merges().iter().zip(heights) {
            assert!(
                (f64::from(merge.distance) - height).abs() < 1e-5,
                "{metric:?} {linkage:?} {merge:?} {height}"
            );
        }
        assert_eq!(
            tree.cut_into(NonZeroUsize::new(5).unwrap()),
            clusters,
            "{metric:?} {linkage:?}"
        );
    }
}
