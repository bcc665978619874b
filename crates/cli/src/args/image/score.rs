//! Arguments of the experiments that judge images by a learned energy.

use super::common::{Again, Common, ModelArg, Watched};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image ood out/mnist/model.safetensors --data images/ -o out/ood
  ebmotion image ood out/mnist/model.safetensors --data images/ -o out/ood --set at=0.2 --set 'baselines=[]'
  ebmotion image ood out/cifar/model.safetensors --data images/ --dataset cifar10 -o out/ood
  ebmotion image ood out/mnist/model.safetensors --data images/ -o out/ood --resume      after Ctrl-C
  ebmotion image train --data images/ --dataset mnist --set classes=[0,1,2,3,4] -o out/few     then `other classes` are a set too

Test images of the model's set against constant images, uniform noise, means of two test images, classes that the model was
not trained on, and all other sets found in --data: AUROC, average precision, false positive rate at 95 % true positives of
the energy, at several noise levels and by all of them together, and of the likelihoods of an autoregressive network and of a flow. Those two are trained
first and kept in the folder given by -o. Leaves ood.txt, ood.json and ood.png, where each row is a set.")]
pub(crate) struct OodArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    /// The set that the model was trained on, known by name.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image likelihood out/mnist/model.safetensors --data images/ -o out/likelihood
  ebmotion image likelihood out/mnist/model.safetensors --data images/ -o out/likelihood --set at=0.2 --set levels=10000
  ebmotion image likelihood out/mnist/model.safetensors --data images/ -o out/likelihood --rrd out/annealed.rrd
  ebmotion image likelihood out/mnist/model.safetensors --data images/ -o out/likelihood --resume      after Ctrl-C

Annealed importance sampling with Hamiltonian Monte Carlo from a standard normal down the energy's noise levels bounds its
constant from below, and so the likelihood of test images with the noise of level `at` from above; the same way back, from
where the chains came out, bounds it from the other side as far as these are draws of the energy. A Gaussian of as many numbers,
whose constant is known, goes the same way. More levels close the gap. Leaves likelihood.txt, likelihood.json and
likelihood.png, where the chains came out.")]
pub(crate) struct LikelihoodArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// The set that the model was trained on, known by name.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
}
