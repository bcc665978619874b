//! Quantities that wrap: the principal value and its continuous course.

/// `value` shifted by whole periods into `[-period / 2, period / 2)`.
pub(crate) fn wrapped(value: f64, period: f64) -> f64 {
    value - whole_periods(value, period)
}

/// The multiple of `period` that [`wrapped`] takes away.
pub(crate) fn whole_periods(value: f64, period: f64) -> f64 {
    ebmotion_runtime::whole_periods(value, period)
}

/// A quantity that wraps, made continuous value by value: every step goes along the shorter arc.
pub(crate) struct Unwrapped {
    period: f64,
    turns: f64,
    before: Option<f64>,
}

impl Unwrapped {
    /// Of a quantity with this period, before its first value.
    pub fn new(period: f64) -> Self {
        Self { period, turns: 0.0, before: None }
    }

    /// The next value, which was recorded as `recorded`; a missing one (NaN) stays so and is passed over.
    pub fn next(&mut self, recorded: f64) -> f64 {
        if recorded.is_nan() {
            return recorded;
        }
        if let Some(before) = self.before.replace(recorded) {
            // Turns are counted on the recorded values: sums of periods would gather rounding errors.
            self.turns -= ((recorded - before) / self.period).round();
        }
        recorded + self.turns * self.period
    }
}

/// Makes values continuous, all of one quantity with this period.
pub(crate) fn unwrap(values: &mut [f64], period: f64) {
    let mut unwrapped = Unwrapped::new(period);
    values.iter_mut().for_each(|value| *value = unwrapped.next(*value));
}

/// Period of an angle in `unit`; `None` where the unit is not one of angles.
pub(crate) fn period(unit: Option<&str>) -> Option<f64> {
    match unit {
        None | Some("rad" | "radian" | "radians") => Some(std::f64::consts::TAU),
        Some("deg" | "degree" | "degrees" | "°") => Some(360.0),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{PI, TAU};

    #[test]
    fn wrapping_stays_in_the_half_open_interval() {
        for k in -3..=3 {
            let turn = f64::from(k) * TAU;
            assert_eq!(wrapped(PI + turn, TAU), -PI);
            // Eight turns away a value of size 50 keeps 14 decimals.
            assert!((wrapped(0.3 + turn, TAU) - 0.3).abs() < 1e-13);
        }
        assert_eq!(wrapped(-180.0, 360.0), -180.0);
        assert_eq!(wrapped(180.0, 360.0), -180.0);
    }

    #[test]
    fn unwrapping_restores_a_turning_joint() {
        // Three turns forward and back, 0.5 rad a frame.
        let truth: Vec<f64> = (0..80).map(|k| 0.5 * f64::from(if k < 40 { k } else { 80 - k })).collect();
        let mut values: Vec<f64> = truth.iter().map(|v| wrapped(*v, TAU)).collect();
        unwrap(&mut values, TAU);
        for (value, v) in values.iter().zip(&truth) {
            assert!((value - v).abs() < 1e-13);
        }
    }
}
