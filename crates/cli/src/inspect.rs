//! `ebmotion inspect`.

use super::args::InspectArgs;
use super::options;
use super::output::{self, Inputs};
use ebmotion::forecast::RunConfig;
use ebmotion::kinematics::Robot;
use ebmotion::robot::joint_limits;
use ebmotion::trajectory::{Channel, Inspection, JointLimits, Recording, Severity, inspect_with};
use ebmotion::{Error, Result};
use ebmotion_logs::files;

/// The least severity that `--strict` does not let pass.
const STRICT: Severity = Severity::Warning;

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let mut config = RunConfig::default();
    args.read.apply(&mut config);
    Inputs::new(Recording::files(&args.logs)?.iter().chain(&args.urdf)).spared_by(&args.page)?;
    args.page.as_deref().map_or(Ok(()), output::check_writable)?;
    let robot = args.urdf.as_ref().map(Robot::read).transpose()?;
    let mut told = String::new();
    let limits = |channels: &[Channel]| -> Result<Vec<JointLimits>> {
        let Some(robot) = &robot else { return Ok(Vec::new()) };
        let limits = joint_limits(robot, channels)?;
        let names: Vec<&str> = limits.iter().map(|limits| limits.name.as_str()).collect();
        told += &format!("\nLimits of robot `{}` are known of {}.\n", robot.name(), names.join(", "));
        Ok(limits)
    };
    let inspection = inspect_with(&args.logs, &config.data.read, limits)?;
    if let Some(page) = &args.page {
        files::write_bytes(page, options::named(&inspection.page()).as_bytes())?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(Error::unwritable("the inspection", "JSON"))?;
        output::print(&(options::named(&json) + "\n"))?;
    } else {
        output::print(&(options::named(&inspection.to_string()) + &told))?;
    }
    if args.strict { check(&inspection) } else { Ok(()) }
}

/// An error of exit status 1 where something was found that `--strict` does not let pass.
fn check(inspection: &Inspection) -> Result<()> {
    let grave: Vec<_> = inspection.findings.iter().filter(|f| f.severity >= STRICT).collect();
    match grave.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(Error::NotClean { count: grave.len(), gravest: first.kind.name() }),
    }
}
