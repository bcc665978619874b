//! By what a format is told, whether this build reads it or not: first bytes, and what lies in a folder.

use super::input::Input;
use std::fs::File;
use std::io::Read as _;

/// The file in a LeRobot dataset that says what it holds.
pub(super) const INFO: &str = "meta/info.json";
/// The file in a folder of rosbag2 that says what it holds.
pub(super) const METADATA: &str = "metadata.yaml";
/// What that begins with.
pub(super) const ROOT: &str = "rosbag2_bagfile_information";

/// First bytes of an archive.
const ZIP: &[u8] = b"PK\x03\x04";

/// LeRobot: folders.
pub(super) fn lerobot(input: &Input, _: &[u8]) -> bool {
    input.is_folder() && input.path.join(INFO).is_file()
}

/// Parquet files begin and end so.
pub(super) fn parquet(_: &Input, head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

/// An array, or an archive of them: the name of an archive's first file stands at byte 30.
pub(super) fn numpy(_: &Input, head: &[u8]) -> bool {
    let length = head.get(26..28).map_or(0, |l| usize::from(u16::from_le_bytes([l[0], l[1]])));
    let first = head.get(30..30 + length).unwrap_or_default();
    head.starts_with(b"\x93NUMPY") || head.starts_with(ZIP) && first.ends_with(b".npy")
}

/// First bytes of a file, or of what follows a block of the user's.
pub(super) fn hdf5(_: &Input, head: &[u8]) -> bool {
    let magic = b"\x89HDF\r\n\x1a\n";
    [0, 512, 1024, 2048, 4096].iter().any(|at| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
}

/// MCAP: logs of ROS 2 and others.
pub(super) fn mcap(_: &Input, head: &[u8]) -> bool {
    head.starts_with(b"\x89MCAP0\r\n")
}

/// Bags of ROS 1.
pub(super) fn rosbag1(_: &Input, head: &[u8]) -> bool {
    head.starts_with(b"#ROSBAG V")
}

/// Folders of bags of ROS 2.
pub(super) fn rosbag2(input: &Input, _: &[u8]) -> bool {
    let mut head = Vec::new();
    input.is_folder()
        && File::open(input.path.join(METADATA)).is_ok_and(|file| file.take(4096).read_to_end(&mut head).is_ok())
        && head.windows(ROOT.len()).any(|window| window == ROOT.as_bytes())
}

/// Databases: single files of bags of ROS 2.
pub(super) fn sqlite(_: &Input, head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0")
}
