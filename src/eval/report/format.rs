//! Numbers for people.

use crate::eval::MetricResult;

/// Three significant digits.
pub(super) fn number(v: f64) -> String {
    let size = v.abs();
    if size >= 1e6 {
        format!("{v:.2e}")
    } else if size >= 100.0 {
        format!("{v:.0}")
    } else if size >= 10.0 {
        format!("{v:.1}")
    } else if size >= 1.0 {
        format!("{v:.2}")
    } else if size >= 0.1 {
        format!("{v:.3}")
    } else if size >= 0.001 {
        format!("{v:.4}")
    } else if size > 0.0 {
        format!("{v:.1e}")
    } else {
        "0".into()
    }
}

/// `0.311 [0.250, 0.380]`
pub(super) fn with_interval(result: &MetricResult) -> String {
    format!("{} {}", number(result.mean), interval(result))
}

/// `[0.250, 0.380]`
pub(super) fn interval(result: &MetricResult) -> String {
    format!("[{}, {}]", number(result.interval[0]), number(result.interval[1]))
}

/// `12,345`
pub(super) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [(0.0, "0"), (0.31149, "0.311"), (-23.46, "-23.5"), (5.387, "5.39"), (0.0123456, "0.0123")];
        for (value, text) in cases.into_iter().chain([(1234.4, "1234"), (3.2e-5, "3.2e-5"), (2.5e7, "2.50e7")]) {
            assert_eq!(number(value), text);
        }
        assert_eq!([grouped(7), grouped(1234), grouped(1_234_567)], ["7", "1,234", "1,234,567"]);
    }
}
