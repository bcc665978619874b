//! Settings of the comparison.

use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// How one method learns a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Adam's step size at the beginning of each task; it falls along half a cosine. Positive.
    pub learning_rate: f64,
    /// Images a step; every image of a task is seen once. At least 1.
    pub batch: usize,
    /// What makes the method: see [`Method`]. At least 0.
    pub strength: f64,
}

/// The methods that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Energy of a perceptron given the class, how far an image is from what the class's part of the network makes of it.
    /// Strength: weight of the contrast with the task's other classes.
    Ebm,
    /// Energy of a perceptron given the class, trained only on the contrast with the task's other classes (Li et al. 2020).
    /// Strength: share of the hidden units that a class sees, in (0, 1].
    EbmLabels,
    /// Variational autoencoder given the class (Kingma & Welling 2014), the class with the highest bound is the answer.
    /// Strength: weight of the Kullback-Leibler term.
    Vae,
    /// Learning without forgetting. Strength: weight of the softened targets.
    Lwf,
    /// Elastic weight consolidation. Strength: weight of the Fisher information.
    Ewc,
    /// Synaptic intelligence. Strength: weight of the hold.
    Si,
    /// A classifier trained on task after task. Strength: without meaning.
    FineTuning,
    /// The same classifier trained on all classes at once, once: what there is to lose. Strength: without meaning.
    Joint,
}

impl Method {
    /// All methods, in the order of the table.
    pub const ALL: [Method; 8] = [
        Method::Ebm,
        Method::EbmLabels,
        Method::Vae,
        Method::Lwf,
        Method::Ewc,
        Method::Si,
        Method::FineTuning,
        Method::Joint,
    ];

    /// Name as in settings.
    pub fn name(self) -> &'static str {
        match self {
            Method::Ebm => "ebm",
            Method::EbmLabels => "ebm_labels",
            Method::Vae => "vae",
            Method::Lwf => "lwf",
            Method::Ewc => "ewc",
            Method::Si => "si",
            Method::FineTuning => "fine_tuning",
            Method::Joint => "joint",
        }
    }
}

/// Settings of the experiment. The defaults of the methods are what `tune` found on MNIST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContinualConfig {
    /// Seed of everything.
    pub seed: u64,
    /// Runs of each method, with seeds of their own. At least 1.
    pub seeds: usize,
    /// The methods compared.
    pub methods: Vec<Method>,
    /// Classes a task; the classes are taken in the order of their labels. At least 1.
    pub classes_per_task: usize,
    /// Width of each of the two hidden layers. At least the number of classes.
    pub hidden: usize,
    /// Numbers of the autoencoder's code.
    pub latent: usize,
    /// Images of the training set that tuning keeps for judging; the final runs train on them too.
    pub validation: usize,
    /// Of [`Method::Ebm`].
    pub ebm: Plan,
    /// Of [`Method::EbmLabels`].
    pub ebm_labels: Plan,
    /// Of [`Method::Vae`].
    pub vae: Plan,
    /// Of [`Method::Lwf`].
    pub lwf: Plan,
    /// Of [`Method::Ewc`].
    pub ewc: Plan,
    /// Of [`Method::Si`].
    pub si: Plan,
    /// Of [`Method::FineTuning`].
    pub fine_tuning: Plan,
    /// Of [`Method::Joint`].
    pub joint: Plan,
}

impl Default for ContinualConfig {
    fn default() -> Self {
        let plan = |learning_rate, batch, strength| Plan { learning_rate, batch, strength };
        Self {
            seed: 0,
            seeds: 10,
            methods: Method::ALL.to_vec(),
            classes_per_task: 2,
            hidden: 400,
            latent: 50,
            validation: 10_000,
            ebm: plan(3e-3, 16, 0.3),
            ebm_labels: plan(1e-4, 32, 0.4),
            vae: plan(1e-3, 32, 1.0),
            lwf: plan(1e-3, 32, 1.0),
            ewc: plan(1e-4, 128, 1e4),
            si: plan(1e-3, 32, 100.0),
            fine_tuning: plan(1e-3, 32, 0.0),
            joint: plan(3e-3, 32, 0.0),
        }
    }
}

impl ContinualConfig {
    /// The plan of a method.
    pub fn plan(&self, method: Method) -> &Plan {
        match method {
            Method::Ebm => &self.ebm,
            Method::EbmLabels => &self.ebm_labels,
            Method::Vae => &self.vae,
            Method::Lwf => &self.lwf,
            Method::Ewc => &self.ewc,
            Method::Si => &self.si,
            Method::FineTuning => &self.fine_tuning,
            Method::Joint => &self.joint,
        }
    }

    pub(super) fn plan_mut(&mut self, method: Method) -> &mut Plan {
        match method {
            Method::Ebm => &mut self.ebm,
            Method::EbmLabels => &mut self.ebm_labels,
            Method::Vae => &mut self.vae,
            Method::Lwf => &mut self.lwf,
            Method::Ewc => &mut self.ewc,
            Method::Si => &mut self.si,
            Method::FineTuning => &mut self.fine_tuning,
            Method::Joint => &mut self.joint,
        }
    }

    pub(super) fn validate(&self, classes: usize) -> Result<()> {
        let at_least_1 = [
            ("seeds", self.seeds),
            ("methods", self.methods.len()),
            ("classes_per_task", self.classes_per_task),
            ("latent", self.latent),
        ];
        if let Some((key, _)) = at_least_1.iter().find(|(_, value)| *value == 0) {
            return Err(Error::config(*key, 0, "at least 1"));
        }
        if self.hidden < classes {
            return Err(Error::config("hidden", self.hidden, format!("at least {classes}, a unit a class")));
        }
        for method in Method::ALL {
            let (plan, name) = (self.plan(method), method.name());
            if !(plan.learning_rate > 0.0 && plan.learning_rate.is_finite()) {
                return Err(Error::config(format!("{name}.learning_rate"), plan.learning_rate, "a positive number"));
            }
            if plan.batch == 0 {
                return Err(Error::config(format!("{name}.batch"), 0, "at least 1"));
            }
            let most = if method == Method::EbmLabels { 1.0 } else { f64::MAX };
            if !(0.0..=most).contains(&plan.strength) {
                return Err(Error::config(format!("{name}.strength"), plan.strength, format!("0 to {most:e}")));
            }
        }
        Ok(())
    }

    /// What tuning tries for a method: step sizes, batches and strengths, every combination.
    pub(super) fn grid(method: Method) -> [&'static [f64]; 3] {
        match method {
            Method::Ebm => [&[1e-3, 3e-3], &[16.0, 32.0, 128.0], &[0.0, 0.1, 0.3]],
            Method::EbmLabels => [&[1e-4, 3e-4, 1e-3], &[32.0, 128.0], &[0.1, 0.2, 0.4]],
            Method::Vae => [&[1e-4, 3e-4, 1e-3], &[32.0, 128.0], &[1.0]],
            Method::Lwf => [&[1e-4, 1e-3], &[32.0, 128.0], &[0.3, 1.0, 3.0, 10.0]],
            Method::Ewc => [&[1e-4, 1e-3], &[32.0, 128.0], &[1e1, 1e2, 1e3, 1e4]],
            Method::Si => [&[1e-4, 1e-3], &[32.0, 128.0], &[0.1, 1.0, 10.0, 100.0]],
            Method::FineTuning | Method::Joint => [&[1e-4, 1e-3, 3e-3], &[32.0, 128.0], &[0.0]],
        }
    }
}
