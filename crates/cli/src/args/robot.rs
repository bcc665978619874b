//! Arguments of a robot.

use clap::Args;
use ebmotion::Result;
use ebmotion::kinematics::{Drive, Robot};
use ebmotion::trajectory::Channel;
use std::path::PathBuf;

/// A robot and which of its links count.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Robot")]
pub(crate) struct RobotArgs {
    /// The robot as a URDF file; the log's channels have the names of its joints (docs/robots.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) urdf: Option<PathBuf>,
    /// Link whose place counts, such as a tool; may be repeated. Where none is given: the finger tips and tools, which
    /// are the links that carry no other and move.
    #[arg(long, value_name = "NAME", requires = "urdf")]
    pub(crate) link: Vec<String>,
}

impl RobotArgs {
    /// The robot, where one is given.
    pub(crate) fn robot(&self) -> Result<Option<Robot>> {
        self.urdf.as_ref().map(Robot::read).transpose()
    }

    /// How the channels move these links, where a robot is given.
    pub(crate) fn drive(&self, channels: &[Channel]) -> Result<Option<Drive>> {
        self.robot()?.map(|robot| ebmotion::robot::drive(&robot, channels, &self.link)).transpose()
    }
}
