//! Four energies, each of which has learned one attribute of all sprites, put together: and, or, not.

use super::config::ComposeConfig;
use super::draw::{self, Drawer, by_energy};
use super::expert::{Expert, Kind, Shelf, shape};
use super::scene::{Attribute, Scale, Scene, SceneBatches};
use crate::image::sprites::{COUNTS, Sprite};
use crate::image::{Images, nearest};
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::compose::MixtureEnergy;
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::noise::Noise;
use serde::Serialize;

/// Shares of drawn images whose nearest sprite has what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composition {
    /// What was put together.
    pub name: &'static str,
    /// Images drawn.
    pub images: usize,
    /// What was asked for, and the share of images that have it.
    pub shares: Vec<(&'static str, f64)>,
    /// Root of the mean squared distance of a pixel to the nearest sprite's, pixels in `[0, 1]`.
    pub distance: f64,
}

/// Rotations among which the nearest sprite is sought: every fifth.
const ROTATIONS: usize = 5;
/// Sprites that the pixels' mean and standard deviation are taken from.
const FOR_SCALE: usize = 2000;
/// Noised sprites that a place's energy is levelled by.
const FOR_LEVEL: usize = 64;
/// Asked for is a rotation to within this, in fortieths of a turn.
const ROTATION_WITHIN: usize = 2;

/// The four energies and all that drawing needs.
struct Experts {
    scene: Scene,
    scale: Scale,
    all: Vec<Expert>,
}

impl Experts {
    fn learn(config: &ComposeConfig, noise: &Noise, shelf: &mut Shelf<'_>) -> Result<Self> {
        let scene = config.scene();
        let scale = Scale::of(&scene.draw_all(&scene.any(FOR_SCALE, &mut noise.fork(0))));
        let choose = |count: usize, noise: &mut Noise| scene.any(count, noise);
        let mut all = Vec::new();
        for (i, attribute) in Attribute::ALL.into_iter().enumerate() {
            let source = SceneBatches {
                scene,
                scale,
                attributes: &[attribute],
                choose: &choose,
                untold: Some(&choose),
                astray: None,
            };
            let kind = if attribute == Attribute::Position { Kind::Placed } else { Kind::Local };
            let noise = noise.fork(1 + i as u64);
            let mut expert = Expert::new(kind, scene, attribute, config.attributes.width, &noise)?;
            expert.learn(attribute.name(), &source, &config.attributes, &noise, shelf)?;
            all.push(expert);
        }
        Ok(Self { scene, scale, all })
    }

    fn of(&self, attribute: Attribute) -> &Expert {
        &self.all[attribute as usize]
    }

    /// Images of an energy of `samples x chains` images, of every `chains` of them the one with the lowest energy; the
    /// name comes with that of its noise.
    fn draw<'a>(
        &self,
        (name, label): (&str, u64),
        energy: &dyn Fn(f64) -> Result<Box<dyn Energy + 'a>>,
        (config, chains): (&ComposeConfig, usize),
        noise: &Noise,
        shelf: &mut Shelf<'_>,
    ) -> Result<Images> {
        let noise = &mut noise.fork(100 + label);
        let pixels = self.scene.size();
        let drawer = Drawer { scene: self.scene, scale: self.scale, sampler: &config.sampler };
        let drawn = drawer.draw(config.samples * chains, energy, noise, name, shelf.sink)?;
        if chains == 1 {
            return self.scene.images(&drawn);
        }
        let energies = drawer.judge(&drawn, energy, &config.choice, noise)?;
        let mut chosen = Vec::with_capacity(config.samples * pixels);
        for (drawn, energies) in drawn.chunks(chains * pixels).zip(energies.chunks(chains)) {
            chosen.extend_from_slice(&drawn[by_energy(energies)[0] * pixels..][..pixels]);
        }
        self.scene.images(&chosen)
    }

    /// `weight` times the energy of an attribute of `sprites`.
    fn told<'a>(&'a self, attribute: Attribute, t: f64, sprites: &[Sprite], weight: f64) -> Result<Part<'a>> {
        Ok((weight, Box::new(self.of(attribute).at(t, sprites)?)))
    }

    /// `weight` times that of any sprites.
    fn any<'a>(&'a self, attribute: Attribute, t: f64, weight: f64) -> Result<Part<'a>> {
        Ok((weight, Box::new(self.of(attribute).of_any(t)?)))
    }

    /// The energy of a place less its mean over noised sprites of that place. Denoising leaves a constant open for each
    /// place and level; sprites are as spread at one place as at another, so with this one the energies of two places
    /// can be compared.
    fn levelled<'a>(&'a self, t: f64, sprites: &[Sprite], noise: &mut Noise) -> Result<Box<dyn Energy + 'a>> {
        let place = sprites[0];
        let own = self.scene.any(FOR_LEVEL, noise).into_iter();
        let own: Vec<Sprite> = own.map(|s| Sprite { column: place.column, row: place.row, ..s }).collect();
        let u = self.scale.hide(self.scene.draw_all(&own), shape(self.scene, FOR_LEVEL))?;
        let eps = noise.normal(u.shape(), DType::F32, &Device::Cpu)?;
        let x = ((u * t.cos())? + (eps * t.sin())?)?;
        let position = self.of(Attribute::Position);
        let level = f64::from(position.at(t, &own)?.evaluate(&x)?.energy.mean_all()?.to_scalar::<f32>()?);
        Ok(Box::new(Less { energy: position.at(t, sprites)?, level }))
    }
}

