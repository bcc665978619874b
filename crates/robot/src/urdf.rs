//! URDF files as robots (<http://wiki.ros.org/urdf/XML>, versions 1.0 to 1.2).
//!
//! Only what moves is read: links, joints, their origins, axes, limits and mimics. Everything else may be what it will
//! (shapes, masses, transmissions, extensions of simulators).

use crate::robot::{Joint, JointBounds, JointKind, Link, Mimic, Robot};
use ebmotion_engine::error::{Error, Result};
use nalgebra::{Isometry3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};
use std::collections::HashMap;
use std::path::Path;

/// An axis or a quaternion shorter than this has no direction.
const LEAST_LENGTH: f64 = 1e-9;

impl Robot {
    /// Reads a URDF file.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; otherwise as [`Robot::from_urdf`].
    #[cfg_attr(docsrs, doc(cfg(feature = "urdf")))]
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_urdf(path, &std::fs::read(path).map_err(Error::io(path, "read"))?)
    }

    /// Reads the content of a URDF file; `path` is its name in messages.
    ///
    /// # Errors
    /// [`Error::Log`] with the line and the link or joint at fault: text that is no XML or ends too soon, a file that
    /// is no URDF (xacro has to be expanded first), a name twice or missing, a joint of unknown kind or between unknown
    /// links, a link on two joints, links in a circle, more roots than one, numbers that are none, an axis without a
    /// length, limits in the wrong order, a mimic of an unknown joint, of one without a value, or in a circle.
    #[cfg_attr(docsrs, doc(cfg(feature = "urdf")))]
    pub fn from_urdf(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self> {
        let path = path.as_ref();
        let source = Source { path, text: text(path, bytes)?, lines: line_ends(bytes) };
        let document = Document::parse(source.text).map_err(|e| source.malformed(&e))?;
        let robot = document.root_element();
        if robot.tag_name().name() != "robot" {
            let found = format!("an element `{}`", robot.tag_name().name());
            return Err(source.error(robot, found, "a URDF file, whose outermost element is `robot`"));
        }
        let macros = |n: &Node| n.tag_name().namespace().is_some_and(|space| space.contains("xacro"));
        if let Some(node) = robot.descendants().find(macros) {
            let found = format!("the macro `xacro:{}`", node.tag_name().name());
            return Err(source.error(node, found, "a URDF file: expand it with the program `xacro` first"));
        }
        let parts = Parts { source: &source, robot };
        let (links, link_places) = parts.links()?;
        let (joints, links) = parts.joints(links, &link_places)?;
        let name = robot.attribute("name").unwrap_or_default().to_string();
        Robot { name, path: path.to_path_buf(), links, joints }.checked()
    }
}

/// The file as text.
fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let found = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
            _ => "bytes that are no text",
        };
        let (found, expected) = (found.to_string(), "a URDF file in UTF-8".to_string());
        Error::Log { path: path.to_path_buf(), line: Some(line), column: None, found, expected }
    })
}

/// Places of the line feeds.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place).collect()
}

/// A file while it is read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    lines: Vec<usize>,
}

impl Source<'_> {
    fn line(&self, node: Node) -> u64 {
        let at = node.range().start;
        self.lines.partition_point(|end| *end < at) as u64 + 1
    }

    fn fault(&self, line: u64, found: String, expected: &str) -> Error {
        let path = self.path.to_path_buf();
        Error::Log { path, line: Some(line), column: None, found, expected: expected.into() }
    }

    fn error(&self, node: Node, found: String, expected: &str) -> Error {
        self.fault(self.line(node), found, expected)
    }

    /// Text that is no XML. What ends too soon has no place of its own: that is the last line.
    fn malformed(&self, error: &roxmltree::Error) -> Error {
        use roxmltree::Error::{DtdDetected, NoRootNode, UnclosedRootNode, UnexpectedEndOfStream};
        let last = self.text.trim_end().bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
        match error {
            UnclosedRootNode | UnexpectedEndOfStream => {
                let found = "the end of the file within an element: it was cut off".to_string();
                self.fault(last, found, "a whole URDF file, to `</robot>`")
            }
            NoRootNode => self.fault(last, "no element".into(), "a URDF file, whose outermost element is `robot`"),
            DtdDetected => self.fault(1, "a document type definition".into(), "a URDF file without one"),
            other => self.fault(u64::from(other.pos().row), format!("{other}"), "XML that is well formed"),
        }
    }
}

/// The parts of a robot while they are read.
struct Parts<'a, 'input> {
    source: &'a Source<'a>,
    robot: Node<'a, 'input>,
}

type Places<'a> = HashMap<&'a str, usize>;

impl<'a, 'input> Parts<'a, 'input> {
    fn error(&self, node: Node, found: String, expected: &str) -> Error {
        self.source.error(node, found, expected)
    }

