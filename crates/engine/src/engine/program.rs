//! What the engine runs: an energy written out as plain numbers.

use super::layers::Rows;
use super::tile::TileEnergy;
use crate::error::{Error, Result};
use std::sync::Arc;

/// One summand of an energy.
#[derive(Debug, Clone)]
pub enum Term {
    /// `factor * network(x)`.
    Network {
        /// The packed network.
        network: Arc<super::packed::PackedMlp>,
        /// What the first layer adds, bias included: `(B, H)` or `(1, H)`.
        first: Rows,
        /// Multiplies the output.
        factor: f32,
    },
    /// `sum_j weight_j (x_j - centre_j)^2`: a diagonal Gaussian, a pull to a goal.
    Quadratic {
        /// `(B, F)` or `(1, F)`.
        centre: Rows,
        /// `(F,)`.
        weight: Arc<[f32]>,
    },
    /// `weight * sum_j (max(lo_j - x_j, 0)^2 + max(x_j - hi_j, 0)^2)`: soft limits; infinite where there is none.
    Limits {
        /// `(F,)`.
        lo: Arc<[f32]>,
        /// `(F,)`.
        hi: Arc<[f32]>,
        /// Nats per squared unit.
        weight: f32,
    },
    /// A number that does not depend on `x`: `(B, 1)` or `(1, 1)`.
    Constant(Rows),
    /// Anything else, times a factor.
    Custom {
        /// The energy.
        energy: Arc<dyn TileEnergy>,
        /// Multiplies it.
        factor: f32,
    },
}

/// An energy of rows of `width` numbers: the sum of its terms.
#[derive(Debug, Clone)]
pub struct Program {
    width: usize,
    terms: Vec<Term>,
}

impl Program {
    /// The sum of `terms` over rows of `width` numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] when a term is made for rows of another width, or rows per chain do not agree in number.
    pub fn new(width: usize, terms: Vec<Term>) -> Result<Self> {
        let wrong = |what, found: usize, expected: usize| {
            Err(Error::Shape { what, found: vec![found], expected: format!("{expected}") })
        };
        let mut chains = None;
        for term in &terms {
            let (found, rows) = match term {
                Term::Network { network, first, .. } => {
                    let hidden = network.layers().hidden[0].outputs;
                    if first.width != hidden {
                        return wrong("first layer's part of a network", first.width, hidden);
                    }
                    (network.layers().inputs(), Some(first))
                }
                Term::Quadratic { centre, weight } => {
                    if weight.len() != centre.width {
                        return wrong("weights of a quadratic term", weight.len(), centre.width);
                    }
                    (centre.width, Some(centre))
                }
                Term::Limits { lo, hi, .. } => {
                    if lo.len() != hi.len() {
                        return wrong("upper limits", hi.len(), lo.len());
                    }
                    (lo.len(), None)
                }
                Term::Constant(rows) => (width + rows.width - 1, Some(rows)),
                Term::Custom { .. } => (width, None),
            };
            if found != width {
                return wrong("numbers a row of an energy's term", found, width);
            }
            if let Some(count) = rows.map(Rows::count).filter(|count| *count > 1)
                && *chains.get_or_insert(count) != count
            {
                return wrong("rows of an energy's term", count, chains.unwrap_or(1));
            }
        }
        Ok(Self { width, terms })
    }

