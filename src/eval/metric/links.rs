//! Errors in space: how far a robot's links are from where they really were.
//!
//! Not rows of the table of metrics: all of them need the links' places, which are worked out once for each forecaster.

use super::displacement::{ADE_20, FDE_20};
use super::{Kind, MetricSpec, energy_score};
use crate::error::{Error, Result};
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;
use crate::kinematics::{Drive, Poses};
use crate::trajectory::Normaliser;
use ebmotion_engine::parallel;

/// What all of them share.
const SPEC: MetricSpec = MetricSpec {
    name: "",
    short: "",
    title: "",
    unit: "mm",
    lower_is_better: true,
    kind: Kind::Score,
    source: "",
    definition: "",
};

/// Best of 20 on average, best of 20 at the end, and the proper score.
pub(super) static SPECS: [MetricSpec; 3] = [
    MetricSpec {
        name: "link_energy_score",
        short: "mm E",
        title: "Energy score of link places",
        source: "as energy_score",
        definition: "as energy_score, of the places of the links that the notes name: a distance is the root mean \
            square over the links of how far they are apart",
        ..SPEC
    },
    MetricSpec {
        name: "link_ade_best20",
        short: "mm ADE",
        title: "Average displacement of links, best of 20",
        source: "as ade_best20",
        definition: "as ade_best20, of the places of the links that the notes name: a distance is the root mean square \
            over the links of how far they are apart",
        ..SPEC
    },
    MetricSpec {
        name: "link_fde_best20",
        short: "mm FDE",
        title: "Final displacement of links, best of 20",
        source: "as fde_best20",
        definition: "as fde_best20, of the places of the links that the notes name: a distance is the root mean square \
            over the links of how far they are apart",
        ..SPEC
    },
];

/// The links, and where they really were.
pub(crate) struct LinkErrors {
    drive: Drive,
    normaliser: Normaliser,
    /// `(N, H, L, 3)`.
    truth: Vec<f32>,
}

impl LinkErrors {
    /// Places the links in the true futures.
    ///
    /// # Errors
    /// [`Error::Data`] for a drive of other channels.
    pub(crate) fn new(eval: &EvalContext, drive: Drive, normaliser: &Normaliser) -> Result<Self> {
        let mut links = Self { drive, normaliser: normaliser.clone(), truth: Vec::new() };
        links.truth = links.places(eval, &eval.test.truth)?;
        Ok(links)
    }

    /// Each error, in the order of the specs.
    ///
    /// # Errors
    /// As [`LinkErrors::new`].
    pub(crate) fn score(
        &self,
        eval: &EvalContext,
        futures: &Futures,
    ) -> Result<[(&'static MetricSpec, MetricResult); 3]> {
        let samples = self.places(eval, futures.samples)?;
        let futures = Futures { samples: &samples, d: 3 * self.drive.links().len(), ..*futures };
        let [energy, average, last] = &SPECS;
        Ok([
            (energy, energy_score::against(eval, &self.truth, &futures)),
            (average, ADE_20.against(eval, &self.truth, &futures)),
            (last, FDE_20.against(eval, &self.truth, &futures)),
        ])
    }

    /// Places of the links in z-scored frames, mm times the square root of 3: distances are divided by the root of the
    /// number of coordinates, three for each link, and are to be those of a link.
    fn places(&self, eval: &EvalContext, frames: &[f32]) -> Result<Vec<f32>> {
        let (d, links) = (eval.test.channels, self.drive.links().len());
        let scale = 1e3 * 3f64.sqrt();
        let count = frames.len() / d;
        let window = eval.test.horizon.max(1);
        let mut places = vec![0f32; count * 3 * links];
        let pieces = frames.chunks(window * d).zip(places.chunks_mut(window * 3 * links)).collect();
        let done = parallel::each(eval.threads(), pieces, |_, (frames, places): (&[f32], &mut [f32])| {
            let (mut values, mut room) = (vec![0f64; d], Poses::default());
            for (frame, places) in frames.chunks_exact(d).zip(places.chunks_exact_mut(3 * links)) {
                self.normaliser.to_units(frame, &mut values)?;
                let poses = self.drive.place(&values, &mut room)?;
                for (place, pose) in places.chunks_exact_mut(3).zip(poses) {
                    for (to, from) in place.iter_mut().zip(pose.translation.vector.iter()) {
                        *to = (scale * from) as f32;
                    }
                }
            }
            Ok::<(), Error>(())
        });
        done.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(places)
    }
}
