use super::keep_out::tests::sphere;
use super::*;
use crate::energy::Energy;
use crate::noise::Noise;
use candle_core::{DType, Device};
use ebmotion_engine::engine::{RunOptions, evaluate};

/// An arm of two joints in the plane and a slide along the tool.
const ARM: &str = r#"<robot name="arm"><link name="base"/><link name="upper"/><link name="lower"/><link name="tool"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" velocity="3" effort="1"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0.5 0 0" rpy="0.3 0 0"/>
    <axis xyz="0 0 1"/><limit lower="-2.5" upper="2.5" velocity="3" effort="1"/></joint>
  <joint name="reach" type="prismatic"><parent link="lower"/><child link="tool"/><origin xyz="0.4 0 0"/>
    <axis xyz="1 0 0"/><limit lower="0" upper="0.2" velocity="1" effort="1"/></joint></robot>"#;

pub(super) fn arm() -> Robot {
    Robot::from_urdf("arm.urdf", ARM.as_bytes()).unwrap()
}

pub(super) fn channels() -> Vec<Channel> {
    let channel = |name: &str, unit: &str| Channel { name: name.into(), unit: Some(unit.into()), period: None };
    vec![channel("q_shoulder", "deg"), channel("q_elbow", "rad"), channel("gripper", "rad"), channel("q_reach", "mm")]
}

/// Entries of `key` over [`channels`], for 20 frames at 10 Hz.
fn read(key: &str, value: &Value) -> Result<Vec<Arc<dyn Kind>>> {
    let (channels, robot) = (channels(), arm());
    let (name, file) = (format!("{key} of file"), Path::new("file"));
    let entry = Entry { name, value, file, channels: &channels, rate_hz: 10.0, horizon: 20, robot: Some(&robot) };
    KINDS.iter().find(|(k, _)| *k == key).unwrap().1(&entry)
}

fn run<'a>(channels: &'a [Channel], history: &'a [f64]) -> Run<'a> {
    Run { channels, rate_hz: 10.0, horizon: 20, history }
}

/// A motion of 3 known and 20 further frames.
fn motion(seed: u64) -> Vec<f64> {
    let scale = [20.0, 0.4, 0.3, 30.0];
    let mut noise = Noise::new(seed);
    let steps = noise.normal(23 * 4, DType::F64, &Device::Cpu).unwrap().to_vec1::<f64>().unwrap();
    steps.iter().enumerate().map(|(i, v)| scale[i % 4] * v).collect()
}

