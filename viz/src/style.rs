//! One colour and width per meaning, and the legend that says so.

use crate::Scene;

/// Colour (red, green, blue, opacity) and width in points.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub colour: [u8; 4],
    pub width: f32,
}

pub(crate) const HISTORY: Style = Style { colour: [205, 205, 205, 255], width: 2.0 };
pub(crate) const TRUTH: Style = Style { colour: [255, 145, 20, 255], width: 2.5 };
pub(crate) const SAMPLES: Style = Style { colour: [90, 155, 255, 110], width: 1.0 };
pub(crate) const MEAN: Style = Style { colour: [120, 225, 255, 255], width: 1.8 };
pub(crate) const BAND: Style = Style { colour: [120, 225, 255, 200], width: 1.4 };
pub(crate) const ASKED: Style = Style { colour: [235, 85, 110, 190], width: 2.0 };
/// In space, where rerun 0.36 draws every line opaque, a shade of its own tells each sample's fingers from the others'.
pub(crate) const SAMPLES_3D: [Style; 6] = [
    Style { colour: [70, 130, 235, 255], width: 1.3 },
    Style { colour: [45, 165, 175, 255], width: 1.3 },
    Style { colour: [130, 110, 225, 255], width: 1.3 },
    Style { colour: [80, 170, 245, 255], width: 1.3 },
    Style { colour: [60, 185, 140, 255], width: 1.3 },
    Style { colour: [165, 120, 215, 255], width: 1.3 },
];
pub(crate) const TRUTH_3D: Style = Style { colour: [255, 145, 20, 255], width: 3.0 };

/// Markdown for the corner of the picture.
pub(crate) fn legend(scene: &Scene) -> String {
    let mut lines = vec![
        format!("**{}**", scene.name),
        format!("{} samples, {} frames at {} Hz", scene.samples.len(), scene.horizon(), scene.rate_hz),
    ];
    let mut entry = |what: &str, meaning: &str| lines.push(format!("- **{what}**: {meaning}"));
    entry("grey", "known before the forecast (until time 0)");
    if scene.truth.is_some() {
        entry("orange", "what really came");
    }
    entry("faint blue", "samples, each one possible future");
    entry("light blue", "mean of the samples, and the band from 5 to 95 %");
    if !scene.bands.is_empty() || scene.links.is_some() {
        entry("red", "what was asked: limits, gates of goals, spheres to reach or to keep out of");
    }
    if scene.energies.is_some() {
        entry("energy", "nats, lower is likelier; per sample and mean");
    }
    if let Some(skeleton) = &scene.skeleton {
        let known = if skeleton.truth.is_some() { "known and true" } else { "last known" };
        entry("in space", &format!("{known} pose in orange, {} samples in cool colours", skeleton.samples.len()));
    }
    // Empty lines, which Markdown needs around the list.
    let (heading, list) = (lines[..2].join("\n\n"), lines[2..].join("\n"));
    format!("{heading}\n\n{list}\n\nDrag the time cursor below, or let it play (space).\n")
}
