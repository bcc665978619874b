//! Trees of revolute joints without frames of their own: joint angles to points in space, by the product of
//! exponentials.
//!
//! The geometry is that of the zero pose alone, each joint by a point on its axis and the axis' direction, all in one
//! frame (metres). Turning joint `j` by `q_j` moves all that hangs on it by the rigid motion `exp([S_j] q_j)`, a
//! rotation about that axis; a point `p` below the joints `1, …, n` (root first) goes to
//! `exp([S_1] q_1) ⋯ exp([S_n] q_n) p`. Source: Lynch & Park, *Modern Robotics* (2017), section 4.1.1, with the pure
//! rotation of section 3.3.3.1.

use crate::tree::{Body, Motion, Tree};
use ebmotion_engine::error::{Error, Result};
use nalgebra::{Isometry3, Point3, Unit, Vector3};
use serde::{Deserialize, Serialize};

/// How far an axis' length may be from 1: well above the rounding of a decimal with 7 digits, and too little to see.
const UNIT_TOLERANCE: f64 = 1e-6;

/// A revolute joint in the zero pose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hinge {
    /// Name, unique among joints.
    pub name: String,
    /// The joint that moves this one; `None` for a joint on the fixed base.
    pub parent: Option<String>,
    /// A point on the axis, metres.
    pub anchor: [f64; 3],
    /// Unit vector along the axis; positive angles turn right-handed about it.
    pub axis: [f64; 3],
    /// Lowest and highest angle, radians, where known. [`Skeleton::points`] does not enforce them.
    #[serde(default)]
    pub limits: Option<[f64; 2]>,
}

/// A point worth drawing that is no joint: a finger tip, or a place on the fixed base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Name, for people.
    pub name: String,
    /// The last joint that moves the point; `None` for a point that stands still.
    pub joint: Option<String>,
    /// Place in the zero pose, metres.
    pub at: [f64; 3],
}

/// What a skeleton's JSON holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    joints: Vec<Hinge>,
    #[serde(default)]
    ends: Vec<End>,
}

/// A tree of revolute joints, checked: every parent exists, no joint hangs on itself, every axis is a unit vector.
///
/// Its *points* are the joints' anchors in the order of [`Skeleton::joints`], then the ends in the order of
/// [`Skeleton::ends`]. A channel drives joint `FFJ3` if it is called `q_FFJ3` or `FFJ3`, and is in radians; other
/// channels (velocities, a block's place) are left alone.
///
/// ```
/// use ebmotion_robot::Skeleton;
///
/// // A finger of one joint at the origin, its tip 0.1 m along x; it turns about z.
/// let finger = Skeleton::from_json(
///     r#"{"name": "finger", "joints": [{"name": "J1", "parent": null, "anchor": [0, 0, 0], "axis": [0, 0, 1]}],
///         "ends": [{"name": "tip", "joint": "J1", "at": [0.1, 0, 0]}]}"#,
/// )?;
/// let points = finger.points(&["q_J1"], &[std::f64::consts::FRAC_PI_2])?;
/// assert!((points[1][1] - 0.1).abs() < 1e-12); // a quarter turn: now along y
/// # Ok::<(), ebmotion_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct Skeleton {
    description: Description,
    /// Index of each joint's parent.
    parents: Vec<Option<usize>>,
    /// Index of the joint that moves each end.
    carriers: Vec<Option<usize>>,
    /// Each joint as a body in the frame of the zero pose.
    tree: Tree,
}

