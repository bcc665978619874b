//! Spheres that links keep out of: `sum_links (max(radius - distance, 0) / std)^2 / 2` in every frame.

use super::check::Shown;
use super::entry::Entry;
use super::kind::{Kind, Run};
use crate::energy::{Energy, Evaluated};
use crate::error::Result;
use crate::forecast::ForecastConditions;
use crate::kinematics::{Drive, Poses};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Program, Term, TileEnergy};
use nalgebra::Vector3;
use serde::Deserialize;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// Standard deviation by which a sphere is entered where the file says nothing, as a share of its radius.
const SOFTNESS: f64 = 0.1;
/// By how much farther than needed a link is pushed out, as a share of the radius.
const PUSH: f64 = 0.02;
/// The sampler's sphere is larger by this share, so that the true one stays empty.
const MARGIN: f64 = 0.1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    links: Vec<String>,
    centre: [f64; 3],
    radius: f64,
    unit: Option<String>,
    std: Option<f64>,
}

#[derive(Debug)]
struct KeepOut {
    name: String,
    unit: String,
    /// What one of `unit` is in m.
    metres: f64,
    radius: f64,
    energy: Sphere,
}

/// The energy over one frame, m.
#[derive(Debug, Clone)]
struct Sphere {
    drive: Drive,
    centre: Vector3<f64>,
    radius: f64,
    weight: f64,
    channels: usize,
}

pub(super) fn read(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    let file: File = entry.read()?;
    let (robot, metres) = (entry.robot()?, entry.metres(file.unit.as_deref())?);
    if file.links.is_empty() || !file.centre.iter().all(|v| v.is_finite()) {
        return Err(entry.fault("no links, or a centre that is not finite", "links = [\"NAME\"], centre = [x, y, z]"));
    }
    let link = |name: &String| robot.link(name).map_err(|e| entry.fault(format!("links of `{name}`"), e.to_string()));
    let links = file.links.iter().map(link).collect::<Result<Vec<_>>>()?;
    let radius = metres * entry.positive("radius", file.radius)?;
    let std = metres * file.std.map_or(Ok(SOFTNESS * file.radius), |std| entry.positive("std", std))?;
    let energy = Sphere {
        drive: robot.drive(&entry.named(), &links)?,
        centre: Vector3::from(file.centre.map(|v| v * metres)),
        radius: (1.0 + MARGIN) * radius,
        weight: 0.5 / (std * std),
        channels: entry.channels.len(),
    };
    let (name, unit) = (entry.name.clone(), file.unit.unwrap_or_default());
    Ok(vec![Arc::new(KeepOut { name, unit, metres, radius, energy })])
}

/// Where frames are placed, and the slopes of a link, used again by each thread.
#[derive(Default)]
struct Room {
    poses: Poses,
    frame: Vec<f64>,
    places: Vec<Vector3<f64>>,
    slopes: Vec<[f64; 3]>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Sphere {
    /// The energy of a frame `(D,)`; `add` hears of each channel and the energy's slope in it.
    fn at(&self, frame: impl Iterator<Item = f64>, mut add: impl FnMut(usize, f64)) -> Result<f64> {
        ROOM.with_borrow_mut(|Room { poses, frame: values, places, slopes }| {
            values.clear();
            values.extend(frame);
            places.clear();
            places.extend(self.drive.place(values, poses)?.iter().map(|pose| pose.translation.vector));
            slopes.resize(values.len(), [0.0; 3]);
            let mut energy = 0.0;
            for (link, place) in places.iter().enumerate() {
                let out = place - self.centre;
                let distance = out.norm();
                let inside = self.radius - distance;
                if inside <= 0.0 {
                    continue;
                }
                energy += self.weight * inside * inside;
                self.drive.slopes(link, poses, slopes)?;
                let by = -2.0 * self.weight * inside / distance.max(1e-9);
                slopes.iter().enumerate().for_each(|(c, slope)| add(c, by * out.dot(&Vector3::from(*slope))));
            }
            Ok(energy)
        })
    }

    /// How steep the energy may be in the channels: twice its weight, times how far links move with them, at `frame`.
    fn curvature(&self, frame: &[f64]) -> Result<f64> {
        let (mut room, mut slopes) = (Poses::default(), vec![[0.0; 3]; self.channels]);
        self.drive.place(frame, &mut room)?;
        let mut reach = 0.0;
        for link in 0..self.drive.links().len() {
            self.drive.slopes(link, &room, &mut slopes)?;
            reach += slopes.iter().flatten().map(|v| v * v).sum::<f64>();
        }
        Ok(2.0 * self.weight * 2.0 * reach)
    }
}

impl Energy for Sphere {
    /// Not through a graph: the links' places have no tensor operations.
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.evaluate(x)?.energy)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let rows = x.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.reshape(((), self.channels))?.to_vec2::<f64>()?;
        let (mut energies, mut grad) = (Vec::with_capacity(rows.len()), vec![0.0; rows.len() * self.channels]);
        for (row, grad) in rows.iter().zip(grad.chunks_exact_mut(self.channels)) {
            energies.push(self.at(row.iter().copied(), |c, slope| grad[c] += slope)?);
        }
        let like = |t: Tensor| -> Result<Tensor> { Ok(t.to_dtype(x.dtype())?.to_device(x.device())?) };
        Ok(Evaluated {
            energy: like(Tensor::from_vec(energies, rows.len(), &Device::Cpu)?)?,
            grad: like(Tensor::from_vec(grad, x.shape(), &Device::Cpu)?)?,
        })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let width: usize = shape[1..].iter().product();
        let term = Term::Custom { energy: Arc::new(self.clone()), factor: 1.0 };
        Ok(Some(Program::new(width, vec![term])?))
    }
}

