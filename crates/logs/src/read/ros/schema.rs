//! What a message holds, from the text of its definition: the `.msg` files of ROS 1 and ROS 2.

use std::collections::HashMap;

/// Types nest this deep at most.
const DEEPEST: usize = 32;
/// String arrays that say what the entries of the arrays beside them are.
pub(super) const LISTS: [&str; 4] = ["name", "names", "joint_names", "interface_names"];
/// Strings that say in which frame, or of which thing, the numbers are.
pub(super) const FRAMES: [&str; 2] = ["frame_id", "child_frame_id"];

/// How numbers lie in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// ROS 2: aligned, with a header that tells the byte order.
    Cdr,
    /// ROS 1: packed, little-endian.
    Ros1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Primitive {
    pub fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Number(Primitive),
    Text,
    /// Seconds and nanoseconds.
    Time,
    /// The index of a message in [`Schema::messages`].
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Fixed(u64),
    Many,
}

#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub of: Type,
    pub count: Count,
    /// Whether it holds numbers to be read, or strings that tell what they are; all else is passed over.
    pub carries: bool,
    /// Whether this is the time of the whole message.
    pub stamp: bool,
}

#[derive(Debug)]
pub(super) struct Message {
    pub fields: Vec<Field>,
    /// So many bytes it has at least.
    pub least: u64,
    /// Whether any of its fields carries something.
    carries: bool,
    /// Whether it holds numbers to be read.
    numbers: bool,
    /// Whether it holds a byte array of any length: a picture, a cloud of points, something packed.
    blob: bool,
}

/// A message type with all that it is made of.
#[derive(Debug)]
pub(super) struct Schema {
    pub messages: Vec<Message>,
    pub root: usize,
    pub wire: Wire,
}

impl Schema {
    /// Reads the definition `text` of the type `name`, the types it uses after it between lines of `=`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(name: &str, text: &str, wire: Wire) -> Result<Self, String> {
        let mut compiler = Compiler { texts: texts(name, text), wire, done: HashMap::new(), messages: Vec::new() };
        let root = compiler.message(&short(name), 0, false)?;
        Ok(Self { messages: compiler.messages, root, wire })
    }

    /// Whether it holds numbers to be read, and is neither a picture nor something packed.
    pub fn is_numeric(&self) -> bool {
        self.messages.get(self.root).is_some_and(|m| m.numbers && !m.blob)
    }
}

/// `sensor_msgs/msg/JointState` -> `sensor_msgs/JointState`.
pub(super) fn short(name: &str) -> String {
    match (name.split_once('/'), name.rsplit_once('/')) {
        (Some((package, _)), Some((_, name))) => format!("{package}/{name}"),
        _ => name.into(),
    }
}

/// The definitions in `text` by their short names; the first is that of `name`.
fn texts(name: &str, text: &str) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    let mut current = short(name);
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.len() > 2 && trimmed.bytes().all(|b| b == b'=') {
            continue;
        }
        match trimmed.strip_prefix("MSG:") {
            Some(next) => current = short(next.trim()),
            None => {
                let lines = found.entry(current.clone()).or_default();
                lines.push_str(line);
                lines.push('\n');
            }
        }
    }
    found
}

struct Compiler {
    texts: HashMap<String, String>,
    wire: Wire,
    /// Compiled types by name, the header with the message's time by `HEADER!`; `None` while one is being compiled.
    done: HashMap<String, Option<usize>>,
    messages: Vec<Message>,
}

impl Compiler {
    /// The type `name`; `stamped` where it is the header with the time of the whole message.
    fn message(&mut self, name: &str, depth: usize, stamped: bool) -> Result<usize, String> {
        if depth > DEEPEST {
            return Err(format!("types nested more than {DEEPEST} deep"));
        }
        let key = if stamped { format!("{name}!") } else { name.into() };
        match self.done.get(&key) {
            Some(Some(index)) => return Ok(*index),
            Some(None) => return Err(format!("`{name}` inside itself")),
            None => {}
        }
        let Some(text) = self.texts.get(name).cloned() else {
            return Err(format!("no definition of `{name}`"));
        };
        self.done.insert(key.clone(), None);
        let mut fields = Vec::new();
        for line in text.lines() {
            let Some((of, field, count)) = self.declaration(line, name, depth)? else { continue };
            fields.push(self.field(field, of, count, stamped));
        }
        if fields.is_empty() && self.wire == Wire::Cdr {
            // A structure without members has one byte on the wire.
            fields.push(Field {
                name: String::new(),
                of: Type::Number(Primitive::U8),
                count: Count::One,
                carries: false,
                stamp: false,
            });
        }
        let message = Message {
            least: fields.iter().fold(0_u64, |sum, f| sum.saturating_add(self.least(f))),
            carries: fields.iter().any(|f| f.carries),
            numbers: fields.iter().any(|f| f.carries && self.numbers(f)),
            blob: fields.iter().any(|f| self.blob(f)),
            fields,
        };
        let index = self.messages.len();
        self.messages.push(message);
        self.done.insert(key, Some(index));
        Ok(index)
    }

