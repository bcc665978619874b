//! The first number of many chains that is not finite, told by the workers that meet one.

use crate::error::Error;
use std::sync::{Mutex, PoisonError};

/// What a number that is not finite is of; those of one step count in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quantity {
    /// The norm of the gradient after a step.
    GradientNorm,
    /// The distance of a step.
    Move,
    /// A number of a forecast; its steps are frames.
    Frame,
}

/// A number that is not finite, and where it was met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Astray {
    pub(super) step: usize,
    pub(super) quantity: Quantity,
    pub(super) chain: usize,
    pub(super) value: f32,
}

impl Astray {
    /// Which of several is the first, whoever met it.
    pub(super) fn place(&self) -> (usize, Quantity, usize) {
        (self.step, self.quantity, self.chain)
    }
}

impl From<Astray> for Error {
    fn from(found: Astray) -> Self {
        let what = match found.quantity {
            Quantity::GradientNorm => "a chain's gradient norm",
            Quantity::Move => "a chain's move",
            Quantity::Frame => "forecast of `ebm`",
        };
        Error::NonFinite { what: what.into(), value: f64::from(found.value), step: found.step as u64 }
    }
}

/// The first that a team has told of. Nobody waits for it unless there is something to tell.
#[derive(Debug, Default)]
pub(super) struct First(Mutex<Option<Astray>>);

impl First {
    /// Keeps what is told where it comes before what is there.
    #[cold]
    pub(super) fn tell(&self, found: Astray) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none_or(|first| found.place() < first.place()) {
            *first = Some(found);
        }
    }

    /// The first, if there is one.
    pub(super) fn get(&self) -> Option<Astray> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_counts_in_whatever_order_it_is_told() {
        let told =
            [(3, Quantity::Move, 0), (2, Quantity::Move, 5), (2, Quantity::GradientNorm, 9), (4, Quantity::Move, 1)];
        for turn in 0..told.len() {
            let first = First::default();
            assert_eq!(first.get(), None);
            for k in 0..told.len() {
                let (step, quantity, chain) = told[(turn + k) % told.len()];
                first.tell(Astray { step, quantity, chain, value: f32::INFINITY });
            }
            let found = first.get().expect("some were told");
            assert_eq!(found.place(), told[2]);
            assert_eq!(
                Error::from(found).to_string(),
                "a chain's gradient norm is inf at step 2, expected a finite number"
            );
        }
    }
}
