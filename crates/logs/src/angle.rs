//! Quantities that wrap: the principal value and its continuous course.

/// `value` shifted by whole periods into `[-period / 2, period / 2)`.
pub(crate) fn wrapped(value: f64, period: f64) -> f64 {
    value - whole_periods(value, period)
}

/// The multiple of `period` that [`wrapped`] takes away.
pub(crate) fn whole_periods(value: f64, period: f64) -> f64 {
    ebmotion_runtime::whole_periods(value, period)
}

/// Makes channel `channel` of `values`, `(T, width)` row-major, continuous: every step goes along the shorter arc,
/// those over missing values (NaN) too.
pub(crate) fn unwrap(values: &mut [f64], width: usize, channel: usize, period: f64) {
    let mut turns = 0.0;
    let mut before: Option<f64> = None;
    for value in values.iter_mut().skip(channel).step_by(width).filter(|v| !v.is_nan()) {
        let recorded = *value;
        if let Some(before) = before {
            // Turns are counted on the recorded values: sums of periods would gather rounding errors.
            turns -= ((recorded - before) / period).round();
        }
        *value = recorded + turns * period;
        before = Some(recorded);
    }
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
        // Three turns forward and back, 0.5 rad a frame, beside a channel that must stay as it is.
        let truth: Vec<f64> = (0..80).map(|k| 0.5 * f64::from(if k < 40 { k } else { 80 - k })).collect();
        let mut values: Vec<f64> = truth.iter().flat_map(|v| [7.0, wrapped(*v, TAU)]).collect();
        unwrap(&mut values, 2, 1, TAU);
        for (row, v) in values.chunks_exact(2).zip(&truth) {
            assert_eq!(row[0], 7.0);
            assert!((row[1] - v).abs() < 1e-13);
        }
    }
}
