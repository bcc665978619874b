//! A robot moved by the channels of a log.

use crate::names::{Channel, Found, listed};
use crate::robot::{JointKind, Robot};
use crate::tree::{Body, Motion, Tree};
use ebmotion_engine::error::{Error, Result};
use nalgebra::{Isometry3, Vector3};

/// Some links of a robot, and what has to be known to place them: which value of a frame drives which joint.
///
/// It holds no more of the robot than what moves these links.
#[derive(Debug, Clone, PartialEq)]
pub struct Drive {
    robot: String,
    names: Vec<String>,
    channels: usize,
    tree: Tree,
    /// What moves each body.
    sources: Vec<Option<Source>>,
    /// The bodies that are asked for.
    wanted: Vec<usize>,
}

/// A joint's value: `scale` times that of a channel, and `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Source {
    channel: usize,
    scale: f64,
    offset: f64,
}

/// Room in which [`Drive::place`] works, used again for every frame.
#[derive(Debug, Clone, Default)]
pub struct Poses {
    values: Vec<f64>,
    bodies: Vec<Isometry3<f64>>,
    wanted: Vec<Isometry3<f64>>,
}

impl Drive {
    /// Name of the robot.
    pub fn robot(&self) -> &str {
        &self.robot
    }

    /// Names of the links that are placed.
    pub fn links(&self) -> &[String] {
        &self.names
    }

    /// Where the links are in the frame of the robot's root, m, in the order of [`Drive::links`], for a `frame` with a
    /// value for each channel. Nothing is allocated where `room` has been used before.
    ///
    /// # Errors
    /// [`Error::Data`] where there are not as many values as channels.
    pub fn place<'a>(&self, frame: &[f64], room: &'a mut Poses) -> Result<&'a [Isometry3<f64>]> {
        if frame.len() != self.channels {
            return Err(Error::data("values of a frame", frame.len(), format!("{}, one a channel", self.channels)));
        }
        let Poses { values, bodies, wanted } = room;
        values.clear();
        values.extend(self.sources.iter().map(|source| source.map_or(0.0, |s| s.scale * frame[s.channel] + s.offset)));
        bodies.resize(self.tree.len(), Isometry3::identity());
        self.tree.place(values, bodies);
        wanted.clear();
        wanted.extend(self.wanted.iter().map(|body| bodies[*body]));
        Ok(wanted)
    }

    /// How the place of a link, by its number in [`Drive::links`], changes with each channel: `slopes` `(channels,)`, m
    /// for one of the channel's unit, at the frame that `room` was last used for. (The geometric Jacobian: Lynch and
    /// Park, "Modern Robotics" (2017), section 5.1.)
    ///
    /// ```
    /// # use ebmotion_robot::{Poses, Robot};
    /// # let urdf = r#"<robot name="arm"><link name="base"/><link name="tool"/><joint name="slide" type="prismatic">
    /// # <parent link="base"/><child link="tool"/><axis xyz="0 1 0"/></joint></robot>"#;
    /// # let arm = Robot::from_urdf("arm.urdf", urdf.as_bytes())?;
    /// let drive = arm.drive(&[("slide", Some("mm"))], &[arm.link("tool")?])?;
    /// let (mut room, mut slopes) = (Poses::default(), [[0.0; 3]]);
    /// drive.place(&[20.0], &mut room)?;
    /// drive.slopes(0, &room, &mut slopes)?;
    /// assert_eq!(slopes, [[0.0, 0.001, 0.0]]); // along y, by a millimetre
    /// # Ok::<(), ebmotion_robot::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] for a link that is not placed, for `room` that was not used with this drive, and where there are
    /// not as many slopes as channels.
    pub fn slopes(&self, link: usize, room: &Poses, slopes: &mut [[f64; 3]]) -> Result<()> {
        let Some(body) = self.wanted.get(link).filter(|_| room.bodies.len() == self.tree.len()) else {
            let expected = format!("below {}, after its place was asked for", self.wanted.len());
            return Err(Error::data("number of a link", link, expected));
        };
        if slopes.len() != self.channels {
            let expected = format!("{}, one a channel", self.channels);
            return Err(Error::data("slopes of a link", slopes.len(), expected));
        }
        slopes.fill([0.0; 3]);
        self.tree.slopes(*body, &room.bodies[*body].translation.vector, &room.bodies, |value, slope| {
            if let Some(Source { channel, scale, .. }) = self.sources[value] {
                (0..3).for_each(|axis| slopes[channel][axis] += scale * slope[axis]);
            }
        });
        Ok(())
    }
}

