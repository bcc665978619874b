//! A classifier that learns task after task, and what is done against its forgetting: one [`Guard`] a method.

use super::learner::{Descent, Learner, Task, cross_entropy_gradient, outputs, softmax, tensor};
use super::perceptron::{Pass, Perceptron};
use super::plan::Plan;
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::noise::Noise;

/// Keeps a classifier from forgetting.
pub(super) trait Guard {
    /// Added to the gradient at the outputs of a batch, where there is anything to add.
    fn at_outputs(&self, x: &Tensor, outputs: &[Vec<f32>]) -> Result<Option<Tensor>> {
        let _ = (x, outputs);
        Ok(None)
    }

    /// Added to the gradient at the weights, where there is anything to add.
    fn at_weights(&self, net: &Perceptron) -> Result<Option<Vec<Tensor>>> {
        let _ = net;
        Ok(None)
    }

    /// A step has moved the weights from `before`, along a task loss with this gradient.
    fn moved(&mut self, net: &Perceptron, before: &[Tensor], gradient: &[Tensor]) -> Result<()> {
        let _ = (net, before, gradient);
        Ok(())
    }

    /// True when [`Guard::moved`] wants to know.
    fn watches(&self) -> bool {
        false
    }

    /// A task is over; `seen` classes are known now.
    fn finished(&mut self, net: &Perceptron, task: &Task, seen: usize, noise: &mut Noise) -> Result<()> {
        let _ = (net, task, seen, noise);
        Ok(())
    }
}

/// Fine-tuning: nothing is done against forgetting.
pub(super) struct Unguarded;

impl Guard for Unguarded {}

/// A perceptron with an output a class, trained on the cross entropy over the classes seen so far.
pub(super) struct Classifier<G> {
    net: Perceptron,
    plan: Plan,
    guard: G,
    seen: usize,
}

impl<G: Guard> Classifier<G> {
    pub(super) fn new(sizes: &[usize], plan: &Plan, guard: G, noise: &mut Noise) -> Result<Self> {
        Ok(Self { net: Perceptron::new(sizes, DType::F32, noise)?, plan: plan.clone(), guard, seen: 0 })
    }
}

impl<G: Guard> Learner for Classifier<G> {
    fn learn(&mut self, task: &Task, noise: &mut Noise) -> Result<()> {
        self.seen = self.seen.max(task.classes.end);
        let batches = task.batches(self.plan.batch, noise)?;
        let mut descent = Descent::new(&self.plan, &self.net.parameters, batches.len())?;
        for (x, labels) in &batches {
            let pass = self.net.forward(x)?;
            let rows: Vec<Vec<f32>> = pass.out.to_vec2()?;
            let target = |b: usize, class: usize| f32::from(u8::from(labels[b] == class));
            let at_out = tensor(cross_entropy_gradient(&rows, target, 0..self.seen, 1.0))?;
            let own = self.gradients(&pass, &at_out)?;
            let mut all = match self.guard.at_outputs(x, &rows)? {
                Some(more) => self.gradients(&pass, &(&at_out + more)?)?,
                None => own.clone(),
            };
            if let Some(more) = self.guard.at_weights(&self.net)? {
                all = all.iter().zip(&more).map(|(a, b)| Ok((a + b)?)).collect::<Result<_>>()?;
            }
            let before = if self.guard.watches() { self.net.parameters.values()? } else { Vec::new() };
            descent.step(&self.net.parameters, all)?;
            self.guard.moved(&self.net, &before, &own)?;
        }
        self.guard.finished(&self.net, task, self.seen, noise)
    }

    fn scores(&self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        outputs(&self.net, x)
    }

    fn parameters(&self) -> usize {
        self.net.parameters.count()
    }
}

impl<G> Classifier<G> {
    fn gradients(&self, pass: &Pass, at_out: &Tensor) -> Result<Vec<Tensor>> {
        self.net.gradients(pass, &self.net.deltas(pass, at_out)?)
    }
}

/// Elastic weight consolidation (Kirkpatrick et al. 2017, eq. 3): after each task a quadratic hold on the weights, as
/// strong as the diagonal of their Fisher information. The holds of several tasks add up to one quadratic, of which
/// curvature and linear part are kept.
#[derive(Default)]
pub(super) struct Ewc {
    strength: f64,
    /// Sum of the tasks' Fisher information, and that of its products with the weights of then.
    hold: Option<(Vec<Tensor>, Vec<Tensor>)>,
}

