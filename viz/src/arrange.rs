//! Where each part of a scene stands in the window.

use crate::layout::{Node, Properties};
use crate::record::{channel, child, root};
use crate::{Links3d, Scene};
use rerun::EntityPath;
use rerun::external::re_sdk_types::blueprint::archetypes as drawn;
use rerun::external::re_sdk_types::blueprint::components::{BackgroundKind, ContainerKind, LinkAxis};

/// More plots than this on one page are too small to read.
const PLOTS_PER_PAGE: usize = 6;

/// From the middle of the body to the eye, in units of the body's size.
const EYE: [f32; 3] = [-0.3, -0.42, 0.45];

/// Dark enough for every colour of `style`.
const BACKDROP: [u8; 3] = [16, 18, 22];

/// One tab per scene.
pub(crate) fn scenes(scenes: &[Scene]) -> Node {
    let tabs = scenes.iter().enumerate().map(|(index, scene)| one(&root(index), scene)).collect();
    Node::Tabs { name: "scenes".into(), front: 0, children: tabs }
}

fn one(root: &EntityPath, scene: &Scene) -> Node {
    let pages = pages(&scene.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
    // A page that fills its column makes the better first picture than, say, the two joints of a wrist.
    let front = pages.iter().position(|(_, channels)| channels.len() >= 3);
    let tabs = pages.into_iter().map(|(name, channels)| page(root, scene, &name, &channels)).collect();
    let mut top = vec![Node::Tabs { name: "channels".into(), front: front.unwrap_or(0), children: tabs }];
    if let Some(skeleton) = &scene.skeleton {
        let frames =
            skeleton.history.iter().chain(skeleton.truth.iter().flatten()).chain(skeleton.samples.iter().flatten());
        top.insert(0, space("in space", child(root, "skeleton"), frames.flatten().copied()));
    }
    if let Some(Links3d { spheres, paths }) = &scene.links {
        let points = spheres.iter().map(|(centre, _)| *centre).chain(paths.iter().flatten().copied());
        top.insert(0, space("links", child(root, "links"), points));
    }
    let mut bottom = vec![];
    if scene.energies.is_some() {
        bottom.push(plot("energy [nats]".into(), child(root, "energy")));
    }
    let origin = child(root, "legend");
    bottom.push(Node::View { class: "TextDocument", name: "legend".into(), origin, properties: vec![] });
    Node::Split {
        kind: ContainerKind::Vertical,
        name: scene.name.clone(),
        shares: Some(vec![3.0, 1.0]),
        children: vec![
            split(ContainerKind::Horizontal, "motion", top),
            split(ContainerKind::Horizontal, "energy and legend", bottom),
        ],
    }
}

/// Points from above and ahead, filling the view over the whole motion.
fn space(name: &str, origin: EntityPath, points: impl Iterator<Item = [f32; 3]>) -> Node {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for point in points.filter(|point| point.iter().all(|v| v.is_finite())) {
        for axis in 0..3 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let backdrop = drawn::Background::new(BackgroundKind::SolidColor).with_color(BACKDROP);
    let mut properties: Properties = vec![
        ("Background", Box::new(backdrop)),
        ("LineGrid3D", Box::new(drawn::LineGrid3D::new().with_visible(false))),
    ];
    let size = (0..3).map(|axis| (high[axis] - low[axis]).powi(2)).sum::<f32>().sqrt();
    if size.is_finite() && size > 0.0 {
        let centre: [f32; 3] = std::array::from_fn(|axis| (low[axis] + high[axis]) / 2.0);
        let eye: [f32; 3] = std::array::from_fn(|axis| centre[axis] + EYE[axis] * size);
        let controls =
            drawn::EyeControls3D::new().with_position(eye).with_look_target(centre).with_eye_up([0.0, 0.0, 1.0]);
        properties.push(("EyeControls3D", Box::new(controls)));
    }
    Node::View { class: "3D", name: name.into(), origin, properties }
}

fn page(root: &EntityPath, scene: &Scene, name: &str, channels: &[usize]) -> Node {
    let plots = channels.iter().map(|&index| {
        let label = &scene.channels[index];
        let unit = if label.unit.is_empty() { String::new() } else { format!(" [{}]", label.unit) };
        plot(format!("{}{unit}", label.name), channel(root, &label.name))
    });
    split(ContainerKind::Vertical, name, plots.collect())
}

fn plot(name: String, origin: EntityPath) -> Node {
    Node::View {
        class: "TimeSeries",
        name,
        origin,
        // A legend with one entry per sample would cover the plot; zooming one plot in time zooms all.
        properties: vec![
            ("PlotLegend", Box::new(drawn::PlotLegend::new().with_visible(false))),
            ("TimeAxis", Box::new(drawn::TimeAxis::new().with_link(LinkAxis::LinkToGlobal))),
        ],
    }
}

fn split(kind: ContainerKind, name: &str, children: Vec<Node>) -> Node {
    Node::Split { kind, name: name.into(), shares: None, children }
}

/// Neighbouring channels with one stem share a page, for example a finger's joints; lonely ones are gathered, and no
/// page has more than [`PLOTS_PER_PAGE`]. Returns each page's title and the indices of its channels.
fn pages(names: &[&str]) -> Vec<(String, Vec<usize>)> {
    let mut groups: Vec<(&str, Vec<usize>)> = vec![];
    for (index, name) in names.iter().enumerate() {
        match groups.last_mut() {
            Some((stem, members)) if *stem == self::stem(name) => members.push(index),
            _ => groups.push((self::stem(name), vec![index])),
        }
    }
    let mut pages: Vec<(String, Vec<usize>)> = vec![];
    let mut lonely: Vec<usize> = vec![];
    let gather = |pages: &mut Vec<(String, Vec<usize>)>, lonely: &mut Vec<usize>| {
        for part in lonely.chunks(PLOTS_PER_PAGE) {
            let title = match part {
                [only] => names[*only].to_string(),
                _ => format!("{} … {}", names[part[0]], names[part[part.len() - 1]]),
            };
            pages.push((title, part.to_vec()));
        }
        lonely.clear();
    };
    for (stem, members) in groups {
        if members.len() == 1 {
            lonely.extend(members);
            continue;
        }
        gather(&mut pages, &mut lonely);
        let parts = members.len().div_ceil(PLOTS_PER_PAGE);
        for (part, chunk) in members.chunks(members.len().div_ceil(parts)).enumerate() {
            let title = if parts == 1 { stem.to_string() } else { format!("{stem} {}/{parts}", part + 1) };
            pages.push((title, chunk.to_vec()));
        }
    }
    gather(&mut pages, &mut lonely);
    pages
}

/// What names of one group have in common: `q_FFJ3` and `q_FFJ0` give `FF`, `left_hand_2` gives `left_hand`. That is
/// the name without the prefix `q_`, its last number, and a joint's `J` or a separator before that.
fn stem(name: &str) -> &str {
    let bare = name.strip_prefix("q_").unwrap_or(name);
    let stem = bare.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == bare.len() {
        return bare;
    }
    let stem = stem.strip_suffix('J').unwrap_or(stem).trim_end_matches(['_', '-', '.', '/', ' ']);
    if stem.is_empty() { bare } else { stem }
}

#[cfg(test)]
mod tests {
    use super::{pages, stem};

    #[test]
    fn stems() {
        let cases = [
            ("q_FFJ3", "FF"),
            ("dq_THJ0", "dq_TH"),
            ("left_hand_2", "left_hand"),
            ("J1", "J1"),
            ("shoulder_pan", "shoulder_pan"),
            ("7", "7"),
        ];
        for (name, expected) in cases {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn fingers_share_pages_and_every_channel_has_one() {
        let hand = ["q_WRJ1", "q_WRJ0", "q_FFJ1", "q_FFJ0", "q_THJ1", "q_THJ0"];
        let expected =
            vec![("WR".to_string(), vec![0, 1]), ("FF".to_string(), vec![2, 3]), ("TH".to_string(), vec![4, 5])];
        assert_eq!(pages(&hand), expected);

        let arm: Vec<String> =
            ["pan", "lift", "elbow"].iter().map(|s| s.to_string()).chain((0..14).map(|i| format!("m_{i}"))).collect();
        let arm: Vec<&str> = arm.iter().map(String::as_str).chain(["gripper"]).collect();
        let pages = pages(&arm);
        let titles: Vec<&str> = pages.iter().map(|p| p.0.as_str()).collect();
        assert_eq!(titles, ["pan … elbow", "m 1/3", "m 2/3", "m 3/3", "gripper"]);
        let all: Vec<usize> = pages.iter().flat_map(|p| p.1.clone()).collect();
        assert_eq!(all, (0..18).collect::<Vec<_>>());
        assert!(pages.iter().all(|p| p.1.len() <= super::PLOTS_PER_PAGE));
    }
}
