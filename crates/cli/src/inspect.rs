//! `ebmotion inspect`.

use super::args::InspectArgs;
use super::options;
use super::output::{self, Inputs};
use ebmotion::forecast::RunConfig;
use ebmotion::trajectory::{Inspection, Recording, Severity, inspect};
use ebmotion::{Error, Result, files};

/// The least severity that `--strict` does not let pass.
const STRICT: Severity = Severity::Warning;

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let mut config = RunConfig::default();
    args.read.apply(&mut config);
    Inputs::new(Recording::files(&args.logs)?).spared_by(&args.page)?;
    args.page.as_deref().map_or(Ok(()), output::check_writable)?;
    let inspection = inspect(&args.logs, &config.data.read)?;
    if let Some(page) = &args.page {
        files::write_bytes(page, options::named(&inspection.page()).as_bytes())?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(|e| Error::Other(format!("inspection: {e}")))?;
        output::print(&(options::named(&json) + "\n"))?;
    } else {
        output::print(&options::named(&inspection.to_string()))?;
    }
    if args.strict { check(&inspection) } else { Ok(()) }
}

/// An error of exit status 1 where something was found that `--strict` does not let pass.
fn check(inspection: &Inspection) -> Result<()> {
    let grave: Vec<_> = inspection.findings.iter().filter(|f| f.severity >= STRICT).collect();
    match grave.as_slice() {
        [] => Ok(()),
        [first, ..] => {
            let kind = first.kind.name();
            Err(Error::Other(format!("--strict: {} warnings and errors, the gravest `{kind}`", grave.len())))
        }
    }
}
