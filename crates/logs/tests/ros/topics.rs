//! Which messages become rows, and what their numbers are called.

use crate::build::{Cdr, JOINT_STATE, Topic, at, mcap, positions};
use crate::{names, read, refused, topic};
use ebmotion_logs::Recording;

/// Two channels of a `Twist` and what lies around them.
const TWIST: Topic = Topic {
    name: "/cmd_vel",
    of: "geometry_msgs/msg/TwistStamped",
    text: "std_msgs/Header header\nTwist twist\n====\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\n\
        string frame_id\n====\nMSG: geometry_msgs/Twist\nVector3 linear\nVector3 angular\n====\n\
        MSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z\n",
    encoding: "cdr",
    metadata: &[],
};

/// Two publishers, told by name.
const ARM: Topic = Topic { metadata: &[("callerid", "/arm")], ..Topic::joints("/j") };
const HAND: Topic = Topic { metadata: &[("callerid", "/hand")], ..Topic::joints("/j") };

fn twist(row: u64, frame: &str) -> Vec<u8> {
    (0..6).fold(Cdr::new().header(at(row), frame), |cdr, i| cdr.f64((10 * row + i) as f64)).done()
}

#[test]
fn a_joint_state_gives_position_velocity_and_effort_by_joint() {
    let full = |row: u64| {
        let cdr = Cdr::new().header(at(row), "").texts(&["a", "b"]).numbers(&[1.0 + row as f64, 2.0]);
        cdr.numbers(&[3.0, 4.0]).numbers(&[5.0, -0.0]).done()
    };
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &[(0, at(0), full(0)), (0, at(1), full(1))])).unwrap();
    assert_eq!(names(&log), ["a", "b", "a.velocity", "b.velocity", "a.effort", "b.effort"]);
    assert_eq!(log.episodes[0].values, [1.0, 2.0, 3.0, 4.0, 5.0, -0.0, 2.0, 2.0, 3.0, 4.0, 5.0, -0.0]);
    assert!(log.episodes[0].values[5].is_sign_negative());
    assert!((log.episodes[0].time_secs[1] - log.episodes[0].time_secs[0] - 0.01).abs() < 3e-7);
    assert_eq!(log.notes, Vec::<String>::new());
}

#[test]
fn joints_are_found_by_name_in_every_message() {
    let messages = [
        (0, at(0), positions(at(0), "", &["a", "b", "c"], &[1.0, 2.0, 3.0])),
        (0, at(1), positions(at(1), "", &["c", "a", "b"], &[3.1, 1.1, 2.1])),
        (0, at(2), positions(at(2), "", &["a", "b", "c"], &[1.2, 2.2, 3.2])),
        (0, at(3), positions(at(3), "", &["b", "c", "a"], &[2.3, 3.3, 1.3])),
    ];
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &messages)).unwrap();
    assert_eq!(names(&log), ["a", "b", "c"]);
    assert_eq!(log.episodes[0].values, [1.0, 2.0, 3.0, 1.1, 2.1, 3.1, 1.2, 2.2, 3.2, 1.3, 2.3, 3.3]);
}

#[test]
fn joint_states_that_contradict_themselves_are_refused() {
    let of = |names: &[&str], values: &[f64]| {
        refused(read("x.mcap", &mcap(&[Topic::joints("/j")], &[(0, at(0), positions(at(0), "", names, values))]))).0
    };
    assert_eq!(of(&["a", "b"], &[1.0]), "message 1 of `/j` with 2 names and 1 values of `position`");
    assert_eq!(of(&["a", "a"], &[1.0, 2.0]), "message 1 of `/j` with `a` twice");
    assert_eq!(of(&["a"], &[]), "1 messages on the topic `/j` and no number in them");
}

