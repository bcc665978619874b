//! The Gaussian, whose constant is known, and settings.

use super::*;
use ebmotion::event::Silent;

fn config(levels: usize) -> LikelihoodConfig {
    LikelihoodConfig { levels, chains: 100, at: 0.2, check: [0.3, 3.0], ..LikelihoodConfig::default() }
}

#[test]
fn both_bounds_close_in_on_the_gaussians_constant() -> Result<()> {
    let mut gaps = Vec::new();
    for levels in [20, 80] {
        let found = gaussian([1, 4, 5], &config(levels), &Noise::new(1), &Journal::none(), &mut Silent)?;
        let truth = found.truth.unwrap_or_default();
        assert!(found.lower.mean < truth && truth < found.upper.mean, "{found:?}");
        for side in [&found.lower, &found.upper] {
            // Each is unbiased in its weights: within four standard errors.
            let z = (side.estimate - truth) / side.std_error;
            assert!(z.abs() < 4.0, "{levels} levels: {z} in {found:?}");
            assert!(side.acceptance.is_some_and(|share| (0.6..0.95).contains(&share)), "{found:?}");
        }
        gaps.push(found.upper.mean - found.lower.mean);
    }
    assert!(gaps[1] < 0.5 * gaps[0] && gaps[1] < 3.0, "{gaps:?}");
    Ok(())
}

#[test]
fn chains_are_drawn_by_their_weights() -> Result<()> {
    let x = Tensor::new(&[[1.0f32], [2.0], [3.0]], &Device::Cpu)?;
    let ends = levels::Ends::new(x, vec![1000.0 + 0.5f64.ln(), 1000.0, 1000.0 + 0.5f64.ln()]);
    let drawn = ends.drawn(&[0.01, 0.24, 0.26, 0.74, 0.76, 0.99])?.flatten_all()?.to_vec1::<f32>()?;
    assert_eq!(drawn, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |config: LikelihoodConfig, part: &str| {
        let error = config.validate().expect_err(part);
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}");
    };
    assert!(LikelihoodConfig::default().validate().is_ok());
    refused(LikelihoodConfig { levels: 1, ..config(2) }, "levels");
    refused(LikelihoodConfig { at: 1.55, ..config(2) }, "at");
    refused(LikelihoodConfig { step: f64::NAN, ..config(2) }, "step");
    refused(LikelihoodConfig { acceptance: 1.0, ..config(2) }, "acceptance");
    refused(LikelihoodConfig { check: [0.0, 1.0], ..config(2) }, "check");
}
