//! The logs and the geometry that travel inside the program (see `data/`).

/// Name by which reports call the embedded logs.
pub(crate) const HAND_GESTURES_NAME: &str = "hand_gestures.csv.gz";

/// Simulated robot-hand logs, gzip-compressed CSV; `data/hand_gestures/README.md` tells what they hold.
pub(crate) const HAND_GESTURES: &[u8] = include_bytes!("../../../data/hand_gestures/hand_gestures.csv.gz");

/// Joints and links of the hand of [`HAND_GESTURES`].
///
/// # Errors
/// Never for the embedded file, which a test reads.
#[cfg(feature = "rerun")]
pub(crate) fn hand_skeleton() -> ebmotion::Result<ebmotion::kinematics::Skeleton> {
    ebmotion::kinematics::Skeleton::from_json(include_str!("../../../data/hand_gestures/skeleton.json"))
}
