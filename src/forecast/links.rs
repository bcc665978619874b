//! A forecast as where a robot's links go.

use super::result::{Forecast, ROW};
use crate::error::Result;
use crate::files;
use crate::kinematics::{Drive, Poses};
use std::path::Path;

/// What a link's pose is written as, each after the link's name and a point.
const POSE: [&str; 7] = ["x [m]", "y [m]", "z [m]", "qw", "qx", "qy", "qz"];

impl Forecast {
    /// Where the links of a drive are in every frame of every future: `(B, S, H, L)` row-major, a place in m and a unit
    /// quaternion (w, x, y, z) each, in the frame of the robot's root. Of a quaternion's two signs the first frame of a
    /// future has that with `w` at least 0, every other one that nearer to the frame before.
    ///
    /// # Errors
    /// [`crate::Error::Data`] for a drive of other channels than the forecast's.
    pub fn link_poses(&self, drive: &Drive) -> Result<Vec<[f64; 7]>> {
        let [windows, samples, horizon, channels] = self.futures.shape();
        let links = drive.links().len();
        let mut poses: Vec<[f64; 7]> = Vec::with_capacity(windows * samples * horizon * links);
        let mut room = Poses::default();
        for (i, frame) in self.futures.values().chunks_exact(channels).enumerate() {
            for pose in drive.place(frame, &mut room)? {
                let mut turn = [pose.rotation.w, pose.rotation.i, pose.rotation.j, pose.rotation.k];
                let before = match i % horizon {
                    0 => [1.0, 0.0, 0.0, 0.0],
                    _ => {
                        let [_, _, _, w, x, y, z] = poses[poses.len() - links];
                        [w, x, y, z]
                    }
                };
                if turn.iter().zip(before).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
                    turn = turn.map(|v| -v);
                }
                let ([x, y, z], [w, i, j, k]) = (pose.translation.vector.into(), turn);
                poses.push([x, y, z, w, i, j, k]);
            }
        }
        Ok(poses)
    }

    /// Writes [`Forecast::link_poses`] as a table: rows as [`Forecast::write_csv`] has them, and for each link
    /// `<link>.x [m]`, `.y`, `.z`, `.qw`, `.qx`, `.qy`, `.qz`.
    ///
    /// # Errors
    /// As [`Forecast::link_poses`] and [`Forecast::write_csv`].
    pub fn write_link_poses(&self, drive: &Drive, path: &Path) -> Result<()> {
        self.only()?;
        let poses = self.link_poses(drive)?;
        let links = drive.links();
        let columns = links.iter().flat_map(|link| POSE.map(|part| format!("{link}.{part}")));
        let header = ROW.map(str::to_string).into_iter().chain(columns).collect();
        let row = |(i, frame): (usize, &[[f64; 7]])| {
            let mut row = self.row(i);
            row.extend(frame.as_flattened().iter().map(|v| format!("{v:.6}")));
            row
        };
        files::write_csv(path, std::iter::once(header).chain(poses.chunks_exact(links.len()).enumerate().map(row)))
    }
}
