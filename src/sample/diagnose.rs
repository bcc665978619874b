//! Are the chains long enough? Effective sample size and R-hat by Vehtari, Gelman, Simpson, Carpenter and Bürkner,
//! "Rank-normalization, folding, and localization: an improved R-hat", Bayesian Analysis 16, 2021 (arXiv 1903.08008),
//! with the conventions of ArviZ 0.23.
//!
//! Figures are NaN where they are
//! undefined: no chain, chains of different lengths, fewer than 4 draws, or a value that is not finite.

/// What the draws of one quantity say of it and of the chains.
///
/// ```
/// use ebmotion::{noise::Noise, sample::diagnose::Diagnosis};
///
/// let draw = Noise::new(1).next_draw();
/// let mut chains = vec![vec![0.0; 500]; 4];
/// chains.iter_mut().enumerate().for_each(|(i, chain)| draw.normal(i as u64, chain));
/// let found = Diagnosis::of(&chains);
/// assert!(found.rhat_rank < 1.01 && found.ess_bulk > 1000.0); // 2000 independent draws
///
/// let mut slow = chains.clone();
/// slow.iter_mut().for_each(|chain| (1..500).for_each(|t| chain[t] += 0.9 * chain[t - 1]));
/// assert!(Diagnosis::of(&slow).ess_bulk < 400.0); // the same number of draws, each close to the one before
/// chains[0].iter_mut().for_each(|x| *x += 2.0); // one chain is in another mode
/// assert!(Diagnosis::of(&chains).rhat_rank > 1.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagnosis {
    /// Effective sample size for the mean, of the split chains (section 3.2).
    pub ess_mean: f64,
    /// Effective sample size of the bulk: that of the rank-normalised split chains (section 4.1).
    pub ess_bulk: f64,
    /// Effective sample size of the tails: the smaller of those for the 5 % and the 95 % quantile (section 4.3).
    pub ess_tail: f64,
    /// R-hat of the split chains (section 3.1): near 1 when the chains agree.
    pub rhat_split: f64,
    /// The larger of the R-hats of the rank-normalised split chains and of their folds (sections 4.1 and 4.2): also
    /// sees chains that differ in scale or have no mean.
    pub rhat_rank: f64,
    /// Monte Carlo standard error of the mean of all draws: their standard deviation over `sqrt(ess_mean)`.
    pub mcse_mean: f64,
}

impl Diagnosis {
    /// Of chains, each with the same number of draws of one quantity.
    pub fn of(draws: &[impl AsRef<[f64]>]) -> Self {
        Self {
            ess_mean: ess_mean(draws),
            ess_bulk: ess_bulk(draws),
            ess_tail: ess_tail(draws),
            rhat_split: rhat_split(draws),
            rhat_rank: rhat_rank(draws),
            mcse_mean: mcse_mean(draws),
        }
    }
}

/// Section 3.2.
fn ess_mean(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| ess(&split(&chains)))
}

/// Section 4.1.
fn ess_bulk(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| ess(&rank_normalise(&split(&chains))))
}

/// Section 4.3.
fn ess_tail(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| {
        let mut sorted = chains.concat();
        sorted.sort_by(f64::total_cmp);
        let at = |p: f64| {
            let limit = quantile(&sorted, p);
            let below = |chain: &Vec<f64>| chain.iter().map(|x| f64::from(u8::from(*x <= limit))).collect();
            ess(&split(&chains.iter().map(below).collect::<Vec<Vec<f64>>>()))
        };
        at(0.05).min(at(0.95))
    })
}

/// Section 3.1.
fn rhat_split(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| rhat(&split(&chains)))
}

/// Sections 4.1 and 4.2.
fn rhat_rank(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| {
        let halves = split(&chains);
        let mut sorted = halves.concat();
        sorted.sort_by(f64::total_cmp);
        // The mean of the middle two, so that both lie exactly as far from it and share a rank.
        let median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        let folded: Vec<Vec<f64>> = halves.iter().map(|c| c.iter().map(|x| (x - median).abs()).collect()).collect();
        rhat(&rank_normalise(&halves)).max(rhat(&rank_normalise(&folded)))
    })
}

