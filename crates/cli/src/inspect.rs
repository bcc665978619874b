//! `ebmotion inspect`.

use super::args::InspectArgs;
use super::{options, output};
use ebmotion::forecast::RunConfig;
use ebmotion::trajectory::inspect;
use ebmotion::{Error, Result};

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let mut config = RunConfig::default();
    args.read.apply(&mut config);
    let inspection = inspect(&args.logs, &config.data.read)?;
    if args.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(Error::unwritable("the inspection", "JSON"))?;
        output::print(&(json + "\n"))
    } else {
        output::print(&options::named(&inspection.to_string()))
    }
}
