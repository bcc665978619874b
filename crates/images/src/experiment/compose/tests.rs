use super::config::{Choice, ComposeConfig, sampler};
use super::cross;
use super::deconvolution::Deconvolution;
use super::draw::{self, Drawer};
use super::scene::{Astray, Attribute, Scale, Scene, SceneBatches, context};
use crate::image::sprites::Sprite;
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::event::Silent;
use ebmotion::noise::Noise;
use ebmotion::train::BatchSource;

const SCENE: Scene = Scene { side: 16, positions: 8 };

/// The energy of one image `u` with noise: `|x - cos(t) u|^2 / (2 sin(t)^2)`.
struct Known {
    u: Tensor,
    t: f64,
}

impl Energy for Known {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let away = x.broadcast_sub(&(&self.u * self.t.cos())?)?;
        Ok((away.sqr()?.flatten_from(1)?.sum(1)? / (2.0 * self.t.sin().powi(2)))?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let grad = (x.broadcast_sub(&(&self.u * self.t.cos())?)? / self.t.sin().powi(2))?;
        Ok(Evaluated { energy: self.energy(x)?, grad })
    }
}

/// Where the energy is exact the sampler ends at its image, whatever the noise; so it does for energies whose weights
/// sum to one.
#[test]
fn a_draw_ends_at_the_image_that_the_energies_know() -> Result<()> {
    let pixels = SCENE.draw_all(&SCENE.any(1, &mut Noise::new(1)));
    let scale = Scale::of(&pixels);
    let u = scale.hide(pixels.clone(), (1, 1, 16, 16))?;
    for (temperature, fresh) in [(1.0, 0.3), (0.0, 0.0)] {
        let settings = sampler(10, temperature, fresh);
        let energy = |t: f64| -> Result<Box<dyn Energy>> {
            let parts = [0.5, 1.0, -0.5].map(|w| (w, Box::new(Known { u: u.clone(), t }) as Box<dyn Energy>));
            Ok(draw::all(parts))
        };
        let drawer = Drawer { scene: SCENE, scale, sampler: &settings };
        let drawn = drawer.draw(3, &energy, &mut Noise::new(2), "test", &mut Silent)?;
        // f32 numbers of up to 1 / sin(0.06), some 17, rounded to 1e-6 of themselves.
        let worst = drawn.iter().zip(pixels.iter().cycle()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst}");
    }
    Ok(())
}

/// By the energy of one image, that image's energy is the lowest of several, and the mean over draws of noise what it
/// must be.
#[test]
fn images_are_judged_by_their_energy_with_noise() -> Result<()> {
    let pixels = SCENE.draw_all(&SCENE.any(4, &mut Noise::new(7)));
    let scale = Scale::of(&pixels);
    let all = scale.hide(pixels.clone(), (4, 1, 16, 16))?;
    let u = all.narrow(0, 2, 1)?;
    let energy = |t: f64| -> Result<Box<dyn Energy>> { Ok(Box::new(Known { u: u.clone(), t })) };
    let settings = sampler(2, 1.0, 0.0);
    let drawer = Drawer { scene: SCENE, scale, sampler: &settings };
    let choice = Choice { angles: vec![0.7], draws: 200 };
    let energies = drawer.judge(&pixels, &energy, &choice, &mut Noise::new(8))?;
    for (i, found) in energies.iter().enumerate() {
        // |cos(t) (u_i - u) + sin(t) eps|^2 / (2 sin(t)^2): 256 numbers of noise, and the distance.
        let away = (all.narrow(0, i, 1)? - &u)?.sqr()?.sum_all()?.to_scalar::<f32>()?;
        let expected = 128.0 + away / (2.0 * 0.7f32.tan().powi(2));
        // The noise's square has a standard deviation of sqrt(128 / 200) = 0.8, its product with the distance less than
        // sqrt(away / 200) / tan(t).
        let allowed = 4.0 * (0.8 + (away / 200.0).sqrt() / 0.7f32.tan());
        assert!((found - expected).abs() < allowed, "{i}: {found}, not {expected}");
        assert!(i == 2 || *found > energies[2], "{energies:?}");
    }
    Ok(())
}

/// Energies that have learned nothing are the standard normal, however many are added.
#[test]
fn a_conjunction_counts_the_standard_normal_once() -> Result<()> {
    let x = Noise::new(3).normal((4, 1, 16, 16), DType::F32, &Device::Cpu)?;
    let zero = Tensor::zeros((1, 1, 16, 16), DType::F32, &Device::Cpu)?;
    let normal = || Box::new(Known { u: zero.clone(), t: std::f64::consts::FRAC_PI_2 }) as Box<dyn Energy>;
    let at = draw::all([(1.0, normal()), (1.0, normal()), (1.0, normal()), (-0.2, normal())]).evaluate(&x)?;
    let off = (at.grad - &x)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(off < 1e-5, "{off}");
    Ok(())
}

