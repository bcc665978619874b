//! How well a score tells two classes apart; a higher score means "positive".

use crate::error::{Error, Result};

/// One threshold of the score: how many positives and negatives lie at or above it.
struct Cut {
    positives: f64,
    negatives: f64,
}

/// Cuts below each distinct score, from the highest score down. Equal scores fall on the same side, so ties are
/// resolved neither for nor against the positives.
fn cuts(labels: &[bool], scores: &[f64]) -> Result<Vec<Cut>> {
    if labels.len() != scores.len() {
        return Err(Error::Shape {
            what: "labels of scores",
            found: vec![labels.len()],
            expected: format!("({},), as many as scores", scores.len()),
        });
    }
    if let Some(value) = scores.iter().find(|v| v.is_nan()) {
        return Err(Error::NonFinite { what: "score".into(), value: *value, step: 0 });
    }
    let positives = labels.iter().filter(|l| **l).count();
    if positives == 0 || positives == labels.len() {
        let found = format!("{positives} positives among {}", labels.len());
        return Err(Error::data("labels of scores", found, "both classes"));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut cuts, mut positives, mut negatives) = (Vec::new(), 0.0, 0.0);
    for (rank, index) in order.iter().enumerate() {
        if labels[*index] {
            positives += 1.0
        } else {
            negatives += 1.0
        }
        let last_of_tie = order.get(rank + 1).is_none_or(|next| scores[*next] < scores[*index]);
        if last_of_tie {
            cuts.push(Cut { positives, negatives });
        }
    }
    Ok(cuts)
}

fn totals(cuts: &[Cut]) -> (f64, f64) {
    cuts.last().map_or((0.0, 0.0), |last| (last.positives, last.negatives))
}

/// How well a score tells positives from negatives.
///
/// ```
/// use ebmotion::eval::metric::Detection;
///
/// // Of four pairs of a positive and a negative, three are in the right order.
/// let found = Detection::of(&[true, false, true, false], &[0.9, 0.5, 0.4, 0.1])?;
/// assert_eq!(found.auroc, 0.75);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Area under the ROC curve: the probability that a positive scores higher than a negative, ties counting half
    /// (Hanley and McNeil, Radiology 143, 1982).
    pub auroc: f64,
    /// Average precision: the sum over thresholds of precision times the step in recall, without interpolation
    /// (Manning, Raghavan and Schuetze, "Introduction to Information Retrieval", 2008, section 8.4).
    pub average_precision: f64,
    /// False positive rate at the highest threshold whose true positive rate is at least 0.95.
    pub fpr_at_95_tpr: f64,
}

impl Detection {
    /// Of scores and whether each is of a positive.
    ///
    /// # Errors
    /// [`Error::Shape`] for unequal lengths, [`Error::NonFinite`] for a NaN, [`Error::Data`] when a class is missing.
    pub fn of(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let cuts = cuts(labels, scores)?;
        let (positives, negatives) = totals(&cuts);
        let (mut area, mut precision) = (0.0, 0.0);
        let mut before = &Cut { positives: 0.0, negatives: 0.0 };
        for cut in &cuts {
            area += (cut.negatives - before.negatives) * (cut.positives + before.positives) / 2.0;
            precision +=
                (cut.positives - before.positives) / positives * cut.positives / (cut.positives + cut.negatives);
            before = cut;
        }
        let cut = cuts.iter().find(|cut| cut.positives / positives >= 0.95);
        Ok(Self {
            auroc: area / (positives * negatives),
            average_precision: precision,
            fpr_at_95_tpr: cut.map_or(1.0, |cut| cut.negatives / negatives),
        })
    }
}