fn mcse_mean(draws: &[impl AsRef<[f64]>]) -> f64 {
    checked(draws, |chains| variance(&chains.concat()).sqrt()) / ess_mean(draws).sqrt()
}

fn checked(draws: &[impl AsRef<[f64]>], figure: impl FnOnce(Vec<Vec<f64>>) -> f64) -> f64 {
    let chains: Vec<Vec<f64>> = draws.iter().map(|c| c.as_ref().to_vec()).collect();
    let length = chains.first().map_or(0, Vec::len);
    let sound = |c: &Vec<f64>| c.len() == length && c.iter().all(|x| x.is_finite());
    if length >= 4 && chains.iter().all(sound) { figure(chains) } else { f64::NAN }
}

/// First and last half of each chain; of an odd number of draws the middle one is left out.
fn split(chains: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let first = chains.iter().map(|c| c[..c.len() / 2].to_vec());
    let last = chains.iter().map(|c| c[c.len() - c.len() / 2..].to_vec());
    first.chain(last).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Unbiased sample variance.
fn variance(x: &[f64]) -> f64 {
    let centre = mean(x);
    x.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (x.len() as f64 - 1.0)
}

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan, Am. Stat. 50, 1996).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// Equation 14: ranks over all chains, ties sharing their mean, mapped to normal quantiles.
fn rank_normalise(chains: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let values = chains.concat();
    let count = values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut scores = vec![0.0; count];
    let mut from = 0;
    while from < count {
        let tied = order[from..].iter().take_while(|i| values[**i] == values[order[from]]).count();
        let rank = from as f64 + (tied + 1) as f64 / 2.0;
        let score = normal_quantile((rank - 0.375) / (count as f64 + 0.25));
        order[from..from + tied].iter().for_each(|i| scores[*i] = score);
        from += tied;
    }
    scores.chunks(chains[0].len()).map(<[f64]>::to_vec).collect()
}

/// Equation 4: the variance of all chains over that within them.
fn rhat(chains: &[Vec<f64>]) -> f64 {
    let n = chains[0].len() as f64;
    let means: Vec<f64> = chains.iter().map(|c| mean(c)).collect();
    let within = mean(&chains.iter().map(|c| variance(c)).collect::<Vec<_>>());
    ((n * variance(&means) / within + n - 1.0) / n).sqrt()
}

/// Equations 10 to 13 with Geyer's initial monotone sequence (Stat. Sci. 7, 1992).
fn ess(chains: &[Vec<f64>]) -> f64 {
    let (m, n) = (chains.len(), chains[0].len());
    let total = (m * n) as f64;
    let (low, high) = chains.iter().flatten().fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
    if high - low < 1e-15 {
        return total; // a constant: ArviZ takes all draws as independent
    }
    let means: Vec<f64> = chains.iter().map(|c| mean(c)).collect();
    // Mean over the chains of their biased autocovariances.
    let autocovariance = |lag: usize| {
        let one = |(c, centre): (&Vec<f64>, &f64)| {
            c[lag..].iter().zip(c).map(|(a, b)| (a - centre) * (b - centre)).sum::<f64>() / n as f64
        };
        chains.iter().zip(&means).map(one).sum::<f64>() / m as f64
    };
    let biased = autocovariance(0);
    let within = biased * n as f64 / (n as f64 - 1.0);
    let overall = biased + if m > 1 { variance(&means) } else { 0.0 };
    let correlation = |lag: usize| 1.0 - (within - autocovariance(lag)) / overall;

    let mut rho = vec![0.0; n];
    let (mut even, mut odd) = (1.0, correlation(1));
    (rho[0], rho[1]) = (even, odd);
    let mut t = 1;
    while t + 3 < n && even + odd > 0.0 {
        (even, odd) = (correlation(t + 1), correlation(t + 2));
        if even + odd >= 0.0 {
            (rho[t + 1], rho[t + 2]) = (even, odd);
        }
        t += 2;
    }
    // The last even one is kept when it is positive: a better estimate for antithetic chains.
    let after = t - 1;
    if even > 0.0 {
        rho[after] = even;
    }
    let mut t = 1;
    while t + 3 <= after {
        if rho[t + 1] + rho[t + 2] > rho[t - 1] + rho[t] {
            rho[t + 1] = (rho[t - 1] + rho[t]) / 2.0;
            rho[t + 2] = rho[t + 1];
        }
        t += 2;
    }
    let tau = -1.0 + 2.0 * rho[..after].iter().sum::<f64>() + rho[after];
    total / tau.max(1.0 / total.log10())
}