/// Images on which the Fisher information is measured.
const FISHER_IMAGES: usize = 2000;

impl Ewc {
    pub(super) fn new(strength: f64) -> Self {
        Self { strength, hold: None }
    }
}

impl Guard for Ewc {
    fn at_weights(&self, net: &Perceptron) -> Result<Option<Vec<Tensor>>> {
        let Some((curvature, linear)) = &self.hold else { return Ok(None) };
        let one = |((_, var), (f, fw)): ((&str, &candle_core::Var), (&Tensor, &Tensor))| {
            Ok((((var.as_detached_tensor() * f)? - fw)? * self.strength)?)
        };
        Ok(Some(net.parameters.iter().zip(curvature.iter().zip(linear)).map(one).collect::<Result<_>>()?))
    }

    fn finished(&mut self, net: &Perceptron, task: &Task, seen: usize, noise: &mut Noise) -> Result<()> {
        let count = FISHER_IMAGES.min(task.labels.len());
        let (x, _) = task.batches(count, noise)?.swap_remove(0);
        let pass = net.forward(&x)?;
        let rows: Vec<Vec<f32>> = pass.out.to_vec2()?;
        // Labels as the model itself would draw them: the Fisher information proper, not the empirical one.
        let shares = softmax(&rows, 0..seen);
        let uniform = noise.uniform((count, 1), DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let draw = |b: usize| {
            let mut rest = uniform[b];
            let passed = |p: &&f32| {
                rest -= **p;
                rest > 0.0
            };
            shares[b].iter().take_while(passed).count().min(seen - 1)
        };
        let labels: Vec<usize> = (0..count).map(draw).collect();
        let target = |b: usize, class: usize| f32::from(u8::from(labels[b] == class));
        // Single rows' gradients, hence without the mean over the batch.
        let at_out = tensor(cross_entropy_gradient(&rows, target, 0..seen, count as f32))?;
        let fisher = net.squares(&pass, &net.deltas(&pass, &at_out)?)?;
        let mean = |f: &Tensor| Ok((f / count as f64)?);
        let fisher: Vec<Tensor> = fisher.iter().map(mean).collect::<Result<_>>()?;
        let weights = net.parameters.values()?;
        let linear: Vec<Tensor> = fisher.iter().zip(&weights).map(|(f, w)| Ok((f * w)?)).collect::<Result<_>>()?;
        self.hold = Some(match self.hold.take() {
            None => (fisher, linear),
            Some((f, l)) => (add(&f, &fisher)?, add(&l, &linear)?),
        });
        Ok(())
    }
}

/// Synaptic intelligence (Zenke, Poole & Ganguli 2017, eqs. 4 and 5): how much each weight's way lowered the task's loss
/// tells how strongly it is held afterwards.
pub(super) struct Si {
    strength: f64,
    /// Since the task began: minus the sum of gradient times movement.
    path: Vec<Tensor>,
    start: Vec<Tensor>,
    /// Strengths so far, and the weights at the end of the last task.
    hold: Option<(Vec<Tensor>, Vec<Tensor>)>,
}

/// Added to the squared movement, as in the paper: a weight that did not move is not held infinitely.
const SI_DAMPING: f64 = 0.1;

impl Si {
    pub(super) fn new(strength: f64) -> Self {
        Self { strength, path: Vec::new(), start: Vec::new(), hold: None }
    }
}

impl Guard for Si {
    fn at_weights(&self, net: &Perceptron) -> Result<Option<Vec<Tensor>>> {
        let Some((omega, anchor)) = &self.hold else { return Ok(None) };
        let one = |((_, var), (o, a)): ((&str, &candle_core::Var), (&Tensor, &Tensor))| {
            Ok((((var.as_detached_tensor() - a)? * o)? * (2.0 * self.strength))?)
        };
        Ok(Some(net.parameters.iter().zip(omega.iter().zip(anchor)).map(one).collect::<Result<_>>()?))
    }

    fn watches(&self) -> bool {
        true
    }