#[test]
fn joint_states_win_over_other_numbers_and_nothing_else_does() {
    let joints = |row: u64| positions(at(row), "", &["a"], &[row as f64]);
    let both = [(0, at(0), joints(0)), (1, at(0), twist(0, "")), (0, at(1), joints(1)), (1, at(1), twist(1, ""))];
    let file = mcap(&[Topic::joints("/joint_states"), TWIST], &both);
    let log = read("x.mcap", &file).unwrap();
    assert_eq!(names(&log), ["a"]);
    let left_out = "`/cmd_vel` (geometry_msgs/msg/TwistStamped, 2 messages)";
    let note = format!("read from the topic `/joint_states`, the only one of joint states; left out: {left_out}");
    assert_eq!(log.notes, [note]);

    let log = Recording::from_bytes("x.mcap", &file, &topic("/cmd_vel")).unwrap();
    let expected = ["linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z"];
    assert_eq!(names(&log), expected.map(|name| format!("twist.{name}")));
    assert_eq!(log.episodes[0].values[6..], [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);

    let file = mcap(&[Topic::joints("/a"), Topic::joints("/b")], &[(0, at(0), joints(0)), (1, at(0), joints(0))]);
    let (found, expected) = refused(read("x.mcap", &file));
    let each = |name: &str| format!("`{name}` ({JOINT_STATE}, 1 messages)");
    assert_eq!(found, format!("several topics with numbers: {}, {}", each("/a"), each("/b")));
    assert_eq!(expected, "one of them by name (`topic = /a`)");
}

#[test]
fn publishers_on_one_topic_are_told_apart() {
    let arm = |row: u64| positions(at(row), "", &["a", "b"], &[row as f64, -1.0]);
    let hand = |row: u64| positions(at(row) + 3, "", &["grip"], &[row as f64]);
    // By what they send, on one channel.
    let mixed: Vec<_> = (0..5).flat_map(|row| [(0, at(row), arm(row)), (0, at(row) + 3, hand(row))]).collect();
    // By the channel.
    let other: Vec<_> = (0..5).flat_map(|row| [(0, at(row), arm(row)), (1, at(row) + 3, hand(row))]).collect();
    for (file, of) in [
        (mcap(&[Topic::joints("/j")], &mixed), ["channel 1", "channel 1"]),
        (mcap(&[ARM, HAND], &other), ["publisher `/arm`", "publisher `/hand`"]),
    ] {
        let (found, expected) = refused(read("x.mcap", &file));
        let streams = format!(
            "#1 of {}: 5 messages of 2 numbers (`a`, `b`); #2 of {}: 5 messages of 1 numbers (`grip`)",
            of[0], of[1]
        );
        assert_eq!(found, format!("several streams on the topic `/j`: {streams}"));
        assert_eq!(expected, "one of them by number (`topic = /j#1`)");
        let log = Recording::from_bytes("x.mcap", &file, &topic("/j#2")).unwrap();
        assert_eq!(log.episodes[0].values, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(log.notes, ["5 messages of other streams on the topic `/j` are left out"]);
        let (found, _) = refused(Recording::from_bytes("x.mcap", &file, &topic("/j#3")));
        assert_eq!(found, format!("no stream 3 on the topic `/j`, only {streams}"));
    }
    // By the frame: the same numbers of another thing.
    let frames: Vec<_> = (0..4).map(|row| (0, at(row), twist(row, ["base", "tool"][row as usize % 2]))).collect();
    let (found, _) = refused(read("x.mcap", &mcap(&[TWIST], &frames)));
    assert!(found.contains("#1 of channel 1, header.frame_id `base`: 2 messages of 6 numbers"), "{found}");
}

#[test]
fn a_stamp_that_is_not_set_is_no_time() {
    let unset = |row: u64| (0, at(row), positions(0, "", &["a"], &[row as f64]));
    let set = |row: u64| (0, at(row) + 5_000_000, positions(at(row), "", &["a"], &[row as f64]));
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &[unset(0), unset(1)])).unwrap();
    assert_eq!(log.notes, ["`header.stamp` is not set in any message: times are those of the recording"]);
    assert_eq!(log.episodes[0].time_secs[0], 1.7e9);
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &[set(0), set(1)])).unwrap();
    assert_eq!((log.notes.len(), log.episodes[0].time_secs[0]), (0, 1.7e9));
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &[set(0), set(1), unset(3)])).unwrap();
    assert_eq!(log.notes, ["`header.stamp` is not set in 1 of 3 messages: times are those of the recording"]);
    assert!((log.episodes[0].time_secs[0] - 1.7e9 - 0.005).abs() < 3e-7);
}

#[test]
fn order_is_that_of_the_recording_and_stamps_must_agree() {
    let message = |log: u64, stamp: u64| (0, at(log), positions(at(stamp), "", &["a"], &[stamp as f64]));
    let log = read("x.mcap", &mcap(&[Topic::joints("/j")], &[message(1, 1), message(0, 0), message(2, 2)])).unwrap();
    assert_eq!(log.episodes[0].values, [0.0, 1.0, 2.0]);
    assert_eq!(log.notes, ["2 messages lie out of order in the file: read by the time of their recording"]);
    let (found, _) = refused(read("x.mcap", &mcap(&[Topic::joints("/j")], &[message(0, 1), message(1, 0)])));
    assert!(found.contains("time runs backwards"), "{found}");
}

