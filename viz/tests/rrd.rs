//! Files read back with rerun's own decoder: every promised entity, on the promised timeline, with the promised values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test's helper is a failed test")]

use ebmotion_viz::{Band, Chains, ChannelLabel, Links3d, Scene, Skeleton3d, VizError, write};
use rerun::external::arrow::array::{Array, AsArray};
use rerun::external::arrow::datatypes::Float64Type;
use rerun::external::re_log_encoding::DecoderApp;
use rerun::log::{Chunk, LogMsg};
use rerun::{StoreKind, TimelineName};
use std::collections::BTreeMap;
use std::path::Path;

const KNOWN: usize = 10;
const HORIZON: usize = 100;
const SAMPLES: usize = 20;

/// A scene of smooth waves; sample `s` is shifted by `s`.
fn scene(name: &str, channels: &[&str], samples: usize, horizon: usize) -> Scene {
    let wave = |s: usize, t: usize, d: usize| (0.1 * t as f64 + 0.7 * d as f64).sin() + 0.01 * s as f64;
    let frames = |s: usize, from: usize, count: usize| -> Vec<Vec<f64>> {
        (from..from + count).map(|t| (0..channels.len()).map(|d| wave(s, t, d)).collect()).collect()
    };
    let body = |s: usize, from: usize, count: usize| -> Vec<Vec<[f32; 3]>> {
        (from..from + count).map(|t| (0..30).map(|p| [p as f32, wave(s, t, p) as f32, 0.0]).collect()).collect()
    };
    Scene {
        name: name.into(),
        rate_hz: 25.0,
        channels: channels.iter().map(|n| ChannelLabel { name: n.to_string(), unit: "rad".into() }).collect(),
        history: frames(0, 0, KNOWN),
        truth: Some(frames(0, KNOWN, horizon)),
        samples: (0..samples).map(|s| frames(s, KNOWN, horizon)).collect(),
        energies: Some((0..samples).map(|s| vec![s as f64; horizon]).collect()),
        skeleton: Some(Skeleton3d {
            links: (1..30).map(|p| (p - 1, p)).collect(),
            history: body(0, 0, KNOWN),
            truth: Some(body(0, KNOWN, horizon)),
            samples: (0..3).map(|s| body(s, KNOWN, horizon)).collect(),
        }),
        bands: vec![Band { channel: 0, frames: [horizon / 2, horizon / 2 + 1], range: [0.1, f64::INFINITY] }],
        links: Some(Links3d {
            spheres: vec![([0.1, 0.2, 0.3], 0.05)],
            paths: (0..2).map(|s| (0..horizon).map(|t| [t as f32, s as f32, 0.0]).collect()).collect(),
        }),
    }
}

/// All chunks of the file by entity, and those of its blueprint.
fn read(path: &Path) -> (BTreeMap<String, Vec<Chunk>>, BTreeMap<String, Vec<Chunk>>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let (mut data, mut blueprint) = (BTreeMap::<String, Vec<Chunk>>::new(), BTreeMap::<String, Vec<Chunk>>::new());
    for message in DecoderApp::decode_lazy(file) {
        if let LogMsg::ArrowMsg(store, message) = message.unwrap() {
            let chunk = Chunk::from_arrow_msg(&message).unwrap();
            let into = if store.kind() == StoreKind::Blueprint { &mut blueprint } else { &mut data };
            into.entry(chunk.entity_path().to_string()).or_default().push(chunk);
        }
    }
    (data, blueprint)
}

/// The one entity whose path ends so.
fn entity_of(data: &BTreeMap<String, Vec<Chunk>>, end: &str) -> String {
    data.keys().find(|entity| entity.ends_with(end)).unwrap().clone()
}