    fn moved(&mut self, net: &Perceptron, before: &[Tensor], gradient: &[Tensor]) -> Result<()> {
        if self.start.is_empty() {
            self.start = before.to_vec();
            self.path = before.iter().map(|t| Ok(t.zeros_like()?)).collect::<Result<_>>()?;
        }
        for (((_, var), path), (old, g)) in net.parameters.iter().zip(&mut self.path).zip(before.iter().zip(gradient)) {
            *path = (&*path - ((var.as_detached_tensor() - old)? * g)?)?;
        }
        Ok(())
    }

    fn finished(&mut self, net: &Perceptron, _: &Task, _: usize, _: &mut Noise) -> Result<()> {
        let now = net.parameters.values()?;
        let mut omega = Vec::with_capacity(now.len());
        for ((path, start), now) in self.path.iter().zip(&self.start).zip(&now) {
            omega.push((path / ((now - start)?.sqr()? + SI_DAMPING)?)?.relu()?);
        }
        let omega = match self.hold.take() {
            None => omega,
            Some((before, _)) => add(&before, &omega)?,
        };
        self.hold = Some((omega, now));
        self.start.clear();
        Ok(())
    }
}

/// Learning without forgetting (Li & Hoiem 2017): the outputs of the network of before, on the images of now, are a
/// second target, softened by a temperature.
pub(super) struct Lwf {
    strength: f64,
    /// Network of before, and the classes that it knows.
    teacher: Option<(Perceptron, usize)>,
    sizes: Vec<usize>,
}

/// Temperature of the softened outputs, as in the paper.
const TEMPERATURE: f32 = 2.0;

impl Lwf {
    pub(super) fn new(strength: f64, sizes: &[usize]) -> Self {
        Self { strength, teacher: None, sizes: sizes.to_vec() }
    }
}

impl Guard for Lwf {
    fn at_outputs(&self, x: &Tensor, rows: &[Vec<f32>]) -> Result<Option<Tensor>> {
        let Some((teacher, known)) = &self.teacher else { return Ok(None) };
        let soft = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
            rows.iter().map(|r| r.iter().map(|v| v / TEMPERATURE).collect()).collect()
        };
        let targets = softmax(&soft(&outputs(teacher, x)?), 0..*known);
        // The loss is scaled by T^2, its gradient at the outputs has 1/T.
        let factor = self.strength as f32 * TEMPERATURE;
        Ok(Some(tensor(cross_entropy_gradient(&soft(rows), |b, class| targets[b][class], 0..*known, factor))?))
    }

    fn finished(&mut self, net: &Perceptron, _: &Task, seen: usize, _: &mut Noise) -> Result<()> {
        // Its own weights are replaced at once, so that what they are drawn from does not matter.
        let teacher = Perceptron::new(&self.sizes, DType::F32, &mut Noise::new(0))?;
        teacher.parameters.set_values(&net.parameters.values()?)?;
        self.teacher = Some((teacher, seen));
        Ok(())
    }
}

