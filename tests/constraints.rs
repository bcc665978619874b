//! Forecasts under constraints: what is hard holds in every sample, goals are met over several chunks, what cannot be
//! is refused by name.

use ebmotion::event::Silent;
use ebmotion::forecast::{Constraints, Dataset, Forecast, Model, Request, RunConfig};
use ebmotion::kinematics::{Poses, Robot};
use ebmotion::{Error, Result};
use serde_json::{Value, json};
use std::sync::OnceLock;

const HORIZON: usize = 50;
const REQUEST: Request = Request { horizon: HORIZON, samples: 24 };

/// Three joints of the index finger, in metres.
const FINGER: &str = r#"<robot name="finger">
  <link name="palm"/><link name="a"/><link name="b"/><link name="c"/><link name="tip"/>
  <joint name="FFJ3" type="revolute"><parent link="palm"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-0.35" upper="0.35" velocity="20" effort="1"/></joint>
  <joint name="FFJ2" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0.02 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-0.3" upper="1.6" velocity="20" effort="1"/></joint>
  <joint name="FFJ1" type="revolute"><parent link="b"/><child link="c"/><origin xyz="0.045 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-0.1" upper="1.6" velocity="20" effort="1"/></joint>
  <joint name="end" type="fixed"><parent link="c"/><child link="tip"/><origin xyz="0.05 0 0"/></joint></robot>"#;

/// A model of few steps, and an episode that it has not seen.
fn trained() -> &'static (Model, Vec<f64>) {
    static TRAINED: OnceLock<(Model, Vec<f64>)> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let mut config = RunConfig::default();
        for (key, value) in [("train.steps", "60"), ("model.hidden", "[32]"), ("model.chunk", "16")] {
            config = config.with_one(key, value).expect("a setting");
        }
        let data = Dataset::read(&["data/hand_gestures/hand_gestures.csv.gz"], &config).expect("a log");
        let past = data.frames.episodes[data.split.test[0]].values[..100 * 24].to_vec();
        (Model::train(&data, &config, None, false, &mut Silent).expect("a model"), past)
    })
}

fn asked(settings: &Value) -> Result<Constraints> {
    let robot = Robot::from_urdf("finger.urdf", FINGER.as_bytes())?;
    trained().0.constraints(settings, "asked".as_ref(), HORIZON, Some(&robot))
}

fn drawn(settings: &Value, seed: u64) -> Result<Forecast> {
    let (model, past) = trained();
    model.forecast_constrained(past, &REQUEST, &asked(settings)?, seed)
}

/// The largest speed and acceleration of a channel, its unit a second, after the history, of numbers of six decimals.
fn fastest(forecast: &Forecast, channel: usize) -> [f64; 2] {
    let d = forecast.channels.len();
    let mut most = [0f64; 2];
    for s in 0..forecast.futures.shape()[1] {
        let all = [&forecast.origins[0].history[..], forecast.futures.future(0, s)].concat();
        let column: Vec<f64> = all.iter().skip(6 * d + channel).step_by(d).map(|v| (v * 1e6).round() / 1e6).collect();
        for w in column.windows(3) {
            most[0] = most[0].max((w[2] - w[1]).abs() * 25.0);
            most[1] = most[1].max((w[2] - 2.0 * w[1] + w[0]).abs() * 625.0);
        }
    }
    most
}