/// A weight and an energy.
type Part<'a> = (f64, Box<dyn Energy + 'a>);

/// An energy less a constant.
struct Less<E> {
    energy: E,
    level: f64,
}

impl<E: Energy> Energy for Less<E> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok((self.energy.energy(x)? - self.level)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let at = self.energy.evaluate(x)?;
        Ok(Evaluated { energy: (at.energy - self.level)?, grad: at.grad })
    }
}

/// All sprites among which images are looked up.
struct Lookup {
    sprites: Vec<Sprite>,
    images: Images,
}

impl Lookup {
    fn new(scene: Scene) -> Result<Self> {
        let mut sprites = Vec::new();
        for (shape, size) in (0..COUNTS[0]).flat_map(|a| (0..COUNTS[1]).map(move |b| (a, b))) {
            for rotation in (0..COUNTS[2]).step_by(ROTATIONS) {
                for place in 0..scene.positions * scene.positions {
                    let [column, row] = [place % scene.positions, place / scene.positions].map(|i| scene.place(i));
                    sprites.push(Sprite { shape, size, rotation, column, row });
                }
            }
        }
        let images = scene.images(&scene.draw_all(&sprites))?;
        Ok(Self { sprites, images })
    }

    /// The sprite nearest to each image, and the root of the mean squared distance of a pixel.
    fn read(&self, images: &Images) -> Result<(Vec<Sprite>, f64)> {
        let near = nearest(images, &self.images, 1)?;
        let square = near.iter().map(|n| n[0].distance.powi(2)).sum::<f64>() / (near.len() * images.size()) as f64;
        Ok((near.iter().map(|n| self.sprites[n[0].index]).collect(), square.sqrt()))
    }
}

fn share(found: &[Sprite], asked: &[Sprite], right: impl Fn(&Sprite, &Sprite) -> bool) -> f64 {
    found.iter().zip(asked).filter(|(f, a)| right(f, a)).count() as f64 / found.len() as f64
}

/// At the place asked for, or at the next one.
fn same_place(scene: Scene, found: &Sprite, asked: &Sprite) -> bool {
    found.column.abs_diff(asked.column) <= scene.step() && found.row.abs_diff(asked.row) <= scene.step()
}

/// Turned as asked for, but for turns that leave the shape as it is.
fn same_rotation(found: &Sprite, asked: &Sprite) -> bool {
    let period = [COUNTS[2] / 4, COUNTS[2] / 2, COUNTS[2]][asked.shape];
    let apart = found.rotation.abs_diff(asked.rotation) % period;
    apart.min(period - apart) <= ROTATION_WITHIN
}