fn add(a: &[Tensor], b: &[Tensor]) -> Result<Vec<Tensor>> {
    a.iter().zip(b).map(|(a, b)| Ok((a + b)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 4] = [5, 8, 8, 3];

    fn task(count: usize) -> Result<Task> {
        let x = Noise::new(1).normal((count, 5), DType::F32, &Device::Cpu)?;
        Ok(Task { x, labels: (0..count).map(|i| i % 3).collect(), classes: 0..3 })
    }

    fn sum(tensors: &[Tensor]) -> Result<f64> {
        tensors.iter().map(|t| Ok(f64::from(t.sum_all()?.to_scalar::<f32>()?))).sum()
    }

    /// The Fisher information of an output's bias is the mean of `p (1 - p)`; a drawn label's square has that mean and,
    /// being at most 1, a standard deviation of at most 0.5.
    #[test]
    fn the_fisher_information_of_the_last_bias_is_the_variance_of_the_label() -> Result<()> {
        let net = Perceptron::new(&SIZES, DType::F32, &mut Noise::new(2))?;
        let task = task(FISHER_IMAGES)?;
        let mut ewc = Ewc::new(2.0);
        assert!(ewc.at_weights(&net)?.is_none());
        ewc.finished(&net, &task, 3, &mut Noise::new(3))?;
        let Some((curvature, _)) = &ewc.hold else { panic!("nothing is held") };
        let found = curvature[5].to_vec1::<f32>()?;
        let shares = softmax(&outputs(&net, &task.x)?, 0..3);
        for (class, found) in found.iter().enumerate() {
            let expected = shares.iter().map(|p| p[class] * (1.0 - p[class])).sum::<f32>() / shares.len() as f32;
            assert!((found - expected).abs() < 4.0 * 0.5 / (shares.len() as f32).sqrt(), "{found} {expected}");
        }
        // At the weights of the task the hold pulls nowhere; moved by 1 it pulls by strength times curvature.
        let still = ewc.at_weights(&net)?.unwrap_or_default();
        assert!(
            still
                .iter()
                .all(|t| t.abs().and_then(|t| t.max_all()).is_ok_and(|m| m.to_scalar::<f32>().is_ok_and(|m| m < 1e-6)))
        );
        for (_, var) in net.parameters.iter() {
            var.set(&(var.as_detached_tensor() + 1.0)?)?;
        }
        let pulled = ewc.at_weights(&net)?.unwrap_or_default();
        let (pulled, expected) = (sum(&pulled)?, 2.0 * sum(curvature)?);
        assert!((pulled / expected - 1.0).abs() < 1e-3, "{pulled} {expected}");
        Ok(())
    }

    /// Along small steps the path integrals of all weights add up to the fall of the loss (Zenke et al. 2017, eq. 3); the
    /// rest is of second order in the step, here some percent.
    #[test]
    fn the_path_of_synaptic_intelligence_adds_up_to_the_fall_of_the_loss() -> Result<()> {
        let net = Perceptron::new(&SIZES, DType::F32, &mut Noise::new(2))?;
        let task = task(60)?;
        let loss = || -> Result<f64> {
            let shares = softmax(&outputs(&net, &task.x)?, 0..3);
            Ok(shares.iter().zip(&task.labels).map(|(p, l)| -f64::from(p[*l]).ln()).sum::<f64>() / 60.0)
        };
        let mut si = Si::new(1.0);
        let before = loss()?;
        for _ in 0..100 {
            let pass = net.forward(&task.x)?;
            let rows: Vec<Vec<f32>> = pass.out.to_vec2()?;
            let target = |b: usize, class: usize| f32::from(u8::from(task.labels[b] == class));
            let at_out = tensor(cross_entropy_gradient(&rows, target, 0..3, 1.0))?;
            let gradients = net.gradients(&pass, &net.deltas(&pass, &at_out)?)?;
            let old = net.parameters.values()?;
            for ((_, var), g) in net.parameters.iter().zip(&gradients) {
                var.set(&(var.as_detached_tensor() - (g * 0.02)?)?)?;
            }
            si.moved(&net, &old, &gradients)?;
        }
        let (path, fall) = (sum(&si.path)?, before - loss()?);
        assert!(fall > 0.05 && (path / fall - 1.0).abs() < 0.05, "{path} along the way, {fall} in all");
        si.finished(&net, &task, 3, &mut Noise::new(0))?;
        assert!(si.at_weights(&net)?.is_some_and(|pull| sum(&pull).is_ok_and(|s| s == 0.0)));
        Ok(())
    }

    #[test]
    fn a_network_that_has_not_changed_forgets_nothing() -> Result<()> {
        let net = Perceptron::new(&SIZES, DType::F32, &mut Noise::new(2))?;
        let task = task(12)?;
        let mut lwf = Lwf::new(1.0, &SIZES);
        let rows = outputs(&net, &task.x)?;
        assert!(lwf.at_outputs(&task.x, &rows)?.is_none());
        lwf.finished(&net, &task, 2, &mut Noise::new(0))?;
        let largest = |rows: &[Vec<f32>]| -> Result<f32> {
            let Some(pull) = lwf.at_outputs(&task.x, rows)? else { panic!("no teacher") };
            Ok(pull.abs()?.max_all()?.to_scalar()?)
        };
        assert!(largest(&rows)? < 1e-7);
        // The third class was not known to the teacher: its output is free.
        let third: Vec<Vec<f32>> = rows.iter().map(|r| vec![r[0], r[1], r[2] + 5.0]).collect();
        assert!(largest(&third)? < 1e-7);
        let first: Vec<Vec<f32>> = rows.iter().map(|r| vec![r[0] + 5.0, r[1], r[2]]).collect();
        assert!(largest(&first)? > 1e-3);
        Ok(())
    }
}
