//! Whole runs handed to the engine, where energy and transition can be said to it.

use super::{ChainState, RunInfo};
use crate::energy::rows::plain;
use crate::energy::{Energy, Evaluated};
use crate::error::Result;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{self, ChainKind, ChainStart, RunOptions};

/// The run of `walk` from `x`, where energy and gradient may be known; `None` where the energy has no program, or the
/// chains are not f32 on the CPU: there the tensors are the only way.
pub(super) fn run(
    walk: &ChainKind,
    energy: &dyn Energy,
    x: &Tensor,
    at: Option<&Evaluated>,
    noise: &mut Noise,
) -> Result<Option<(ChainState, RunInfo)>> {
    if walk.steps() == 0 || x.dtype() != DType::F32 || !x.device().is_cpu() || x.elem_count() == 0 {
        return Ok(None);
    }
    let Some(program) = energy.program(x.dims())? else { return Ok(None) };
    let numbers = plain(x)?;
    let known = at.map(|at| -> Result<_> { Ok((plain(&at.energy)?, plain(&at.grad)?)) }).transpose()?;
    let start = ChainStart { x: &numbers, at: known.as_ref().map(|(value, grad)| (&value[..], &grad[..])) };
    let finish = engine::run(&program, walk, start, noise, &RunOptions::default())?;
    let shape = x.shape();
    let state = ChainState {
        x: Tensor::from_vec(finish.x, shape, &Device::Cpu)?,
        at: Evaluated {
            energy: Tensor::from_vec(finish.energy, x.dim(0)?, &Device::Cpu)?,
            grad: Tensor::from_vec(finish.grad, shape, &Device::Cpu)?,
        },
    };
    let info = RunInfo {
        acceptance: finish.acceptance,
        gradient_norm: finish.gradient_norm,
        moved: finish.moved,
        gradients: walk.evaluations(),
    };
    Ok(Some((state, info)))
}
