//! What a format is, and the table of formats. A build knows all of them and reads those whose feature it has.

use super::input::Input;
use super::options::ReadOptions;
use super::signature;
use super::table::Table;
use crate::error::{Error, Result};
use std::path::Path;

/// Reads a log. What it holds is judged afterwards, for all formats alike.
pub(super) type Read = fn(&Input, &ReadOptions) -> Result<Table>;

/// A format of logs.
pub(super) struct Format {
    /// What messages call it.
    pub name: &'static str,
    /// Endings by which files of a folder are taken for logs (also with `.gz` or `.zst`), and which an episode's name
    /// leaves out.
    pub extensions: &'static [&'static str],
    /// Whether a log is of this format, by its first bytes (none of a folder). Files are told by content alone.
    pub is: fn(&Input, &[u8]) -> bool,
    /// How it is read, or the feature with which a build reads it.
    pub read: std::result::Result<Read, &'static str>,
}

/// A reader where the feature is there, else the feature.
macro_rules! with {
    ($feature:literal, $read:path) => {{
        #[cfg(feature = $feature)]
        const READ: std::result::Result<Read, &str> = Ok($read);
        #[cfg(not(feature = $feature))]
        const READ: std::result::Result<Read, &str> = Err($feature);
        READ
    }};
}

/// One row per format; the first whose `is` says so reads the log.
#[rustfmt::skip]
const FORMATS: &[Format] = &[
    Format { name: "a LeRobot dataset", extensions: &[], is: signature::lerobot,
             read: with!("parquet", super::lerobot::read) },
    Format { name: "Parquet", extensions: &[".parquet", ".pq"], is: signature::parquet,
             read: with!("parquet", super::parquet::read) },
    Format { name: "NumPy", extensions: &[".npz", ".npy"], is: signature::numpy,
             read: with!("numpy", super::numpy::read) },
    Format { name: "HDF5", extensions: &[".hdf5", ".h5"], is: signature::hdf5,
             read: with!("hdf5", super::hdf5::read) },
    Format { name: "MCAP", extensions: &[".mcap"], is: signature::mcap,
             read: with!("ros", super::ros::mcap) },
    Format { name: "ROS 1 bag", extensions: &[".bag", ".bag.active"], is: signature::rosbag1,
             read: with!("ros", super::ros::rosbag1) },
    Format { name: "rosbag2 folder", extensions: &[], is: signature::rosbag2,
             read: with!("ros", super::ros::rosbag2) },
    Format { name: "rosbag2 (SQLite)", extensions: &[".db3"], is: signature::sqlite,
             read: with!("ros", super::ros::sqlite) },
    Format { name: "CSV", extensions: &[".csv", ".tsv"], is: super::csv::is, read: Ok(super::csv::read) },
];

impl Format {
    /// The format of a log.
    ///
    /// # Errors
    /// [`Error::Log`] for a file of an unknown kind.
    pub fn of(input: &Input, head: &[u8]) -> Result<&'static Self> {
        FORMATS.iter().find(|f| (f.is)(input, head)).ok_or_else(|| {
            let known: Vec<&str> = FORMATS.iter().filter(|f| f.read.is_ok()).map(|f| f.name).collect();
            input.error("a file of an unknown kind", format!("one of {}", known.join(", ")))
        })
    }

    /// Its reader.
    ///
    /// # Errors
    /// [`Error::Log`] naming the feature that this build lacks.
    pub fn reader(&self, input: &Input) -> Result<Read> {
        self.read.map_err(|feature| self.lacks(input, feature))
    }

    fn lacks(&self, input: &Input, feature: &str) -> Error {
        let found = format!("{}, which this build does not read", self.name);
        input.error(found, format!("a build with the feature `{feature}`"))
    }
}

/// Whether a folder is one log and not a place where logs lie.
pub(super) fn is_one_log(folder: &Path) -> bool {
    let input = Input::at(folder);
    FORMATS.iter().any(|format| (format.is)(&input, &[]))
}

/// The endings of all formats: a file that this build does not read is told, not passed over.
pub(super) fn extensions() -> Vec<&'static str> {
    FORMATS.iter().flat_map(|f| f.extensions).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_known_by_its_first_bytes_with_its_reader_or_without() {
        let zip = [&b"PK\x03\x04"[..], &[0; 22], &[5, 0, 0, 0], b"q.npy"].concat();
        let heads: [(&[u8], &str, Option<&str>, bool); 9] = [
            (b"PAR1....", "Parquet", Some("parquet"), cfg!(feature = "parquet")),
            (b"\x93NUMPY\x01\x00", "NumPy", Some("numpy"), cfg!(feature = "numpy")),
            (&zip, "NumPy", Some("numpy"), cfg!(feature = "numpy")),
            (b"\x89HDF\r\n\x1a\n", "HDF5", Some("hdf5"), cfg!(feature = "hdf5")),
            (b"\x89MCAP0\r\n", "MCAP", Some("ros"), cfg!(feature = "ros")),
            (b"#ROSBAG V2.0\n", "ROS 1 bag", Some("ros"), cfg!(feature = "ros")),
            (b"SQLite format 3\0", "rosbag2 (SQLite)", Some("ros"), cfg!(feature = "ros")),
            (b"time,x\n0,1\n", "CSV", None, true),
            (b"#Q1 V\n", "CSV", None, true),
        ];
        let input = Input::in_memory(Path::new("log"), b"");
        for (head, name, feature, built) in heads {
            let format = Format::of(&input, head).unwrap();
            assert_eq!((format.name, format.read.is_ok()), (name, built));
            let Some(feature) = feature else { continue };
            let error = format.lacks(&input, feature).to_string();
            assert!(error.contains(name) && error.contains(&format!("feature `{feature}`")), "{error}");
            assert!(format.read.is_ok_and(|_| built) || format.read == Err(feature));
        }
        assert!(Format::of(&input, b"\0\0\0\0").is_err());
    }

    #[test]
    fn folders_that_are_one_log_are_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_one_log(folder.path()));
        std::fs::write(folder.path().join("metadata.yaml"), "rosbag2_bagfile_information:\n").unwrap();
        assert_eq!(Format::of(&Input::at(folder.path()), &[]).unwrap().name, "rosbag2 folder");
        std::fs::create_dir(folder.path().join("meta")).unwrap();
        std::fs::write(folder.path().join("meta/info.json"), "{}").unwrap();
        assert_eq!(Format::of(&Input::at(folder.path()), &[]).unwrap().name, "a LeRobot dataset");
        assert!(is_one_log(folder.path()));
    }
}
