//! Which topics a log has, and which of them is meant.

use super::json;
use super::layout::{Flat, Namer};
use super::schema::{Schema, Wire, short};
use super::walk::{Sink, walk};
use crate::error::Result;
use crate::read::{Input, ReadOptions};
use std::collections::{BTreeMap, HashMap};

/// So many topics are named in a message.
const SHOWN: usize = 24;
/// Types that tell how the robot's programs are, not how the robot moves.
const OF_PROGRAMS: [&str; 3] = ["rcl_interfaces/", "rosgraph_msgs/", "rosbag2_interfaces/"];

/// A stream of messages as the file declares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel {
    pub topic: String,
    /// `sensor_msgs/msg/JointState`.
    pub type_name: String,
    /// How messages are written: `cdr`, `ros1`, `json`.
    pub encoding: String,
    /// How the definition is written: `ros2msg`, `ros1msg`, `jsonschema`.
    pub schema_encoding: String,
    /// The definition.
    pub schema: String,
    /// Who sends it, where the file tells publishers apart.
    pub publisher: String,
}

/// How the messages of a channel are read.
#[derive(Debug)]
pub(super) enum Decoder {
    Wire(Schema),
    Json,
}

impl Decoder {
    /// The numbers of a message.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn numbers(&self, message: &[u8], into: &mut Flat) -> Result<(), String> {
        into.clear();
        self.walk(message, into)
    }

    /// Where the numbers of a message stand in it.
    ///
    /// # Errors
    /// As [`Decoder::numbers`].
    pub fn namer(&self, message: &[u8]) -> Result<Namer, String> {
        let mut namer = Namer::default();
        self.walk(message, &mut namer)?;
        Ok(namer)
    }

    fn walk(&self, message: &[u8], sink: &mut impl Sink) -> Result<(), String> {
        match self {
            Self::Wire(schema) => walk(schema, message, sink),
            Self::Json => json::walk(message, sink),
        }
    }
}

impl Channel {
    /// How its messages are read.
    ///
    /// # Errors
    /// Why they cannot be, in words.
    pub fn decoder(&self) -> Result<Decoder, String> {
        let wire = match (self.encoding.as_str(), self.schema_encoding.as_str()) {
            ("json", _) => return Ok(Decoder::Json),
            ("cdr", "ros2msg") => Wire::Cdr,
            ("ros1", "ros1msg") => Wire::Ros1,
            ("cdr", "") => return Err(format!("no definition of `{}`", self.type_name)),
            ("cdr" | "ros1", other) => return Err(format!("a definition written as `{other}`")),
            (other, _) => return Err(format!("messages written as `{other}`")),
        };
        Schema::parse(&self.type_name, &self.schema, wire).map(Decoder::Wire)
    }

    pub fn is_joint_state(&self) -> bool {
        self.type_name.rsplit('/').next() == Some("JointState")
    }

    /// Whether its messages may hold motion.
    fn is_numeric(&self) -> bool {
        let short = short(&self.type_name);
        if OF_PROGRAMS.iter().any(|package| short.starts_with(package)) || self.topic.ends_with("/_service_event") {
            return false;
        }
        match self.decoder() {
            Ok(Decoder::Wire(schema)) => schema.is_numeric(),
            Ok(Decoder::Json) => {
                let known = !self.schema.trim().is_empty();
                !known || self.schema.contains("\"number\"") || self.schema.contains("\"integer\"")
            }
            Err(_) => false,
        }
    }
}

/// The topics of a log, without their messages.
#[derive(Debug, Default)]
pub(super) struct Survey {
    topics: BTreeMap<String, Topic>,
    /// How the messages of a topic are written, where something else than its file tells it.
    formats: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct Topic {
    type_name: String,
    messages: u64,
    numeric: bool,
    joint_state: bool,
    /// Why its messages cannot be read.
    unreadable: Option<String>,
}

/// The topic that is meant.
#[derive(Debug)]
pub(super) struct Chosen {
    pub topic: String,
    /// Which of several streams on it, from 1.
    pub stream: Option<usize>,
    pub notes: Vec<String>,
}

impl Survey {
    /// Of no file yet.
    pub fn new(formats: HashMap<String, String>) -> Self {
        Self { topics: BTreeMap::new(), formats }
    }