impl Robot {
    /// Looks up how `channels`, by names and units, move `links`, places in [`Robot::links`].
    ///
    /// A channel drives the joint of its name. Names need not be the same to the letter: they are cut into words at
    /// `.`, `/`, `_`, `:`, `-` and spaces, and words that say no more than "position of a joint" (`q`, `pos`, `joint`,
    /// `state`, `observation` and the like) are left out of both, so `q_elbow` and `observation.state.elbow` drive
    /// `elbow_joint`. A channel with exactly the joint's name goes first. Angles are in rad or deg, lengths in m, cm or
    /// mm, without a unit in rad and m. A mimic joint without a channel of its own follows the one that it mimics.
    ///
    /// # Errors
    /// [`Error::Log`] with the line of the joint that has no channel, several, or one in another kind of unit, and of a
    /// planar or floating joint above one of the links; [`Error::Data`] for no links, or a place beyond the last.
    pub fn drive(&self, channels: &[(&str, Option<&str>)], links: &[usize]) -> Result<Drive> {
        if links.is_empty() {
            return Err(Error::data(format!("links of robot `{}` to be placed", self.name), 0, "at least 1"));
        }
        if let Some(beyond) = links.iter().find(|link| **link >= self.links.len()) {
            let expected = format!("below {}, the number of links", self.links.len());
            return Err(Error::data(format!("link of robot `{}`", self.name), beyond, expected));
        }
        let needed = self.needed(links);
        let mut body = vec![0; self.links.len()];
        needed.iter().enumerate().for_each(|(place, link)| body[*link] = place);
        let found = self.find_channels(channels);
        let (mut bodies, mut sources, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for link in &needed {
            let Some(joint) = self.links[*link].joint else {
                bodies.push(Body { parent: None, origin: Isometry3::identity(), motion: Motion::Fixed });
                sources.push(None);
                continue;
            };
            let motion = self.motion(joint)?;
            let moves = motion != Motion::Fixed;
            let source = if moves { self.source(joint, &found, channels)? } else { None };
            if moves && source.is_none() {
                missing.push(self.followed(joint));
            }
            sources.push(source);
            bodies.push(Body {
                parent: Some(body[self.joints[joint].parent]),
                origin: self.joints[joint].origin,
                motion,
            });
        }
        if !missing.is_empty() {
            return Err(self.without_channels(missing, &found, channels));
        }
        let tree = Tree::new(bodies)
            .map_err(|stuck| Error::data(format!("links of robot `{}`", self.name), stuck.len(), "none in a circle"))?;
        Ok(Drive {
            robot: self.name.clone(),
            names: links.iter().map(|link| self.links[*link].name.clone()).collect(),
            channels: channels.len(),
            tree,
            sources,
            wanted: links.iter().map(|link| body[*link]).collect(),
        })
    }

    /// These links and all between them and the root, in the order of the file.
    fn needed(&self, links: &[usize]) -> Vec<usize> {
        let mut needed = vec![false; self.links.len()];
        for &link in links {
            needed[link] = true;
            for joint in self.joints_above(link) {
                // What is above a link that was met before was met with it.
                if std::mem::replace(&mut needed[self.joints[joint].parent], true) {
                    break;
                }
            }
        }
        (0..needed.len()).filter(|link| needed[*link]).collect()
    }

    fn motion(&self, joint: usize) -> Result<Motion> {
        let joint = &self.joints[joint];
        match joint.kind {
            JointKind::Fixed => Ok(Motion::Fixed),
            JointKind::Revolute | JointKind::Continuous => {
                Ok(Motion::Turn { anchor: Vector3::zeros(), axis: joint.axis })
            }
            JointKind::Prismatic => Ok(Motion::Slide { axis: joint.axis }),
            JointKind::Planar | JointKind::Floating => {
                let found = format!("the {} joint `{}` above a link to be placed", joint.kind.name(), joint.name);
                Err(self.fault(joint.line, found, "joints of one value each: no channel gives all of this one's"))
            }
        }
    }

    /// What moves a joint: its own channel, or that of the joint that it mimics; `None` where there is none.
    fn source(&self, joint: usize, found: &[Found], channels: &[Channel]) -> Result<Option<Source>> {
        let (mut joint, mut factor, mut offset) = (joint, 1.0, 0.0);
        loop {
            self.decided(joint, &found[joint], channels)?;
            if let Some((channel, scale)) = found[joint].channel {
                return Ok(Some(Source { channel, scale: factor * scale, offset }));
            }
            let Some(mimic) = self.joints[joint].mimic else { return Ok(None) };
            offset += factor * mimic.offset;
            factor *= mimic.multiplier;
            joint = mimic.joint;
        }
    }

    /// The joint at the end of a row of mimic joints: the one that needs a channel.
    fn followed(&self, joint: usize) -> usize {
        let mut joint = joint;
        while let Some(mimic) = self.joints[joint].mimic {
            joint = mimic.joint;
        }
        joint
    }

    fn without_channels(&self, mut missing: Vec<usize>, found: &[Found], channels: &[Channel]) -> Error {
        if found.iter().all(|found| found.channel.is_none() && found.other_unit.is_none()) {
            return self.stranger(channels);
        }
        missing.sort_unstable();
        missing.dedup();
        let joint = &self.joints[missing[0]];
        if let Some(channel) = found[missing[0]].other_unit {
            let (name, unit) = channels[channel];
            let found = format!("channel `{name}` in `{}` for joint `{}`", unit.unwrap_or_default(), joint.name);
            let expected = if joint.kind.turns() { "rad, deg or no unit" } else { "m, cm, mm or no unit" };
            return self.fault(joint.line, found, expected);
        }
        let joints = listed(missing.iter().map(|joint| self.joints[*joint].name.as_str()));
        let found = format!("no channel for {joints} among {}", listed(channels.iter().map(|(name, _)| *name)));
        let expected = format!(
            "a channel for every joint that moves the links asked for, by the names of robot `{}` (`link = NAME` asks \
             for a link that others move)",
            self.name
        );
        self.fault(joint.line, found, expected)
    }
}