/// All kinds of energies, with what they miss of a motion by their own words.
fn entries() -> Vec<(&'static str, Value)> {
    let json = |text: &str| serde_json::from_str(text).unwrap();
    vec![
        (
            "limits",
            json(
                r#"{"position": {"q_shoulder": [-10, 15]}, "velocity": {"q_sh*": 100},
            "acceleration": {"q_shoulder": 900}, "soften": 0.02,
            "unit": "deg"}"#,
            ),
        ),
        ("limits", json(r#"{"position": "urdf", "velocity": "urdf", "soften": 0.02}"#)),
        ("keep_out", json(r#"{"links": ["tool", "lower"], "centre": [0.7, 0.2, 0.0], "radius": 50, "unit": "cm"}"#)),
    ]
}

/// The energy of frames is that of the motion: the sampler hears of each kind by gradients that agree with differences
/// of its energy, by tensors and as the engine runs it.
#[test]
fn gradients_are_those_of_finite_differences() {
    let (channels, all) = (channels(), motion(3));
    let run = run(&channels, &all[..12]);
    for (key, value) in entries() {
        for kind in read(key, &value).unwrap() {
            let conditions = kind.conditions(ForecastConditions::new(), &run).unwrap();
            assert!(!conditions.energies.is_empty(), "{key}");
            for term in &conditions.energies {
                let d = term.span * 4;
                let at: Vec<f64> = all[8..8 + d].to_vec();
                let of = |x: &[f64]| {
                    let x = candle_core::Tensor::from_slice(x, (1, d), &Device::Cpu).unwrap();
                    term.energy.evaluate(&x).unwrap()
                };
                let found = of(&at);
                let grad = found.grad.flatten_all().unwrap().to_vec1::<f64>().unwrap();
                let size = grad.iter().fold(0f64, |most, g| most.max(g.abs()));
                let mut steep = 0f64;
                for i in 0..d {
                    let h = 1e-5 * [20.0, 0.4, 0.3, 30.0][i % 4];
                    let moved = |by: f64| {
                        let mut x = at.clone();
                        x[i] += by;
                        of(&x)
                    };
                    let value = |by: f64| moved(by).energy.to_vec1::<f64>().unwrap()[0];
                    let numeric = (value(h) - value(-h)) / (2.0 * h);
                    assert!(
                        (numeric - grad[i]).abs() < 1e-6 * (1.0 + size),
                        "{}: {i} {numeric} {}",
                        kind.name(),
                        grad[i]
                    );
                    let slope = |by: f64| moved(by).grad.flatten_all().unwrap().to_vec1::<f64>().unwrap()[i];
                    steep = steep.max((slope(h) - slope(-h)) / (2.0 * h));
                }
                assert!(steep <= 1.001 * term.curvature, "{}: {steep} beyond {}", kind.name(), term.curvature);
                let program = term.energy.program(&[1, d]).unwrap().unwrap();
                let x: Vec<f32> = at.iter().map(|v| *v as f32).collect();
                let (energy, plain) = evaluate(&program, &x, &RunOptions::default()).unwrap();
                let expected = found.energy.to_vec1::<f64>().unwrap()[0];
                assert!((f64::from(energy[0]) - expected).abs() < 1e-3 * (1.0 + expected), "{}", kind.name());
                for (a, b) in plain.iter().zip(&grad) {
                    assert!((f64::from(*a) - b).abs() < 2e-3 * (1.0 + size), "{}: {a} {b}", kind.name());
                }
            }
        }
    }
    // Somewhere each is at work.
    let (energy, _) = sphere(&arm(), &channels);
    let at = candle_core::Tensor::new(&[[10.0f64, 0.2, 0.0, 10.0]], &Device::Cpu).unwrap();
    assert!(energy.energy(&at).unwrap().to_vec1::<f64>().unwrap()[0] > 0.0);
}

#[test]
fn what_is_missed_is_told_in_the_units_of_the_file() {
    let channels = channels();
    // The shoulder turns by 3 deg a frame of 0.1 s, then by 5; the elbow stays.
    let mut all = vec![0.0; 23 * 4];
    for t in 0..23 {
        all[t * 4] = if t < 12 { 3.0 * t as f64 } else { 33.0 + 5.0 * (t as f64 - 11.0) };
        all[t * 4 + 1] = 0.5;
    }
    let run = run(&channels, &all[..12]);
    let missed = |key: &str, text: &str| -> Vec<(String, f64)> {
        let kinds = read(key, &serde_json::from_str(text).unwrap()).unwrap();
        kinds.iter().map(|kind| (kind.unit().to_string(), kind.missed(&all, &run).unwrap())).collect()
    };
    let near = |found: &(String, f64), unit: &str, value: f64| {
        assert!(found.0 == unit && (found.1 - value).abs() < 1e-9, "{found:?} for {value} {unit}");
    };
    let limits = missed(
        "limits",
        r#"{"position": {"q_shoulder": [-90, 60]}, "velocity": {"q_shoulder": 40}, "acceleration": {"q_shoulder": 300},
            "unit": "deg"}"#,
    );
    near(&limits[0], "deg", 88.0 - 60.0);
    near(&limits[1], "deg/s", 10.0);
    near(&limits[2], "deg/s^2", 0.0);
    // Frame 9 of the forecast is frame 12 of all.
    near(
        &missed("goal", r#"{"joints": {"q_shoulder": 0.5}, "unit": "rad", "at": "1s"}"#)[0],
        "rad",
        38f64.to_radians() - 0.5,
    );
    near(
        &missed("waypoint", r#"{"joints": {"q_shoulder": 40, "q_elbow": 0}, "unit": "deg", "at": "10f"}"#)[0],
        "deg",
        0.5f64.to_degrees(),
    );
    let goal = missed("goal", r#"{"link": "tool", "position": [90, 0, 0], "unit": "cm", "at": "2s"}"#);
    let drive = arm()
        .drive(&[("q_shoulder", Some("deg")), ("q_elbow", None), ("gripper", None), ("q_reach", Some("mm"))], &[3])
        .unwrap();
    let place = drive.place(&all[22 * 4..], &mut Poses::default()).unwrap()[0].translation.vector;
    near(&goal[0], "cm", 100.0 * (place - nalgebra::Vector3::new(0.9, 0.0, 0.0)).norm());
    let smooth = missed("smooth", r#"{"acceleration": 1, "unit": "deg", "channels": "q_shoulder"}"#);
    near(&smooth[0], "deg/s^2", (200f64.powi(2) / 20.0).sqrt());
}

#[test]
fn entries_that_are_none_are_told_by_name() {
    let refused = |key: &str, text: &str, parts: &[&str]| {
        let error = read(key, &serde_json::from_str(text).unwrap()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains(&format!("{key} of file")) && parts.iter().all(|p| error.contains(p)), "{error}");
    };
    refused("limits", "{}", &["no limit"]);
    refused("limits", r#"{"speed": {"*": 1}}"#, &["unknown field `speed`", "velocity"]);
    refused("limits", r#"{"velocity": {"q_elbow": 1}}"#, &["no unit", "unit = \"rad\""]);
    refused("limits", r#"{"velocity": {"*": 1}, "unit": "rad"}"#, &["unit = \"rad\"", "q_reach [mm]"]);
    refused("limits", r#"{"velocity": {"q_x": 1}, "unit": "rad"}"#, &["`q_x`", "q_shoulder, q_elbow"]);
    refused("limits", r#"{"velocity": {"q_elbow": 0}, "unit": "rad"}"#, &["a positive number"]);
    refused("limits", r#"{"position": {"q_elbow": [1, -1]}, "unit": "rad"}"#, &["from 1 to -1", "lower end first"]);
    refused("limits", r#"{"acceleration": "urdf"}"#, &["acceleration without any"]);
    refused("limits", r#"{"position": "robot"}"#, &["position = \"robot\""]);
    refused("goal", r#"{"joints": {"q_elbow": 1}, "unit": "rad", "at": "3s"}"#, &["at = \"3s\"", "up to 20 frames"]);
    refused("goal", r#"{"joints": {"q_elbow": 1}, "unit": "rad", "at": "soon"}"#, &["at = \"soon\"", "400ms"]);
    refused("goal", r#"{"joints": {}, "unit": "rad"}"#, &["no joint"]);
    refused("goal", r#"{"unit": "rad"}"#, &["either joints"]);
    refused("goal", r#"{"link": "toe", "position": [0, 0, 0], "unit": "m"}"#, &["link = \"toe\"", "base, upper"]);
    refused("goal", r#"{"link": "tool", "position": [0, 0, 0], "unit": "rad"}"#, &["unit = \"rad\"", "mm"]);
    refused("waypoint", r#"{"joints": {"q_elbow": 1}, "unit": "rad"}"#, &["no time"]);
    refused("keep_out", r#"{"links": ["tool"], "centre": [0, 0, 0], "radius": -1, "unit": "m"}"#, &["radius = -1"]);
    refused("smooth", r#"{"acceleration": 1, "unit": "m", "channels": "q_elbow"}"#, &["unit = \"m\"", "q_elbow [rad]"]);
}