/// Quantile function of the standard normal (Wichura, algorithm AS 241, Appl. Stat. 37, 1988): relative error of about
/// 1e-16 for `p` in (0, 1).
#[expect(clippy::too_many_lines, reason = "a table of coefficients")]
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_7e-15,
    ];
    let ratio = |up: &[f64; 8], down: &[f64; 8], r: f64| {
        let polynomial = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * r + c);
        polynomial(up) / polynomial(down)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&A, &B, 0.180_625 - q * q);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let magnitude = if r <= 5.0 { ratio(&C, &D, r - 1.6) } else { ratio(&E, &F, r - 5.0) };
    magnitude.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantiles_are_the_tabulated_ones() {
        // One for each branch of the algorithm.
        for (p, z) in [
            (0.5, 0.0),
            (0.75, 0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_408),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-14 * (1.0 + z.abs()), "{p}: {}", normal_quantile(p));
        }
    }

    /// The draws of one case, each number rounded correctly. JSON readers may be one unit in the last place off, which
    /// would part the two draws around the median, whose folds share a rank.
    fn exact(text: &str, name: &str) -> Vec<Vec<f64>> {
        let case = &text[text.find(&format!("\"name\": \"{name}\"")).unwrap()..];
        let from = case.find("[[").unwrap() + 2;
        let chains = case[from..from + case[from..].find("]]").unwrap()].split("], [");
        chains.map(|chain| chain.split(", ").map(|x| x.parse().unwrap()).collect()).collect()
    }

    /// Reference values computed with ArviZ 0.23.4; agreement to 1e-8.
    #[test]
    fn figures_agree_with_arviz() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/metrics/mcmc_diagnostics.json.gz");
        let packed = std::fs::File::open(path).unwrap();
        let text = std::io::read_to_string(flate2::read::GzDecoder::new(packed)).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 4);
        for case in cases {
            let draws = exact(&text, case["name"].as_str().unwrap());
            let d = Diagnosis::of(&draws);
            for (field, value) in [
                ("ess_bulk", d.ess_bulk),
                ("ess_tail", d.ess_tail),
                ("ess_mean", d.ess_mean),
                ("rhat_rank", d.rhat_rank),
                ("rhat_split", d.rhat_split),
                ("mcse_mean", d.mcse_mean),
            ] {
                let expected = case[field].as_f64().unwrap();
                let error = (value / expected - 1.0).abs();
                assert!(error < 1e-8, "{} {field}: {value}, expected {expected}", case["name"]);
            }
        }
    }

    /// An AR(1) chain with correlation r has n (1 - r) / (1 + r) effective draws; the estimate of a sum of correlations
    /// is itself uncertain by some per cent at this length.
    #[test]
    fn correlated_and_antithetic_chains_have_the_known_ess() {
        let n = 40_000;
        for r in [0.8, -0.4] {
            let chains: Vec<Vec<f64>> = (0..4)
                .map(|chain| {
                    let mut noise = vec![0.0; n];
                    crate::noise::Noise::new(3).next_draw().normal(chain, &mut noise);
                    let mut x = 0.0;
                    noise.iter().map(|e| (x = r * x + (1.0f64 - r * r).sqrt() * e, x).1).collect()
                })
                .collect();
            let expected = 4.0 * n as f64 * (1.0 - r) / (1.0 + r);
            for ess in [ess_mean(&chains), ess_bulk(&chains)] {
                assert!((ess / expected - 1.0).abs() < 0.1, "r = {r}: {ess}, expected {expected}");
            }
        }
    }

    #[test]
    fn undefined_figures_are_nan() {
        assert!(ess_mean(&[[0.0; 0]; 0]).is_nan());
        assert!(ess_bulk(&[vec![1.0, 2.0, 3.0]]).is_nan());
        assert!(rhat_rank(&[vec![1.0; 8], vec![1.0; 9]]).is_nan());
        assert!(ess_tail(&[vec![1.0, f64::NAN, 2.0, 3.0]]).is_nan());
    }
}
