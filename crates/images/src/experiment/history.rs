//! Weights of the last part of a training run, for chains that walk by several of them in turn.

use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;
use ebmotion::train::{Batch, Gradients, Loss, Objective};
use serde::{Deserialize, Serialize};

/// Which weights are kept besides the last: the "historical ensemble" of Du & Mordatch 2019 keeps 10, 300 steps apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How many; 0 for none.
    pub count: u64,
    /// Steps between two of them, at least 1.
    pub every: u64,
}

/// An objective whose weights are copied on the way.
pub(super) struct Remembering<'a> {
    inner: &'a mut dyn Objective,
    history: History,
    /// Steps of the whole run, and those begun.
    total: u64,
    begun: u64,
    /// One set of weights each, the oldest first.
    pub(super) kept: Vec<Vec<Tensor>>,
}

const BEGUN: &str = "history/begun";

impl<'a> Remembering<'a> {
    pub(super) fn new(inner: &'a mut dyn Objective, history: History, total: u64) -> Self {
        Self { inner, history, total, begun: 0, kept: Vec::new() }
    }

    /// Sets to be kept once all but `left` steps are done: those of 1 to `count` times `every` steps before the end.
    fn due(&self) -> u64 {
        let History { count, every } = self.history;
        let left = self.total.saturating_sub(self.begun);
        (count + 1).saturating_sub(left.div_ceil(every.max(1)))
    }
}

impl Objective for Remembering<'_> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn parameters(&self) -> &Parameters {
        self.inner.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        if self.due() > self.kept.len() as u64 {
            let copies = self.parameters().values()?.iter().map(|t| Ok(t.copy()?)).collect::<Result<_>>()?;
            self.kept.push(copies);
        }
        self.begun += 1;
        self.inner.prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        self.inner.loss(batch, noise)
    }

    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        self.inner.gradients(batch, noise)
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        self.inner.validate(batch, noise)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = self.inner.state()?;
        if self.history.count > 0 {
            all.push((BEGUN.into(), Tensor::new(&[self.begun as i64], &Device::Cpu)?));
            for (k, weights) in self.kept.iter().enumerate() {
                let named = self.parameters().iter().zip(weights);
                all.extend(named.map(|((name, _), t)| (format!("history/{k}/{name}"), t.clone())));
            }
        }
        Ok(all)
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        let begun = get(BEGUN);
        if begun.is_some() {
            self.begun = Parameters::required_count(BEGUN, begun)?;
            self.kept.clear();
            let set = |k: usize| -> Option<Vec<Tensor>> {
                self.inner.parameters().iter().map(|(name, _)| get(&format!("history/{k}/{name}"))).collect()
            };
            let kept = (0..).map_while(set).collect();
            self.kept = kept;
        }
        self.inner.restore(get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use ebmotion::model::{Activation, Mlp, MlpConfig};
    use ebmotion::train::objective::Regression;

    fn regression() -> Regression {
        let config = MlpConfig {
            inputs: 1,
            context: 0,
            hidden: vec![2],
            outputs: 1,
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let net = Mlp::new(config, &mut Noise::new(1), DType::F32, &Device::Cpu).unwrap();
        Regression { net }
    }

    fn remembering(inner: &mut Regression) -> Remembering<'_> {
        Remembering::new(inner, History { count: 3, every: 4 }, 20)
    }

    /// Each step sets all weights to its number, so that a set of weights says when it was kept.
    fn step(o: &mut Remembering<'_>, step: u64) {
        let values: Vec<Tensor> = o
            .parameters()
            .values()
            .unwrap()
            .iter()
            .map(|t| t.ones_like().unwrap().affine(step as f64, 0.0).unwrap())
            .collect();
        o.prepare().unwrap();
        o.parameters().set_values(&values).unwrap();
    }

    fn when(o: &Remembering<'_>) -> Vec<f32> {
        o.kept.iter().map(|w| w[0].flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]).collect()
    }

    #[test]
    fn the_last_sets_are_kept_also_by_a_run_that_was_stopped_between() {
        let (mut one, mut two, mut three) = (regression(), regression(), regression());
        let mut whole = remembering(&mut one);
        (1..=20).for_each(|k| step(&mut whole, k));
        let mut first = remembering(&mut two);
        (1..=14).for_each(|k| step(&mut first, k));
        let state = first.state().unwrap();
        let mut second = remembering(&mut three);
        second.restore(&|name| state.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone())).unwrap();
        (15..=20).for_each(|k| step(&mut second, k));
        assert_eq!(when(&whole), when(&second));
        assert_eq!(when(&whole), [8.0, 12.0, 16.0]);
    }
}
