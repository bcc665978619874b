//! What is wrong with a file is told with its link or joint and its line; nothing panics.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test's helper is a failed test")]

use ebmotion_robot::{Error, Robot};
use std::path::Path;

/// An arm of two joints; every part stands on a line of its own.
const ARM: &str = r#"<robot name="arm">
  <link name="base"/>
  <link name="upper"/>
  <link name="lower"/>
  <joint name="shoulder" type="revolute">
    <parent link="base"/>
    <child link="upper"/>
    <origin xyz="0 0 1" rpy="0 0 0"/>
    <axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" velocity="2" effort="3"/>
  </joint>
  <joint name="elbow" type="revolute">
    <parent link="upper"/>
    <child link="lower"/>
    <mimic joint="shoulder" multiplier="2"/>
  </joint>
</robot>
"#;

fn read(text: &str) -> Result<Robot, Error> {
    Robot::from_urdf("arm.urdf", text.as_bytes())
}

/// The arm with one text in the place of another.
fn with(from: &str, to: &str) -> String {
    assert!(ARM.contains(from), "{from}");
    ARM.replacen(from, to, 1)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each fault")]
fn faults_are_told_with_place_and_name() {
    assert!(read(ARM).is_ok());
    let circle = with(r#"<parent link="base"/>"#, r#"<parent link="lower"/>"#);
    let no_root = circle.replacen("  <link name=\"base\"/>\n", "", 1);
    let mimics = with("    <limit lower", "    <mimic joint=\"elbow\"/>\n    <limit lower");
    let cases = [
        (with("</robot>", ""), 16, "the end of the file within an element"),
        (with("<parent link=\"base\"/>", "<parent link=\"base>"), 7, "XML that is well formed"),
        (with("</joint>", "</jount>"), 11, "XML that is well formed"),
        (String::new(), 1, "no element"),
        ("time,q\n0,1\n".into(), 1, "found"),
        ("<mujoco model=\"arm\"/>".into(), 1, "an element `mujoco`, expected a URDF file"),
        (
            with("<link name=\"upper\"/>", "<xacro:arm/>").replacen(
                "<robot",
                "<robot xmlns:xacro=\"http://www.ros.org/wiki/xacro\"",
                1,
            ),
            3,
            "the macro `xacro:arm`",
        ),
        (format!("<!DOCTYPE robot [<!ENTITY a 'b'>]>\n{ARM}"), 1, "a document type definition"),
        ("<robot name=\"none\"/>".into(), 1, "a robot without links"),
        (with("<link name=\"upper\"/>", "<link/>"), 3, "a link without a name"),
        (with("<link name=\"upper\"/>", "<link name=\"base\"/>"), 3, "link `base` again, after line 2"),
        (with("name=\"elbow\"", "name=\"shoulder\""), 12, "joint `shoulder` again, after line 5"),
        (with("name=\"elbow\" type=\"revolute\"", "name=\"elbow\""), 12, "joint `elbow` of the type ``"),
        (with("type=\"revolute\"", "type=\"rotary\""), 5, "joint `shoulder` of the type `rotary`"),
        (with("<parent link=\"upper\"/>", ""), 12, "no `parent` of joint `elbow`"),
        (with("<child link=\"lower\"/>", "<child/>"), 12, "no `child` of joint `elbow`"),
        (with("parent link=\"upper\"", "parent link=\"uper\""), 13, "the unknown parent link `uper` of joint `elbow`"),
        (with("child link=\"lower\"", "child link=\"hand\""), 14, "the unknown child link `hand` of joint `elbow`"),
        (with("child link=\"lower\"", "child link=\"upper\""), 12, "which joint `shoulder` (line 5) carries already"),
        (with("<link name=\"lower\"/>", "<link name=\"lower\"/><link name=\"eye\"/>"), 4, "2 links without a joint"),
        (circle, 5, "in a circle: `upper` -> `lower` -> `upper`"),
        (no_root, 4, "in a circle: `upper` -> `lower` -> `upper`"),
        (with("parent link=\"base\"", "parent link=\"upper\""), 5, "in a circle: `upper` -> `upper`"),
        (with("mimic joint=\"shoulder\"", "mimic joint=\"wrist\""), 15, "a mimic of the unknown joint `wrist`"),
        (with("mimic joint=\"shoulder\"", "mimic"), 15, "a mimic without `joint` of joint `elbow`"),
        (with("mimic joint=\"shoulder\"", "mimic joint=\"elbow\""), 12, "in a circle: `elbow` -> `elbow`"),
        (mimics, 5, "joints that mimic each other in a circle: `shoulder` -> `elbow` -> `shoulder`"),
        (with("type=\"revolute\"", "type=\"fixed\""), 12, "joint `elbow`, which mimics the fixed joint `shoulder`"),
        (
            with("xyz=\"0 0 1\" rpy", "xyz=\"0 0\" rpy"),
            8,
            "`xyz=\"0 0\"` of joint `shoulder`, expected 3 finite numbers",
        ),
        (with("xyz=\"0 0 1\" rpy", "xyz=\"0 0 1 x\" rpy"), 8, "`xyz=\"0 0 1 x\"` of joint `shoulder`"),
        (with("rpy=\"0 0 0\"", "rpy=\"0 0 nan\""), 8, "`rpy=\"0 0 nan\"` of joint `shoulder`"),
        (with("rpy=\"0 0 0\"", "rpy=\"0 0 1e999\""), 8, "expected 3 finite numbers"),
        (with("rpy=\"0 0 0\"", "quat_xyzw=\"0 0 0 1\""), 8, "`quat_xyzw` of joint `shoulder`, expected `rpy`"),
        (with("<axis xyz=\"0 0 1\"/>", "<axis xyz=\"0 0 0\"/>"), 9, "an axis without a length of joint `shoulder`"),
        (with("<axis xyz=\"0 0 1\"/>", "<axis/><axis/>"), 9, "a second `axis` of joint `shoulder`"),
        (with("lower=\"-1\"", "lower=\"2\""), 10, "the limits `lower=\"2\"` and `upper=\"1\"` of joint `shoulder`"),
        (with("upper=\"1\"", "upper=\"one\""), 10, "`upper=\"one\"` of joint `shoulder`, expected a finite number"),
        (with("velocity=\"2\"", "velocity=\"-2\""), 10, "`velocity=\"-2\"` of joint `shoulder`"),
        (with("multiplier=\"2\"", "multiplier=\"\""), 15, "`multiplier=\"\"` of joint `elbow`"),
    ];
    for (text, line, part) in cases {
        let error = read(&text).expect_err(part);
        let message = error.to_string();
        assert!(message.starts_with(&format!("arm.urdf, line {line}: found ")), "line {line}: {message}\n{text}");
        assert!(message.contains(part) && message.contains(", expected "), "{message}\ndoes not say: {part}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let mut bytes = ARM.as_bytes().to_vec();
    bytes[60] = 0xff;
    let error = Robot::from_urdf("arm.urdf", &bytes).unwrap_err().to_string();
    assert!(error.contains("line 3: found bytes that are no text"), "{error}");
    let wide: Vec<u8> = [0xfeff].into_iter().chain(ARM.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let error = Robot::from_urdf("arm.urdf", &wide).unwrap_err().to_string();
    assert!(error.contains("found UTF-16"), "{error}");
    let marked = format!("\u{feff}{ARM}").replace('\n', "\r\n");
    assert_eq!(read(&marked).unwrap().joint("elbow").unwrap().line, 12);
    assert!(matches!(Robot::read("no/such.urdf"), Err(Error::Io { .. })));
}

#[test]
fn limits_are_what_the_file_means() {
    let limits = |text: &str| {
        let limits =
            read(&with("lower=\"-1\" upper=\"1\" velocity=\"2\" effort=\"3\"", text))?.joint("shoulder")?.limits;
        Ok::<_, Error>([limits.lower, limits.upper, limits.velocity, limits.effort])
    };
    assert_eq!(limits("lower=\"-1\" upper=\"1\"").unwrap(), [Some(-1.0), Some(1.0), None, None]);
    assert_eq!(limits("upper=\" 1 \" velocity=\"0\"").unwrap(), [Some(0.0), Some(1.0), None, None]);
    assert_eq!(limits("lower=\"0\" upper=\"0\" effort=\"0\" velocity=\"1\"").unwrap(), [None, None, Some(1.0), None]);
    assert_eq!(limits("lower=\"-inf\" upper=\"inf\" effort=\"5\"").unwrap(), [None, None, None, Some(5.0)]);
    assert_eq!(limits("lower=\"-inf\" upper=\"1\"").unwrap(), [None, Some(1.0), None, None]);
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/urdf");
    ["allegro_hand_right", "leap_hand_right", "schunk_svh_hand_right"]
        .map(|hand| std::fs::read(folder.join(hand).with_extension("urdf")).unwrap())
        .into()
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let mut files = fixtures();
    files.push(ARM.as_bytes().to_vec());
    for file in files {
        let whole = file.len() - file.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        // Every byte of the small one, and of the others a sample that meets every place within a line.
        let step = if file.len() < 1000 { 1 } else { 37 };
        for end in (0..whole).step_by(step).chain([whole - 1]) {
            let error = Robot::from_urdf("cut.urdf", &file[..end]).unwrap_err();
            assert!(matches!(error, Error::Log { line: Some(_), .. }), "cut at byte {end}: {error}");
        }
        assert!(Robot::from_urdf("whole.urdf", &file[..whole]).is_ok());
    }
}

/// Numbers of a fixed sequence (Marsaglia's xorshift).
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

#[test]
fn no_bytes_panic() {
    let mut next = numbers(0x9e37_79b9_7f4a_7c15);
    let words = ["<", ">", "/", "\"", "joint", "link", "&#x0;", "\u{fffd}", "-", "1e308", " ", "name", "mimic", "\0"];
    let (mut read, mut refused) = (0, 0);
    for file in fixtures() {
        for _ in 0..300 {
            let mut bytes = file.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                let to = (at + next(40)).min(bytes.len());
                match next(4) {
                    0 => bytes[at] = next(256) as u8,
                    1 => drop(bytes.drain(at..to)),
                    2 => drop(bytes.splice(at..at, words[next(words.len())].bytes())),
                    _ => bytes.extend_from_within(at..to),
                }
            }
            match Robot::from_urdf("spoilt.urdf", &bytes) {
                Ok(robot) => {
                    read += 1;
                    let channels: Vec<(&str, _)> = robot.joints().iter().map(|j| (j.name.as_str(), None)).collect();
                    drop(robot.drive(&channels, &robot.ends()));
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.exit_code(), 2, "{error}");
                }
            }
        }
    }
    assert!(read > 20 && refused > 200, "{read} read, {refused} refused");
    for length in 0..400 {
        let noise: Vec<u8> = (0..length).map(|_| next(256) as u8).collect();
        assert!(Robot::from_urdf("noise.urdf", &noise).is_err());
    }
}

#[test]
fn deep_and_long_files_are_read_in_time() {
    // Elements in elements: a reader that calls itself would overflow its stack.
    let deep = format!("<robot>{}{}</robot>", "<link name='a'>".repeat(100_000), "</link>".repeat(100_000));
    assert!(read(&deep).is_ok(), "one link, and what is in it does not count");
    // A chain of links: every step but the last has one before it.
    let links: String = (0..20_000).map(|i| format!("<link name='{i}'/>\n")).collect();
    let joint =
        |i| format!("<joint name='{i}' type='continuous'><parent link='{i}'/><child link='{}'/></joint>\n", i + 1);
    let joints: String = (0..19_999).map(joint).collect();
    let chain = read(&format!("<robot>{links}{joints}</robot>")).unwrap();
    assert_eq!(chain.ends(), [19_999]);
    let channels: Vec<(&str, _)> = chain.joints().iter().map(|j| (j.name.as_str(), None)).collect();
    let links: Vec<usize> = (0..20_000).collect();
    assert!(chain.drive(&channels, &links).is_ok());
}
