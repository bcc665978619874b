//! Which channel drives which joint.

use ebmotion_robot::{JointBounds, Poses, Result, Robot};

/// An arm whose joints are called as they often are; the gripper slides, `wrist` follows the elbow.
const ARM: &str = r#"<robot name="arm">
  <link name="base"/> <link name="upper"/> <link name="lower"/> <link name="hand"/> <link name="finger"/>
  <joint name="shoulder_pan_joint" type="revolute">
    <parent link="base"/> <child link="upper"/> <limit lower="-1" upper="2" velocity="3" effort="4"/>
  </joint>
  <joint name="elbow" type="continuous">
    <parent link="upper"/> <child link="lower"/> <limit velocity="3" effort="4"/>
  </joint>
  <joint name="wrist" type="revolute">
    <parent link="lower"/> <child link="hand"/> <mimic joint="elbow"/>
  </joint>
  <joint name="gripper" type="prismatic">
    <parent link="hand"/> <child link="finger"/> <limit lower="0" upper="0.04" velocity="0.1" effort="4"/>
  </joint>
</robot>"#;

fn arm() -> Result<Robot> {
    Robot::from_urdf("arm.urdf", ARM.as_bytes())
}

/// Why the finger cannot be placed; empty where it can.
fn fault(channels: &[(&str, Option<&str>)]) -> Result<String> {
    let arm = arm()?;
    Ok(arm.drive(channels, &arm.ends()).err().map(|e| e.to_string()).unwrap_or_default())
}

#[test]
fn names_with_usual_words_around_them_are_the_joints() -> Result<()> {
    for names in [
        ["shoulder_pan_joint", "elbow", "gripper"],
        ["q_shoulder_pan_joint", "q_elbow", "q_gripper"],
        ["shoulder_pan.pos", "elbow.pos", "gripper.pos"],
        ["observation.state.shoulder_pan", "observation.state.elbow", "observation.state.gripper"],
        ["/joint_states/position/shoulder_pan_joint", "joint_states.position.elbow", "Position:gripper"],
    ] {
        let found = fault(&names.map(|name| (name, None)))?;
        assert_eq!(found, "", "{names:?}");
    }
    for other in ["dq_elbow", "velocity.elbow", "action.elbow", "Elbow", "elbow_2", "elbo", "q", "joint"] {
        let found = fault(&[("q_shoulder_pan", None), (other, None), ("gripper", None)])?;
        assert!(found.contains("line 6: found no channel for `elbow` among `q_shoulder_pan`, `"), "{other}: {found}");
    }
    Ok(())
}

#[test]
fn what_names_do_not_decide_is_refused() -> Result<()> {
    let rest = [("shoulder_pan", None), ("gripper", None)];
    let with = |more: &[(&'static str, Option<&'static str>)]| fault(&[&rest[..], more].concat());
    let found = with(&[("q_elbow", None), ("elbow.pos", None)])?;
    assert!(found.contains("line 6: found channels `q_elbow`, `elbow.pos` for joint `elbow`, expected one"), "{found}");
    // The exact name goes first; a channel in another kind of unit does not count.
    assert_eq!(with(&[("q_elbow", None), ("elbow", None)])?, "");
    assert_eq!(with(&[("q_elbow", Some("rad")), ("elbow.state", Some("Nm"))])?, "");
    let found = with(&[("elbow", Some("Nm"))])?;
    assert!(found.contains("found channel `elbow` in `Nm` for joint `elbow`, expected rad, deg or no unit"), "{found}");
    let found = fault(&[("shoulder_pan", None), ("elbow", None), ("gripper", Some("rad"))])?;
    assert!(found.contains("line 12: found channel `gripper` in `rad`"), "{found}");
    // Two joints that differ in plain words alone are told by their whole names only.
    let twin = ARM.replace("\"gripper\"", "\"elbow_joint\"");
    let twin = Robot::from_urdf("arm.urdf", twin.as_bytes())?;
    let whole = [("shoulder_pan", None), ("elbow", None), ("elbow_joint", None)];
    assert!(twin.drive(&whole, &twin.ends()).is_ok());
    let found = twin.drive(&[("shoulder_pan", None), ("q_elbow", None)], &twin.ends());
    let found = found.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(found.contains("found channel `q_elbow` for joint `elbow` and another joint"), "{found}");
    Ok(())
}

#[test]
fn another_robot_is_told() -> Result<()> {
    let found = fault(&[("q_FFJ3", None), ("q_FFJ2", None)])?;
    let expected = "arm.urdf, line 3: found no channel for any joint of robot `arm` (`shoulder_pan_joint`, `elbow`, \
        `wrist`, `gripper`) among `q_FFJ3`, `q_FFJ2`, expected the robot of the log";
    assert_eq!(found, expected);
    let found = arm()?.channel_limits(&[("q_FFJ3", None)]).err().map(|e| e.to_string());
    assert_eq!(found.as_deref(), Some(expected.replace(", `q_FFJ2`", "").as_str()));
    Ok(())
}

#[test]
fn a_joint_of_several_values_is_told_where_it_matters() -> Result<()> {
    let floating = Robot::from_urdf("arm.urdf", ARM.replace("\"continuous\"", "\"floating\"").as_bytes());
    let found = floating.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(found.contains("line 9: found joint `wrist`, which mimics the floating joint `elbow`"), "{found}");
    let text = ARM.replace("\"continuous\"", "\"planar\"").replace("<mimic joint=\"elbow\"/>", "");
    let arm = Robot::from_urdf("arm.urdf", text.as_bytes())?;
    let channels = [("shoulder_pan", None), ("wrist", None), ("gripper", None)];
    let found = arm.drive(&channels, &arm.ends()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(found.contains("line 6: found the planar joint `elbow` above a link to be placed"), "{found}");
    assert!(arm.drive(&channels, &[arm.link("upper")?]).is_ok());
    Ok(())
}

#[test]
fn limits_are_in_the_channels_units() -> Result<()> {
    let channels = [("elbow", Some("deg")), ("speed", None), ("gripper", Some("mm")), ("q_shoulder_pan", Some("deg"))];
    let limits = arm()?.channel_limits(&channels)?;
    let close = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-12);
    let [(0, elbow), (2, gripper), (3, shoulder)] = limits[..] else { panic!("{limits:?}") };
    assert_eq!((elbow.lower, elbow.upper), (None, None));
    assert!(close(elbow.velocity, 3f64.to_degrees()));
    assert!(close(gripper.lower, 0.0) && close(gripper.upper, 40.0) && close(gripper.velocity, 100.0), "{gripper:?}");
    let ends = [shoulder.lower, shoulder.upper];
    assert!(close(ends[0], -1f64.to_degrees()) && close(ends[1], 2f64.to_degrees()), "{shoulder:?}");
    assert_eq!(shoulder.effort, Some(4.0));
    assert!(limits.iter().all(|(_, limits)| *limits != JointBounds::default()));
    Ok(())
}

#[test]
fn a_fixed_end_stands_still() -> Result<()> {
    let arm = arm()?;
    let drive = arm.drive(&[], &[arm.link("base")?])?;
    assert_eq!(drive.place(&[], &mut Poses::default())?[0], nalgebra::Isometry3::identity());
    Ok(())
}
