//! The plain arrays that a picture is made of, and the check that they fit together.

use crate::error::VizError;

/// What a channel is called, and its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelLabel {
    /// Name as in the log, for example `q_FFJ3`; unique within a scene.
    pub name: String,
    /// Unit for the axis, for example `rad`; may be empty.
    pub unit: String,
}

/// One forecast: `T` known frames, `S` samples of the next `H` frames, `D` channels.
///
/// Values are in the channels' units. A value that is not finite leaves a hole in its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Title of the scene's tab, for example `episode 271`.
    pub name: String,
    /// Frames per second, positive. The last known frame is at time 0, the first forecast one at `1 / rate_hz` seconds.
    pub rate_hz: f64,
    /// The `D` channels.
    pub channels: Vec<ChannelLabel>,
    /// What was known: `T x D`; may be empty.
    pub history: Vec<Vec<f64>>,
    /// What really came: `H x D`, where known.
    pub truth: Option<Vec<Vec<f64>>>,
    /// The forecast: `S x H x D`, at least one sample of at least one frame.
    pub samples: Vec<Vec<Vec<f64>>>,
    /// Energy of each sample at each frame, in nats (lower is likelier): `S x H`, where the forecaster has one.
    pub energies: Option<Vec<Vec<f64>>>,
    /// The body in space, where its geometry is known.
    pub skeleton: Option<Skeleton3d>,
    /// What channels were asked to do: goals and limits.
    pub bands: Vec<Band>,
    /// What links were asked to do, and where they go.
    pub links: Option<Links3d>,
}

/// A range that a channel was asked to be in, in its unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Index of the channel.
    pub channel: usize,
    /// First forecast frame, and the one after the last.
    pub frames: [usize; 2],
    /// Lowest and highest value.
    pub range: [f64; 2],
}

/// Spheres in space, to be reached or kept out of, and the ways of links, in metres, z up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Links3d {
    /// Centre and radius.
    pub spheres: Vec<([f32; 3], f32)>,
    /// The ways of links in some samples: `any x H` points.
    pub paths: Vec<Vec<[f32; 3]>>,
}

/// The body as `P` points in space, in metres, z up.
#[derive(Debug, Clone, PartialEq)]
pub struct Skeleton3d {
    /// Pairs of point indices to join by a line.
    pub links: Vec<(usize, usize)>,
    /// What was known: `T x P`.
    pub history: Vec<Vec<[f32; 3]>>,
    /// What really came: `H x P`, where known.
    pub truth: Option<Vec<Vec<[f32; 3]>>>,
    /// Some samples to draw, a handful for a clear picture: `any x H x P`.
    pub samples: Vec<Vec<Vec<[f32; 3]>>>,
}

impl Scene {
    /// Number of forecast frames `H`.
    pub(crate) fn horizon(&self) -> usize {
        self.samples.first().map_or(0, Vec::len)
    }

    pub(crate) fn check(&self) -> Result<(), VizError> {
        let channels = self.channels.len();
        let horizon = self.horizon();
        if !(self.rate_hz.is_finite() && self.rate_hz > 0.0) {
            return Err(self.fault("rate", self.rate_hz, "a positive number of frames per second"));
        }
        for (at, channel) in self.channels.iter().enumerate() {
            if self.channels[..at].iter().any(|before| before.name == channel.name) {
                return Err(self.fault("channels", format!("`{}` twice", channel.name), "names that are unique"));
            }
        }
        if channels == 0 || horizon == 0 {
            let found = format!("{channels} channels and {horizon} frames");
            return Err(self.fault("forecast", found, "at least one sample, frame and channel"));
        }
        self.rows("history", &self.history, self.history.len(), channels)?;
        if let Some(truth) = &self.truth {
            self.rows("truth", truth, horizon, channels)?;
        }
        for (s, sample) in self.samples.iter().enumerate() {
            self.rows(&format!("sample {s}"), sample, horizon, channels)?;
        }
        if let Some(energies) = &self.energies {
            self.rows("energies", energies, self.samples.len(), horizon)?;
        }
        if let Some(band) = self.bands.iter().find(|b| b.channel >= channels || b.frames[1] > horizon) {
            let expected = format!("within {channels} channels and {horizon} frames");
            return Err(self.fault("a band", format!("{band:?}"), expected));
        }
        for (i, path) in self.links.iter().flat_map(|links| &links.paths).enumerate() {
            self.rows(&format!("path {i} of links"), std::slice::from_ref(path), 1, horizon)?;
        }
        match &self.skeleton {
            Some(skeleton) => self.check_skeleton(skeleton),
            None => Ok(()),
        }
    }

    fn check_skeleton(&self, skeleton: &Skeleton3d) -> Result<(), VizError> {
        let Skeleton3d { links, history, truth, samples } = skeleton;
        let frames = [history, truth.as_ref().unwrap_or(history)].into_iter().chain(samples);
        let points = frames.flatten().map(Vec::len).next().unwrap_or(0);
        if let Some(link) = links.iter().find(|(a, b)| *a.max(b) >= points) {
            return Err(self.fault("links of the skeleton", format!("{link:?}"), format!("indices below {points}")));
        }
        self.rows("history of the skeleton", history, self.history.len(), points)?;
        if let Some(truth) = truth {
            self.rows("truth of the skeleton", truth, self.horizon(), points)?;
        }
        for (s, sample) in samples.iter().enumerate() {
            self.rows(&format!("sample {s} of the skeleton"), sample, self.horizon(), points)?;
        }
        Ok(())
    }

    /// `rows` must be `count` rows of `width` values.
    fn rows<T>(&self, what: &str, rows: &[Vec<T>], count: usize, width: usize) -> Result<(), VizError> {
        if rows.len() != count {
            return Err(self.fault(what, format!("{} rows", rows.len()), format!("{count}")));
        }
        match rows.iter().position(|row| row.len() != width) {
            Some(at) => {
                let found = format!("{} values", rows[at].len());
                Err(self.fault(format!("{what}, row {at}"), found, format!("{width}")))
            }
            None => Ok(()),
        }
    }

    fn fault(&self, what: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> VizError {
        VizError::Scene {
            scene: self.name.clone(),
            what: what.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}