impl TileEnergy for Sphere {
    fn add(&self, _: Range<usize>, x: &[f32], factor: f32, energy: &mut [f32], grad: &mut [f32], _: &mut [f32]) {
        let width = self.channels;
        for ((x, energy), grad) in x.chunks_exact(width).zip(energy).zip(grad.chunks_exact_mut(width)) {
            let frame = x.iter().map(|v| f64::from(*v));
            let at = self.at(frame, |c, slope| grad[c] += factor * slope as f32);
            *energy += factor * at.map_or(f32::NAN, |e| e as f32);
        }
    }
}

impl Kind for KeepOut {
    fn name(&self) -> &str {
        &self.name
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn within(&self) -> Option<f64> {
        Some(0.0)
    }

    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64> {
        let mut room = Poses::default();
        let mut worst = 0f64;
        for frame in motion[run.history.len()..].chunks_exact(run.channels.len()) {
            for pose in self.energy.drive.place(frame, &mut room)? {
                worst = worst.max(self.radius - (pose.translation.vector - self.energy.centre).norm());
            }
        }
        Ok(worst / self.metres)
    }

    fn push(
        &self,
        frame: &[f64],
        spread: &[f64],
        free: &dyn Fn(usize) -> bool,
        push: &mut dyn FnMut(usize, f64),
    ) -> Result<()> {
        let (mut room, mut slopes) = (Poses::default(), vec![[0.0; 3]; frame.len()]);
        let drive = &self.energy.drive;
        let places: Vec<_> = drive.place(frame, &mut room)?.iter().map(|pose| pose.translation.vector).collect();
        for (link, place) in places.iter().enumerate() {
            let out = place - self.energy.centre;
            let inside = self.radius - out.norm();
            if inside <= 0.0 {
                continue;
            }
            drive.slopes(link, &room, &mut slopes)?;
            let way = out.try_normalize(1e-9).unwrap_or_else(Vector3::z);
            // How fast the link goes out as a channel moves by its spread.
            let gain = |c: usize| if free(c) { spread[c] * way.dot(&Vector3::from(slopes[c])) } else { 0.0 };
            let size: f64 = (0..frame.len()).map(|c| gain(c).powi(2)).sum();
            let needed = inside + PUSH * self.radius;
            (0..frame.len()).filter(|c| gain(*c) != 0.0).for_each(|c| push(c, spread[c] * gain(c) * needed / size));
        }
        Ok(())
    }

    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions> {
        let last = &run.history[run.history.len() - run.channels.len()..];
        let curvature = self.energy.curvature(last)?;
        Ok(to.energy_over(0..run.horizon, 1, self.energy.clone(), curvature))
    }

    fn shown(&self, _: &Run<'_>) -> Shown {
        let spheres = vec![(self.energy.centre.into(), self.radius)];
        Shown { spheres, drive: Some(self.energy.drive.clone()), ..Shown::default() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kinematics::Robot;
    use crate::trajectory::Channel;

    /// The energy of the arm's tool and lower link, and its drive.
    pub(in super::super) fn sphere(robot: &Robot, channels: &[Channel]) -> (impl Energy + use<>, Drive) {
        let named: Vec<_> = channels.iter().map(|c| (c.name.as_str(), c.unit.as_deref())).collect();
        let drive = robot.drive(&named, &[3, 2]).unwrap();
        let centre = Vector3::new(0.7, 0.2, 0.0);
        (Sphere { drive: drive.clone(), centre, radius: 0.5, weight: 30.0, channels: channels.len() }, drive)
    }
}
