//! The quantiles of the normal distribution.
//!
//! Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
//! Statistics 37, 1988, routine PPND16: three ratios of polynomials, one for the middle and two for
//! the tails, exact to about 16 digits.

/// The numerator and the denominator for probabilities within [`MIDDLE`] of one half, lowest power
/// first.
const CENTRAL: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];

/// The same for tails down to `exp(-25)`.
const TAIL: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];

/// The same for tails beyond.
const FAR_TAIL: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_104,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

/// The distance from one half that the middle covers.
const MIDDLE: f64 = 0.425;

/// The value below which a normal variable with mean 0 and deviation 1 lies with this probability.
/// 0 and 1 count as the numbers next to them, so that the result is finite.
pub(super) fn normal_quantile(probability: f64) -> f64 {
    let probability = probability.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0);
    let from_half = probability - 0.5;
    if from_half.abs() <= MIDDLE {
        return from_half * ratio(&CENTRAL, MIDDLE * MIDDLE - from_half * from_half);
    }
    let tail = (-probability.min(1.0 - probability).ln()).sqrt();
    let distance = if tail <= 5.0 {
        ratio(&TAIL, tail - 1.6)
    } else {
        ratio(&FAR_TAIL, tail - 5.0)
    };
    distance.copysign(from_half)
}

fn ratio([numerator, denominator]: &[[f64; 8]; 2], at: f64) -> f64 {
    polynomial(numerator, at) / polynomial(denominator, at)
}

/// Evaluates a polynomial by Horner's rule.
fn polynomial(coefficients: &[f64], at: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * at + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are from `statistics.NormalDist().inv_cdf`, Python 3.
    #[test]
    fn quantiles_are_those_of_python() {
        let cases = [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_053_8),
            (0.025, -1.959_963_984_540_053_8),
            (0.9, 1.281_551_565_544_600_8),
            (1e-4, -3.719_016_485_455_68),
            (1e-12, -7.034_483_825_301_13),
            (1e-30, -11.464_024_688_443_617),
        ];
        for (probability, expected) in cases {
            let got = normal_quantile(probability);
            assert!((got - expected).abs() < 1e-12, "{probability}: {got}");
        }
        assert!(normal_quantile(0.0).is_finite() && normal_quantile(1.0) > 8.0);
    }
}