/// What is drawn and looked at.
pub(super) struct Compositions {
    pub(super) figures: Vec<Composition>,
    /// Name and images of each; those of the conjunction in turns with what was asked for.
    pub(super) pictures: Vec<(&'static str, Images)>,
    /// Trainable numbers of the four energies together.
    pub(super) parameters: usize,
}

#[expect(clippy::too_many_lines, reason = "an experiment from top to bottom")]
pub(super) fn run(config: &ComposeConfig, noise: &Noise, shelf: &mut Shelf<'_>) -> Result<Compositions> {
    let experts = Experts::learn(config, noise, shelf)?;
    let (scene, rows, guidance) = (experts.scene, config.samples, config.guidance);
    let lookup = Lookup::new(scene)?;
    let mut figures = Vec::new();
    let mut pictures = Vec::new();
    let mut asked = scene.any(rows, &mut noise.fork(200));
    asked.iter_mut().for_each(|s| s.rotation -= s.rotation % ROTATIONS);

    // And: all four. What is known of any sprite counts once.
    let told: Vec<Sprite> = asked.iter().flat_map(|s| std::iter::repeat_n(*s, config.chains)).collect();
    let energy = |t: f64| {
        let mut parts = Vec::new();
        for attribute in Attribute::ALL {
            parts.push(experts.told(attribute, t, &told, guidance)?);
            parts.push(experts.any(attribute, t, 1.0 / Attribute::ALL.len() as f64 - guidance)?);
        }
        Ok(draw::all(parts))
    };
    let drawn = experts.draw(("conjunction", 0), &energy, (config, config.chains), noise, shelf)?;
    let (found, distance) = lookup.read(&drawn)?;
    let shares = vec![
        ("shape", share(&found, &asked, |f, a| f.shape == a.shape)),
        ("size", share(&found, &asked, |f, a| f.size == a.size)),
        ("size within one", share(&found, &asked, |f, a| f.size.abs_diff(a.size) <= 1)),
        ("position", share(&found, &asked, |f, a| same_place(scene, f, a))),
        ("rotation", share(&found, &asked, |f, a| f.shape == a.shape && same_rotation(f, a))),
    ];
    figures.push(Composition { name: "conjunction", images: rows, shares, distance });
    let (truth, values) = (scene.draw_all(&asked), drawn.to_unit());
    let pairs = truth.chunks(scene.size()).zip(values.chunks(scene.size()));
    let pairs: Vec<f32> = pairs.flat_map(|(t, d)| t.iter().chain(d)).copied().collect();
    pictures.push(("conjunction", scene.images(&pairs)?));

    // Or: the largest size, at one place or at another.
    let corner = |place: usize| {
        let place = scene.place(place);
        vec![Sprite { shape: 0, size: COUNTS[1] - 1, rotation: 0, column: place, row: place }; rows]
    };
    let (first, second) = (corner(scene.positions / 8), corner(scene.positions - 1 - scene.positions / 8));
    let energy = |t: f64| {
        // The same sprites and the same noise at both places, so that what they differ by is the places alone.
        let own = || noise.fork(300);
        let places = [experts.levelled(t, &first, &mut own())?, experts.levelled(t, &second, &mut own())?];
        let or = MixtureEnergy::new(places.map(|place| (0.5, place)))?;
        Ok(draw::all([
            (1.0, Box::new(or) as Box<dyn Energy>),
            experts.any(Attribute::Position, t, -0.5)?,
            experts.told(Attribute::Size, t, &first, guidance)?,
            experts.any(Attribute::Size, t, 0.5 - guidance)?,
        ]))
    };
    let drawn = experts.draw(("disjunction", 1), &energy, (config, 1), noise, shelf)?;
    let (found, distance) = lookup.read(&drawn)?;
    let at = |corner: &[Sprite]| share(&found, corner, |f, a| same_place(scene, f, a));
    let shares = vec![
        ("one of both places", at(&first) + at(&second)),
        ("the first of them", at(&first)),
        ("size within one", share(&found, &first, |f, a| f.size.abs_diff(a.size) <= 1)),
    ];
    figures.push(Composition { name: "disjunction", images: rows, shares, distance });
    pictures.push(("disjunction", drawn));

    // Not: the largest size, with and without "no heart".
    let heart = vec![Sprite { shape: 2, ..first[0] }; rows];
    for (name, weight) in [("without negation", 0.0), ("negation", config.negation)] {
        let energy = |t: f64| {
            Ok(draw::all([
                experts.told(Attribute::Size, t, &heart, guidance)?,
                experts.any(Attribute::Size, t, 1.0 - guidance)?,
                experts.told(Attribute::Shape, t, &heart, -weight)?,
                experts.any(Attribute::Shape, t, weight)?,
            ]))
        };
        let drawn = experts.draw((name, 2), &energy, (config, 1), noise, shelf)?;
        let (found, distance) = lookup.read(&drawn)?;
        let shares = vec![
            ("hearts", share(&found, &heart, |f, a| f.shape == a.shape)),
            ("size within one", share(&found, &heart, |f, a| f.size.abs_diff(a.size) <= 1)),
        ];
        figures.push(Composition { name, images: rows, shares, distance });
        pictures.push((if weight > 0.0 { "negation" } else { "without_negation" }, drawn));
    }
    let parameters = experts.all.iter().map(Expert::parameters).sum();
    Ok(Compositions { figures, pictures, parameters })
}