    /// The sum of two.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn plus(mut self, other: Program) -> Result<Program> {
        if self.width != other.width {
            let (what, expected) = ("numbers a row of an energy's term", format!("{}", self.width));
            return Err(Error::Shape { what, found: vec![other.width], expected });
        }
        self.terms.extend(other.terms);
        Program::new(self.width, self.terms)
    }

    /// `by` times this energy.
    pub fn scaled(self, by: f32) -> Program {
        let all = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| by * v).collect() };
        let scale = |term| match term {
            Term::Network { network, first, factor } => Term::Network { network, first, factor: by * factor },
            Term::Quadratic { centre, weight } => Term::Quadratic { centre, weight: all(&weight).into() },
            Term::Limits { lo, hi, weight } => Term::Limits { lo, hi, weight: by * weight },
            Term::Constant(rows) => Term::Constant(Rows { width: 1, values: all(&rows.values).into() }),
            Term::Custom { energy, factor } => Term::Custom { energy, factor: by * factor },
        };
        Program { width: self.width, terms: self.terms.into_iter().map(scale).collect() }
    }

    /// The energy of the coordinates `free` while the others keep the values `held` (rows as wide as this program):
    /// their part of a first layer or of a sum is computed here, once. `None` where a term is [`Term::Custom`].
    ///
    /// # Errors
    /// [`Error::Shape`] when rows do not agree in number.
    pub fn restricted(&self, free: &[usize], held: &Rows) -> Result<Option<Program>> {
        let fixed: Vec<usize> = (0..self.width).filter(|i| !free.contains(i)).collect();
        let mut terms = Vec::new();
        for term in &self.terms {
            match term {
                Term::Network { network, first, factor } => {
                    let mut layers = network.layers().clone();
                    let layer = &mut layers.hidden[0];
                    let row = |o: usize| &network.layers().hidden[0].weight[o * self.width..(o + 1) * self.width];
                    layer.weight = (0..layer.outputs).flat_map(|o| free.iter().map(move |i| row(o)[*i])).collect();
                    layer.inputs = free.len();
                    let rows = first.count().max(held.count());
                    let mut values = Vec::with_capacity(rows * first.width);
                    for chain in 0..rows {
                        let held = held.row(chain);
                        values.extend(first.row(chain).iter().enumerate().map(|(o, start)| {
                            let sum: f64 = fixed.iter().map(|i| f64::from(row(o)[*i]) * f64::from(held[*i])).sum();
                            (f64::from(*start) + sum) as f32
                        }));
                    }
                    let network = Arc::new(super::PackedMlp::at_isa(layers, network.isa())?);
                    terms.push(Term::Network { network, first: Rows::new(first.width, values)?, factor: *factor });
                }
                Term::Quadratic { centre, weight } => {
                    let rows = centre.count().max(held.count());
                    let (mut centres, mut constants) = (Vec::new(), Vec::new());
                    for chain in 0..rows {
                        let (c, h) = (centre.row(chain), held.row(chain));
                        centres.extend(free.iter().map(|i| c[*i]));
                        constants.push(fixed.iter().map(|i| weight[*i] * (h[*i] - c[*i]).powi(2)).sum());
                    }
                    let weight = free.iter().map(|i| weight[*i]).collect::<Vec<f32>>().into();
                    terms.push(Term::Quadratic { centre: Rows::new(free.len(), centres)?, weight });
                    terms.push(Term::Constant(Rows::new(1, constants)?));
                }
                Term::Limits { lo, hi, weight } => {
                    let over = |i: &usize, x: f32| (lo[*i] - x).max(0.0).powi(2) + (x - hi[*i]).max(0.0).powi(2);
                    let cost = |chain| weight * fixed.iter().map(|i| over(i, held.row(chain)[*i])).sum::<f32>();
                    let pick = |all: &[f32]| free.iter().map(|i| all[*i]).collect::<Vec<f32>>().into();
                    terms.push(Term::Limits { lo: pick(lo), hi: pick(hi), weight: *weight });
                    terms.push(Term::Constant(Rows::new(1, (0..held.count()).map(cost).collect())?));
                }
                Term::Constant(rows) => terms.push(Term::Constant(rows.clone())),
                Term::Custom { .. } => return Ok(None),
            }
        }
        Ok(Some(Program::new(free.len(), terms)?))
    }

    /// Numbers a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The summands.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Chains that rows of its own are given for; `None` where it takes any number.
    pub fn chains(&self) -> Option<usize> {
        let counts = self.terms.iter().map(|term| match term {
            Term::Network { first, .. } => first.count(),
            Term::Quadratic { centre, .. } => centre.count(),
            Term::Constant(rows) => rows.count(),
            Term::Limits { .. } | Term::Custom { .. } => 1,
        });
        counts.max().filter(|count| *count > 1)
    }

    /// Multiplications of one evaluation of its networks' values.
    pub fn products(&self) -> usize {
        let of = |term: &Term| match term {
            Term::Network { network, .. } => network.layers().products(),
            _ => 0,
        };
        self.terms.iter().map(of).sum()
    }
}

/// Number of rows of `x`, which is `what` and has to fit the program.
pub(super) fn rows_of(program: &Program, x: &[f32], what: &'static str) -> Result<usize> {
    let width = program.width();
    let rows = x.len() / width.max(1);
    let shape = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
    if rows == 0 || x.len() != rows * width {
        return shape(what, x.len(), format!("whole rows of {width} numbers"));
    }
    match program.chains() {
        Some(count) if count != rows => {
            shape("chains", rows, format!("{count}, the rows that the energy's terms have"))
        }
        _ => Ok(rows),
    }
}
