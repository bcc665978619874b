//! `bench` measures and tells; how fast is nobody's test.

use super::*;

fn lines(folder: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_workload_tells_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let common = ["--json", "--repeats", "1"];
    let args = |own: &[&'static str]| [own, &common[..]].concat();
    let steps = lines(f, &args(&["bench", "--dims", "12,20,1", "--batches", "1,40", "--threads", "2"]));
    assert_eq!(steps.len(), 2);
    for (line, batch) in steps.iter().zip([1, 40]) {
        assert_eq!(line["peer"], "ours");
        assert_eq!(line["dims"], serde_json::json!([12, 20, 1]));
        assert_eq!(line["batch"], batch);
        let (micros, rate) = (line["us_per_step"].as_f64().unwrap(), line["gflops"].as_f64().unwrap());
        // Four operations for each of 260 multiplications a chain; both figures are rounded to two decimals.
        let expected = 4e-3 * 260.0 * f64::from(batch) / micros;
        assert!(micros > 0.0 && (rate - expected).abs() < 0.01 + 0.02 * expected, "{rate} and {expected}");
    }
    for preset in ["denoising", "temporal"] {
        let forecasts = lines(f, &args(&["bench", "forecast", "--preset", preset, "--samples", "1,3"]));
        assert_eq!(forecasts.iter().map(|l| l["samples"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3]);
        assert!(forecasts.iter().all(|l| l["us_per_forecast"].as_f64().unwrap() > 0.0));
    }
    let training = lines(f, &args(&["bench", "train", "--dims", "12,20,1", "--batches", "8", "--steps", "2"]));
    assert!(training[0]["windows_per_s"].as_f64().unwrap() > 0.0);
    let default = lines(f, &args(&["bench", "denoising", "--batches", "3"]));
    for rate in ["windows_per_s", "windows_per_s_adam"] {
        assert!(default[0]["batch"] == 3 && default[0][rate].as_f64().unwrap() > 0.0, "{default:?}");
    }
    let output = run(f, &["bench", "--dims", "12,20,1", "--batches", "4", "--repeats", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("GFLOP/s") && text.contains("of peak"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    refuses(f, &["bench", "--dims", "12,1"], &["--dims", "hidden"]);
    refuses(f, &["bench", "--dims", "12,20,3"], &["--dims"]);
    refuses(f, &["bench", "--batches", "0"], &["--batches", "at least 1"]);
    refuses(f, &["bench", "--device", "tpu"], &["--device", "cuda:0"]);
    refuses(f, &["bench", "forecast", "--preset", "igebm"], &["--preset", "igebm", "denoising, temporal"]);
    refuses(f, &["bench", "forecast", "--device", "cuda:0"], &["--device", "langevin"]);
    // Without the feature, without a driver or without such a GPU: an error that says so, never a panic.
    let train = ["train", "nowhere.csv", "-o", "m.safetensors"];
    let predict = ["predict", "m.safetensors", "nowhere.csv", "-o", "f.csv"];
    let report = ["report", "m.safetensors", "nowhere.csv", "-o", "r"];
    for verb in [&["bench"][..], &train, &["demo"], &predict, &report] {
        refuses(f, &[verb, &["--device", "cuda:99"]].concat(), &["--device", "cuda:99"]);
    }
}
