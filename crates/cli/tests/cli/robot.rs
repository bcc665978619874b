//! `--urdf`: limits, link poses, errors in mm.

use super::*;

/// A finger of the log's two joints; `a` may not go as far as the log does.
const FINGER: &str = r#"<robot name="finger">
  <link name="base"/>
  <link name="lower"/>
  <link name="upper"/>
  <link name="tip"/>
  <joint name="a" type="revolute">
    <parent link="base"/>
    <child link="lower"/>
    <axis xyz="0 0 1"/>
    <limit lower="-0.9" upper="1.2" velocity="1" effort="1"/>
  </joint>
  <joint name="b" type="continuous">
    <parent link="lower"/>
    <child link="upper"/>
    <origin xyz="0.1 0 0"/>
    <axis xyz="0 0 1"/>
  </joint>
  <joint name="end" type="fixed">
    <parent link="upper"/>
    <child link="tip"/>
    <origin xyz="0.05 0 0"/>
  </joint>
</robot>
"#;

fn robot(folder: &Path) {
    std::fs::write(folder.join("finger.urdf"), FINGER).unwrap();
}

#[test]
fn inspect_tells_what_a_joint_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path(), "log.csv");
    robot(folder.path());
    let args = ["inspect", "log.csv", "--urdf", "finger.urdf"];
    let text = String::from_utf8(succeeds(folder.path(), &args).stdout).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // As a plain reader of the log counts them.
    let log = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let column = log.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap());
    let column: Vec<f64> = column.collect();
    let low = column.iter().filter(|v| **v < -0.9 - 2.1e-3).count();
    let fast = column.chunks(80).flat_map(|e| e.windows(2)).filter(|w| (w[1] - w[0]).abs() > 0.05).count();
    assert!(low > 10 && fast > 10);
    assert!(text.contains(&format!("{low} values outside [-0.9, 1.2], up to -0.99")), "{text}");
    assert!(text.contains(&format!("{fast} steps faster than 1 a second")), "{text}");
    assert!(text.contains("Limits of robot `finger` are known of q_a."), "{text}");
    let json = succeeds(folder.path(), &[&args[..], &["--json"]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let outside = findings.iter().find(|f| f["kind"] == "outside_limits").unwrap();
    assert_eq!((outside["channel"].as_str(), outside["count"].as_u64()), (Some("q_a"), Some(low as u64)));
    let plain = succeeds(folder.path(), &["inspect", "log.csv", "--json"]).stdout;
    assert!(!String::from_utf8(plain).unwrap().contains("outside_limits"));
}

#[test]
fn predict_and_report_say_where_the_tip_goes() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path());
    robot(folder.path());
    let predict = ["predict", "m.safetensors", "log.csv", "--samples", "3", "--horizon", "10f"];
    let with = |more: &[&'static str]| [&predict[..], more].concat();
    succeeds(folder.path(), &with(&["-o", "f.csv", "--urdf", "finger.urdf"]));
    succeeds(folder.path(), &with(&["-o", "g.json", "--urdf", "finger.urdf", "--link", "upper", "--link", "tip"]));
    let table = |name: &str| -> (Vec<String>, Vec<Vec<f64>>) {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_string).collect::<Vec<_>>());
        let head = lines.next().unwrap();
        (head, lines.map(|row| row.iter().map(|cell| cell.parse().unwrap()).collect()).collect())
    };
    let (head, angles) = table("f.csv");
    assert_eq!(head[5..], ["q_a [rad]", "q_b [rad]"]);
    let (head, poses) = table("f.links.csv");
    assert_eq!(head[4..], ["tip.x [m]", "tip.y [m]", "tip.z [m]", "tip.qw", "tip.qx", "tip.qy", "tip.qz"]);
    assert_eq!((angles.len(), poses.len()), (30, 30));
    for (angle, pose) in angles.iter().zip(&poses) {
        assert_eq!(angle[..4], pose[..4]);
        let (a, both) = (angle[5], angle[5] + angle[6]);
        let place = [0.1 * a.cos() + 0.05 * both.cos(), 0.1 * a.sin() + 0.05 * both.sin(), 0.0];
        // Six decimals of both.
        assert!(place.iter().zip(&pose[4..7]).all(|(ours, theirs)| (ours - theirs).abs() < 2e-6), "{place:?} {pose:?}");
    }
    let (head, two) = table("g.links.csv");
    assert_eq!((head.len(), two.len()), (4 + 14, 30));
    let report = ["report", "m.safetensors", "log.csv", "--horizon", "10f", "--samples", "4", "--baselines", "hold"];
    let output = succeeds(folder.path(), &[&report[..], &["--urdf", "finger.urdf", "-o", "report"]].concat());
    assert!(String::from_utf8(output.stdout).unwrap().contains("mm FDE"));
    let report = reported(&folder.path().join("report"));
    let millimetres = report["forecasters"]["hold"]["link_fde_best20"]["mean"].as_f64().unwrap();
    assert!((1.0..300.0).contains(&millimetres), "{millimetres} mm");
    assert_eq!(report["protocol"]["data"][1]["path"], "finger.urdf");
}

#[test]
fn a_robot_that_does_not_fit_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path());
    let at = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    at("cut.urdf", FINGER[..400].to_string());
    at("other.urdf", FINGER.replace("\"a\"", "\"knee\"").replace("\"b\"", "\"hip\""));
    at("half.urdf", FINGER.replace("\"b\"", "\"hip\""));
    robot(folder.path());
    let predict = ["predict", "m.safetensors", "log.csv", "-o", "f.csv", "--urdf"];
    let report = ["report", "m.safetensors", "log.csv", "-o", "report", "--baselines", "none", "--urdf"];
    let inspect = ["inspect", "log.csv", "--urdf"];
    for verb in [&predict[..], &report, &inspect] {
        let with = |more: &[&'static str]| [verb, more].concat();
        refuses(folder.path(), &with(&["cut.urdf"]), &["cut.urdf, line ", "expected"]);
        refuses(folder.path(), &with(&["other.urdf"]), &["other.urdf, line 6", "robot `finger`", "`knee`", "`q_a`"]);
        refuses(folder.path(), &with(&["none.urdf"]), &["none.urdf: cannot read"]);
    }
    for verb in [&predict[..], &report] {
        let with = |more: &[&'static str]| [verb, more].concat();
        refuses(folder.path(), &with(&["half.urdf"]), &["half.urdf, line 12", "`hip`", "`--link NAME`"]);
        refuses(folder.path(), &with(&["finger.urdf", "--link", "toe"]), &["`--link`", "`toe`", "lower, upper, tip"]);
    }
    refuses(folder.path(), &["predict", "m.safetensors", "log.csv", "-o", "f.csv", "--link", "tip"], &["--urdf"]);
    assert!(!left_in(folder.path()).iter().any(|name| name.starts_with("f.")));
}
