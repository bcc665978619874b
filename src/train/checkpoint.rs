//! Saving and resuming a run.

use super::{Adam, Archive, Objective, TrainConfig};
use crate::error::{Error, Result};
use crate::settings::Settings;
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where and with what a run is saved; how often is the trainer's setting.
#[derive(Debug, Clone)]
pub struct CheckpointPlan {
    /// The checkpoint file.
    pub path: PathBuf,
    /// Continue from the file if it is there.
    pub resume: bool,
    /// What identifies the run besides the trainer's own settings (data, model): a checkpoint of another run is
    /// refused.
    pub identity: serde_json::Value,
}

/// What a checkpoint says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kind: String,
    version: u32,
    step: u64,
    best_step: u64,
    best: Option<f64>,
    #[serde(default)]
    restarts: u64,
    #[serde(default)]
    seconds: f64,
    config: TrainConfig,
    identity: serde_json::Value,
}

const KIND: &str = "checkpoint";
const WHOLE: &str = "the whole state of this objective";
const VERSION: u32 = 1;

/// The trainer's state between two steps.
pub(super) struct State {
    /// Steps done.
    pub(super) step: u64,
    /// Moving average of the weights, in the parameters' order.
    pub(super) average: Vec<Tensor>,
    /// Averaged weights of the best validation so far.
    pub(super) best_weights: Vec<Tensor>,
    /// Its figure and step.
    pub(super) best: Option<f64>,
    pub(super) best_step: u64,
    /// How often the run has gone back to a checkpoint.
    pub(super) restarts: u64,
    /// Seconds that the steps took, those before a resume included.
    pub(super) seconds: f64,
}

impl CheckpointPlan {
    pub(super) fn save(&self, objective: &dyn Objective, adam: &Adam, s: &State, config: &TrainConfig) -> Result<()> {
        let (parameters, compact) = (objective.parameters(), config.compact_checkpoints);
        let mut tensors = BTreeMap::new();
        for (i, (name, var)) in parameters.iter().enumerate() {
            let weight = var.as_detached_tensor();
            let near = |t: &Tensor| -> Result<Tensor> { if compact { short(&(t - &weight)?) } else { Ok(t.clone()) } };
            tensors.insert(format!("average/{name}"), near(&s.average[i])?);
            tensors.insert(format!("best/{name}"), near(&s.best_weights[i])?);
            tensors.insert(format!("weight/{name}"), weight);
        }
        for (name, moment) in adam.state(parameters)? {
            tensors.insert(name, if compact { short(&moment)? } else { moment });
        }
        tensors.extend(objective.state()?.into_iter().map(|(name, t)| (format!("objective/{name}"), t)));
        let header = Header {
            kind: KIND.into(),
            version: VERSION,
            step: s.step,
            best_step: s.best_step,
            best: s.best,
            restarts: s.restarts,
            seconds: s.seconds,
            config: config.clone(),
            identity: self.identity.clone(),
        };
        let meta = header.as_json()?;
        Archive { tensors, meta, ..Archive::default() }.save(&self.path)
    }

    pub(super) fn load(&self, objective: &mut dyn Objective, adam: &mut Adam, config: &TrainConfig) -> Result<State> {
        let path = &self.path;
        let archive = Archive::load(path)?;
        let header: Header = serde_json::from_value(archive.meta.clone())
            .map_err(|e| Error::model(path, format!("a header that says {e}"), "a checkpoint of this version"))?;
        if header.kind != KIND || header.version != VERSION {
            let found = format!("a {} of version {}", header.kind, header.version);
            return Err(Error::model(path, found, format!("a {KIND} of version {VERSION}")));
        }
        same(path, "training settings", &serde_json::json!(header.config), &serde_json::json!(config))?;
        same(path, "data and model", &header.identity, &self.identity)?;
        let parameters = objective.parameters();
        let device = parameters.device();
        let get = |name: &str| Ok(archive.tensor(path, name)?.to_device(&device)?);
        parameters.assign(|name| get(&format!("weight/{name}")))?;
        let dtype = parameters.iter().next().map_or(DType::F32, |(_, var)| var.dtype());
        let long = |name: &str| -> Result<Tensor> { Ok(get(name)?.to_dtype(dtype)?) };
        adam.restore(parameters, long)?;
        let all = |kind: &str| -> Result<Vec<Tensor>> {
            let one = |(name, var): (&str, &Var)| -> Result<Tensor> {
                let kept = long(&format!("{kind}/{name}"))?;
                Ok(if config.compact_checkpoints { (kept + var.as_detached_tensor())? } else { kept })
            };
            parameters.iter().map(one).collect()
        };
        let state = State {
            step: header.step,
            average: all("average")?,
            best_weights: all("best")?,
            best: header.best,
            best_step: header.best_step,
            restarts: header.restarts,
            seconds: header.seconds,
        };
        let restored = objective.restore(&|name| archive.tensors.get(&format!("objective/{name}")).cloned());
        restored.map_err(|e| match e {
            Error::Data { found, .. } => Error::model(path, found, WHOLE),
            other => Error::model(path, other, WHOLE),
        })?;
        Ok(state)
    }
}

fn short(t: &Tensor) -> Result<Tensor> {
    Ok(t.to_dtype(DType::BF16)?)
}

/// Refuses to continue a run with other settings, naming the first that differs.
fn same(path: &std::path::Path, what: &str, found: &serde_json::Value, wanted: &serde_json::Value) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    let key = match (found.as_object(), wanted.as_object()) {
        (Some(a), Some(b)) => b.iter().find(|(k, v)| a.get(*k) != Some(v)).map(|(k, v)| {
            (format!("`{k}` = {}", a.get(k).unwrap_or(&serde_json::Value::Null)), format!("`{k}` = {v}"))
        }),
        _ => None,
    };
    let (found, wanted) = key.unwrap_or_else(|| (found.to_string(), wanted.to_string()));
    Err(Error::model(
        path,
        format!("{what} with {found}"),
        format!("{wanted}, as this run asks, or another file for this run"),
    ))
}
