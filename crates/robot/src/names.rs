//! Which channel of a log holds the value of which joint.
//!
//! Names are cut into words at `.`, `/`, `_`, `:`, `-` and spaces. Words that say no more than "position of a joint"
//! are left out (`PLAIN`), of channels and joints alike; what remains has to be the same. So `q_elbow`, `elbow.pos`,
//! `observation.state.elbow` and `elbow_joint` are one joint, `dq_elbow`, `velocity.elbow` and `action.elbow` are not.
//! A channel with exactly the joint's name goes before all others. A channel whose unit is not one of the joint's kind
//! is none. What is left undecided is an error.

use crate::robot::{JointBounds, JointKind, Robot};
use ebmotion_engine::error::{Error, Result};
use std::collections::HashMap;

/// Words that say no more than "position of a joint".
const PLAIN: [&str; 16] = [
    "actual",
    "angle",
    "angles",
    "joint",
    "joints",
    "measured",
    "obs",
    "observation",
    "observations",
    "pos",
    "position",
    "positions",
    "q",
    "qpos",
    "state",
    "states",
];

/// A channel by its name and unit.
pub(crate) type Channel<'a> = (&'a str, Option<&'a str>);

/// What there is for a joint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The channel, and how many rad or m one of its units is.
    pub channel: Option<(usize, f64)>,
    /// Channels between which names do not decide.
    pub undecided: Vec<usize>,
    /// A channel whose name fits and whose unit does not.
    pub other_unit: Option<usize>,
}

/// The words of a name that tell it from others.
fn core(name: &str) -> Vec<&str> {
    let words = name.split(['.', '/', '_', ':', '-', ' ']).filter(|word| !word.is_empty());
    words.filter(|word| !PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain))).collect()
}

/// How many rad or m one `unit` is; `None` for a unit that does not belong to the joint's kind.
fn scale(kind: JointKind, unit: Option<&str>) -> Option<f64> {
    match (kind.turns(), unit) {
        (_, None) | (true, Some("rad" | "radian" | "radians")) => Some(1.0),
        (true, Some("deg" | "degree" | "degrees" | "°")) => Some(std::f64::consts::PI / 180.0),
        (false, Some("m" | "meter" | "meters" | "metre" | "metres")) => Some(1.0),
        (false, Some("cm")) => Some(1e-2),
        (false, Some("mm")) => Some(1e-3),
        _ => None,
    }
}

impl Robot {
    /// For each joint, what there is among the channels.
    pub(crate) fn find_channels(&self, channels: &[Channel]) -> Vec<Found> {
        let exact: HashMap<&str, usize> = self.joints.iter().enumerate().map(|(j, joint)| (&*joint.name, j)).collect();
        let mut by_core: HashMap<Vec<&str>, Vec<usize>> = HashMap::new();
        for (j, joint) in self.joints.iter().enumerate().filter(|(_, joint)| joint.kind.has_value()) {
            by_core.entry(core(&joint.name)).or_default().push(j);
        }
        by_core.remove(&Vec::new());
        let mut found = vec![Found::default(); self.joints.len()];
        let mut named: Vec<Vec<usize>> = vec![Vec::new(); self.joints.len()];
        for (c, (name, unit)) in channels.iter().enumerate() {
            if let Some(&j) = exact.get(name) {
                match scale(self.joints[j].kind, *unit) {
                    Some(scale) => found[j].channel = Some((c, scale)),
                    None => found[j].other_unit = Some(c),
                }
                continue;
            }
            for &j in by_core.get(&core(name)).into_iter().flatten() {
                named[j].push(c);
            }
        }
        for ((found, named), joint) in found.iter_mut().zip(named).zip(&self.joints) {
            let fitting = |c: &usize| Some((*c, scale(joint.kind, channels[*c].1)?));
            let fit: Vec<(usize, f64)> = named.iter().filter_map(fitting).collect();
            let alone = by_core.get(&core(&joint.name)).is_none_or(|joints| joints.len() == 1);
            match fit[..] {
                _ if found.channel.is_some() => {}
                [] => found.other_unit = found.other_unit.or(named.first().copied()),
                [one] if alone => found.channel = Some(one),
                _ => found.undecided = fit.into_iter().map(|(c, _)| c).collect(),
            }
        }
        found
    }

    /// Refuses channels between which names do not decide.
    pub(crate) fn decided(&self, joint: usize, found: &Found, channels: &[Channel]) -> Result<()> {
        let joint = &self.joints[joint];
        if found.undecided.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = found.undecided.iter().map(|c| format!("`{}`", channels[*c].0)).collect();
        let found = match names.len() {
            1 => format!("channel {} for joint `{}` and another joint", names[0], joint.name),
            _ => format!("channels {} for joint `{}`", names.join(", "), joint.name),
        };
        Err(self.fault(joint.line, found, "one channel for each joint, or one with exactly its name"))
    }

    /// That nothing of a log belongs to this robot.
    pub(crate) fn stranger(&self, channels: &[Channel]) -> Error {
        let line = self.joints.iter().find(|joint| joint.kind.has_value()).map_or(1, |joint| joint.line);
        let joints = self.joints.iter().filter(|joint| joint.kind.has_value());
        let found = format!(
            "no channel for any joint of robot `{}` ({}) among {}",
            self.name,
            listed(joints.map(|joint| joint.name.as_str())),
            listed(channels.iter().map(|(name, _)| *name))
        );
        self.fault(line, found, "the robot of the log")
    }

    /// JointBounds by channel, as places in `channels`, in the channels' units (velocities in these a second): of those
    /// that drive a joint with limits. `channels` are names and units.
    ///
    /// ```
    /// # let urdf = r#"<robot name="arm"><link name="base"/><link name="arm"/>
    /// # <joint name="shoulder" type="revolute"><parent link="base"/><child link="arm"/>
    /// # <limit lower="0" upper="1" velocity="3" effort="10"/></joint></robot>"#;
    /// # let arm = ebmotion_robot::Robot::from_urdf("arm.urdf", urdf.as_bytes())?;
    /// // A joint that may turn from 0 to 1 rad.
    /// let limits = arm.channel_limits(&[("gripper", None), ("shoulder.pos", Some("deg"))])?;
    /// assert_eq!(limits[0].0, 1);
    /// assert!((limits[0].1.upper.unwrap() - 57.29578).abs() < 1e-5);
    /// # Ok::<(), ebmotion_robot::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Log`] where no channel drives any joint, or names do not decide which one does.
    pub fn channel_limits(&self, channels: &[(&str, Option<&str>)]) -> Result<Vec<(usize, JointBounds)>> {
        let found = self.find_channels(channels);
        let mut limits = Vec::new();
        for (j, found) in found.iter().enumerate() {
            self.decided(j, found, channels)?;
            let Some((channel, scale)) = found.channel else { continue };
            let JointBounds { lower, upper, velocity, effort } = self.joints[j].limits;
            let [lower, upper, velocity] = [lower, upper, velocity].map(|limit| limit.map(|limit| limit / scale));
            limits.push((channel, JointBounds { lower, upper, velocity, effort }));
        }
        if limits.is_empty() {
            return Err(self.stranger(channels));
        }
        limits.retain(|(_, limits)| *limits != JointBounds::default());
        limits.sort_by_key(|(channel, _)| *channel);
        Ok(limits)
    }
}

/// The first names, for messages.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<&str> = names.collect();
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