#[test]
fn sprites_are_means_of_the_generators_pixels_and_told_apart() -> Result<()> {
    let sprites = SCENE.any(40, &mut Noise::new(4));
    let pixels = SCENE.draw_all(&sprites);
    for (sprite, small) in sprites.iter().zip(pixels.chunks(SCENE.size())) {
        let area = sprite.draw().iter().filter(|v| **v == 255).count() as f32;
        // Some 100 numbers of at most 1, each rounded to 6e-8.
        assert!((small.iter().sum::<f32>() * 16.0 - area).abs() < 1e-3);
        assert!(sprite.column % 4 == 0 && sprite.row % 4 == 0);
    }
    for attribute in Attribute::ALL {
        let told = context(&[attribute], &sprites)?.to_vec2::<f32>()?;
        assert_eq!(told[0].len(), attribute.width());
        let value = |s: &Sprite| match attribute {
            Attribute::Shape => [s.shape, 0],
            Attribute::Size => [s.size, 0],
            Attribute::Position => [s.column, s.row],
            Attribute::Rotation => [s.rotation, 0],
        };
        for (i, j) in (0..40).flat_map(|i| (0..i).map(move |j| (i, j))) {
            assert_eq!(told[i] == told[j], value(&sprites[i]) == value(&sprites[j]), "{attribute:?} {i} {j}");
        }
    }
    Ok(())
}

#[test]
fn a_deconvolution_makes_images_and_every_weight_matters() -> Result<()> {
    let network = Deconvolution::new(16, 4, &mut Noise::new(5))?;
    let sprites = SCENE.any(3, &mut Noise::new(6));
    let told = context(&Deconvolution::ATTRIBUTES, &sprites)?;
    let images = network.forward(&told)?;
    assert_eq!(images.dims(), [3, 1, 16, 16]);
    // Doubling a single pixel's image reaches all the pixels around it: no row is cut off on one side only.
    let row = |i: usize| -> Result<f32> { Ok(images.get(0)?.get(0)?.get(i)?.abs()?.sum_all()?.to_scalar()?) };
    assert!(row(0)? > 0.0 && row(15)? > 0.0);
    Ok(())
}

/// The first of the told images begin elsewhere, the others and the untold ones at themselves.
#[test]
fn a_share_of_a_batch_begins_astray() -> Result<()> {
    let scale = Scale { mean: 0.25, std: 0.5 };
    let choose = |count: usize, noise: &mut Noise| SCENE.any(count, noise);
    let other = |sprite: &Sprite, uniform: f64| (uniform < 0.5).then_some(Sprite { size: 5 - sprite.size, ..*sprite });
    let source = SceneBatches {
        scene: SCENE,
        scale,
        attributes: &[Attribute::Size],
        choose: &choose,
        untold: Some(&choose),
        astray: Some(Astray { share: 0.5, shown: &other }),
    };
    let batch = source.batch(64, &mut Noise::new(3))?;
    let (x, start) = (batch.x.flatten_from(1)?.to_vec2::<f32>()?, batch.start.map(|s| s.flatten_from(1)));
    let start = start.expect("where chains begin")?.to_vec2::<f32>()?;
    let empty = start.iter().filter(|row| row.iter().all(|v| *v == -0.5)).count();
    let moved = x.iter().zip(&start).take_while(|(x, start)| x != start).count();
    // 48 are told, half of them begin elsewhere.
    assert_eq!(moved, 24);
    assert!(x[24..] == start[24..] && (4..20).contains(&empty), "{empty}");
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let good = ComposeConfig::default();
    assert!(good.validate().is_ok());
    let refused = |change: &dyn Fn(&mut ComposeConfig), key: &str| {
        let mut config = ComposeConfig::default();
        change(&mut config);
        let error = config.validate().expect_err(key).to_string();
        assert!(error.contains(key), "{error}");
    };
    refused(&|c| c.side = 20, "side");
    refused(&|c| c.positions = 3, "positions");
    refused(&|c| c.cross.fractions = vec![0.5, 0.1], "cross.fractions");
    refused(&|c| c.cross.further = 0.0, "cross.further");
    refused(&|c| c.cross.test_share = 1.0, "cross.test_share");
    refused(&|c| c.cross.size = 6, "cross.size");
    refused(&|c| c.cross.baseline.steps = 0, "cross.baseline");
    refused(&|c| c.sampler.levels = 1, "sampler.levels");
    refused(&|c| c.cross.sampler.temperature = 2.0, "cross.sampler.temperature");
    refused(&|c| c.cross.kept = 17, "cross.kept");
    refused(&|c| c.choice.angles.clear(), "choice");
    refused(&|c| c.cross.handover.width = 0.0, "cross.handover");
    refused(&|c| c.cross.size_recovery.share = 1.5, "cross.size_recovery");
    refused(&|c| c.cross.position_recovery.lowest = 1.6, "cross.position_recovery");
    refused(&|c| c.negation = -1.0, "negation");
}

#[test]
fn the_data_are_all_pairs_of_size_and_position() -> Result<()> {
    let config = ComposeConfig { side: 16, positions: 4, ..ComposeConfig::default() };
    let all = cross::data(&config)?;
    assert_eq!((all.len(), all.shape()), (6 * 16, [1, 16, 16]));
    Ok(())
}
