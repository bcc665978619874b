//! Where a robot's links go: in forecasts, and as errors in mm.

use crate::eval::metric::{Kind, specs};
use crate::eval::report::markdown;
use crate::eval::{BootstrapSettings, CompareOptions, Comparison, EvalOptions, Evaluator, Futures, Reference, TestSet};
use crate::event::Silent;
use crate::forecast::{Baseline, Contender, Dataset, Forecast, FutureArray, Origin, RunConfig};
use crate::kinematics::{Drive, Robot};
use crate::robot::drive;
use crate::trajectory::{Channel, Episode, Frames, Normaliser};
use crate::{Error, Result};

/// A finger that turns about z: its middle 0.3 m and its tip 0.5 m from the axis.
const FINGER: &str = r#"<robot name="finger">
  <link name="base"/> <link name="bone"/> <link name="middle"/> <link name="tip"/>
  <joint name="bend" type="continuous"> <parent link="base"/> <child link="bone"/> <axis xyz="0 0 1"/> </joint>
  <joint name="in" type="fixed"> <parent link="bone"/> <child link="middle"/> <origin xyz="0.3 0 0"/> </joint>
  <joint name="out" type="fixed"> <parent link="bone"/> <child link="tip"/> <origin xyz="0.5 0 0"/> </joint>
</robot>"#;

fn channel(name: &str, unit: &str) -> Channel {
    Channel { name: name.into(), unit: Some(unit.into()), period: None }
}

fn finger(links: &[&str]) -> Result<Drive> {
    let robot = Robot::from_urdf("finger.urdf", FINGER.as_bytes())?;
    let links: Vec<String> = links.iter().map(|link| (*link).to_string()).collect();
    drive(&robot, &[channel("force", "N"), channel("q_bend", "deg")], &links)
}

/// Futures `(1, S, H, 2)` of the finger; the force does not count.
fn forecast(degrees: &[&[f64]]) -> Result<Forecast> {
    let (samples, horizon) = (degrees.len(), degrees[0].len());
    let values = degrees.concat().into_iter().flat_map(|angle| [7.0, angle]).collect();
    let origin = Origin {
        episode: None,
        start_secs: 0.0,
        time_secs: 100.1,
        history: vec![0.0; 2],
        truth: Vec::new(),
        truth_energy: None,
        p_value: None,
    };
    Ok(Forecast {
        model: "ebm".into(),
        seed: 0,
        channels: vec![channel("force", "N"), channel("q_bend", "deg")],
        rate_hz: 10.0,
        origins: vec![origin],
        futures: FutureArray::new(values, [1, samples, horizon, 2])?,
        energies: None,
        constraints: Vec::new(),
        notes: Vec::new(),
    })
}