    /// The elements `tag` below the outermost one, with their names and places.
    fn named(&self, tag: &str) -> Result<(Vec<Node<'a, 'input>>, Places<'a>)> {
        let (mut nodes, mut places): (Vec<Node<'a, 'input>>, Places<'a>) = (Vec::new(), HashMap::new());
        for node in self.robot.children().filter(|n| n.tag_name().name() == tag) {
            let name = node.attribute("name").filter(|name| !name.trim().is_empty());
            let name = name.ok_or_else(|| self.error(node, format!("a {tag} without a name"), "`name=\"...\"`"))?;
            if let Some(earlier) = places.insert(name, nodes.len()) {
                let line = self.source.line(nodes[earlier]);
                let found = format!("{tag} `{name}` again, after line {line}");
                return Err(self.error(node, found, "names that are unique"));
            }
            nodes.push(node);
        }
        Ok((nodes, places))
    }

    fn links(&self) -> Result<(Vec<Link>, Places<'a>)> {
        let (nodes, places) = self.named("link")?;
        if nodes.is_empty() {
            return Err(self.error(self.robot, "a robot without links".into(), "at least one `link`"));
        }
        let mut links: Vec<Link> = Vec::with_capacity(nodes.len());
        for node in nodes {
            let name = node.attribute("name").unwrap_or_default().to_string();
            links.push(Link { name, line: self.source.line(node), joint: None });
        }
        Ok((links, places))
    }

    /// The joints, and the links with the joints that carry them.
    fn joints(&self, mut links: Vec<Link>, link_places: &Places) -> Result<(Vec<Joint>, Vec<Link>)> {
        let (nodes, joint_places) = self.named("joint")?;
        let mut joints: Vec<Joint> = Vec::with_capacity(nodes.len());
        for (place, node) in nodes.into_iter().enumerate() {
            let joint = self.joint(node, link_places, &joint_places)?;
            if let Some(other) = links[joint.child].joint.replace(place) {
                let other = &joints[other];
                let found = format!(
                    "joint `{}` with the child `{}`, which joint `{}` (line {}) carries already",
                    joint.name, links[joint.child].name, other.name, other.line
                );
                return Err(self.error(node, found, "each link on one joint"));
            }
            joints.push(joint);
        }
        Ok((joints, links))
    }

    fn joint(&self, node: Node<'a, 'input>, links: &Places, joints: &Places) -> Result<Joint> {
        let name = node.attribute("name").unwrap_or_default();
        let kind = node.attribute("type").unwrap_or_default().trim();
        let Some((_, kind)) = JointKind::NAMES.into_iter().find(|(known, _)| *known == kind) else {
            let known = JointKind::NAMES.map(|(name, _)| name).join(", ");
            let found = format!("joint `{name}` of the type `{kind}`");
            return Err(self.error(node, found, &format!("one of the types {known}")));
        };
        let part = Part { parts: self, joint: name, node };
        let (parent, child) = (part.link("parent", links)?, part.link("child", links)?);
        // Programs write axes and limits of any kind to joints that have none.
        let has_value = kind.has_value();
        Ok(Joint {
            name: name.to_string(),
            line: self.source.line(node),
            kind,
            parent,
            child,
            origin: part.origin(self.robot)?,
            axis: if has_value { part.axis()? } else { Vector3::x_axis() },
            limits: if has_value { part.limits(kind)? } else { JointBounds::default() },
            mimic: if has_value { part.mimic(joints)? } else { None },
        })
    }
}

/// A joint while it is read.
struct Part<'p, 'a, 'input> {
    parts: &'p Parts<'a, 'input>,
    joint: &'a str,
    node: Node<'a, 'input>,
}

