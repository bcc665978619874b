//! Sets and scores whose answers are known.

use super::score::{against, interval};
use super::*;
use ebmotion::noise::Noise;

/// Normal scores a distance of `d` standard deviations apart: AUROC is `Phi(d / sqrt 2)`.
#[test]
fn figures_of_normal_scores_are_those_of_the_formula() -> Result<()> {
    let draw = Noise::new(1).next_draw();
    let (mut own, mut other) = (vec![0.0; 4000], vec![0.0; 4000]);
    draw.normal(0, &mut own);
    draw.normal(1, &mut other);
    other.iter_mut().for_each(|s| *s += 1.0);
    let (auroc, precision, fpr) = against(&own, &other)?;
    // Phi(0.7071) = 0.7602; standard error of some 0.005. Of those below the own 95 % quantile 1.645 are Phi(0.645) = 0.7405.
    assert!((auroc - 0.7602).abs() < 0.02, "{auroc}");
    assert!((fpr - 0.7405).abs() < 0.03, "{fpr}");
    assert!(precision > 0.7 && precision < 0.8, "{precision}");
    let [low, high] = interval(&own, &other, 100, &mut Noise::new(2))?;
    assert!(low < auroc && auroc < high && high - low > 0.01 && high - low < 0.04, "{low} {high}");
    assert_eq!(interval(&own, &other, 0, &mut Noise::new(2))?, [auroc; 2]);
    // Lower scores are those of the own set.
    assert!(against(&other, &own)?.0 < 0.25);
    Ok(())
}

#[test]
fn damaged_images_keep_what_they_should() -> Result<()> {
    let pixels: Vec<u8> = (0..2 * 64).map(|i| (i * 2) as u8).collect();
    let images = Images::new("own", [1, 8, 8], pixels, None)?;
    let damaged = sets::damaged(&images, &Noise::new(3))?;
    assert_eq!(
        damaged.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(),
        ["quarters exchanged", "coarsened", "salt and pepper"]
    );
    let sorted = |images: &Images| {
        let mut row = images.row(1).to_vec();
        row.sort_unstable();
        row
    };
    assert_eq!(sorted(&damaged[0]), sorted(&images));
    assert_eq!(damaged[0].row(0)[0], images.row(0)[4 * 8 + 4]);
    for d in &damaged {
        assert_eq!((d.len(), d.shape()), (2, [1, 8, 8]));
        assert_ne!(d.pixels(), images.pixels());
    }
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |config: OodConfig, part: &str| {
        let error = config.validate().expect_err(part);
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}");
    };
    assert!(OodConfig::default().validate().is_ok());
    refused(OodConfig { images: 1, ..OodConfig::default() }, "images");
    refused(OodConfig { levels: Vec::new(), ..OodConfig::default() }, "levels");
    refused(OodConfig { levels: vec![1.6], ..OodConfig::default() }, "levels");
    refused(OodConfig { at: -0.1, ..OodConfig::default() }, "at");
}
