//! A skeleton is placed by the kinematics of all robots, to the last bit as by its own formula.

use ebmotion_robot::{Result, Skeleton};
use nalgebra::{Isometry3, Point3, Translation3, Unit, UnitQuaternion, Vector3};
use serde_json::Value;

/// The product of exponentials, joint by joint, for joints that stand after their parents.
fn product(skeleton: &Skeleton, angles: &[f64]) -> Vec<[f64; 3]> {
    let joints = skeleton.joints();
    let place = |name: &Option<String>| joints.iter().position(|joint| Some(&joint.name) == name.as_ref());
    let mut motion: Vec<Isometry3<f64>> = Vec::new();
    for (joint, angle) in joints.iter().zip(angles) {
        let anchor = Vector3::from(joint.anchor);
        let turn = UnitQuaternion::from_axis_angle(&Unit::new_normalize(Vector3::from(joint.axis)), *angle);
        let own = Isometry3::from_parts(Translation3::from(anchor - turn * anchor), turn);
        motion.push(place(&joint.parent).map_or(own, |parent| motion[parent] * own));
    }
    let moved = |by: Option<usize>, at: &[f64; 3]| by.map_or(*at, |by| (motion[by] * Point3::from(*at)).coords.into());
    let anchors = joints.iter().enumerate().map(|(j, joint)| moved(Some(j), &joint.anchor));
    anchors.chain(skeleton.ends().iter().map(|end| moved(place(&end.joint), &end.at))).collect()
}

#[test]
fn the_hand_is_placed_to_the_bit_by_its_formula() -> Result<()> {
    let hand = Skeleton::from_json(include_str!("../../../data/hand_gestures/skeleton.json"))?;
    let golden: Value = serde_json::from_str(include_str!("../../../tests/data/hand_poses.json")).expect("JSON");
    let poses = golden["poses"].as_array().expect("poses");
    let angles = poses.iter().map(|pose| pose["angles"].as_array().expect("angles"));
    let angles: Vec<Vec<f64>> = angles.map(|all| all.iter().filter_map(Value::as_f64).collect()).collect();
    assert!(angles.len() >= 5);
    let bits = |points: Vec<[f64; 3]>| points.concat().into_iter().map(|v| (v + 0.0).to_bits()).collect::<Vec<_>>();
    for angles in &angles {
        assert_eq!(bits(hand.place(angles)?), bits(product(&hand, angles)));
    }
    Ok(())
}