impl Skeleton {
    /// Reads the JSON form: `{"name", "joints": [{"name", "parent", "anchor", "axis", "limits"}], "ends": [{"name",
    /// "joint", "at"}]}`, see [`Hinge`] and [`End`].
    ///
    /// # Errors
    /// [`Error::Data`] for text that is not such JSON (with line and column), without joints, with two joints of one
    /// name, an unknown parent, a cycle, an axis whose length is not 1 within 1e-6, limits in the wrong order, or a
    /// number that is not finite; each names the joint or end.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::data("skeleton", e, "the JSON of a valid skeleton"))
    }

    /// Name of the whole, for people.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// The joints, in the order of the file.
    pub fn joints(&self) -> &[Hinge] {
        &self.description.joints
    }

    /// The points that are no joints, in the order of the file.
    pub fn ends(&self) -> &[End] {
        &self.description.ends
    }

    /// Pairs of point indices to join by a line: every joint with its parent, every end with the joint that moves it,
    /// and every fixed end with the joints on the base.
    pub fn links(&self) -> Vec<(usize, usize)> {
        let count = self.parents.len();
        let bones = self.parents.iter().enumerate().filter_map(|(joint, parent)| parent.map(|p| (p, joint)));
        let ends = self.carriers.iter().enumerate().flat_map(|(end, carrier)| {
            let from: Vec<usize> = match carrier {
                Some(joint) => vec![*joint],
                None => (0..count).filter(|&j| self.parents[j].is_none()).collect(),
            };
            from.into_iter().map(move |joint| (joint, count + end))
        });
        bones.chain(ends).collect()
    }

    /// Whether every joint has a channel that drives it.
    pub fn matches<S: AsRef<str>>(&self, channel_names: &[S]) -> bool {
        self.channels(channel_names).is_ok()
    }

    /// For each joint the index of the channel that drives it. Look it up once, then use [`Skeleton::place`] per frame.
    ///
    /// # Errors
    /// [`Error::Data`] naming the joints without a channel.
    pub fn channels<S: AsRef<str>>(&self, channel_names: &[S]) -> Result<Vec<usize>> {
        let drives = |joint: &Hinge| {
            let bare = |channel: &S| channel.as_ref().strip_prefix("q_").unwrap_or(channel.as_ref()) == joint.name;
            channel_names.iter().position(bare)
        };
        let found: Vec<Option<usize>> = self.joints().iter().map(drives).collect();
        let missing = |(joint, channel): (&Hinge, &Option<usize>)| channel.is_none().then(|| joint.name.clone());
        let missing: Vec<String> = self.joints().iter().zip(&found).filter_map(missing).collect();
        if !missing.is_empty() {
            let expected = format!("channels `q_<joint>` [rad] for all joints of skeleton `{}`", self.name());
            return Err(Error::data("channels", format!("none for {}", missing.join(", ")), expected));
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Places of all points, in m, for one frame of `values`, in rad, one per channel.
    ///
    /// # Errors
    /// [`Error::Data`] as in [`Skeleton::channels`], or where there are not as many values as channels.
    pub fn points<S: AsRef<str>>(&self, channel_names: &[S], values: &[f64]) -> Result<Vec<[f64; 3]>> {
        if values.len() != channel_names.len() {
            let expected = format!("{}, one per channel", channel_names.len());
            return Err(Error::data("values of a frame", values.len(), expected));
        }
        let angles: Vec<f64> = self.channels(channel_names)?.into_iter().map(|channel| values[channel]).collect();
        self.place(&angles)
    }

    /// Places of all points, in m, for `angles`, in rad, in the order of [`Skeleton::joints`].
    ///
    /// # Errors
    /// [`Error::Data`] where there are not as many angles as joints.
    pub fn place(&self, angles: &[f64]) -> Result<Vec<[f64; 3]>> {
        let joints = self.joints();
        if angles.len() != joints.len() {
            return Err(Error::data("joint angles", angles.len(), format!("{}, one per joint", joints.len())));
        }
        let mut motion = vec![Isometry3::<f64>::identity(); joints.len()];
        self.tree.place(angles, &mut motion);
        let moved = |by: Option<usize>, at: &[f64; 3]| -> [f64; 3] {
            by.map_or(*at, |joint| (motion[joint] * Point3::from(*at)).coords.into())
        };
        let anchors = joints.iter().enumerate().map(|(j, joint)| moved(Some(j), &joint.anchor));
        let ends = self.ends().iter().zip(&self.carriers).map(|(end, carrier)| moved(*carrier, &end.at));
        Ok(anchors.chain(ends).collect())
    }
}

impl From<Skeleton> for Description {
    fn from(skeleton: Skeleton) -> Self {
        skeleton.description
    }
}

impl TryFrom<Description> for Skeleton {
    type Error = Error;

    fn try_from(description: Description) -> Result<Self> {
        if description.joints.is_empty() {
            return Err(Error::data("skeleton", "no joints", "at least one"));
        }
        for (at, joint) in description.joints.iter().enumerate() {
            check_joint(joint)?;
            if description.joints[..at].iter().any(|before| before.name == joint.name) {
                return Err(Error::data("skeleton", format!("two joints `{}`", joint.name), "names that are unique"));
            }
        }
        let index = |wanted: &Option<String>, what: String| match wanted {
            None => Ok(None),
            Some(name) => match description.joints.iter().position(|joint| &joint.name == name) {
                Some(found) => Ok(Some(found)),
                None => {
                    Err(Error::data(what, format!("unknown joint `{name}`"), "the name of a joint of this skeleton"))
                }
            },
        };
        let joints = description.joints.iter();
        let parents =
            joints.map(|j| index(&j.parent, format!("parent of joint `{}`", j.name))).collect::<Result<Vec<_>>>()?;
        let ends = description.ends.iter();
        let carriers =
            ends.map(|e| index(&e.joint, format!("joint of end `{}`", e.name))).collect::<Result<Vec<_>>>()?;
        for end in &description.ends {
            finite(&end.at, || format!("place of end `{}`", end.name))?;
        }
        let tree = tree(&parents, &description.joints)?;
        Ok(Self { description, parents, carriers, tree })
    }
}

fn check_joint(joint: &Hinge) -> Result<()> {
    let Hinge { name, anchor, axis, limits, .. } = joint;
    finite(anchor, || format!("anchor of joint `{name}`"))?;
    let length = Vector3::from(*axis).norm();
    if length.is_nan() || (length - 1.0).abs() > UNIT_TOLERANCE {
        return Err(Error::data(format!("axis of joint `{name}`"), format!("length {length}"), "a unit vector"));
    }
    match limits {
        Some([low, high]) if low.is_nan() || high.is_nan() || low > high => {
            let found = format!("{low} to {high}");
            Err(Error::data(format!("limits of joint `{name}`"), found, "the lower angle first"))
        }
        _ => Ok(()),
    }
}

fn finite(values: &[f64; 3], what: impl FnOnce() -> String) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(Error::data(what(), value, "finite numbers")),
        None => Ok(()),
    }
}

/// The joints as bodies that all have the frame of the zero pose: each turns about its axis where that is.
fn tree(parents: &[Option<usize>], joints: &[Hinge]) -> Result<Tree> {
    let body = |(parent, joint): (&Option<usize>, &Hinge)| {
        let (anchor, axis) = (Vector3::from(joint.anchor), Unit::new_normalize(Vector3::from(joint.axis)));
        Body { parent: *parent, origin: Isometry3::identity(), motion: Motion::Turn { anchor, axis } }
    };
    Tree::new(parents.iter().zip(joints).map(body).collect()).map_err(|stuck| {
        let stuck: Vec<&str> = stuck.into_iter().map(|j| joints[j].name.as_str()).collect();
        let found = format!("a cycle among {}", stuck.join(", "));
        Error::data("parents of the skeleton's joints", found, "a tree with at least one root")
    })
}
