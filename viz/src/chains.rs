//! Chains of images as they walk.

use crate::error::{VizError, refused};
use crate::file::{APPLICATION, replace};
use crate::layout::{self, Node};
use rerun::external::re_sdk_types::archetypes as shown;
use rerun::external::re_sdk_types::blueprint::components::ContainerKind;
use rerun::sink::MemorySinkStorage;
use rerun::{ColorModel, EntityPath, RecordingStream, RecordingStreamBuilder};
use std::path::{Path, PathBuf};

/// The timeline: steps done.
const TIMELINE: &str = "step";

/// A recording that grows step by step: below `chains` all images side by side, below `energy` the energy of each
/// chain.
pub struct Chains {
    stream: RecordingStream,
    file: Option<(MemorySinkStorage, PathBuf)>,
    begun: bool,
}

impl Chains {
    /// Into the `.rrd` file `path`, which [`Chains::finish`] writes.
    ///
    /// # Errors
    /// [`VizError::Rerun`] where the SDK fails.
    pub fn to_file(path: &Path) -> Result<Self, VizError> {
        let (stream, storage) = builder().memory().map_err(refused)?;
        Ok(Self { stream, file: Some((storage, path.to_path_buf())), begun: false })
    }

    /// Into the viewer, at once.
    ///
    /// # Errors
    /// [`VizError::Viewer`] where no viewer can be started or reached.
    pub fn spawn() -> Result<Self, VizError> {
        let stream = builder().spawn().map_err(|e| VizError::Viewer(e.to_string()))?;
        Ok(Self { stream, file: None, begun: false })
    }

    /// Adds a step: `pixels` `(N, C, H, W)` of bytes, `shape` `[C, H, W]` with 1 or 3 channels, and the energies of the
    /// `N` chains.
    ///
    /// # Errors
    /// [`VizError::Scene`] for arrays that do not fit together; [`VizError::Rerun`] where the SDK fails.
    pub fn step(&mut self, step: u64, shape: [usize; 3], pixels: &[u8], energies: &[f64]) -> Result<(), VizError> {
        let [channels, height, width] = shape;
        let size = channels * height * width;
        let fits = size > 0 && [1, 3].contains(&channels) && pixels.len() == energies.len() * size;
        if !fits || energies.is_empty() {
            return Err(VizError::Scene {
                scene: "chains".into(),
                what: format!("step {step}"),
                found: format!("{} pixels of shape {shape:?}, {} energies", pixels.len(), energies.len()),
                expected: "as many images of 1 or 3 channels as energies".into(),
            });
        }
        if !self.begun {
            self.begun = true;
            layout::send(&self.stream, APPLICATION, TIMELINE, &arranged()).map_err(refused)?;
            let names: Vec<String> = (0..energies.len()).map(|i| format!("chain {i}")).collect();
            self.stream.log_static("energy", &shown::SeriesLines::new().with_names(names)).map_err(refused)?;
        }
        self.stream.set_time_sequence(TIMELINE, i64::try_from(step).unwrap_or(i64::MAX));
        let columns = (1..).find(|c| c * c >= energies.len()).unwrap_or(1);
        let rows = energies.len().div_ceil(columns);
        let mut grid = vec![0; rows * height * columns * width * channels];
        for (i, image) in pixels.chunks_exact(size).enumerate() {
            let (top, left) = (i / columns * height, i % columns * width);
            for (at, value) in image.iter().enumerate() {
                let (channel, y, x) = (at / (height * width), at / width % height, at % width);
                grid[((top + y) * columns * width + left + x) * channels + channel] = *value;
            }
        }
        let model = if channels == 1 { ColorModel::L } else { ColorModel::RGB };
        let resolution = [(columns * width) as u32, (rows * height) as u32];
        let picture = shown::Image::from_color_model_and_bytes(grid, resolution, model, rerun::ChannelDatatype::U8);
        self.stream.log("chains", &picture).map_err(refused)?;
        self.stream.log("energy", &shown::Scalars::new(energies.iter().copied())).map_err(refused)
    }

    /// Writes the file, or waits until the viewer has everything.
    ///
    /// # Errors
    /// [`VizError::Io`] naming the file where it cannot be written; [`VizError::Viewer`].
    pub fn finish(self) -> Result<(), VizError> {
        match self.file {
            Some((storage, path)) => {
                let bytes = storage.drain_as_bytes().map_err(refused)?;
                replace(&path, &bytes)
            }
            None => self.stream.flush_blocking().map_err(|e| VizError::Viewer(e.to_string())),
        }
    }
}

fn builder() -> RecordingStreamBuilder {
    RecordingStreamBuilder::new(APPLICATION).recording_name("chains").enabled(true)
}

fn arranged() -> Node {
    let view = |class: &'static str, name: &str, origin: &str| Node::View {
        class,
        name: name.into(),
        origin: EntityPath::from(origin),
        properties: vec![],
    };
    Node::Split {
        kind: ContainerKind::Horizontal,
        name: "chains".into(),
        shares: Some(vec![2.0, 1.0]),
        children: vec![view("2D", "chains", "chains"), view("TimeSeries", "energy [nats]", "energy")],
    }
}
