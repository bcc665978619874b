//! Robots from URDF files: their links, joints and limits, and where the links are for given joint values.
//!
//! ```
//! use ebmotion_robot::{Poses, Robot};
//!
//! // An arm of one joint: its tool is 0.5 m along x and turns about z.
//! let urdf = r#"<robot name="arm">
//!   <link name="base"/>
//!   <link name="arm"/>
//!   <link name="tool"/>
//!   <joint name="shoulder" type="revolute">
//!     <parent link="base"/> <child link="arm"/> <axis xyz="0 0 1"/>
//!     <limit lower="-2" upper="2" velocity="3" effort="10"/>
//!   </joint>
//!   <joint name="mount" type="fixed">
//!     <parent link="arm"/> <child link="tool"/> <origin xyz="0.5 0 0"/>
//!   </joint>
//! </robot>"#;
//! let arm = Robot::from_urdf("arm.urdf", urdf.as_bytes())?;
//! assert_eq!(arm.joint("shoulder")?.limits.upper, Some(2.0));
//!
//! // Which value drives which joint, and which links are wanted, is looked up once.
//! let drive = arm.drive(&[("q_shoulder", Some("deg"))], &[arm.link("tool")?])?;
//! let mut poses = Poses::default(); // taken again for every frame: nothing is allocated anew
//! let [tool] = drive.place(&[90.0], &mut poses)? else { panic!("one link was wanted") };
//! assert!((tool.translation.vector - nalgebra::Vector3::new(0.0, 0.5, 0.0)).norm() < 1e-15);
//! # Ok::<(), ebmotion_engine::Error>(())
//! ```
//!
//! A [`Skeleton`] is the simpler case: revolute joints alone, no frames, points instead of poses. Both are placed by
//! the same kinematics (`tree.rs`).
//!
//! Feature `urdf` (on by default): reads URDF files. Without it there are skeletons alone, and no XML is read.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "urdf")]
mod check;
mod drive;
mod names;
mod robot;
pub mod skeleton;
mod tree;
#[cfg(feature = "urdf")]
mod urdf;

pub use drive::{Drive, Poses};
pub use ebmotion_engine::error::{Error, Result};
pub use robot::{Joint, JointBounds, JointKind, Link, Mimic, Robot};
pub use skeleton::Skeleton;
