//! Arguments of `ebmotion image`.

mod classifier;
mod common;
mod score;

pub(crate) use classifier::{ClassifierArgs, MeasureArgs, RobustArgs};
pub(crate) use common::{Again, Common, Watched};
pub(crate) use score::{LikelihoodArgs, OodArgs};

use super::bench::{Device, device};
use clap::{Args, Subcommand};
use common::{ModelArg, Place, part};
use ebmotion_images::experiment::train::IMAGE_PRESETS;
use ebmotion_images::image::Part;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image show --data images/ --dataset mnist -o out/mnist
  ebmotion image show --data my_photos/ -o out/photos

Sets that are known by name (mnist, fashion_mnist, omniglot, cifar10, imagenet32) are looked for in the folder given \
by --data, each in a subfolder of its name: nothing is downloaded. dsprites is generated. Images of your own may be a \
folder of PNG or JPEG files (class folders become labels), idx, CIFAR's binary format, Parquet or a numpy archive.

Every experiment leaves EXPERIMENT.json (settings, data, figures) and its pictures in the folder given by -o. Until it \
has ended, what is done lies there in EXPERIMENT.unfinished (of train: in model.checkpoint): after Ctrl-C or a crash \
the same command with --resume goes on, to the same figures.")]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    pub(crate) experiment: Experiment,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// Shows what a set of images holds: classes, brightness, repetitions, and some of the images.
    Show(ShowArgs),
    /// Learns an energy from images.
    Train(ImageTrainArgs),
    /// Draws images from a learned energy.
    Generate(GenerateArgs),
    /// Fills in a hidden half of images.
    Inpaint(MendArgs),
    /// Takes salt and pepper out of images.
    Denoise(MendArgs),
    /// Leads images of each class to every other class.
    CrossClass(CrossClassArgs),
    /// Trains a classifier, plain or against attacks: what energies are compared with.
    Classifier(ClassifierArgs),
    /// Fréchet distance of two sets of images in the features of Inception-v3 (FID) or of a classifier.
    #[command(after_help = classifier::FID_HELP)]
    Fid(MeasureArgs),
    /// Inception score of a set of images, by Inception-v3 or by a classifier.
    #[command(after_help = classifier::SCORE_HELP)]
    InceptionScore(MeasureArgs),
    /// Classifies by the lowest energy, attacked, beside classifiers.
    Robust(RobustArgs),
    /// Tells images unlike those that a model was trained on from the others, by their energy and by likelihoods.
    Ood(OodArgs),
    /// Bounds the likelihood of test images under a learned energy, from both sides.
    Likelihood(LikelihoodArgs),
    /// Learns classes a few at a time, without the images of before: energies against other methods.
    Continual(ContinualArgs),
    /// Adds energies of single attributes of sprites: pairs that were never seen together; and, or, not.
    Compose(ComposeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image show --data images/ --dataset mnist -o out/mnist
  ebmotion image show --data images/ --dataset cifar10 --part test --count 40 --classes 3,5 -o out/cats_and_dogs
  ebmotion image show --dataset dsprites -o out/sprites
  ebmotion image show --data my_photos/ -o out/photos")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A set known by name, or `dsprites`; without it --data is the set.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Which part of a set known by name.
    #[arg(long, value_parser = part, default_value = "train", value_name = "train|test")]
    pub(crate) part: Part,
    /// Images shown.
    #[arg(long)]
    pub(crate) count: Option<usize>,
    /// Images side by side.
    #[arg(long, default_value_t = 10)]
    pub(crate) columns: usize,
    /// Only images of these labels (numbers, comma-separated).
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    pub(crate) classes: Option<Vec<u32>>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image train --data images/ --dataset mnist -o out/mnist
  ebmotion image train --data my_photos/ -o out/photos --set train.steps=20000 --set conditional=false
  ebmotion image train --data images/ --dataset mnist -o out/mnist --resume      after Ctrl-C or a crash
  ebmotion image train --data images/ --dataset mnist -o out/paper --preset paper
  ebmotion image train --data my_photos/ -o out/photos --set augment.shift=2 --set augment.flip=true --set \\
      conditional=false

Leaves model.safetensors, train.png (images drawn from it), train.json and model.telemetry.jsonl; until the run has
ended,
model.checkpoint. The presets paper and improved leave energies without noise levels: draw from them with as many
steps as their
chains have seen (--set sampler.levels=600), not with the 40 of train.png.")]
pub(crate) struct ImageTrainArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    /// A set known by name, or `dsprites`; without it --data is the set.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Settings to start from: noise levels learned by denoising, the paper's contrastive divergence, the improved one,
    /// noise levels learned by recovery likelihood, or energy matching.
    #[arg(long, value_name = "NAME", value_parser = IMAGE_PRESETS, default_value = "denoising")]
    pub(crate) preset: String,
    /// Where it learns: `cpu`, or `cuda:0` and so on in a build with the feature `cudnn` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image generate out/mnist/model.safetensors -o out/digits
  ebmotion image generate out/mnist/model.safetensors -o out/digits --rrd out/chains.rrd     then: rerun out/chains.rrd
  ebmotion image generate out/mnist/model.safetensors -o out/many --set count=10000
  ebmotion image generate out/mnist/model.safetensors -o out/many --set count=10000 --resume      after Ctrl-C
  ebmotion image generate out/mnist/model.safetensors -o out/threes --set classes=[3] --set sampler.guidance=2
  ebmotion image generate out/mnist/model.safetensors -o out/digits --data images/ --dataset mnist     with nearest \\
      neighbours

Leaves generate.png and generate.npz, film.png (some chains on their way, from left to right), generate.json, and with
images given neighbours.png (each image, then its three nearest training images).")]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// The set that it was trained on, known by name, or `dsprites`; without it --data is the set.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// A classifier from `ebmotion image classifier`: counts the images that are of the class that was asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) classifier: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image inpaint out/mnist/model.safetensors --data images/ --dataset mnist -o out/inpaint --set hidden=right
  ebmotion image denoise out/mnist/model.safetensors --data images/ --dataset mnist -o out/denoise --set share=0.1
  ebmotion image denoise out/mnist/model.safetensors --data images/ --dataset mnist -o out/denoise --set share=0.1 \\
      --resume

Leaves a picture of some test images, and the mean squared errors of both parts beside simple ways, as text and JSON.")]
pub(crate) struct MendArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// The set that the model was trained on, by name: its training and test part are mended.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image cross-class out/mnist/model.safetensors --data images/ --dataset mnist -o out/cross
  ebmotion image cross-class out/mnist/model.safetensors --data images/ --dataset mnist -o out/cross --set start=0.9
  ebmotion image cross-class out/mnist/model.safetensors --data images/ --dataset mnist -o out/cross --set start=0.9 \\
      --resume

Leaves cross-class.png: an image of each class, then where its chain goes by the energy given each class.")]
pub(crate) struct CrossClassArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// The set that the model was trained on, by name: its test part is where chains start.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    /// A classifier from `ebmotion image classifier`: counts the ends that are of the class that was asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) classifier: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image continual --data images/ -o out/continual
  ebmotion image continual --data images/ -o out/quick --set seeds=2 --set 'methods=[\"ebm\",\"ewc\"]'
  ebmotion image continual --data images/ -o out/continual --resume      after Ctrl-C
  ebmotion image continual --data images/ -o out/tuned --tune            then --config out/tuned/tuned.toml

Split-MNIST: the ten digits in five tasks of two, each training image seen once, no image kept. A method is then
asked which
of the ten digits a test image is. --tune tries every setting of a grid on a part of the training set that it keeps for
judging; the test set has no part in that.")]
pub(crate) struct ContinualArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    /// A set known by name.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    /// Looks for the best settings of each method, on the training set alone, and stops.
    #[arg(long)]
    pub(crate) tune: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image compose -o out/compose
  ebmotion image compose -o out/compose --resume      after Ctrl-C
  ebmotion image compose -o out/compose --rrd out/composed.rrd      every walk, one after the other
  ebmotion image compose -o out/three --set cross.runs=3 --set 'cross.fractions=[0,0.1,1]'

The sprites are generated: no set of images is read. One energy learns the size of a sprite, another its position; \
added, they draw pairs of size and position that neither has seen, beside a deconvolution network of both. Four \
energies (shape, size, position, rotation) are put together by and, or, not.")]
pub(crate) struct ComposeArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
}
