//! Numbers and words for people.

/// A number in at most nine characters.
pub(super) fn short(value: Option<f64>) -> String {
    let Some(v) = value else { return "-".into() };
    let size = v.abs();
    if size < f64::MIN_POSITIVE {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{v:.2e}");
    }
    let decimals = (4.0 - size.log10().floor()).clamp(0.0, 7.0) as usize;
    let text = format!("{v:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The first few lines, for a sentence.
pub(super) fn lines(places: &[super::FindingPlace]) -> String {
    const SHOWN: usize = 5;
    let of = |p: &super::FindingPlace| p.line.to_string();
    let mut text: Vec<String> = places.iter().take(SHOWN).map(of).collect();
    if places.len() > SHOWN {
        text.push("...".into());
    }
    let episode = places.first().map_or("", |p| p.episode.as_str());
    let one = places.iter().all(|p| p.episode == episode);
    let more = if one { "" } else { " and others" };
    format!("line{} {} of {episode}{more}", if places.len() == 1 { "" } else { "s" }, text.join(", "))
}
