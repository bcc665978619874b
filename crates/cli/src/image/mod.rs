//! `ebmotion image`: one function an experiment, and what they share.

mod classifier;
mod compose;
mod continual;
mod cross_class;
mod generate;
mod likelihood;
mod live;
mod measure;
mod mend;
mod ood;
mod results;
mod robust;
mod show;
mod train;

use super::args::{Experiment, ImageArgs};
use super::console::Console;
use ebmotion::Result;

pub(super) fn run(args: &ImageArgs, console: &mut Console) -> Result<()> {
    match &args.experiment {
        Experiment::Show(args) => show::run(args, console),
        Experiment::Train(args) => train::run(args, console),
        Experiment::Generate(args) => generate::run(args, console),
        Experiment::Inpaint(args) => mend::inpaint(args, console),
        Experiment::Denoise(args) => mend::denoise(args, console),
        Experiment::CrossClass(args) => cross_class::run(args, console),
        Experiment::Classifier(args) => classifier::run(args, console),
        Experiment::Fid(args) => measure::fid(args, console),
        Experiment::InceptionScore(args) => measure::inception_score(args, console),
        Experiment::Robust(args) => robust::run(args, console),
        Experiment::Likelihood(args) => likelihood::run(args, console),
        Experiment::Ood(args) => ood::run(args, console),
        Experiment::Continual(args) => continual::run(args, console),
        Experiment::Compose(args) => compose::run(args, console),
    }
}
