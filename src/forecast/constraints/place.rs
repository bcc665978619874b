//! A link that has to be at a place at a time.
//!
//! Where a link is, is no linear function of its joints. So each sample first gets values of the joints that put the
//! link there: those nearest to a free sample's, each joint counted in units of how much it differs among free samples,
//! found by damped Gauss-Newton steps ("differential inverse kinematics": Lynch and Park, "Modern Robotics" (2017),
//! section 6.2.2), within the joints' limits. These are then goals of the joints.

use super::entry::Entry;
use crate::error::Result;
use crate::kinematics::{Drive, Poses};
use nalgebra::{Matrix3, Vector3};

/// Steps of the search at most.
const STEPS: usize = 60;
/// A tenth of what may be missed is near enough for the search.
const NEAR: f64 = 0.1;

/// A link's place in one frame.
#[derive(Debug)]
pub(in crate::forecast) struct LinkGoal {
    pub(super) name: String,
    pub(super) unit: String,
    /// In `unit`, and what one of it is in m.
    pub(super) within: f64,
    pub(super) metres: f64,
    pub(in crate::forecast) frame: usize,
    pub(super) drive: Drive,
    /// m, in the frame of the robot's root.
    pub(super) position: Vector3<f64>,
    /// The channels that move the link.
    pub(in crate::forecast) channels: Vec<usize>,
}

impl LinkGoal {
    pub(super) fn new(
        entry: &Entry<'_>,
        (link, position): (&str, [f64; 3]),
        (unit, within): (Option<&str>, f64),
        frame: usize,
    ) -> Result<Self> {
        let (robot, metres) = (entry.robot()?, entry.metres(unit)?);
        let link = robot.link(link).map_err(|e| entry.fault(format!("link = \"{link}\""), e.to_string()))?;
        let drive = robot.drive(&entry.named(), &[link])?;
        let position = Vector3::from(position.map(|v| v * metres));
        if !position.iter().all(|v| v.is_finite()) {
            return Err(entry.fault("a position that is not finite", "three numbers"));
        }
        let channels = moving(&drive, entry.channels.len())?;
        let (name, unit) = (entry.name.clone(), unit.unwrap_or_default().to_string());
        Ok(Self { name, unit, within, metres, frame, drive, position, channels })
    }

    /// The entry that it is of.
    pub(in crate::forecast) fn entry(&self) -> &str {
        &self.name
    }

    /// Moves the channels of a frame `(D,)` that move the link and are `free` `(D,)`, each in units of its `spread`
    /// `(D,)` and within its `limits` `(D,)`, until the link is where it has to be. How far it then is from there, m.
    ///
    /// # Errors
    /// Those of placing links.
    pub(in crate::forecast) fn reach(
        &self,
        frame: &mut [f64],
        (free, spread, limits): (&[bool], &[f64], &[[f64; 2]]),
    ) -> Result<f64> {
        let (mut room, mut slopes) = (Poses::default(), vec![[0.0; 3]; frame.len()]);
        let start = frame.to_vec();
        let near = NEAR * self.within * self.metres;
        let mut damping = 1e-6;
        let mut away = self.away(frame, &mut room)?;
        for _ in 0..STEPS {
            if away.norm() < near {
                break;
            }
            self.drive.slopes(0, &room, &mut slopes)?;
            // What stands at its limit and would go beyond it stays there for this step.
            let mut still = vec![false; frame.len()];
            let mut better = None;
            for _ in 0..3 {
                let moving: Vec<usize> = self.channels.iter().copied().filter(|c| free[*c] && !still[*c]).collect();
                let slope = |c: usize| spread[c] * Vector3::from(slopes[c]);
                let mut normal = Matrix3::zeros();
                let mut back = Vector3::zeros();
                for c in moving.iter().copied() {
                    normal += slope(c) * slope(c).transpose();
                    back += Vector3::from(slopes[c]) * (start[c] - frame[c]);
                }
                let size = normal.trace().max(f64::MIN_POSITIVE);
                let Some(inverse) = (normal + Matrix3::identity() * (damping * size)).try_inverse() else { break };
                let by = inverse * (away - back);
                let mut next = frame.to_vec();
                let mut stopped = false;
                for c in moving {
                    let to = start[c] + spread[c] * slope(c).dot(&by);
                    let [low, high] = limits[c];
                    still[c] = to < low || to > high;
                    stopped |= still[c];
                    next[c] = to.clamp(low, high);
                }
                better = Some(next);
                if !stopped {
                    break;
                }
            }
            let Some(next) = better else { break };
            let now = self.away(&next, &mut room)?;
            if now.norm() < away.norm() {
                frame.copy_from_slice(&next);
                (away, damping) = (now, (damping * 0.3).max(1e-9));
            } else {
                damping *= 10.0;
                away = self.away(frame, &mut room)?;
                if damping > 1e3 {
                    break;
                }
            }
        }
        Ok(away.norm())
    }

    /// From where the link is to where it has to be.
    pub(super) fn away(&self, frame: &[f64], room: &mut Poses) -> Result<Vector3<f64>> {
        let place = self.drive.place(frame, room)?.first().map(|pose| pose.translation.vector);
        Ok(self.position - place.unwrap_or_default())
    }

    /// Whether a link so far away, m, is near enough.
    pub(in crate::forecast) fn met(&self, away: f64) -> bool {
        away <= self.within * self.metres
    }
}

/// The channels that move a drive's first link.
fn moving(drive: &Drive, channels: usize) -> Result<Vec<usize>> {
    let (mut room, mut slopes) = (Poses::default(), vec![[0.0; 3]; channels]);
    // At a pose of no symmetry, since an axis through the link does not move it.
    let mut moves = vec![false; channels];
    for turn in [0.0, 0.3, 0.7] {
        let frame: Vec<f64> = (0..channels).map(|c| turn * (1.0 + 0.1 * c as f64)).collect();
        drive.place(&frame, &mut room)?;
        drive.slopes(0, &room, &mut slopes)?;
        moves.iter_mut().zip(&slopes).for_each(|(to, slope)| *to |= slope.iter().any(|v| *v != 0.0));
    }
    Ok((0..channels).filter(|c| moves[*c]).collect())
}
