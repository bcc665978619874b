//! Poses of real robots against two implementations that are not ours, and of made-up ones against pencil and paper.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test's helper is a failed test")]

use ebmotion_robot::{Error, JointKind, Poses, Robot};
use nalgebra::{Isometry3, Point3, Quaternion, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;
use std::f64::consts::{FRAC_PI_2, PI};
use std::path::{Path, PathBuf};

/// The bound that is asked for; the references hold 12 decimals.
const TOLERANCE: f64 = 1e-6;

/// What `tests/data/urdf/make.py` writes.
#[derive(Deserialize)]
struct Reference {
    joints: Vec<String>,
    links: Vec<String>,
    poses: Vec<Pose>,
}

#[derive(Deserialize)]
struct Pose {
    values: Vec<f64>,
    /// Place and quaternion (w, x, y, z) of each link.
    links: Vec<[f64; 7]>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/urdf")
}

/// Greatest distance in m, and greatest angle in rad, between ours and the reference.
fn compare(robot: &Robot, reference: &Path) -> (f64, f64, usize) {
    let reference: Reference = serde_json::from_str(&std::fs::read_to_string(reference).unwrap()).unwrap();
    let channels: Vec<(&str, Option<&str>)> = reference.joints.iter().map(|name| (name.as_str(), None)).collect();
    let links: Vec<usize> = reference.links.iter().map(|name| robot.link(name).unwrap()).collect();
    let drive = robot.drive(&channels, &links).unwrap();
    assert_eq!(drive.links(), reference.links);
    let (mut room, mut farthest, mut widest) = (Poses::default(), 0.0_f64, 0.0_f64);
    for pose in &reference.poses {
        for (ours, [x, y, z, qw, qx, qy, qz]) in drive.place(&pose.values, &mut room).unwrap().iter().zip(&pose.links) {
            farthest = farthest.max((ours.translation.vector - Vector3::new(*x, *y, *z)).norm());
            let theirs = UnitQuaternion::new_normalize(Quaternion::new(*qw, *qx, *qy, *qz));
            // `angle_to` has no digits below 1e-8: the chord of the quaternions does.
            let chord = |sign: f64| (ours.rotation.coords - theirs.coords * sign).norm();
            widest = widest.max(2.0 * chord(1.0).min(chord(-1.0)));
        }
    }
    (farthest, widest, reference.poses.len())
}

fn agrees(urdf: &Path, reference: &Path) {
    let robot = Robot::read(urdf).unwrap();
    let (metres, radians, poses) = compare(&robot, reference);
    println!("{}: {metres:.1e} m, {radians:.1e} rad apart at most, {poses} poses", robot.name());
    assert!(poses >= 6 && metres < TOLERANCE && radians < TOLERANCE, "{urdf:?}: {metres} m, {radians} rad");
}

#[test]
fn hands_agree_with_other_implementations() {
    for hand in ["allegro_hand_right", "leap_hand_right", "schunk_svh_hand_right"] {
        agrees(&data().join(hand).with_extension("urdf"), &data().join(hand).with_extension("json"));
    }
}

const ROBOTS: [(&str, &str); 6] = [
    ("allegro_hand", "allegro_hand_right"),
    ("iiwa7", "iiwa7"),
    ("leap_hand", "leap_hand_right"),
    ("schunk_hand", "schunk_svh_hand_right"),
    ("ur10e", "ur10e"),
    ("ur5e", "ur5e"),
];

/// With `EBMOTION_URDF_POSES` set to a folder that `make.py` filled, every pose of it.
#[test]
#[ignore = "needs the robots beside the project"]
fn robots_beside_the_project_agree_with_other_implementations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/urdf");
    let references = std::env::var_os("EBMOTION_URDF_POSES").map_or_else(data, PathBuf::from);
    for (robot, name) in ROBOTS {
        let urdf = folder.join(robot).join(name).with_extension("urdf");
        agrees(&urdf, &references.join(name).with_extension("json"));
    }
}

#[test]
fn what_a_hand_is_made_of_is_read() {
    let hand = Robot::read(data().join("schunk_svh_hand_right.urdf")).unwrap();
    assert_eq!((hand.name(), hand.links().len(), hand.joints().len()), ("svh", 29, 28));
    let joint = hand.joint("right_hand_j3").unwrap();
    assert_eq!((joint.kind, joint.line), (JointKind::Revolute, 403));
    let (parent, child) = (&hand.links()[joint.parent], &hand.links()[joint.child]);
    assert_eq!((parent.name.as_str(), child.name.as_str()), ("right_hand_a", "right_hand_b"));
    assert_eq!(joint.origin, Isometry3::translation(0.0485, 0.0, 0.0));
    assert_eq!(joint.axis, Vector3::z_axis());
    let limits = joint.limits;
    assert_eq!((limits.lower, limits.upper), (Some(0.0), Some(0.98506)));
    assert_eq!((limits.velocity, limits.effort), (Some(1.0), Some(1000.0)));
    let mimic = joint.mimic.unwrap();
    assert_eq!(hand.joints()[mimic.joint].name, "right_hand_Thumb_Flexion");
    assert_eq!((mimic.multiplier, mimic.offset), (1.01511, 0.0));
    let ends: Vec<&str> = hand.ends().into_iter().map(|link| hand.links()[link].name.as_str()).collect();
    assert_eq!(ends, ["thtip", "fftip", "mftip", "rftip", "lftip"]);
    assert_eq!(hand.joints().iter().filter(|joint| joint.mimic.is_some()).count(), 11);
    // The wrist of the Allegro hand is an end too, but stands still.
    let allegro = Robot::read(data().join("allegro_hand_right.urdf")).unwrap();
    assert_eq!(allegro.ends().len(), 4);
}

