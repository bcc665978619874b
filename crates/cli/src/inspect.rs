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
    let known = |channels: &[Channel]| -> Result<InspectOptions> {
        let limits = robot.as_ref().map(|robot| joint_limits(robot, channels)).transpose()?.unwrap_or_default();
        Ok(InspectOptions { limits })
    };
    let inspection = inspect_with(&args.logs, &config.data.read, known)?;
    if args.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(|e| Error::Other(format!("inspection: {e}")))?;
        output::print(&(json + "\n"))
    } else {
        output::print(&options::named(&inspection.to_string()))
    }
}
