//! tmp
use super::args::InspectArgs;
use ebmotion::Result;
pub(super) fn run(args: &InspectArgs) -> Result<()> { let _ = (&args.logs, args.json, &args.read); Ok(()) }
