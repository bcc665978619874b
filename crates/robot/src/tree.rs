//! Bodies that hang on each other, and where they are: the one forward kinematics of skeletons and robots.

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

/// How a body moves against the one on which it hangs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Motion {
    /// Not at all.
    Fixed,
    /// It turns about an axis through `anchor`, by an angle in rad: `x -> R (x - a) + a`.
    Turn { anchor: Vector3<f64>, axis: Unit<Vector3<f64>> },
    /// It slides along an axis, by a length in m.
    Slide { axis: Unit<Vector3<f64>> },
}

impl Motion {
    fn by(&self, value: f64) -> Isometry3<f64> {
        match self {
            Motion::Fixed => Isometry3::identity(),
            Motion::Turn { anchor, axis } => {
                let turn = UnitQuaternion::from_axis_angle(axis, value);
                Isometry3::from_parts(Translation3::from(anchor - turn * anchor), turn)
            }
            Motion::Slide { axis } => Translation3::from(axis.into_inner() * value).into(),
        }
    }
}

/// A body that hangs on another one, or on the base.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    /// The body on which it hangs; `None` for the base.
    pub parent: Option<usize>,
    /// Its place on that body where its own value is 0.
    pub origin: Isometry3<f64>,
    /// What its value does.
    pub motion: Motion,
}

/// Bodies, each with an order in which every body comes after the one on which it hangs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    bodies: Vec<Body>,
    order: Vec<usize>,
}

impl Tree {
    /// Of bodies whose parents are among them.
    ///
    /// # Errors
    /// The bodies that hang on each other in a circle, and those that hang on them.
    pub fn new(bodies: Vec<Body>) -> Result<Self, Vec<usize>> {
        let order = parents_first(bodies.len(), |body| bodies[body].parent)?;
        Ok(Self { bodies, order })
    }

    /// Bodies.
    pub fn len(&self) -> usize {
        self.bodies.len()
    }

    /// How a point of a body moves as each value above it grows, at the `poses` of [`Tree::place`]: told to `tell` with
    /// the value's number, from the body to the base.
    pub fn slopes(
        &self,
        body: usize,
        point: &Vector3<f64>,
        poses: &[Isometry3<f64>],
        mut tell: impl FnMut(usize, Vector3<f64>),
    ) {
        let mut at = Some(body);
        while let Some(i) = at {
            // A motion leaves its own axis where it is.
            match &self.bodies[i].motion {
                Motion::Fixed => {}
                Motion::Turn { anchor, axis } => {
                    let arm = point - (poses[i].rotation * anchor + poses[i].translation.vector);
                    tell(i, (poses[i].rotation * axis.into_inner()).cross(&arm));
                }
                Motion::Slide { axis } => tell(i, poses[i].rotation * axis.into_inner()),
            }
            at = self.bodies[i].parent;
        }
    }

    /// Where each body is against the base, for a value each; both as long as the tree.
    pub fn place(&self, values: &[f64], poses: &mut [Isometry3<f64>]) {
        for &i in &self.order {
            let Body { parent, origin, motion } = &self.bodies[i];
            let above = parent.map_or_else(Isometry3::identity, |parent| poses[parent]);
            poses[i] = above * origin * motion.by(values[i]);
        }
    }
}

/// The numbers `0..count`, each after its parent.
///
/// # Errors
/// Those that hang on each other in a circle, and those that hang on them, in rising order.
pub(crate) fn parents_first(count: usize, parent: impl Fn(usize) -> Option<usize>) -> Result<Vec<usize>, Vec<usize>> {
    let mut children = vec![Vec::new(); count];
    let mut order = Vec::with_capacity(count);
    for i in 0..count {
        match parent(i) {
            Some(parent) => children[parent].push(i),
            None => order.push(i),
        }
    }
    let mut next = 0;
    while let Some(&i) = order.get(next) {
        order.append(&mut children[i]);
        next += 1;
    }
    if order.len() == count {
        return Ok(order);
    }
    let mut placed = vec![false; count];
    order.into_iter().for_each(|i| placed[i] = true);
    Err((0..count).filter(|i| !placed[*i]).collect())
}