/// The entity's one chunk with a timeline: its times in nanoseconds and its rows of the component ending in `name`.
fn rows<'a>(
    data: &'a BTreeMap<String, Vec<Chunk>>,
    entity: &str,
    name: &str,
) -> (Vec<i64>, Vec<std::sync::Arc<dyn Array>>) {
    let chunks: Vec<&'a Chunk> =
        data.get(entity).unwrap_or_else(|| panic!("{entity} in {:?}", data.keys())).iter().collect();
    let moving: Vec<&Chunk> = chunks.into_iter().filter(|c| !c.is_static()).collect();
    assert_eq!(moving.len(), 1, "{entity}: one chunk with all frames");
    let times = &moving[0].timelines()[&TimelineName::from("time")];
    assert_eq!(moving[0].timelines().len(), 1);
    let times = times.times_raw().to_vec();
    let column = moving[0].components().values().find(|c| c.descriptor.component.ends_with(name)).unwrap();
    (times, (0..column.list_array.len()).map(|row| column.list_array.value(row)).collect())
}

fn numbers(row: &std::sync::Arc<dyn Array>) -> Vec<f64> {
    row.as_primitive::<Float64Type>().values().to_vec()
}

#[test]
fn what_is_written_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/forecast.rrd");
    let scene = scene("first", &["q_FFJ3", "q_FFJ2", "odd name/with a slash"], SAMPLES, HORIZON);
    write(std::slice::from_ref(&scene), &path).unwrap();
    let (data, blueprint) = read(&path);

    let channel = "/scene_0/channels/q_FFJ2";
    let (times, values) = rows(&data, &format!("{channel}/history"), "scalars");
    let milliseconds: Vec<i64> = times.iter().map(|t| t / 1_000_000).collect();
    assert_eq!(milliseconds, (0..KNOWN as i64).map(|t| (t - 9) * 40).collect::<Vec<_>>());
    assert_eq!(numbers(&values[3]), [scene.history[3][1]]);

    let (times, values) = rows(&data, &format!("{channel}/truth"), "scalars");
    assert_eq!((times.len(), times[0], times[HORIZON]), (HORIZON + 1, 0, 4_000_000_000));
    assert_eq!(numbers(&values[0]), [scene.history[KNOWN - 1][1]], "starts at the last known frame");
    assert_eq!(numbers(&values[HORIZON]), [scene.truth.as_ref().unwrap()[HORIZON - 1][1]]);

    let (times, values) = rows(&data, &format!("{channel}/samples"), "scalars");
    assert_eq!((times.len(), values.len()), (HORIZON + 1, HORIZON + 1));
    assert_eq!(numbers(&values[5]), scene.samples.iter().map(|s| s[4][1]).collect::<Vec<_>>());

    // Samples are the wave plus 0, 0.01, ..., 0.19: mean 0.095; quantiles at places 0.95 and 18.05 of 0..=19.
    for (name, offset) in [("mean", 0.095), ("low", 0.0095), ("high", 0.1805)] {
        let (_, values) = rows(&data, &format!("{channel}/{name}"), "scalars");
        let expected = scene.samples[0][4][1] + offset;
        assert!((numbers(&values[5])[0] - expected).abs() < 1e-12, "{name}");
    }
    let (times, values) = rows(&data, "/scene_0/energy/samples", "scalars");
    assert_eq!((times[0], times.len()), (40_000_000, HORIZON));
    assert_eq!(numbers(&values[7]), (0..SAMPLES).map(|s| s as f64).collect::<Vec<_>>());
    assert_eq!(numbers(&rows(&data, "/scene_0/energy/mean", "scalars").1[7]), [9.5]);

    let (times, strips) = rows(&data, "/scene_0/skeleton/truth", "strips");
    assert_eq!((times.len(), strips[0].len()), (KNOWN + HORIZON, 29));
    for sample in 0..3 {
        assert_eq!(rows(&data, &format!("/scene_0/skeleton/sample_{sample}"), "strips").0.len(), HORIZON);
    }
    // A gate half a frame wide on either side, without a line where there is no limit.
    let first = entity_of(&data, "asked_0/low");
    let (times, values) = rows(&data, &first, "scalars");
    assert_eq!((times, numbers(&values[0])), (vec![2_020_000_000, 2_060_000_000], vec![0.1]));
    assert!(!data.keys().any(|entity| entity.ends_with("asked_0/high")));
    assert!(data.contains_key("/scene_0/links/spheres") && data.contains_key("/scene_0/links/path_1"));
    assert_eq!(rows(&data, "/scene_0/links/path_1/now", "positions").0.len(), HORIZON);
    assert!(data.contains_key("/scene_0/legend"));
    assert!(data.keys().any(|entity| entity.contains("odd") && entity.ends_with("/mean")), "{:?}", data.keys());

    // 3 plots, energy, legend and two 3-D views.
    let views = blueprint.keys().filter(|e| e.starts_with("/view/") && e.matches('/').count() == 2).count();
    assert_eq!(views, 7, "{:?}", blueprint.keys());
    for entity in ["/viewport", "/time_panel"] {
        assert!(blueprint.contains_key(entity), "{entity}");
    }
}

