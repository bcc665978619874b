//! Patterns of names.

/// Whether `name` fits `pattern`, in which `*` stands for any characters, also none.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| glob(after, &rest[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, fits) in [
            ("q", "q", true),
            ("q", "qq", false),
            ("q_*", "q_FFJ3", true),
            ("*", "", true),
            ("*J3", "q_FFJ3", true),
            ("*J3", "q_FFJ3x", false),
            ("q*F*3", "q_FFJ3", true),
            ("q*X*3", "q_FFJ3", false),
            ("ä*", "ärm", true),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }
}
