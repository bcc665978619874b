//! Through a message written as JSON.

use super::schema::{FRAMES, LISTS};
use super::walk::Sink;
use serde_json::{Map, Value};

/// Hears all of a message.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn walk(bytes: &[u8], sink: &mut impl Sink) -> Result<(), String> {
    match serde_json::from_slice(bytes).map_err(|e| format!("JSON that cannot be read ({e})"))? {
        Value::Object(members) => object(&members, &[], sink),
        _ => Err("JSON that is no object".into()),
    }
}

fn object(members: &Map<String, Value>, path: &[&str], sink: &mut impl Sink) -> Result<(), String> {
    sink.key("{");
    for (key, value) in members {
        let stamp = matches!((path, key.as_str()), (["header"], "stamp") | ([], "stamp" | "timestamp"));
        if stamp && let Some(nanos) = time(value) {
            sink.stamp(nanos);
            continue;
        }
        sink.key(key);
        sink.field(key);
        match value {
            Value::Array(entries) => array(entries, key, path, sink)?,
            Value::String(text) if FRAMES.contains(&key.as_str()) => sink.text(text.as_bytes()),
            value => one(value, &[path, &[key]].concat(), sink)?,
        }
        sink.end();
    }
    sink.key("}");
    Ok(())
}

fn array(entries: &[Value], key: &str, path: &[&str], sink: &mut impl Sink) -> Result<(), String> {
    sink.count(entries.len());
    let list = LISTS.contains(&key);
    for (index, entry) in entries.iter().enumerate() {
        sink.entry(index, entries.len());
        match entry {
            Value::String(text) if list => sink.text(text.as_bytes()),
            Value::Array(inner) => array(inner, "", path, sink)?,
            entry => one(entry, &[path, &[key]].concat(), sink)?,
        }
        sink.end();
    }
    Ok(())
}

fn one(value: &Value, path: &[&str], sink: &mut impl Sink) -> Result<(), String> {
    match value {
        Value::Object(members) => object(members, path, sink)?,
        Value::Number(number) => sink.number(number.as_f64().unwrap_or(f64::NAN), false),
        Value::Null => sink.number(f64::NAN, false),
        Value::Bool(value) => sink.number(f64::from(u8::from(*value)), true),
        // Text that may differ from message to message without another meaning of the numbers.
        Value::String(_) | Value::Array(_) => sink.key("text"),
    }
    Ok(())
}

/// Nanoseconds of `{"sec": .., "nanosec": ..}` by any of its names.
fn time(value: &Value) -> Option<i64> {
    let member = |names: &[&str]| names.iter().find_map(|name| value.get(name)).and_then(Value::as_i64);
    let (seconds, nanos) = (member(&["sec", "secs"])?, member(&["nanosec", "nsec", "nsecs"])?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}
