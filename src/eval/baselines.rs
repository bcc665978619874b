//! A model in the report: beside baselines that are fitted on the same episodes, and beside other models.

use super::compare::{CompareOptions, Comparison};
use super::report::SUBJECT;
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::forecast::{BASELINES, Baseline, Contender, Dataset, Forecaster, Model, Request};
use crate::noise::Noise;
use candle_core::Tensor;
use std::path::Path;

/// Baselines of a report.
#[derive(Clone, Copy, Default)]
pub struct Baselines<'a> {
    /// Rows of [`BASELINES`], or others.
    pub rows: &'a [&'a dyn Baseline],
    /// Settings that are changed, by `name.key`, and their values.
    pub changes: &'a [(String, String)],
    /// Folder in which trainings are kept: one that is there is taken, one that was interrupted goes on.
    pub kept: Option<&'a Path>,
}

impl Comparison {
    /// Fits the baselines, those that are trained once for each of `models`, and compares the models with them and with
    /// `others`, on the test episodes.
    ///
    /// # Errors
    /// As [`Contender::fit`] and [`Comparison::of`].
    pub fn with_baselines(
        models: &[Model],
        mut others: Vec<Contender>,
        dataset: &Dataset,
        baselines: &Baselines<'_>,
        options: &CompareOptions,
        sink: &mut dyn Sink,
    ) -> Result<Comparison> {
        let &Baselines { rows, changes, kept } = baselines;
        for baseline in rows {
            let runs = if baseline.is_trained() { models.len() as u64 } else { 1 };
            for seed in 0..runs {
                others.push(Contender::fit(*baseline, dataset, changes, options.seed + seed, kept, sink)?);
            }
        }
        let subjects: Vec<_> = models.iter().map(|m| (m.forecaster(), m.info().train_seconds)).collect();
        let mut comparison = Self::of(dataset, &subjects, &others, options, sink)?;
        let notes = &mut comparison.report.protocol.notes;
        if models.len() > 1 {
            notes.push(format!(
                "Trained forecasters: {} runs each, of successive seeds on the same training episodes; figures are \
                 means over the runs.",
                models.len()
            ));
        }
        for note in rows.iter().filter_map(|baseline| baseline.note()) {
            if !notes.iter().any(|told| told == note) {
                notes.push(note.into());
            }
        }
        let seeds = &mut comparison.report.protocol.seeds;
        if let Some(model) = models.first() {
            seeds.insert("model".into(), model.info().config.seed);
        }
        seeds.insert("baselines".into(), options.seed);
        Ok(comparison)
    }
}

impl Contender {
    /// Another model of the same logs, to stand in the report under a name of its own.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that the report has already; [`Error::Data`] for a model of other logs.
    pub fn beside(name: &str, model: Model, dataset: &Dataset) -> Result<Contender> {
        if model.info().normaliser != dataset.normaliser {
            let found = format!("`{name}`, with other logs behind it");
            return Err(Error::data("model beside", found, "a model trained on the same episodes"));
        }
        if name == SUBJECT || BASELINES.iter().any(|b| b.name() == name) {
            return Err(Error::config(
                "beside",
                format!("a model named `{name}`"),
                "a name that is not in the report yet",
            ));
        }
        let train_seconds = model.info().train_seconds;
        Ok(Contender { forecaster: Box::new(Named { name: name.to_string(), model }), train_seconds })
    }
}

/// A model under a name of its own.
struct Named {
    name: String,
    model: Model,
}

impl Forecaster for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn context_frames(&self) -> usize {
        self.model.forecaster().context_frames()
    }

    fn parameters(&self) -> usize {
        self.model.forecaster().parameters()
    }

    fn evaluations_per_chunk(&self) -> usize {
        self.model.forecaster().evaluations_per_chunk()
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        self.model.forecaster().forecast(history, request, noise)
    }
}
