//! The parts of a model file that a forecast needs, as plain numbers.

use ebmotion_engine::engine::{Layer, Layers, Linear, Nonlinearity, PackedMlp, Rollout, RolloutStop, Shared};
use ebmotion_engine::error::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Version of the layout of model files.
pub const LAYOUT: u64 = 2;
/// What names of tensors, and of the description, that a forecast needs begin with.
pub const ROLLOUT: &str = "rollout";

/// A model file in memory.
pub(crate) struct File<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    /// The description.
    pub(crate) meta: Value,
}

impl<'a> File<'a> {
    pub(crate) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        const WHOLE: &str = "a whole model file, as training leaves it";
        let bad = |found: String| Error::model(path, found, WHOLE);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(format!("{} bytes: {e}", bytes.len())))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(format!("{} bytes: {e}", bytes.len())))?;
        let text = header.metadata().as_ref().and_then(|m| m.get("ebmotion"));
        let text = text.ok_or_else(|| bad("a safetensors file of another program".into()))?;
        let meta: Value = serde_json::from_str(text).map_err(|e| bad(format!("unreadable description: {e}")))?;
        let file = Self { path, tensors, meta };
        if file.meta["kind"] != "model" {
            return Err(bad(format!("a file of kind {}", file.meta["kind"])));
        }
        if file.meta["version"] != LAYOUT {
            let found = format!("version {}", file.meta["version"]);
            let expected = format!("version {LAYOUT}: load the file with the library and save it, or train again");
            return Err(Error::model(path, found, expected));
        }
        Ok(file)
    }

    pub(crate) fn error(&self, found: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        Error::model(self.path, found, expected)
    }

    /// The value at a JSON pointer.
    pub(crate) fn value(&self, pointer: &str) -> Result<&Value> {
        let missing = || self.error(format!("no `{pointer}` in the description"), "a model of this version");
        self.meta.pointer(pointer).filter(|v| !v.is_null()).ok_or_else(missing)
    }

    /// A list of numbers at a JSON pointer.
    pub(crate) fn numbers(&self, pointer: &str) -> Result<Vec<f64>> {
        let all = self.value(pointer)?.as_array().map(|all| all.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
        all.flatten().ok_or_else(|| self.error(format!("`{pointer}` that is no list"), "a list of numbers"))
    }

    /// A number at a JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> Result<f64> {
        let none = || self.error(format!("`{pointer}` that is no number"), "a number");
        self.value(pointer)?.as_f64().ok_or_else(none)
    }

    /// A count at a JSON pointer.
    pub(crate) fn count(&self, pointer: &str) -> Result<usize> {
        let none = || self.error(format!("`{pointer}` that is no count"), "a whole number");
        self.value(pointer)?.as_u64().and_then(|v| usize::try_from(v).ok()).ok_or_else(none)
    }

    /// An f32 tensor and its shape.
    pub(crate) fn tensor(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>)> {
        let missing = |_| self.error(format!("no tensor `{name}`"), "a whole model of this version");
        let view = self.tensors.tensor(name).map_err(missing)?;
        if view.dtype() != Dtype::F32 {
            return Err(self.error(format!("tensor `{name}` of type {:?}", view.dtype()), "F32"));
        }
        let numbers = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok((numbers.collect(), view.shape().to_vec()))
    }

    fn linear(&self, name: &str) -> Result<Arc<Linear>> {
        let (weight, _) = self.tensor(&format!("{ROLLOUT}.{name}.weight"))?;
        let (bias, _) = self.tensor(&format!("{ROLLOUT}.{name}.bias"))?;
        Ok(Linear::new(weight, &bias)?.into())
    }

    /// The model's forecasts as the engine runs them.
    pub(crate) fn rollout(&self) -> Result<Rollout> {
        if self.meta.get(ROLLOUT).is_none_or(Value::is_null) {
            let found = format!("a model of the kind {}", self.meta["config"]["model"]["kind"]);
            return Err(self.error(found, "one that is drawn down noise levels"));
        }
        let of = |key: &str| format!("/{ROLLOUT}/{key}");
        let mut hidden = Vec::new();
        let mut inputs = self.count(&of("latent"))?;
        for l in 0..self.count(&of("layers"))? {
            let (weight, _) = self.tensor(&format!("{ROLLOUT}.layer.{l}.weight"))?;
            let (bias, _) = self.tensor(&format!("{ROLLOUT}.layer.{l}.bias"))?;
            let shared = Shared {
                positions: self.count(&of(&format!("positions/{l}")))?,
                reach: self.count(&of(&format!("reach/{l}")))?,
            };
            let outputs = bias.len();
            hidden.push(Layer { inputs, outputs, shared, weight, bias });
            inputs = outputs;
        }
        let (head, _) = self.tensor(&format!("{ROLLOUT}.head.weight"))?;
        let (head_bias, _) = self.tensor(&format!("{ROLLOUT}.head.bias"))?;
        let activation = match self.value(&of("leaky_slope")) {
            Ok(_) => Nonlinearity::Leaky(self.number(&of("leaky_slope"))? as f32),
            Err(_) => Nonlinearity::Swish,
        };
        let [head_bias] = head_bias[..] else {
            return Err(self.error(format!("`{ROLLOUT}.head.bias` of {} numbers", head_bias.len()), "1"));
        };
        let network = PackedMlp::new(Layers { hidden, head, head_bias, activation })?;
        let (shifts, _) = self.tensor(&format!("{ROLLOUT}.shifts"))?;
        let none = || self.error("`stops` that is no list", "a list of stops");
        let stops = self.value(&of("stops"))?.as_array().ok_or_else(none)?.len();
        let width = shifts.len() / stops.max(1);
        let stop = |i: usize| -> Result<RolloutStop> {
            let number = |key: &str| self.number(&of(&format!("stops/{i}/{key}")));
            Ok(RolloutStop {
                shift: shifts[i * width..(i + 1) * width].to_vec(),
                keep: number("keep")? as f32,
                pull: number("pull")? as f32,
                push: number("push")? as f32,
                fresh: number("fresh")? as f32,
                scale: number("scale")? as f32,
                slope: number("slope")? as f32,
                variance: number("variance")?,
            })
        };
        Ok(Rollout {
            channels: self.count(&of("channels"))?,
            context: self.count(&of("context"))?,
            chunk: self.count(&of("chunk"))?,
            delta_std: self.tensor(&format!("{ROLLOUT}.delta_std"))?.0,
            delta_limit: self.number(&of("delta_limit"))? as f32,
            to_first: self.linear("to_first")?,
            to_expected: self.linear("to_expected")?,
            to_frames: self.linear("to_frames")?,
            network: network.into(),
            gain: self.number(&of("gain"))? as f32,
            temperature: self.number(&of("temperature"))? as f32,
            stops: (0..stops).map(stop).collect::<Result<_>>()?,
        })
    }
}