impl<'a, 'input> Part<'_, 'a, 'input> {
    fn error(&self, node: Node, found: &str, expected: &str) -> Error {
        self.parts.error(node, format!("{found} of joint `{}`", self.joint), expected)
    }

    /// The one element `tag` of the joint, where there is one.
    fn only(&self, tag: &str) -> Result<Option<Node<'a, 'input>>> {
        let mut found = self.node.children().filter(|n| n.tag_name().name() == tag);
        let first = found.next();
        match found.next() {
            Some(second) => Err(self.error(second, &format!("a second `{tag}`"), "one at most")),
            None => Ok(first),
        }
    }

    fn link(&self, tag: &str, links: &Places) -> Result<usize> {
        let expected = "a link of this file";
        let missing = || self.error(self.node, &format!("no `{tag}`"), &format!("`<{tag} link=\"...\"/>`"));
        let node = self.only(tag)?.ok_or_else(missing)?;
        let name = node.attribute("link").ok_or_else(missing)?;
        let unknown = || self.error(node, &format!("the unknown {tag} link `{name}`"), expected);
        links.get(name).copied().ok_or_else(unknown)
    }

    /// `N` finite numbers; `None` where the attribute is missing.
    fn numbers<const N: usize>(&self, node: Node, attribute: &str) -> Result<Option<[f64; N]>> {
        let Some(text) = node.attribute(attribute) else { return Ok(None) };
        let numbers: Vec<f64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let whole = numbers.len() == text.split_whitespace().count() && numbers.iter().all(|v| v.is_finite());
        let numbers = <[f64; N]>::try_from(numbers).ok().filter(|_| whole);
        let expected = if N == 1 { "a finite number".to_string() } else { format!("{N} finite numbers") };
        numbers.map(Some).ok_or_else(|| self.error(node, &format!("`{attribute}=\"{text}\"`"), &expected))
    }

    fn number(&self, node: Node, attribute: &str) -> Result<Option<f64>> {
        Ok(self.numbers::<1>(node, attribute)?.map(|[value]| value))
    }

    fn origin(&self, robot: Node) -> Result<Isometry3<f64>> {
        let Some(node) = self.only("origin")? else { return Ok(Isometry3::identity()) };
        let place = self.numbers::<3>(node, "xyz")?.unwrap_or_default();
        // Turns about the parent's x, then y, then z axis.
        let angles = self.numbers::<3>(node, "rpy")?;
        let turn = match (angles, self.numbers::<4>(node, "quat_xyzw")?) {
            (angles, None) => {
                let [roll, pitch, yaw] = angles.unwrap_or_default();
                UnitQuaternion::from_euler_angles(roll, pitch, yaw)
            }
            (Some(_), Some(_)) => return Err(self.error(node, "`rpy` and `quat_xyzw`", "one of the two")),
            (None, Some(_)) if matches!(robot.attribute("version"), None | Some("1.0" | "1")) => {
                return Err(self.error(node, "`quat_xyzw`", "`rpy`: quaternions are of URDF 1.1 and later"));
            }
            (None, Some([x, y, z, w])) => UnitQuaternion::try_new(Quaternion::new(w, x, y, z), LEAST_LENGTH)
                .ok_or_else(|| self.error(node, "a quaternion without a length", "a quaternion of length 1"))?,
        };
        Ok(Isometry3::from_parts(Translation3::from(place), turn))
    }

    fn axis(&self) -> Result<Unit<Vector3<f64>>> {
        let Some(node) = self.only("axis")? else { return Ok(Vector3::x_axis()) };
        let axis = Vector3::from(self.numbers::<3>(node, "xyz")?.unwrap_or([1.0, 0.0, 0.0]));
        let none = || self.error(node, "an axis without a length", "a direction");
        Unit::try_new(axis, LEAST_LENGTH).ok_or_else(none)
    }

    fn limits(&self, kind: JointKind) -> Result<JointBounds> {
        let Some(node) = self.only("limit")? else { return Ok(JointBounds::default()) };
        // From URDF 1.2 a limit may be infinite, which is none.
        let limit = |attribute: &str| match node.attribute(attribute).map(str::trim) {
            Some("inf" | "+inf" | "-inf") | None => Ok(None),
            Some(_) => self.number(node, attribute),
        };
        let (lower, upper) = (limit("lower")?, limit("upper")?);
        let given = |attribute: &str| node.has_attribute(attribute);
        let (lower, upper) = match (lower, upper) {
            (Some(lower), Some(upper)) if lower > upper => {
                let found = format!("the limits `lower=\"{lower}\"` and `upper=\"{upper}\"`");
                return Err(self.error(node, &found, "the lower one first"));
            }
            (Some(lower), Some(upper)) if lower == upper => (None, None),
            (Some(lower), None) if !given("upper") && lower < 0.0 => (Some(lower), Some(0.0)),
            (None, Some(upper)) if !given("lower") && upper > 0.0 => (Some(0.0), Some(upper)),
            ends => ends,
        };
        let (lower, upper) = if kind == JointKind::Continuous { (None, None) } else { (lower, upper) };
        let size = |attribute: &str| -> Result<Option<f64>> {
            let value = limit(attribute)?;
            match value.filter(|value| *value < 0.0) {
                Some(value) => Err(self.error(node, &format!("`{attribute}=\"{value}\"`"), "a limit of 0 or more")),
                None => Ok(value.filter(|value| *value > 0.0)),
            }
        };
        Ok(JointBounds { lower, upper, velocity: size("velocity")?, effort: size("effort")? })
    }

    fn mimic(&self, joints: &Places) -> Result<Option<Mimic>> {
        let Some(node) = self.only("mimic")? else { return Ok(None) };
        let missing = || self.error(node, "a mimic without `joint`", "the joint to follow");
        let name = node.attribute("joint").ok_or_else(missing)?;
        let unknown = || self.error(node, &format!("a mimic of the unknown joint `{name}`"), "a joint of this file");
        let joint = joints.get(name).copied().ok_or_else(unknown)?;
        let multiplier = self.number(node, "multiplier")?.unwrap_or(1.0);
        Ok(Some(Mimic { joint, multiplier, offset: self.number(node, "offset")?.unwrap_or(0.0) }))
    }
}