#[test]
fn hard_limits_and_goals_hold_in_every_sample() -> Result<()> {
    let (model, past) = trained();
    let settings = json!({
        "limits": { "position": { "q_MFJ2": [-0.2, 1.5] }, "velocity": { "q_*": 2.0 }, "acceleration": { "q_*": 40.0 },
                    "unit": "rad" },
        "waypoint": { "joints": { "q_FFJ2": 40.0 }, "unit": "deg", "at": "1s" },
        "goal": [{ "joints": { "q_FFJ2": 1.2, "q_RFJ2": 0.4 }, "unit": "rad" }],
    });
    let forecast = drawn(&settings, 7)?;
    let free = model.forecast(past, &REQUEST, 7)?;
    let mut broken = 0;
    for channel in 0..24 {
        let [speed, gain] = fastest(&forecast, channel);
        assert!(speed <= 2.0 && gain <= 40.0, "{channel}: {speed} rad/s, {gain} rad/s^2");
        let [speed, gain] = fastest(&free, channel);
        broken += usize::from(speed > 2.0 || gain > 40.0);
    }
    assert!(broken > 5, "free samples break the limits in {broken} channels");
    for s in 0..REQUEST.samples {
        let at = |frame: usize, channel: usize| forecast.futures[[0, s, frame, channel]];
        let (index, middle, ring) =
            (forecast.channel("q_FFJ2")?, forecast.channel("q_MFJ2")?, forecast.channel("q_RFJ2")?);
        assert!((at(24, index) - 40f64.to_radians()).abs() < 1e-9);
        assert!((at(49, index) - 1.2).abs() < 1e-9 && (at(49, ring) - 0.4).abs() < 1e-9);
        assert!((0..HORIZON).all(|t| (-0.2..=1.5).contains(&at(t, middle))));
    }
    let names: Vec<&str> = forecast.constraints.iter().map(|check| check.name.as_str()).collect();
    let expected = ["position of limits", "velocity of limits", "acceleration of limits", "goal 1", "waypoint"];
    assert_eq!(names, expected.map(|name| format!("{name} of asked")));
    for check in &forecast.constraints {
        assert!(check.met.len() == REQUEST.samples && check.met.iter().all(|met| *met), "{check:?}");
    }
    assert_eq!(forecast, drawn(&settings, 7)?, "one seed");
    Ok(())
}

#[test]
fn the_way_to_a_goal_begins_in_the_first_chunk() -> Result<()> {
    let goal = json!({ "goal": { "joints": { "q_FFJ3": -0.3, "q_MFJ3": 0.3 }, "unit": "rad" } });
    let (model, past) = trained();
    let (forecast, free) = (drawn(&goal, 7)?, model.forecast(past, &REQUEST, 7)?);
    let channel = free.channel("q_FFJ3")?;
    let (to, without) = (forecast.mean(), free.mean());
    // Chunks have 16 frames: the goal lies in the fourth, and each of the three before has come nearer.
    for t in [15, 31, 47] {
        let (to, without) = (to[[0, 0, t, channel]], without[[0, 0, t, channel]]);
        assert!((to + 0.3).abs() < (without + 0.3).abs() - 0.01, "frame {t}: {to} {without}");
    }
    // No jump at the end: the last step is one among the others.
    let steps = |t: usize| (to[[0, 0, t, channel]] - to[[0, 0, t - 1, channel]]).abs();
    let most = (1..49).map(steps).fold(0.0, f64::max);
    assert!(steps(49) < 2.0 * most, "{} after {most}", steps(49));
    Ok(())
}

#[test]
fn limits_that_nothing_meets_change_nothing() -> Result<()> {
    let (model, past) = trained();
    let far = json!({ "limits": { "position": { "*": [-50, 50] }, "velocity": { "*": 900 }, "unit": "rad" } });
    let (forecast, free) = (drawn(&far, 3)?, model.forecast(past, &REQUEST, 3)?);
    // But for the range of training, in which free forecasts are put back.
    let apart = forecast.futures.values().iter().zip(free.futures.values()).filter(|(a, b)| (*a - *b).abs() > 1e-3);
    let share = apart.count() as f64 / free.futures.values().len() as f64;
    assert!(share < 0.02, "{share}");
    Ok(())
}

