//! Model files: what a robot's runtime needs of a model, and files of before.

use super::ebm::LevelForecaster;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use ebmotion_engine::engine::{Linear, Nonlinearity};
use ebmotion_runtime::ROLLOUT;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Version of the layout of model files. Version 1 had no digest, computed eigenvectors when it was read, and kept the
/// sampler's settings among the model's.
pub(super) const VERSION: u32 = ebmotion_runtime::LAYOUT as u32;

/// What `ebmotion_runtime` reads: the rollout as the engine runs it, numbers and tensors.
///
/// # Errors
/// [`Error::Tensor`].
pub(super) fn rollout(model: &LevelForecaster) -> Result<(Value, Vec<(String, Tensor)>)> {
    let rollout = model.rollout();
    let mut tensors = Vec::new();
    let mut put = |name: String, values: &[f32], shape: &[usize]| -> Result<()> {
        tensors.push((format!("{ROLLOUT}.{name}"), Tensor::from_slice(values, shape, &Device::Cpu)?));
        Ok(())
    };
    let maps: [(&str, &Linear); 3] =
        [("to_first", &rollout.to_first), ("to_expected", &rollout.to_expected), ("to_frames", &rollout.to_frames)];
    for (name, map) in maps {
        put(format!("{name}.weight"), map.weight(), &[map.outputs(), map.inputs()])?;
        put(format!("{name}.bias"), map.bias(), &[map.outputs()])?;
    }
    let layers = rollout.network.layers();
    for (l, layer) in layers.hidden.iter().enumerate() {
        let (rows, columns) = layer.shape();
        put(format!("layer.{l}.weight"), &layer.weight, &[rows, columns])?;
        put(format!("layer.{l}.bias"), &layer.bias, &[layer.outputs])?;
    }
    put("head.weight".into(), &layers.head, &[layers.head.len()])?;
    put("head.bias".into(), &[layers.head_bias], &[1])?;
    put("delta_std".into(), &rollout.delta_std, &[rollout.channels])?;
    let shifts: Vec<f32> = rollout.stops.iter().flat_map(|stop| &stop.shift).copied().collect();
    put("shifts".into(), &shifts, &[rollout.stops.len(), shifts.len() / rollout.stops.len().max(1)])?;
    let stop = |s: &ebmotion_engine::engine::RolloutStop| {
        json!({
            "keep": s.keep, "pull": s.pull, "push": s.push, "fresh": s.fresh,
            "scale": s.scale, "slope": s.slope, "variance": s.variance,
        })
    };
    let leaky_slope = match layers.activation {
        Nonlinearity::Swish => None,
        Nonlinearity::Leaky(slope) => Some(slope),
    };
    let numbers = json!({
        "channels": rollout.channels,
        "context": rollout.context,
        "chunk": rollout.chunk,
        "latent": layers.inputs(),
        "layers": layers.hidden.len(),
        "positions": layers.hidden.iter().map(|l| l.shared.positions).collect::<Vec<_>>(),
        "reach": layers.hidden.iter().map(|l| l.shared.reach).collect::<Vec<_>>(),
        "leaky_slope": leaky_slope,
        "delta_limit": rollout.delta_limit,
        "gain": rollout.gain,
        "temperature": rollout.temperature,
        "stops": rollout.stops.iter().map(stop).collect::<Vec<_>>(),
    });
    Ok((numbers, tensors))
}

/// The description of a file of version 1 as version 2 has it. Nothing is lost or guessed: the sampler's settings have
/// moved, and what was written as 0 where the data decided had been decided when the file was written.
///
/// # Errors
/// [`Error::Model`] for a description that is none.
pub(super) fn upgrade(path: &Path, mut meta: Value) -> Result<Value> {
    if meta.get("version") != Some(&json!(1)) {
        return Ok(meta);
    }
    let bad = |found: &str| Error::model(path, found, "a model of version 1 with all its settings: train again");
    let config = meta.pointer_mut("/config").and_then(Value::as_object_mut).ok_or_else(|| bad("no settings"))?;
    let model =
        config.get_mut("model").and_then(Value::as_object_mut).ok_or_else(|| bad("no settings of the model"))?;
    let mut sampler = Map::new();
    if model.get("kind") == Some(&json!("denoising")) {
        let levels = model.remove("levels").and_then(|v| v.as_u64()).ok_or_else(|| bad("no `levels`"))?;
        // The last evaluation counts as a level now.
        sampler.insert("levels".into(), json!(levels + 1));
        let moved = [
            ("start", "start"),
            ("end", "end"),
            ("guidance", "guidance"),
            ("temperature", "temperature"),
            ("churn", "eta"),
            ("corrections", "corrector_steps"),
            ("correction_step", "corrector_size"),
        ];
        for (before, now) in moved {
            if let Some(value) = model.remove(before) {
                sampler.insert(now.into(), value);
            }
        }
        // Before there were settings for these.
        sampler.entry("end").or_insert(json!(0.02));
        sampler.entry("guidance").or_insert(json!(1.0));
    }
    config.insert("sampler".into(), Value::Object(sampler));
    meta["version"] = json!(VERSION);
    Ok(meta)
}
