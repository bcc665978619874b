//! What a robot is made of.

use ebmotion_engine::error::{Error, Result};
use nalgebra::{Isometry3, Unit, Vector3};
use std::path::{Path, PathBuf};

/// A robot: a tree of links, each but the root carried by a joint on another one.
///
/// It is checked when it is read: names are unique, every joint is between two links that exist, all links hang on one
/// root, and every mimic joint follows one that has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Robot {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) links: Vec<Link>,
    pub(crate) joints: Vec<Joint>,
}

/// A rigid part of a robot, with a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name, unique among links.
    pub name: String,
    /// Line of the file at which it begins, from 1.
    pub line: u64,
    /// The joint that carries it, as a place in [`Robot::joints`]; `None` for the root.
    pub joint: Option<usize>,
}

/// What lets one link move against another.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Name, unique among joints.
    pub name: String,
    /// Line of the file at which it begins, from 1.
    pub line: u64,
    /// How it moves.
    pub kind: JointKind,
    /// The link on which it stands, as a place in [`Robot::links`].
    pub parent: usize,
    /// The link that it carries, as a place in [`Robot::links`]. Its frame is that of the joint.
    pub child: usize,
    /// The child's place on the parent where the joint's value is 0, m.
    pub origin: Isometry3<f64>,
    /// Direction along which it turns or slides, in its own frame.
    pub axis: Unit<Vector3<f64>>,
    /// How far and how fast it may go.
    pub limits: JointBounds,
    /// The joint that it follows, where it does not move by itself.
    pub mimic: Option<Mimic>,
}

/// How a joint moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointKind {
    /// Turns within limits; its value is an angle in rad.
    Revolute,
    /// Turns without end; its value is an angle in rad.
    Continuous,
    /// Slides; its value is a length in m.
    Prismatic,
    /// Does not move and has no value.
    Fixed,
    /// Moves in a plane. It has no single value.
    Planar,
    /// Moves in all ways. It has no single value.
    Floating,
}

impl JointKind {
    /// The names of a URDF file.
    pub(crate) const NAMES: [(&'static str, JointKind); 6] = [
        ("revolute", JointKind::Revolute),
        ("continuous", JointKind::Continuous),
        ("prismatic", JointKind::Prismatic),
        ("fixed", JointKind::Fixed),
        ("planar", JointKind::Planar),
        ("floating", JointKind::Floating),
    ];

    /// The name of a URDF file: `revolute`.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether its value is an angle.
    pub fn turns(self) -> bool {
        matches!(self, JointKind::Revolute | JointKind::Continuous)
    }

    /// Whether it moves by one value.
    pub fn has_value(self) -> bool {
        self.turns() || self == JointKind::Prismatic
    }
}

/// How far and how fast a joint may go, rad or m; `None` where the file sets no limit.
///
/// A joint with one end alone has the other at 0, as URDF has it, where that is the right way round. Where both are the
/// same the joint could not move: that is a place-holder of a program that wrote the file, and counts as no limits, as
/// do a velocity and an effort of 0. A continuous joint has no ends.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct JointBounds {
    /// Lowest value.
    pub lower: Option<f64>,
    /// Highest value.
    pub upper: Option<f64>,
    /// Greatest speed, rad/s or m/s.
    pub velocity: Option<f64>,
    /// Greatest torque or force, Nm or N.
    pub effort: Option<f64>,
}

/// How a joint follows another one: its value is `multiplier` times the other's, and `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mimic {
    /// The joint that it follows, as a place in [`Robot::joints`].
    pub joint: usize,
    /// Times the other's value.
    pub multiplier: f64,
    /// Added, rad or m.
    pub offset: f64,
}

impl Robot {
    /// Name of the whole, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file from which it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The links, in the order of the file.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The joints, in the order of the file.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// The place of a link in [`Robot::links`].
    ///
    /// # Errors
    /// [`Error::Config`] of the setting `link` with the links' names where none has this one.
    pub fn link(&self, name: &str) -> Result<usize> {
        self.links.iter().position(|link| link.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.links.iter().map(|link| link.name.as_str()).collect();
            let expected = format!("a link of robot `{}`: {}", self.name, names.join(", "));
            Error::config("link", format!("`{name}`"), expected)
        })
    }

    /// A joint by its name.
    ///
    /// # Errors
    /// [`Error::Data`] with the joints' names where none has this one.
    pub fn joint(&self, name: &str) -> Result<&Joint> {
        self.joints.iter().find(|joint| joint.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.joints.iter().map(|joint| joint.name.as_str()).collect();
            let expected = format!("a joint of robot `{}`: {}", self.name, names.join(", "));
            Error::data("joint", format!("`{name}`"), expected)
        })
    }

    /// The ends of the tree that move: links that carry no other, below a joint with a value. These are finger tips and
    /// tools; in the order of the file.
    pub fn ends(&self) -> Vec<usize> {
        let mut carries = vec![false; self.links.len()];
        self.joints.iter().for_each(|joint| carries[joint.parent] = true);
        let moves = |link: usize| self.joints_above(link).any(|joint| self.joints[joint].kind.has_value());
        (0..self.links.len()).filter(|link| !carries[*link] && moves(*link)).collect()
    }

    /// The joints between a link and the root, from the link.
    pub(crate) fn joints_above(&self, link: usize) -> impl Iterator<Item = usize> + '_ {
        let above = |joint: &usize| self.links[self.joints[*joint].parent].joint;
        std::iter::successors(self.links[link].joint, above)
    }

    /// An error at a line of the robot's file.
    pub(crate) fn fault(&self, line: u64, found: String, expected: impl Into<String>) -> Error {
        Error::Log { path: self.path.clone(), line: Some(line), column: None, found, expected: expected.into() }
    }
}