    /// Type, name and count of the field that a line declares; `None` for constants, comments and empty lines.
    fn declaration<'l>(
        &mut self,
        line: &'l str,
        inside: &str,
        depth: usize,
    ) -> Result<Option<(Type, &'l str, Count)>, String> {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some((type_text, rest)) = line.split_once(char::is_whitespace) else {
            return if line.is_empty() {
                Ok(None)
            } else {
                Err(format!("the line `{line}` in the definition of `{inside}`"))
            };
        };
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if after.trim_start().starts_with('=') {
            return Ok(None);
        }
        if name.is_empty() {
            return Err(format!("the line `{line}` in the definition of `{inside}`"));
        }
        let (base, count) = match type_text.split_once('[') {
            None => (type_text, Count::One),
            Some((base, "]")) => (base, Count::Many),
            Some((base, size)) => match size.strip_suffix(']') {
                Some(size) if size.starts_with("<=") => (base, Count::Many),
                Some(size) => {
                    let size = size.parse().map_err(|_| format!("an array of `{size}` in `{inside}`"))?;
                    (base, Count::Fixed(size))
                }
                None => return Err(format!("the type `{type_text}` in `{inside}`")),
            },
        };
        let base = base.split("<=").next().unwrap_or(base);
        Ok(Some((self.named(base, inside, depth, depth == 0 && name == "header" && count == Count::One)?, name, count)))
    }

    fn named(&mut self, base: &str, inside: &str, depth: usize, first: bool) -> Result<Type, String> {
        use Primitive::{Bool, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        Ok(Type::Number(match base {
            "bool" => Bool,
            "int8" => I8,
            "byte" if self.wire == Wire::Ros1 => I8,
            "uint8" | "byte" | "char" => U8,
            "int16" => I16,
            "uint16" => U16,
            "int32" => I32,
            "uint32" => U32,
            "int64" => I64,
            "uint64" => U64,
            "float32" => F32,
            "float64" => F64,
            "string" => return Ok(Type::Text),
            "time" | "duration" => return Ok(Type::Time),
            "wstring" => return Err("a `wstring`, whose width differs from writer to writer".into()),
            _ => {
                let full = match (base.contains('/'), inside.split_once('/')) {
                    (true, _) => short(base),
                    (false, _) if base == "Header" => "std_msgs/Header".into(),
                    (false, Some((package, _))) => format!("{package}/{base}"),
                    (false, None) => base.into(),
                };
                if matches!(full.as_str(), "builtin_interfaces/Time" | "builtin_interfaces/Duration") {
                    return Ok(Type::Time);
                }
                let stamped = first && full == "std_msgs/Header";
                return Ok(Type::Message(self.message(&full, depth + 1, stamped)?));
            }
        }))
    }

    fn field(&self, name: &str, of: Type, count: Count, stamped: bool) -> Field {
        let carries = match of {
            Type::Number(Primitive::I8 | Primitive::U8) => count == Count::One,
            Type::Number(_) | Type::Time => true,
            Type::Text => match count {
                Count::One => FRAMES.contains(&name),
                _ => LISTS.contains(&name),
            },
            Type::Message(index) => self.messages[index].carries,
        };
        let stamp = stamped && of == Type::Time && name == "stamp";
        Field { name: name.into(), of, count, carries, stamp }
    }

    fn numbers(&self, field: &Field) -> bool {
        match field.of {
            Type::Number(_) => true,
            Type::Message(index) => self.messages[index].numbers,
            Type::Text | Type::Time => false,
        }
    }

    fn blob(&self, field: &Field) -> bool {
        match field.of {
            Type::Number(Primitive::I8 | Primitive::U8) => field.count == Count::Many,
            Type::Message(index) => self.messages[index].blob,
            _ => false,
        }
    }

    fn least(&self, field: &Field) -> u64 {
        let one = match field.of {
            Type::Number(number) => number.bytes() as u64,
            Type::Text => 4,
            Type::Time => 8,
            Type::Message(index) => self.messages[index].least,
        };
        match field.count {
            Count::One => one,
            Count::Fixed(count) => one.saturating_mul(count),
            Count::Many => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINTS: &str = "# a comment = no field\nstd_msgs/Header header\nstring[] name\nfloat64[] position\n\
        uint8 MODE=3\nstring TEXT = a # b\nfloat32[<=4] few\nstring<=5 label\nint32 level 5\n====\n\
        MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n";

    #[test]
    fn definitions() {
        let schema = Schema::parse("my_msgs/msg/Joints", JOINTS, Wire::Cdr).expect("a schema");
        let root = &schema.messages[schema.root];
        let names: Vec<&str> = root.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["header", "name", "position", "few", "label", "level"]);
        let carries: Vec<bool> = root.fields.iter().map(|f| f.carries).collect();
        assert_eq!(carries, [true, true, true, true, false, true]);
        assert_eq!(root.least, 8 + 4 + 4 + 4 + 4 + 4 + 4);
        let Type::Message(header) = root.fields[0].of else { panic!("the header is a message") };
        assert!(schema.messages[header].fields[0].stamp && schema.is_numeric());
    }

    #[test]
    fn definitions_that_cannot_be_used() {
        let bad = |text: &str| Schema::parse("a/B", text, Wire::Cdr).expect_err("no schema");
        assert_eq!(bad("B b"), "`a/B` inside itself");
        assert_eq!(bad("C c"), "no definition of `a/C`");
        assert_eq!(bad("wstring c"), "a `wstring`, whose width differs from writer to writer");
        assert_eq!(bad("float64[x] c"), "an array of `x` in `a/B`");
        assert_eq!(bad("float64[3 c"), "the type `float64[3` in `a/B`");
        assert_eq!(bad("float64"), "the line `float64` in the definition of `a/B`");
        let deep: String = (0..40).map(|i| format!("MSG: a/T{i}\nT{} t\n", i + 1)).collect();
        assert_eq!(bad(&format!("T0 t\n{deep}")), "types nested more than 32 deep");
    }

    #[test]
    fn pictures_are_not_numeric() {
        let schema = |text: &str| Schema::parse("a/B", text, Wire::Ros1).expect("a schema").is_numeric();
        assert!(!schema("uint32 height\nuint8[] data"));
        assert!(!schema("string data"));
        assert!(!schema("time stamp"));
        assert!(schema("float32 x"));
    }
}