#[test]
fn a_forecast_is_also_where_links_go() -> Result<()> {
    // The second future turns on through half a turn and more: its quaternion goes on without a jump.
    let forecast = forecast(&[&[0.0, 90.0, -90.0], &[170.0, 190.0, 370.0]])?;
    let drive = finger(&["tip", "middle"])?;
    let poses = forecast.link_poses(&drive)?;
    assert_eq!(poses.len(), 2 * 3 * 2);
    let expected = |degrees: f64, radius: f64| {
        let angle = degrees.to_radians();
        let (half, place) = (0.5 * angle, [radius * angle.cos(), radius * angle.sin()]);
        [place[0], place[1], 0.0, half.cos(), 0.0, 0.0, half.sin()]
    };
    for (found, degrees) in poses.chunks(2).zip([0.0, 90.0, -90.0, 170.0, 190.0, 370.0]) {
        for (found, radius) in found.iter().zip([0.5, 0.3]) {
            let expected = expected(degrees, radius);
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-14, "{degrees} deg: {found:?}, not {expected:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecast.links.csv");
    forecast.write_link_poses(&drive, &path)?;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let head = "sample,step,time [s],ahead [s],tip.x [m],tip.y [m],tip.z [m],tip.qw,tip.qx,tip.qy,tip.qz,middle.x [m],";
    assert!(lines[0].starts_with(head), "{}", lines[0]);
    let row =
        "0,2,100.200000,0.200000,0.000000,0.500000,0.000000,0.707107,0.000000,0.000000,0.707107,0.000000,0.300000,";
    assert!(lines[2].starts_with(row), "{}", lines[2]);
    assert_eq!(lines.len(), 1 + 6);
    assert!(matches!(finger(&["thumb"]), Err(Error::Config { key, .. }) if key == "link"));
    Ok(())
}

/// Two windows whose truth is 8 frames at 0 deg.
fn still() -> TestSet {
    TestSet {
        context: vec![0.0; 2 * 4 * 2],
        truth: vec![0.0; 2 * 8 * 2],
        episode: vec![0, 1],
        context_frames: 4,
        horizon: 8,
        channels: 2,
        velocity_std: vec![1.0; 2],
        reference: Reference { context: vec![0.0; 2 * 4 * 2], future: vec![0.0; 2 * 8 * 2], episode: vec![0, 1] },
    }
}

#[test]
fn errors_in_mm_are_chords() -> Result<()> {
    let test = still();
    let bootstrap = BootstrapSettings { replicates: 10, window_replicates: 10, ..BootstrapSettings::default() };
    let options = EvalOptions { bootstrap, ..EvalOptions::default() };
    // z-scores of 10 deg, and of a force that may be what it will.
    let normaliser =
        Normaliser { mean: vec![3.0, 0.0], std: vec![5.0, 10.0], velocity_std: vec![1.0; 2], constant: Vec::new() };
    // Two samples, at 10 and at -20 deg all the time, in both windows.
    let sample = |z: f32| (0..8).flat_map(move |_| [1.5, z]);
    let samples: Vec<f32> = (0..2).flat_map(|_| sample(1.0).chain(sample(-2.0))).collect();
    let futures = Futures { samples: &samples, n: 2, s: 2, h: 8, d: 2 };
    let chord = |radius: f64, degrees: f64| 2e3 * radius * (0.5 * degrees.to_radians()).sin();
    for (links, radius) in [(&["tip"][..], 0.5), (&["middle", "tip"], (0.5 * (0.3f64.powi(2) + 0.5f64.powi(2))).sqrt())]
    {
        let evaluator = Evaluator::new(&test, options.clone())?.with_links(finger(links)?, &normaliser)?;
        let results = evaluator.evaluate(&futures)?;
        let near = |name: &str, expected: f64| {
            let found = results[name].mean;
            // Places are kept in f32 and are up to 500 mm.
            assert!((found - expected).abs() < 1e-3, "{links:?}, {name}: {found} mm, not {expected}");
        };
        near("link_ade_best20", chord(radius, 10.0));
        near("link_fde_best20", chord(radius, 10.0));
        let misses = 0.5 * (chord(radius, 10.0) + chord(radius, 20.0));
        near("link_energy_score", misses - 0.5 * chord(radius, 30.0));
        assert_eq!(results["link_fde_best20"].per_step.len(), 8);
        assert!(!evaluator.floor()?.keys().any(|name| name.starts_with("link_")));
    }
    assert!(!Evaluator::new(&test, options.clone())?.evaluate(&futures)?.contains_key("link_ade_best20"));
    let robot = Robot::from_urdf("finger.urdf", FINGER.as_bytes())?;
    let alone = drive(&robot, &[channel("bend", "rad")], &[])?;
    assert!(Evaluator::new(&test, options)?.with_links(alone, &normaliser).is_err());
    let of_links: Vec<_> = specs().filter(|spec| spec.name.starts_with("link_")).collect();
    assert_eq!(of_links.len(), 3);
    assert!(of_links.iter().all(|spec| spec.unit == "mm" && spec.kind == Kind::Score && spec.lower_is_better));
    Ok(())
}

#[test]
fn a_report_has_the_errors_where_a_robot_is_known() -> Result<()> {
    let time_secs: Vec<f64> = (0..80).map(|t| f64::from(t) / 25.0).collect();
    let swing = |i: u32| time_secs.iter().flat_map(move |t| [f64::from(i), 40.0 * (2.0 * t + f64::from(i)).sin()]);
    let episode = |i| Episode { id: format!("swing/{i}"), time_secs: time_secs.clone(), values: swing(i).collect() };
    let channels = vec![channel("force", "N"), channel("q_bend", "deg")];
    let episodes = (0..12).map(episode).collect();
    let frames =
        Frames { channels, rate_hz: 25.0, episodes, sources: Vec::new(), notes: Vec::new(), parts: Default::default() };
    let dataset = Dataset::new(frames, &RunConfig::default())?;
    let fit = |name: &str| Contender::fit(<dyn Baseline>::named(name)?, &dataset, &[], 0, None, &mut Silent);
    let (velocity, hold) = (fit("velocity")?, fit("hold")?);
    let subject = (velocity.forecaster.as_ref(), velocity.train_seconds);
    let mut options = CompareOptions::new(8, 7);
    let without = Comparison::of(&dataset, &[subject], std::slice::from_ref(&hold), &options, &mut Silent)?.report;
    options.links = Some(finger(&["tip"])?);
    let with = Comparison::of(&dataset, &[subject], &[hold], &options, &mut Silent)?.report;
    let mm = |name: &str| with.forecasters[name]["link_fde_best20"].mean;
    assert!(mm("velocity") < mm("hold"), "{} and {} mm", mm("velocity"), mm("hold"));
    // A swing of 40 deg and 2 rad/s moves the tip by at most 0.5 m * 0.7 rad * 2 /s * 8 / 25 s.
    assert!((10.0..224.0).contains(&mm("hold")), "{} mm", mm("hold"));
    assert!(with.protocol.notes.iter().any(|note| note.contains("links `tip` of the robot `finger`")));
    assert_eq!(with.protocol.metrics["link_fde_best20"].unit, "mm");
    let page = markdown(&with, &[]);
    assert!(page.contains("Final displacement of links, best of 20 [mm]"), "{page}");
    let table = with.summary_table();
    assert!(table.contains("mm FDE") && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(!without.summary_table().contains("mm FDE"));
    assert!(!without.protocol.metrics.keys().any(|name| name.starts_with("link_")));
    // Nothing else changes.
    for (name, results) in &without.forecasters {
        assert!(results.iter().all(|(metric, result)| with.forecasters[name][metric] == *result), "{name}");
    }
    Ok(())
}
