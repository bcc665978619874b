//! Settings that are changed by name: a file's or a command line's in the place of the defaults.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A setting that may be left to the program: `"auto"` in a file, else a value.
///
/// ```
/// use ebmotion::settings::Auto;
///
/// let steps: Auto<u64> = serde_json::from_str("\"auto\"")?;
/// assert_eq!(steps.or(5000), 5000); // the program's choice
/// let steps: Auto<u64> = serde_json::from_str("200")?;
/// assert_eq!(steps, Auto::Set(200));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auto<T> {
    /// The program decides, by a rule that the setting's documentation tells.
    #[default]
    Auto,
    /// The user has decided.
    Set(T),
}

impl<T> Auto<T> {
    /// The user's value, else `decided`.
    pub fn or(self, decided: T) -> T {
        match self {
            Auto::Auto => decided,
            Auto::Set(value) => value,
        }
    }

    /// The user's value.
    pub fn value(self) -> Option<T> {
        match self {
            Auto::Auto => None,
            Auto::Set(value) => Some(value),
        }
    }
}

impl<T> From<T> for Auto<T> {
    fn from(value: T) -> Self {
        Auto::Set(value)
    }
}

impl<T: std::fmt::Display> std::fmt::Display for Auto<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Auto::Auto => f.write_str(AUTO),
            Auto::Set(value) => value.fmt(f),
        }
    }
}

/// [`Auto::Auto`] in files and on the command line.
const AUTO: &str = "auto";

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Auto::Auto => serializer.serialize_str(AUTO),
            Auto::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            Value(T),
            Other(Value),
        }
        match Either::deserialize(deserializer)? {
            Either::Value(value) => Ok(Auto::Set(value)),
            Either::Other(Value::String(word)) if word == AUTO => Ok(Auto::Auto),
            Either::Other(other) => {
                let kind = std::any::type_name::<T>();
                Err(serde::de::Error::custom(format!("`{other}`, expected \"{AUTO}\" or a value ({kind})")))
            }
        }
    }
}

/// Settings of any kind: written beside what was made with them, read, and changed by name.
///
/// ```
/// use ebmotion::{sample::diffusion::SamplerConfig, settings::Settings};
///
/// let base = SamplerConfig::default();
/// assert_eq!(base.with_one("levels", "12")?.levels, 12);
/// let error = base.with_one("level", "12").unwrap_err().to_string();
/// assert!(error.contains("unknown setting") && error.contains("levels"), "{error}");
/// # Ok::<(), ebmotion::Error>(())
/// ```
pub trait Settings: Serialize {
    /// These settings as they are written beside what was made with them.
    ///
    /// # Errors
    /// [`Error::Unwritable`] for settings that have no such form.
    fn as_json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::unwritable("settings", "JSON"))
    }

    /// Settings from JSON: what the program wrote beside a result, or a user in its place.
    ///
    /// # Errors
    /// [`Error::Config`] for a value of the wrong type.
    fn from_json(settings: &Value) -> Result<Self>
    where
        Self: DeserializeOwned,
    {
        Self::deserialize(settings).map_err(|e| Error::config(WHOLE, e, "values of the settings' types"))
    }

    /// These with the settings of `changes` (an object of the same structure, of any depth) in their place. An object
    /// of one entry, as an enumeration with values is written, is replaced whole by another of one entry.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that does not exist, or the value that is of the wrong type.
    fn with(&self, changes: &Value) -> Result<Self>
    where
        Self: DeserializeOwned,
    {
        let mut all = self.as_json()?;
        merge(&mut all, changes, "")?;
        Self::from_json(&all)
    }

    /// These with one setting changed by its dotted name, its value written as JSON or, failing that, as plain text.
    ///
    /// # Errors
    /// As [`Settings::with`].
    fn with_one(&self, key: &str, value: &str) -> Result<Self>
    where
        Self: DeserializeOwned,
    {
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_string()));
        let changes = key.rsplit('.').fold(parsed, |inner, part| serde_json::json!({ part: inner }));
        self.with(&changes).map_err(|e| match e {
            Error::Config { key: place, found, expected } if place == WHOLE => {
                Error::Config { key: key.into(), found: format!("{value} ({found})"), expected }
            }
            other => other,
        })
    }
}

impl<T: Serialize> Settings for T {}

/// Key of an error that concerns no single setting.
const WHOLE: &str = "settings";

/// Settings of earlier versions, by the end of their dotted names, and what stands in their place.
const RENAMED: &[(&str, &str)] = &[
    ("model.levels", "sampler.levels, one more: the last evaluation counts"),
    ("model.start", "sampler.start"),
    ("model.end", "sampler.end"),
    ("model.guidance", "sampler.guidance"),
    ("model.temperature", "sampler.temperature"),
    ("model.churn", "sampler.eta"),
    ("model.corrections", "sampler.corrector_steps"),
    ("model.correction_step", "sampler.corrector_size"),
    ("head.evaluations", "sampler.levels"),
    ("head.end", "sampler.end"),
    ("head.guidance", "sampler.guidance"),
    ("head.temperature", "sampler.temperature"),
    ("walk", "sampler"),
    ("highest", "start"),
    ("lowest", "end"),
    ("churn", "eta"),
    ("corrections", "corrector_steps"),
    ("correction_step", "corrector_size"),
];

fn merge(base: &mut Value, changes: &Value, place: &str) -> Result<()> {
    match (base, changes) {
        (Value::Object(known), Value::Object(given)) if !(known.len() == 1 && given.len() == 1) || place.is_empty() => {
            for (key, value) in given {
                let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let names = known.keys().cloned().collect::<Vec<_>>().join(", ");
                let Some(slot) = known.get_mut(key) else {
                    if let Some((_, now)) = RENAMED.iter().find(|(before, _)| path.ends_with(before)) {
                        return Err(Error::config(path, "a setting of an earlier version", format!("`{now}`")));
                    }
                    let expected =
                        if names.is_empty() { "none: nothing to set".into() } else { format!("one of {names}") };
                    return Err(Error::config(path, "an unknown setting", expected));
                };
                merge(slot, value, &path)?;
            }
        }
        (base, changes) => *base = changes.clone(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        rate: f64,
        name: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Clip {
        Norm(f64),
        Value(f64),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        steps: u64,
        inner: Inner,
        clip: Clip,
    }

    #[test]
    fn settings_are_changed_by_name_and_unknown_ones_refused() -> Result<()> {
        let base = Outer { steps: 1, inner: Inner { rate: 0.5, name: "a".into() }, clip: Clip::Norm(1.0) };
        let changed = base.with(&json!({"steps": 7, "inner": {"name": "b"}}))?;
        assert_eq!((changed.steps, changed.inner.rate, changed.inner.name.as_str()), (7, 0.5, "b"));
        assert_eq!(base.with_one("inner.name", "plain text")?.inner.name, "plain text");
        assert_eq!(base.with_one("clip", r#"{"value": 2.0}"#)?.clip, Clip::Value(2.0));
        let unknown = base.with_one("inner.rat", "1").expect_err("no such setting").to_string();
        assert!(unknown.contains("inner.rat") && unknown.contains("rate"), "{unknown}");
        let wrong = base.with_one("inner.rate", "fast").expect_err("not a number").to_string();
        assert!(wrong.contains("inner.rate") && wrong.contains("fast"), "{wrong}");
        Ok(())
    }
}
