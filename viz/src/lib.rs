//! Forecasts of motion as pictures in [rerun](https://rerun.io): plain arrays in, an `.rrd` file or a viewer out.
//!
//! A [`Scene`] is one forecast: what was known, many samples of what may come, and, where known, what did come.
//! [`write()`] puts scenes and the arrangement of their views into one file; [`spawn`] opens them in the viewer.
//!
//! Every scene `k` fills the entities below `/scene_k`, on one timeline `time` in seconds whose zero is the last known
//! frame:
//!
//! | entity | what | rows |
//! |---|---|---|
//! | `channels/<name>/history` | known values | one per known frame |
//! | `channels/<name>/truth` | what came | one per future frame, and the last known one |
//! | `channels/<name>/samples` | all samples, as one batch of lines | the same |
//! | `channels/<name>/mean`, `…/low`, `…/high` | mean, 5 % and 95 % quantile of the samples | the same |
//! | `energy/samples`, `energy/mean` | energy of each sample, and its mean | one per future frame |
//! | `skeleton/truth` | the skeleton as it was and came, as line strips | one per known and future frame |
//! | `skeleton/sample_<i>` | the skeleton of some samples | one per future frame |
//! | `channels/<name>/asked_<i>/low`, `…/high` | a goal or limit as two lines | one at each end |
//! | `links/spheres`, `links/path_<i>` | spheres that were asked for, ways of links | static |
//! | `links/path_<i>/now` | where a link is on its way | one per future frame |
//! | `legend` | what the colours mean | static |
//!
//! [`Chains`] is a recording of chains of images that grows while they walk, on a timeline `step`: `chains` holds the
//! images side by side, `energy` a line a chain.
//!
//! This crate knows nothing of energies, models or logs, and is the only one here that knows rerun.
//!
//! ```
//! use ebmotion_viz::{ChannelLabel, Scene};
//! let scene = Scene {
//!     name: "a joint".into(),
//!     rate_hz: 25.0,
//!     channels: vec![ChannelLabel { name: "q_elbow".into(), unit: "rad".into() }],
//!     history: vec![vec![0.0], vec![0.1]],
//!     truth: None,
//!     samples: vec![vec![vec![0.2], vec![0.3]], vec![vec![0.1], vec![0.0]]],
//!     energies: None,
//!     skeleton: None,
//!     bands: vec![],
//!     links: None,
//! };
//! let folder = tempfile::tempdir().unwrap();
//! ebmotion_viz::write(&[scene], &folder.path().join("joint.rrd"))?;
//! # Ok::<(), ebmotion_viz::VizError>(())
//! ```

mod arrange;
mod chains;
mod error;
mod file;
mod layout;
mod record;
mod scene;
mod style;

pub use chains::Chains;
pub use error::VizError;
pub use scene::{Band, ChannelLabel, Links3d, Scene, Skeleton3d};

use error::refused;
use file::{APPLICATION, replace};
use rerun::{RecordingStream, RecordingStreamBuilder};
use std::path::Path;

/// Writes `scenes` with the arrangement of their views to the `.rrd` file `path`, whole or not at all. Missing parent
/// folders are created; an older file is replaced.
///
/// # Errors
/// [`VizError::Scene`] for arrays that do not fit together, [`VizError::Io`] naming `path` where it cannot be written
/// (an older file then stays as it was), [`VizError::Rerun`] where the SDK fails.
pub fn write(scenes: &[Scene], path: &Path) -> Result<(), VizError> {
    check(scenes)?;
    // Through memory, for a sink into a file reports a full disk late or never. 64 samples of 24 channels and
    // 100 frames are about a megabyte.
    let (stream, storage) = builder().memory().map_err(refused)?;
    fill(&stream, scenes)?;
    let bytes = storage.drain_as_bytes().map_err(refused)?;
    replace(path, &bytes)
}

/// Opens `scenes` in the rerun viewer: the one already running, or a new one (`rerun` must be on the `PATH`). Returns
/// when everything has been sent.
///
/// # Errors
/// [`VizError::Scene`] as in [`write()`], [`VizError::Viewer`] where no viewer can be started or reached.
pub fn spawn(scenes: &[Scene]) -> Result<(), VizError> {
    check(scenes)?;
    let stream = builder().spawn().map_err(|e| VizError::Viewer(e.to_string()))?;
    fill(&stream, scenes)?;
    stream.flush_blocking().map_err(|e| VizError::Viewer(e.to_string()))
}

fn check(scenes: &[Scene]) -> Result<(), VizError> {
    scenes.iter().try_for_each(Scene::check)
}

fn builder() -> RecordingStreamBuilder {
    // `enabled` because an environment variable could otherwise turn the file into an empty one.
    RecordingStreamBuilder::new(APPLICATION).recording_name("forecast").enabled(true)
}

fn fill(stream: &RecordingStream, scenes: &[Scene]) -> Result<(), VizError> {
    for (index, scene) in scenes.iter().enumerate() {
        record::scene(stream, &record::root(index), scene).map_err(refused)?;
    }
    layout::send(stream, APPLICATION, record::TIMELINE, &arrange::scenes(scenes)).map_err(refused)
}