    /// Adds a channel and so many of its messages.
    pub fn add(&mut self, channel: &Channel, messages: u64) {
        let mut channel = channel.clone();
        if let Some(format) = self.formats.get(&channel.topic) {
            channel.encoding.clone_from(format);
        }
        let topic = self.topics.entry(channel.topic.clone()).or_insert_with(|| Topic {
            type_name: channel.type_name.clone(),
            numeric: channel.is_numeric(),
            joint_state: channel.is_joint_state(),
            unreadable: channel.decoder().err(),
            messages: 0,
        });
        topic.messages = topic.messages.saturating_add(messages);
    }

    /// The topic that is meant: the one asked for, or the only one with numbers, or the only one of joint states.
    ///
    /// # Errors
    /// [`crate::Error::Log`] where it is not there, has no message or cannot be read; where several could be meant, or
    /// none.
    pub fn choose(&self, input: &Input, options: &ReadOptions) -> Result<Chosen> {
        if let Some(wanted) = &options.topic {
            return self.asked(input, wanted);
        }
        let all: Vec<&String> = self.numeric(|_| true);
        let joints: Vec<&String> = self.numeric(|topic| topic.joint_state);
        let (topic, rest) = match (all.as_slice(), joints.as_slice()) {
            ([topic], _) => (*topic, false),
            (_, [topic]) => (*topic, true),
            ([], _) => {
                let found = match self.topics.is_empty() {
                    true => "no topic and no message".into(),
                    false => format!("no topic with messages of numbers, only {}", self.list(self.topics.keys())),
                };
                return Err(input.error(found, "at least one"));
            }
            ([first, ..], _) => {
                let found = format!("several topics with numbers: {}", self.list(all.iter().copied()));
                return Err(input.error(found, format!("one of them by name (`topic = {first}`)")));
            }
        };
        let others = || all.iter().copied().filter(|other| *other != topic);
        let notes = match rest {
            true => {
                let others = self.list(others());
                vec![format!("read from the topic `{topic}`, the only one of joint states; left out: {others}")]
            }
            false => Vec::new(),
        };
        Ok(Chosen { topic: topic.clone(), stream: None, notes })
    }

    fn asked(&self, input: &Input, wanted: &str) -> Result<Chosen> {
        let split = wanted.rsplit_once('#').and_then(|(name, number)| Some((name, number.parse::<usize>().ok()?)));
        let (name, stream) = match split {
            Some((name, number)) if !self.topics.contains_key(wanted) => (name, Some(number)),
            _ => (wanted, None),
        };
        let Some(topic) = self.topics.get(name) else {
            let found = match self.topics.is_empty() {
                true => format!("no topic `{name}`, and no other"),
                false => format!("no topic `{name}`, only {}", self.list(self.topics.keys())),
            };
            return Err(input.error(found, "one of the topics in the log"));
        };
        if topic.messages == 0 {
            return Err(input.error(format!("no message on the topic `{name}`"), "at least one"));
        }
        if let Some(why) = &topic.unreadable {
            return Err(input.error(
                format!("{why} on the topic `{name}`"),
                "messages as CDR, ROS 1 or JSON with their definition",
            ));
        }
        Ok(Chosen { topic: name.into(), stream, notes: Vec::new() })
    }

    fn numeric(&self, also: impl Fn(&Topic) -> bool) -> Vec<&String> {
        self.topics.iter().filter(|(_, t)| t.numeric && t.messages > 0 && also(t)).map(|(name, _)| name).collect()
    }

    /// Topics with type and number of messages, for messages.
    fn list<'a>(&self, names: impl Iterator<Item = &'a String>) -> String {
        let names: Vec<&String> = names.collect();
        let shown = names.iter().take(SHOWN).map(|name| match self.topics.get(*name) {
            Some(topic) => {
                let why = topic.unreadable.as_ref().map_or(String::new(), |why| format!(", {why}"));
                format!("`{name}` ({}, {} messages{why})", topic.type_name, topic.messages)
            }
            None => format!("`{name}`"),
        });
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if names.len() > SHOWN {
            text += &format!(" and {} more", names.len() - SHOWN);
        }
        text
    }
}
