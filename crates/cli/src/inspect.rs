//! `ebmotion inspect`.

use super::args::InspectArgs;
use super::{options, output};
use ebmotion::forecast::RunConfig;
use ebmotion::kinematics::{Robot, joint_limits};
use ebmotion::trajectory::{Channel, InspectOptions, inspect_with};
use ebmotion::{Error, Result};

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let mut config = RunConfig::default();
    args.read.apply(&mut config);
    let robot = args.urdf.as_ref().map(Robot::read).transpose()?;
    let mut told = String::new();
    let known = |channels: &[Channel]| -> Result<InspectOptions> {
        let Some(robot) = &robot else { return Ok(InspectOptions::default()) };
        let limits = joint_limits(robot, channels)?;
        let names: Vec<&str> = limits.iter().map(|limits| limits.name.as_str()).collect();
        told += &format!("\nLimits of robot `{}` are known of {}.\n", robot.name(), names.join(", "));
        Ok(InspectOptions { limits })
    };
    let inspection = inspect_with(&args.logs, &config.data.read, known)?;
    if args.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(Error::unwritable("the inspection", "JSON"))?;
        output::print(&(json + "\n"))
    } else {
        output::print(&(options::named(&inspection.to_string()) + &told))
    }
}
