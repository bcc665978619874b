//! Episodes that are left out by name.

use super::Recording;
use super::read::header::glob;
use crate::error::{Error, Result};

impl Recording {
    /// Leaves out the episodes whose names fit one of `patterns`, in which `*` stands for any characters.
    ///
    /// ```
    /// use ebmotion_logs::{ReadOptions, Recording};
    ///
    /// let log = b"episode,time [s],x\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n12,0,5\n12,1,6\n";
    /// let mut recording = Recording::from_bytes("arm.csv", log, &ReadOptions::default())?;
    /// recording.leave_out(&["arm/1".into()])?;
    /// assert_eq!(recording.episodes.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["arm/0", "arm/12"]);
    /// assert!(recording.leave_out(&["arm/1".into()]).is_err()); // there is none of that name any more
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for a pattern that fits no episode, and where none is left.
    pub fn leave_out(&mut self, patterns: &[String]) -> Result<()> {
        const KEY: &str = "exclude_episodes";
        if let Some(unknown) = patterns.iter().find(|p| !self.episodes.iter().any(|e| glob(p, &e.id))) {
            let names: Vec<&str> = self.episodes.iter().take(5).map(|e| e.id.as_str()).collect();
            let more = if self.episodes.len() > names.len() { ", ..." } else { "" };
            let expected = format!("a name or pattern of an episode: {}{more}", names.join(", "));
            return Err(Error::config(KEY, format!("`{unknown}`, which fits no episode"), expected));
        }
        self.episodes.retain(|episode| !patterns.iter().any(|p| glob(p, &episode.id)));
        if self.episodes.is_empty() {
            return Err(Error::config(KEY, "names of all episodes", "at least one that is left"));
        }
        Ok(())
    }
}
