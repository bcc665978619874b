//! From a [`crate::Recording`] to files of other programs.

pub(crate) mod mcap;

/// Writes a recording as an MCAP file of ROS 2: `sensor_msgs/msg/JointState` on the topic `/joint_states`, packed by
/// zstd, one message a row.
///
/// Channels `NAME`, `NAME.velocity` and `NAME.effort` become position, velocity and effort of the joint `NAME` where
/// every joint has them; else each channel is a position. Values are written as they are, times in whole nanoseconds.
/// Episodes and units are metadata, which [`crate::Recording::read`] reads back. The message's stamp is the row's time;
/// the time of its recording is the same, but later by a whole shift in episodes that would begin before the one in
/// front of them ends.
///
/// # Errors
/// [`crate::Error::Data`] for a time before 0 or after the year 2038, and for two rows in one nanosecond;
/// [`crate::Error::Io`] when the file cannot be written.
pub fn write_mcap(recording: &crate::Recording, path: &std::path::Path) -> crate::Result<()> {
    mcap::write(recording, path)
}