#[test]
fn optional_parts_may_be_absent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bare.rrd");
    let none = Scene { skeleton: None, bands: vec![], links: None, ..scene("bare", &["x"], 2, 3) };
    let bare = Scene { history: vec![], truth: None, energies: None, ..none };
    write(&[bare], &path).unwrap();
    let (data, _) = read(&path);
    let (times, values) = rows(&data, "/scene_0/channels/x/samples", "scalars");
    assert_eq!((times[0], values.len()), (40_000_000, 3), "without a known frame the lines start with the forecast");
    assert!(!data.keys().any(|e| e.contains("truth") || e.contains("history") || e.contains("skeleton")));
}

#[test]
fn a_demo_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.rrd");
    let names: Vec<String> = (0..24).map(|d| format!("q_{d}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scenes: Vec<Scene> = ["a", "b", "c"].iter().map(|name| scene(name, &names, SAMPLES, HORIZON)).collect();
    write(&scenes, &path).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("3 scenes, 20 samples, 100 frames, 24 channels: {bytes} bytes");
    assert!(bytes < 15_000_000, "{bytes}");
    let (data, _) = read(&path);
    assert!(data.contains_key("/scene_2/channels/q_23/samples"));
}

#[test]
fn arrays_that_do_not_fit_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.rrd");
    let good = || scene("bad", &["a", "b"], 4, 5);
    let spoil = |change: &dyn Fn(&mut Scene)| {
        let mut scene = good();
        change(&mut scene);
        scene
    };
    let cases = [
        (spoil(&|s| s.rate_hz = 0.0), "rate: found 0"),
        (spoil(&|s| s.rate_hz = f64::NAN), "rate: found NaN"),
        (spoil(&|s| s.channels[1].name = "a".into()), "`a` twice"),
        (spoil(&|s| s.samples.clear()), "0 frames"),
        (spoil(&|s| s.samples[2][3].push(0.0)), "sample 2, row 3: found 3 values, expected 2"),
        (spoil(&|s| s.history[1].clear()), "history, row 1: found 0 values"),
        (spoil(&|s| s.truth = Some(vec![vec![0.0; 2]; 4])), "truth: found 4 rows, expected 5"),
        (spoil(&|s| s.energies = Some(vec![vec![0.0; 5]; 3])), "energies: found 3 rows, expected 4"),
        (spoil(&|s| s.bands[0].channel = 2), "a band: found Band"),
        (spoil(&|s| s.links.as_mut().unwrap().paths[1].truncate(4)), "path 1 of links, row 0: found 4 values"),
        (spoil(&|s| s.skeleton.as_mut().unwrap().links.push((2, 30))), "(2, 30), expected indices below 30"),
        (spoil(&|s| s.skeleton.as_mut().unwrap().history.truncate(9)), "history of the skeleton: found 9 rows"),
        (spoil(&|s| s.skeleton.as_mut().unwrap().samples[1][2].truncate(29)), "sample 1 of the skeleton, row 2"),
    ];
    for (scene, expected) in cases {
        let error = write(&[good(), scene], &path).unwrap_err();
        assert!(matches!(error, VizError::Scene { .. }) && error.to_string().contains(expected), "{error}: {expected}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_path_that_cannot_be_written_is_named_and_an_older_file_survives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "old").unwrap();
    let scenes = [scene("s", &["a"], 2, 2)];

    // A file stands where the folder should be.
    let error = write(&scenes, &file.join("x.rrd")).unwrap_err();
    assert!(matches!(error, VizError::Io { .. }) && error.to_string().contains("x.rrd"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"old");

    // A folder stands where the file should be: the last step, the rename, fails.
    let taken = folder.path().join("taken.rrd");
    std::fs::create_dir_all(taken.join("inside")).unwrap();
    let error = write(&scenes, &taken).unwrap_err();
    assert!(error.to_string().contains("taken.rrd: cannot replace"), "{error}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}

#[test]
fn a_missing_viewer_is_an_error_and_no_panic() {
    // Only where the tests' own environment has no viewer and none is running.
    let installed = std::env::var_os("PATH")
        .is_some_and(|paths| std::env::split_paths(&paths).any(|folder| folder.join("rerun").exists()));
    let running = std::net::TcpStream::connect(("127.0.0.1", 9876)).is_ok();
    if installed || running {
        eprintln!("skipped: a rerun viewer is installed or running here");
        return;
    }
    let error = ebmotion_viz::spawn(&[scene("s", &["a"], 2, 2)]).unwrap_err();
    assert!(matches!(error, VizError::Viewer(_)), "{error}");
}

/// The entity's values of the component ending in `name`, by step.
fn by_step(data: &BTreeMap<String, Vec<Chunk>>, entity: &str, name: &str) -> BTreeMap<i64, std::sync::Arc<dyn Array>> {
    let mut all = BTreeMap::new();
    for chunk in data[entity].iter().filter(|c| !c.is_static()) {
        let steps = chunk.timelines()[&TimelineName::from("step")].times_raw().to_vec();
        let Some(column) = chunk.components().values().find(|c| c.descriptor.component.ends_with(name)) else {
            continue;
        };
        all.extend(steps.iter().enumerate().map(|(row, step)| (*step, column.list_array.value(row))));
    }
    all
}

#[test]
fn chains_of_images_are_recorded_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chains.rrd");
    let mut chains = Chains::to_file(&path).unwrap();
    for step in 0..3u8 {
        // Three images of 1 x 2 pixels: 10, 11, then 20, 21, then 30, 31, all plus the step.
        let pixels: Vec<u8> = [10, 11, 20, 21, 30, 31].map(|v| v + step).to_vec();
        chains.step(step.into(), [1, 1, 2], &pixels, &[0.5, 1.5, f64::from(step)]).unwrap();
    }
    let wrong = chains.step(3, [1, 1, 2], &[0; 5], &[0.0; 3]).unwrap_err().to_string();
    assert!(wrong.contains("step 3") && wrong.contains("5 pixels"), "{wrong}");
    chains.finish().unwrap();
    let (data, blueprint) = read(&path);
    let energies = by_step(&data, "/energy", "scalars");
    assert_eq!(energies.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(numbers(&energies[&2]), [0.5, 1.5, 2.0]);
    // Two images in the first row, one and an empty place in the second.
    let pictures = by_step(&data, "/chains", "buffer");
    let bytes = pictures[&1].as_list::<i32>().value(0);
    let bytes = bytes.as_primitive::<rerun::external::arrow::datatypes::UInt8Type>().values().to_vec();
    assert_eq!(bytes, [11, 12, 21, 22, 31, 32, 0, 0]);
    assert!(blueprint.keys().any(|entity| entity.starts_with("/view/")), "{:?}", blueprint.keys());
}
