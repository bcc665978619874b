//! `ebmotion report`.

use super::args::{ReportArgs, Subset};
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::eval::report::Report;
use ebmotion::eval::{Baselines, CompareOptions, Comparison};
use ebmotion::forecast::{BASELINES, Baseline, Contender, Dataset, Model};
use ebmotion::trajectory::{Labels, Recording};
use ebmotion::{Error, Result};
use ebmotion_logs::files::FileRecord;

#[expect(clippy::too_many_lines, reason = "what a report is asked, step by step")]
pub(super) fn run(args: &ReportArgs, console: &mut Console) -> Result<()> {
    if args.seeds == 0 {
        return Err(Error::config("--seeds", 0, "at least 1"));
    }
    let inputs = Recording::files(&args.logs)?;
    let inputs = Inputs::new(inputs.iter().chain([&args.model]).chain(&args.beside).chain(&args.robot.urdf));
    inputs.spared_by(Report::FILES.map(|name| args.output.join(name)))?;
    output::check_folder(&args.output)?;
    let device = args.device.open()?;
    let model = args.sampler.apply(Model::load(&args.model)?)?.on(&device)?;
    let rows = baselines(&args.baselines)?;
    let changes = baseline_changes(&args.baseline_set, &rows)?;
    // The split is drawn anew: of the same episodes as in training it is the same.
    let excluded = args.exclude.as_ref().unwrap_or(&model.info().config.data.exclude_episodes);
    let excluded = excluded.iter().filter(|name| !name.is_empty()).cloned().collect();
    let (config, frames) = train::read_frames_but(&model, &args.logs, &args.read, excluded)?;
    let mut dataset =
        Dataset::new(frames, &config)?.with_normaliser(model.info().normaliser.clone()).on(device.clone());
    console.notes(&dataset.frames.notes);
    let unfamiliar = model.unfamiliar(&dataset.frames, 0..dataset.frames.episodes.len(), 0..usize::MAX);
    train::say_unfamiliar(&unfamiliar, false, console)?;
    match args.on {
        Subset::Test => model.check_unseen(&dataset)?,
        Subset::Validation => dataset.split.test.clone_from(&dataset.split.validation),
    }
    let mut options = CompareOptions::new(args.horizon.horizon(dataset.frames.rate_hz)?, args.seed);
    options.samples = args.samples;
    options.stride = args.stride.max(1);
    let labels = |column: &String| Labels::read(&args.logs, &config.data.read, column, &dataset.frames);
    options.links = args.robot.drive(&dataset.frames.channels)?;
    options.labels = args.label.as_ref().map(labels).transpose()?;
    // Before anything is trained: are there test windows of that length at all?
    let context = model.forecaster().context_frames();
    dataset.listed(&dataset.split.test, context, options.horizon, options.stride)?;
    let kept = args.keep.as_deref();
    if let Some(folder) = kept {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let models = model.train_seeds(args.seeds, &dataset, &config, kept, console)?;
    let mut beside: Vec<Contender> = Vec::new();
    for path in &args.beside {
        let other = Model::load(path)?;
        if args.on == Subset::Test {
            other.check_unseen(&dataset)?;
        }
        let name = output::name(path);
        // Two of one name would be taken for two training runs of one forecaster.
        if beside.iter().any(|b| b.forecaster.name() == name) {
            return Err(Error::config("beside", format!("two files named `{name}`"), "a name for each"));
        }
        beside.push(Contender::beside(&name, other, &dataset)?);
    }
    let baselines = Baselines { rows: &rows, changes: &changes, kept };
    let mut comparison = Comparison::with_baselines(&models, beside, &dataset, &baselines, &options, console)?;
    if let Some(urdf) = &args.robot.urdf {
        let bytes = std::fs::read(urdf).map_err(Error::io(urdf, "read"))?;
        comparison.report.protocol.data.push(FileRecord::of(urdf, &bytes));
    }
    let notes = &mut comparison.report.protocol.notes;
    notes.extend(unfamiliar.iter().map(|found| format!("Of the logs: {found}")));
    if args.on == Subset::Validation {
        notes.push("These are the validation episodes: figures to choose settings by, not figures of a test.".into());
    }
    let files = comparison.write(&args.output)?;
    output::print(&comparison.report.summary_table())?;
    if let Some(page) = files.iter().find(|f| f.extension().is_some_and(|e| e == "html")) {
        console.say(&format!("open {} for the whole report", page.display()));
    }
    Ok(())
}

/// `NAME.KEY=VALUE` pairs of baselines that take part.
fn baseline_changes(given: &[String], rows: &[&dyn Baseline]) -> Result<Vec<(String, String)>> {
    let names: Vec<&str> = rows.iter().map(|b| b.name()).collect();
    let pair = |text: &String| {
        let parts = text.split_once('=').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
        match parts {
            Some((key, value)) if names.iter().any(|n| key.starts_with(&format!("{n}."))) => Ok((key, value)),
            _ => {
                let expected = format!("NAME.KEY=VALUE, NAME one of {}", names.join(", "));
                Err(Error::config("--baseline-set", format!("`{text}`"), expected))
            }
        }
    };
    given.iter().map(pair).collect()
}

/// `classic`, `all`, `none`, or names of baselines.
fn baselines(given: &[String]) -> Result<Vec<&'static dyn Baseline>> {
    match given {
        [one] if one == "all" => Ok(BASELINES.to_vec()),
        [one] if one == "classic" => Ok(BASELINES.into_iter().filter(|b| b.classic()).collect()),
        [one] if one == "none" => Ok(Vec::new()),
        names => names.iter().map(|name| <dyn Baseline>::named(name)).collect(),
    }
}
