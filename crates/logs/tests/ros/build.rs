//! Logs made in a test.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

pub const JOINT_STATE: &str = "sensor_msgs/msg/JointState";
pub const JOINT_STATE_TEXT: &str = "std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\n\
    float64[] effort\n====\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n";

/// Little-endian CDR, written value by value.
pub struct Cdr(Vec<u8>);

impl Cdr {
    pub fn new() -> Self {
        Self(vec![0, 1, 0, 0])
    }

    pub fn align(mut self, to: usize) -> Self {
        while !(self.0.len() - 4).is_multiple_of(to) {
            self.0.push(0);
        }
        self
    }

    pub fn u32(self, value: u32) -> Self {
        let mut cdr = self.align(4);
        cdr.0.extend(value.to_le_bytes());
        cdr
    }

    pub fn f64(self, value: f64) -> Self {
        let mut cdr = self.align(8);
        cdr.0.extend(value.to_le_bytes());
        cdr
    }

    pub fn text(self, text: &str) -> Self {
        let mut cdr = self.u32(text.len() as u32 + 1);
        cdr.0.extend(text.as_bytes());
        cdr.0.push(0);
        cdr
    }

    /// Stamp and frame.
    pub fn header(self, nanos: u64, frame: &str) -> Self {
        self.u32((nanos / 1_000_000_000) as u32).u32((nanos % 1_000_000_000) as u32).text(frame)
    }

    pub fn texts(self, texts: &[&str]) -> Self {
        texts.iter().fold(self.u32(texts.len() as u32), |cdr, text| cdr.text(text))
    }

    pub fn numbers(self, numbers: &[f64]) -> Self {
        numbers.iter().fold(self.u32(numbers.len() as u32), |cdr, number| cdr.f64(*number))
    }

    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A joint state with positions alone.
pub fn positions(nanos: u64, frame: &str, names: &[&str], positions: &[f64]) -> Vec<u8> {
    Cdr::new().header(nanos, frame).texts(names).numbers(positions).numbers(&[]).numbers(&[]).done()
}

pub struct Topic {
    pub name: &'static str,
    pub of: &'static str,
    pub text: &'static str,
    pub encoding: &'static str,
    pub metadata: &'static [(&'static str, &'static str)],
}

impl Topic {
    pub const fn joints(name: &'static str) -> Self {
        Self { name, of: JOINT_STATE, text: JOINT_STATE_TEXT, encoding: "cdr", metadata: &[] }
    }

    fn channel(&self, id: u16) -> Arc<mcap::Channel<'static>> {
        let encoding = if self.encoding == "json" { "jsonschema" } else { "ros2msg" };
        let schema = (!self.of.is_empty()).then(|| {
            let (name, data) = (self.of.into(), Cow::Borrowed(self.text.as_bytes()));
            Arc::new(mcap::Schema { id: id + 1, name, encoding: encoding.into(), data })
        });
        let metadata: BTreeMap<String, String> =
            self.metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Arc::new(mcap::Channel {
            id,
            topic: self.name.into(),
            schema,
            message_encoding: self.encoding.into(),
            metadata,
        })
    }
}

/// An MCAP file: of each message its topic by number, its time of recording in nanoseconds, its bytes.
pub fn mcap_with(options: mcap::WriteOptions, topics: &[Topic], messages: &[(usize, u64, Vec<u8>)]) -> Vec<u8> {
    let channels: Vec<_> = topics.iter().enumerate().map(|(i, topic)| topic.channel(i as u16)).collect();
    let mut out = Cursor::new(Vec::new());
    let mut writer = options.create(&mut out).unwrap();
    for (sequence, (topic, log_time, data)) in messages.iter().enumerate() {
        let message = mcap::Message {
            channel: channels[*topic].clone(),
            sequence: sequence as u32,
            log_time: *log_time,
            publish_time: *log_time,
            data: Cow::Borrowed(data),
        };
        writer.write(&message).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out.into_inner()
}

pub fn mcap(topics: &[Topic], messages: &[(usize, u64, Vec<u8>)]) -> Vec<u8> {
    mcap_with(mcap::WriteOptions::new(), topics, messages)
}

/// Hundredths of a second as nanoseconds since 1970.
pub fn at(hundredths: u64) -> u64 {
    1_700_000_000_000_000_000 + hundredths * 10_000_000
}
