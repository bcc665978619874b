//! What the channels of a log mean to a robot ([`crate::kinematics`]).

use crate::error::Result;
use crate::trajectory::{Channel, JointLimits};
use ebmotion_robot::{Drive, JointBounds, Robot};

/// How `channels` move the links of these names; where no names are given, the ends of the robot that move: finger tips
/// and tools.
///
/// # Errors
/// [`crate::Error::Config`] of the setting `link` for an unknown name; otherwise as [`Robot::drive`].
pub fn drive(robot: &Robot, channels: &[Channel], links: &[String]) -> Result<Drive> {
    let links = match links {
        [] => robot.ends(),
        names => names.iter().map(|name| robot.link(name)).collect::<Result<_>>()?,
    };
    robot.drive(&named(channels), &links)
}

/// The limits of `channels` that drive joints of a robot, in the channels' units, for
/// [`crate::trajectory::inspect_with`].
///
/// # Errors
/// As [`Robot::channel_limits`].
pub fn joint_limits(robot: &Robot, channels: &[Channel]) -> Result<Vec<JointLimits>> {
    let limits = robot.channel_limits(&named(channels))?.into_iter();
    let limits = limits.map(|(channel, JointBounds { lower, upper, velocity, .. })| {
        let name = channels[channel].name.clone();
        JointLimits { name, lower, upper, velocity }
    });
    Ok(limits.collect())
}

fn named(channels: &[Channel]) -> Vec<(&str, Option<&str>)> {
    channels.iter().map(|channel| (channel.name.as_str(), channel.unit.as_deref())).collect()
}