/// A lift, a turret on it that leans, and a gripper: its second finger mimics the first, its third the second.
const LIFT: &str = r#"<?xml version="1.0"?>
<robot name="lift" version="1.1">
  <joint name="third" type="prismatic">
    <parent link="turret"/> <child link="thumb"/> <axis xyz="0 0 1"/>
    <mimic joint="second" multiplier="0.5" offset="0.25"/>
  </joint>
  <joint name="second" type="prismatic">
    <parent link="turret"/> <child link="right"/> <axis xyz="2 0 0"/>
    <mimic joint="first" multiplier="-1" offset="0.1"/>
  </joint>
  <link name="ground"/>
  <link name="sled"/>
  <joint name="height" type="prismatic">
    <parent link="ground"/> <child link="sled"/> <origin xyz="1 2 3"/> <axis xyz="0 0 1"/>
    <limit lower="-1" upper="2" velocity="0.5" effort="0"/>
  </joint>
  <link name="turret"/>
  <joint name="turn" type="continuous">
    <parent link="sled"/> <child link="turret"/> <origin rpy="1.5707963267948966 0 0"/> <axis xyz="0 -3 0"/>
  </joint>
  <link name="left"/>
  <link name="right"/>
  <link name="thumb"/>
  <joint name="first" type="prismatic"> <parent link="turret"/> <child link="left"/> </joint>
  <link name="eye"/>
  <joint name="bracket" type="fixed">
    <parent link="left"/> <child link="eye"/> <origin xyz="0 0 1" quat_xyzw="0 0 2 2"/> <axis xyz="0 0 0"/>
    <mimic joint="nobody"/>
  </joint>
</robot>"#;

fn lift() -> Robot {
    Robot::from_urdf("lift.urdf", LIFT.as_bytes()).unwrap()
}

fn place(robot: &Robot, channels: &[(&str, Option<&str>)], link: &str, frame: &[f64]) -> Isometry3<f64> {
    let drive = robot.drive(channels, &[robot.link(link).unwrap()]).unwrap();
    drive.place(frame, &mut Poses::default()).unwrap()[0]
}

#[test]
fn a_lift_is_pencil_and_paper() {
    let lift = lift();
    let (height, turn, first) = (0.5, 0.3_f64, 0.02);
    let channels = [("turn", Some("deg")), ("first", Some("mm")), ("height", Some("cm"))];
    let frame = [turn.to_degrees(), 1e3 * first, 1e2 * height];
    // The turret leans a quarter turn about x; then it turns about its own -y. Its x axis in space:
    let x = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), FRAC_PI_2) * Vector3::new(turn.cos(), 0.0, turn.sin());
    let z = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), FRAC_PI_2) * Vector3::new(-turn.sin(), 0.0, turn.cos());
    let turret = Vector3::new(1.0, 2.0, 3.0 + height);
    let second = 0.1 - first;
    let cases = [
        ("turret", turret),
        ("left", turret + x * first),
        ("right", turret + x * second),
        ("thumb", turret + z * (0.5 * second + 0.25)),
        ("eye", turret + x * first + z),
    ];
    for (link, expected) in cases {
        let found = place(&lift, &channels, link, &frame).translation.vector;
        assert!((found - expected).norm() < 1e-14, "{link}: {found}, not {expected}");
    }
    // The eye is turned by a quarter about the finger's z.
    let eye = place(&lift, &channels, "eye", &frame).rotation;
    let left = place(&lift, &channels, "left", &frame).rotation;
    assert!((left.inverse() * eye * Vector3::x() - Vector3::y()).norm() < 1e-14);
}

#[test]
fn only_what_moves_a_link_needs_a_channel() {
    let lift = lift();
    assert_eq!(place(&lift, &[("height", None)], "sled", &[0.5]).translation, Translation3::new(1.0, 2.0, 3.5));
    let error = lift.drive(&[("height", None)], &[lift.link("thumb").unwrap()]).unwrap_err().to_string();
    assert!(error.contains("lift.urdf, line 18: found no channel for `turn`, `first` among `height`"), "{error}");
    // A mimic joint with a channel of its own is where that says.
    let channels = [("height", None), ("turn", None), ("third", None)];
    let found = place(&lift, &channels, "thumb", &[0.0, 0.0, 0.7]);
    assert!((found * Point3::origin() - Point3::new(1.0, 1.3, 3.0)).norm() < 1e-14, "{found}");
}

#[test]
fn room_is_used_again() {
    let lift = lift();
    let drive = lift.drive(&[("height", None), ("turn", None)], &[lift.link("turret").unwrap()]).unwrap();
    let mut room = Poses::default();
    let first = drive.place(&[0.1, 0.2], &mut room).unwrap().as_ptr();
    let again = drive.place(&[0.3, -PI], &mut room).unwrap().as_ptr();
    assert_eq!(first, again);
    assert!(matches!(drive.place(&[0.1], &mut room), Err(Error::Data { .. })));
    assert!(matches!(lift.drive(&[("height", None)], &[]), Err(Error::Data { .. })));
    assert!(matches!(lift.drive(&[("height", None)], &[99]), Err(Error::Data { .. })));
}
