//! Forward kinematics against the simulator that recorded the embedded log, and against paper and pencil.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test's helper is a failed test")]

use ebmotion_robot::Error;
use ebmotion_robot::Skeleton;
use serde::Deserialize;

const HAND: &str = include_str!("../../../data/hand_gestures/skeleton.json");

/// Both files hold 9 decimals; an axis is off by 1e-9 rad at most, an arm of 0.25 m and 9 joints stay far below this.
const TOLERANCE_M: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    channels: Vec<String>,
    tips: Vec<String>,
    poses: Vec<Pose>,
}

#[derive(Deserialize)]
struct Pose {
    angles: Vec<f64>,
    anchors: Vec<[f64; 3]>,
    tips: Vec<[f64; 3]>,
}

fn hand() -> Skeleton {
    Skeleton::from_json(HAND).unwrap()
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn agrees_with_the_simulator_at_random_angles() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/data/hand_poses.json")).unwrap();
    let hand = hand();
    assert!(golden.poses.len() >= 5);
    let tip = |name: &String| 24 + hand.ends().iter().position(|e| &e.name == name).unwrap();
    let mut worst = 0.0f64;
    for pose in &golden.poses {
        let points = hand.points(&golden.channels, &pose.angles).unwrap();
        assert_eq!(points.len(), 24 + hand.ends().len());
        for (ours, theirs) in points.iter().zip(&pose.anchors) {
            worst = worst.max(distance(ours, theirs));
        }
        for (name, theirs) in golden.tips.iter().zip(&pose.tips) {
            worst = worst.max(distance(&points[tip(name)], theirs));
        }
    }
    println!("worst distance to the simulator: {worst:.1e} m");
    assert!(worst < TOLERANCE_M, "{worst} m");
}

#[test]
fn a_planar_arm_is_trigonometry() {
    // Two links of 1 m in the plane, child listed before its parent.
    let arm = r#"{"name": "arm", "joints": [
        {"name": "elbow", "parent": "shoulder", "anchor": [1, 0, 0], "axis": [0, 0, 1]},
        {"name": "shoulder", "parent": null, "anchor": [0, 0, 0], "axis": [0, 0, 1]}],
        "ends": [
        {"name": "hand", "joint": "elbow", "at": [2, 0, 0]},
        {"name": "wall", "joint": null, "at": [-1, 0, 0]}]}"#;
    let arm = Skeleton::from_json(arm).unwrap();
    let (shoulder, elbow) = (0.3f64, -1.1f64);
    let points = arm.points(&["speed", "shoulder", "q_elbow"], &[9.0, shoulder, elbow]).unwrap();
    let at = |angle: f64| [angle.cos(), angle.sin(), 0.0];
    let reach = [at(shoulder)[0] + at(shoulder + elbow)[0], at(shoulder)[1] + at(shoulder + elbow)[1], 0.0];
    let expected = [at(shoulder), [0.0; 3], reach, [-1.0, 0.0, 0.0]];
    for (ours, theirs) in points.iter().zip(&expected) {
        assert!(distance(ours, theirs) < 1e-14, "{ours:?} {theirs:?}");
    }
    assert_eq!(arm.links(), [(1, 0), (0, 2), (1, 3)]);
}

#[test]
fn the_embedded_hand_fits_the_embedded_log() {
    let hand = hand();
    let header =
        std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/hand_gestures/hand_gestures.csv.gz"))
            .unwrap();
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(header));
    let names: Vec<String> =
        reader.headers().unwrap().iter().skip(2).map(|n| n.strip_suffix(" [rad]").unwrap().to_string()).collect();
    assert!(hand.matches(&names));
    assert_eq!(hand.channels(&names).unwrap(), (0..24).collect::<Vec<_>>());
    // A tree: every point but one root hangs on exactly one line (the fixed forearm on its only base joint).
    assert_eq!(hand.links().len(), 24 + 6 - 1);
    let row = reader.records().next().unwrap().unwrap();
    let frame: Vec<f64> = row.iter().skip(2).map(|v| v.parse().unwrap()).collect();
    for joint in hand.joints() {
        let [low, high] = joint.limits.unwrap();
        let angle = frame[names.iter().position(|n| n[2..] == joint.name).unwrap()];
        // The simulator's limits are soft springs: contact may push a joint a few hundredths of a radian beyond.
        assert!((low - 0.1..=high + 0.1).contains(&angle), "{}: {angle}", joint.name);
    }
}

#[test]
fn links_keep_their_length_in_any_pose() {
    let hand = hand();
    let rest = hand.place(&[0.0; 24]).unwrap();
    let bent = hand.place(&std::array::from_fn::<f64, 24, _>(|j| (j as f64 * 1.7).sin())).unwrap();
    for (a, b) in hand.links() {
        let (before, after) = (distance(&rest[a], &rest[b]), distance(&bent[a], &bent[b]));
        assert!((before - after).abs() < 1e-12, "link {a}-{b}: {before} m, then {after} m");
    }
}

#[test]
fn json_round_trip() {
    let hand = hand();
    let again = Skeleton::from_json(&serde_json::to_string(&hand).unwrap()).unwrap();
    assert_eq!(hand, again);
}

#[test]
fn faults_are_named() {
    let cases = [
        (
            HAND.replace("\"parent\": \"WRJ1\"", "\"parent\": \"WRJ9\""),
            "parent of joint `WRJ0`: found unknown joint `WRJ9`",
        ),
        (HAND.replacen("\"parent\": null", "\"parent\": \"FFJ3\"", 1), "a cycle among WRJ1"),
        (HAND.replacen("\"axis\": [-1.0,", "\"axis\": [-1.1,", 1), "axis of joint `WRJ0`: found length 1.1"),
        (HAND.replacen("-0.489, 0.14", "0.14, -0.489", 1), "limits of joint `WRJ1`"),
        (HAND.replacen("\"name\": \"FFJ2\"", "\"name\": \"FFJ3\"", 1), "two joints `FFJ3`"),
        (HAND.replace("\"anchor\"", "\"ancor\""), "unknown field `ancor`"),
        ("{\"name\": \"none\", \"joints\": []}".to_string(), "no joints"),
        (HAND[..200].to_string(), "EOF"),
    ];
    for (json, expected) in cases {
        let error = Skeleton::from_json(&json).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}\ndoes not say: {expected}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn missing_channels_and_wrong_counts_are_named() {
    let hand = hand();
    let names: Vec<String> = hand.joints().iter().map(|j| format!("q_{}", j.name)).collect();
    assert!(!hand.matches(&names[1..]));
    let error = hand.points(&names[2..], &[0.0; 22]).unwrap_err();
    assert!(error.to_string().contains("none for WRJ1, WRJ0"), "{error}");
    assert!(matches!(hand.points(&names, &[0.0; 3]), Err(Error::Data { .. })));
    assert!(matches!(hand.place(&[0.0; 23]), Err(Error::Data { .. })));
}
