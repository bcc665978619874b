//! Recordings as files.

use crate::error::VizError;
use std::io::Write;
use std::path::Path;

/// Name under which the viewer keeps what the user changes in the arrangement.
pub(super) const APPLICATION: &str = "ebmotion";

/// A temporary file in the same folder, then a rename: readers see the old file or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VizError> {
    let failed = |action| move |source| VizError::Io { path: path.to_path_buf(), action, source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed("create its folder"))?;
    let mut options = tempfile::Builder::new();
    options.prefix(".ebmotion-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that the user creates (the umask applies), not private as temporary files are.
        options.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = options.tempfile_in(folder).map_err(failed("write"))?;
    temporary.write_all(bytes).map_err(failed("write"))?;
    temporary.as_file().sync_all().map_err(failed("sync"))?;
    temporary.persist(path).map_err(|e| failed("replace")(e.error))?;
    Ok(())
}