#[test]
fn json_is_read_by_its_keys() {
    let json = Topic { name: "/arm", of: "", text: "", encoding: "json", metadata: &[] };
    let message = |row: u64| {
        let stamp = format!("{{\"sec\": 1700000000, \"nanosec\": {}}}", row * 10_000_000);
        let text = format!(
            "{{\"header\": {{\"stamp\": {stamp}, \"frame_id\": \"base\"}}, \"label\": \"x{row}\", \"on\": true, \
             \"arm\": {{\"q\": [0.1, {row}], \"grip\": 0.30000000000000004}}, \"seq\": {row}}}"
        );
        (0, at(row) + 7, text.into_bytes())
    };
    let log = read("x.mcap", &mcap(&[json], &[message(0), message(1)])).unwrap();
    assert_eq!(names(&log), ["arm.grip", "arm.q[0]", "arm.q[1]"]);
    assert_eq!(log.episodes[0].values, [0.30000000000000004, 0.1, 0.0, 0.30000000000000004, 0.1, 1.0]);
    assert_eq!((log.notes.len(), log.episodes[0].time_secs[0]), (0, 1.7e9));

    let json = Topic { name: "/arm", of: "", text: "", encoding: "json", metadata: &[] };
    let (found, _) = refused(read("x.mcap", &mcap(&[json], &[message(0), (0, at(1), b"{\"a\": 1,".to_vec())])));
    assert!(found.starts_with("message 2 of `/arm` with JSON that cannot be read"), "{found}");
}

#[test]
fn arrays_are_named_by_the_lists_beside_them() {
    const TEXT: &str = "string[] joint_names\nPoint actual\nfloat64[2] gains\nuint8[3] bytes\nbool on\nint32 seq\n\
        ====\nMSG: my/Point\nfloat64[] positions\nfloat32 load\n";
    let topic = Topic { name: "/state", of: "my/msg/State", text: TEXT, encoding: "cdr", metadata: &[] };
    let message = |names: &[&str], values: &[f64]| {
        let cdr = Cdr::new().texts(names).numbers(values).u32(2.5_f32.to_bits()).f64(7.0).f64(8.0);
        // Three bytes and a truth value fill four bytes.
        cdr.u32(0x0100_0000).u32(9).done()
    };
    let rows = [
        (0, at(0), message(&["a", "b", "c"], &[1.0, 2.0, 3.0])),
        (0, at(1), message(&["c", "b", "a"], &[6.0, 5.0, 4.0])),
    ];
    let log = read("x.mcap", &mcap(&[topic], &rows)).unwrap();
    let expected =
        ["a.actual.positions", "b.actual.positions", "c.actual.positions", "actual.load", "gains[0]", "gains[1]"];
    assert_eq!(names(&log), expected);
    assert_eq!(log.episodes[0].values, [1.0, 2.0, 3.0, 2.5, 7.0, 8.0, 4.0, 5.0, 6.0, 2.5, 7.0, 8.0]);
}

#[test]
fn big_endian_and_other_encapsulations() {
    const TEXT: &str = "uint16 few\nfloat64 x\nint64 y";
    let topic = || Topic { name: "/x", of: "my/msg/X", text: TEXT, encoding: "cdr", metadata: &[] };
    let mut big = vec![0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0];
    big.extend(1.5_f64.to_be_bytes());
    big.extend((-7_i64).to_be_bytes());
    let log = read("x.mcap", &mcap(&[topic()], &[(0, at(0), big.clone())])).unwrap();
    assert_eq!((names(&log), &log.episodes[0].values[..]), (vec!["few", "x", "y"], &[258.0, 1.5, -7.0][..]));
    big[1] = 3;
    let (found, expected) = refused(read("x.mcap", &mcap(&[topic()], &[(0, at(0), big)])));
    assert_eq!(found, "message 1 of `/x` with the encapsulation 0x00 0x03, not plain CDR");
    assert_eq!(expected, "a my/msg/X as its definition has it");
}

#[test]
fn messages_that_do_not_fit_their_definition_are_refused() {
    let good = positions(at(0), "", &["a"], &[1.0]);
    let of = |topic: Topic, message: &[u8]| refused(read("x.mcap", &mcap(&[topic], &[(0, at(0), message.to_vec())]))).0;
    assert_eq!(
        of(Topic::joints("/j"), &good[..good.len() - 4]),
        "message 1 of `/j` with effort: 0 bytes left where 4 are needed"
    );
    assert_eq!(of(Topic::joints("/j"), &[good, vec![0; 8]].concat()), "message 1 of `/j` with 8 bytes after its end");
    let twist = Topic { name: "/j", ..TWIST };
    let found = of(twist, &positions(at(0), "", &["a"], &[1.0]));
    assert!(found.starts_with("message 1 of `/j` with twist.angular"), "{found}");
    // A count that the message cannot hold.
    let lying = Cdr::new().header(at(0), "").u32(0xffff_ffff).done();
    assert_eq!(of(Topic::joints("/j"), &lying), "message 1 of `/j` with name: 4294967295 entries in 0 bytes");
}