#[test]
fn a_link_reaches_its_goal_and_keeps_out_of_spheres() -> Result<()> {
    let robot = Robot::from_urdf("finger.urdf", FINGER.as_bytes())?;
    let (model, past) = trained();
    let named: Vec<_> = model.info().channels.iter().map(|c| (c.name.as_str(), c.unit.as_deref())).collect();
    let drive = robot.drive(&named, &[robot.link("tip")?])?;
    let mut room = Poses::default();
    // Where the tip is for a pose that the finger can take.
    let mut pose = past[99 * 24..].to_vec();
    (pose[2], pose[3], pose[4]) = (0.1, 0.9, 0.5);
    let place: [f64; 3] = drive.place(&pose, &mut room)?[0].translation.vector.into();
    let goal = json!({
        "limits": { "position": "urdf" },
        "goal": { "link": "tip", "position": place.map(|v| 1000.0 * v), "unit": "mm", "within": 1.0, "at": "1.8s" },
    });
    let forecast = drawn(&goal, 5)?;
    for s in 0..REQUEST.samples {
        let frame = &forecast.futures.future(0, s)[44 * 24..45 * 24];
        let tip = drive.place(frame, &mut room)?[0].translation.vector;
        assert!((tip - nalgebra::Vector3::from(place)).norm() < 1e-3, "{s}: {tip}");
    }
    assert!(forecast.constraints[1].met.iter().all(|met| *met));
    assert_eq!(forecast.constraints[1].spheres, [(place, 1e-3)]);
    // A sphere where free samples go: less of them enter it.
    let free = model.forecast(past, &REQUEST, 5)?;
    let middle = free.mean();
    let centre = drive.place(&middle.future(0, 0)[25 * 24..26 * 24], &mut room)?[0].translation.vector;
    let mut inside = |forecast: &Forecast| -> Result<usize> {
        let mut count = 0;
        for frame in forecast.futures.values().chunks_exact(24) {
            count += usize::from((drive.place(frame, &mut room)?[0].translation.vector - centre).norm() < 0.01);
        }
        Ok(count)
    };
    let keep_out = json!({ "keep_out": { "links": ["tip"], "centre": [centre.x, centre.y, centre.z],
        "radius": 0.01,
        "unit": "m" } });
    let with = drawn(&keep_out, 5)?;
    assert!(inside(&free)? > 50);
    assert_eq!(inside(&with)?, 0);
    assert!(with.constraints[0].met.iter().all(|met| *met));
    Ok(())
}

#[test]
fn what_contradicts_itself_is_refused_by_name() {
    let refused = |settings: Value, parts: &[&str]| {
        let error = drawn(&settings, 1).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error}");
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let goal = |value: f64, at: &str| json!([{ "joints": { "q_FFJ2": value }, "unit": "rad", "at": at }]);
    let speed = json!({ "velocity": { "q_FFJ2": 2.0 }, "unit": "rad" });
    let range = json!({ "position": { "q_FFJ2": [-0.3, 1.4] }, "unit": "rad" });
    refused(
        json!({ "limits": range, "goal": goal(1.5, "2s") }),
        &["goal 1 of asked", "1.5000 rad", "-0.3000 to 1.4000", "position of limits"],
    );
    refused(
        json!({ "limits": speed, "goal": goal(9.0, "1s") }),
        &["goal 1 of asked", "9.0000 rad at 1.00 s", "2.000 rad/s"],
    );
    let two = json!([{ "joints": { "q_FFJ2": 0.1 }, "unit": "rad" }, { "joints": { "q_FFJ2": 0.2 }, "unit": "rad" }]);
    refused(
        json!({ "goal": two }),
        &["goal 2 of asked", "0.2000 rad at 2.00 s", "goal 1 of asked asks for 0.1000 rad"],
    );
    let late = json!([
        { "joints": { "q_FFJ2": 0.0 }, "unit": "rad", "at": "1s" },
        { "joints": { "q_FFJ2": 1.3 }, "unit": "rad", "at": "1.2s" },
    ]);
    refused(
        json!({ "limits": speed, "waypoint": late }),
        &["waypoint 2 of asked", "after 0.0000 rad at 1.00 s, by waypoint 1"],
    );
    // The last frame of the log lies outside, and the joint may not jump back.
    let outside = json!([{ "position": { "q_FFJ2": [-3.0, -2.0] }, "velocity": { "q_FFJ2": 2.0 }, "unit": "rad" }]);
    refused(json!({ "limits": outside }), &["position of limits 1 of asked", "`q_FFJ2`, which the log leaves at"]);
    refused(
        json!({ "goal": { "link": "tip", "position": [9, 0, 0], "unit": "m" } }),
        &["goal of asked", "misses by at least 8.8"],
    );
    refused(json!({ "speed": 3 }), &["asked", "`speed`", "limits, goal"]);
    refused(json!({}), &["asked", "none"]);
}
