//! One file of a bag of ROS 2 as an SQLite database.

use super::common::definition;
use super::part::{Hear, Part, table};
use super::topics::{Channel, Survey};
use crate::error::{Error, Result};
use crate::read::table::Table;
use crate::read::{Input, ReadOptions};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads a single file of a bag of ROS 2.
pub(crate) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let record = input.record(&[])?;
    table(input, record, &[part(input.clone())], HashMap::new(), options)
}

/// A file as a part of a log.
pub(super) fn part(input: Input<'_>) -> Part<'_> {
    Part::new(input, survey, scan)
}

fn survey(input: &Input, into: &mut Survey) -> Result<()> {
    let damaged = |e| damaged(input, e);
    let database = Database::open(input)?;
    database.check_tables(input)?;
    let counts = database.counts().map_err(damaged)?;
    for (id, channel) in database.channels().map_err(damaged)? {
        into.add(&channel, counts.get(&id).copied().unwrap_or(0).unsigned_abs());
    }
    Ok(())
}

fn scan(input: &Input, hear: &mut dyn Hear) -> Result<()> {
    let damaged = |e| damaged(input, e);
    let database = Database::open(input)?;
    database.check_tables(input)?;
    for (id, channel) in database.channels().map_err(damaged)? {
        hear.channel(id.cast_unsigned(), channel)?;
        if hear.wants(id.cast_unsigned()) {
            database.messages(id, hear).map_err(damaged)??;
        }
    }
    Ok(())
}

fn damaged(input: &Input, e: rusqlite::Error) -> Error {
    let expected = "a whole database (`sqlite3 FILE .recover` saves what is left of a damaged one)";
    input.error(format!("a database that cannot be read ({e})"), expected)
}

struct Database {
    connection: Connection,
    /// Where the database was unpacked, gone when this is.
    _unpacked: Option<tempfile::TempPath>,
}

impl Database {
    fn open(input: &Input) -> Result<Self> {
        let (path, unpacked) = match input.plain_file()? {
            Some(path) => (path.to_path_buf(), None),
            None => {
                let mut file = tempfile::NamedTempFile::new().map_err(Error::io(&input.path, "unpack"))?;
                std::io::copy(&mut input.stream()?, &mut file).map_err(Error::io(&input.path, "unpack"))?;
                let unpacked = file.into_temp_path();
                (unpacked.to_path_buf(), Some(unpacked))
            }
        };
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_os_string();
            name.push(ending);
            PathBuf::from(name).exists()
        };
        // What was not yet moved into the file itself lies beside it.
        let unfinished = beside("-wal") || beside("-journal");
        if !unfinished {
            check_size(input, &path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match path.to_str().filter(|_| !unfinished) {
            Some(text) => {
                let text = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                Connection::open_with_flags(format!("file:{text}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)
            }
            None => Connection::open_with_flags(&path, flags),
        };
        let connection = opened
            .map_err(|e| input.error(format!("a database that cannot be opened ({e})"), "a bag of ROS 2 in SQLite"))?;
        Ok(Self { connection, _unpacked: unpacked })
    }

    /// Whether the tables of a bag are there, as tables: a view could be anything.
    fn check_tables(&self, input: &Input) -> Result<()> {
        for table in ["topics", "messages"] {
            let there = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?1";
            let count = self.connection.query_row(there, [table], |row| row.get::<_, i64>(0));
            if count.map_err(|e| damaged(input, e))? != 1 {
                return Err(input.error(format!("a database without a table `{table}`"), "a bag of ROS 2"));
            }
        }
        Ok(())
    }

    fn channels(&self) -> rusqlite::Result<Vec<(i64, Channel)>> {
        let definitions = self.definitions();
        let mut query =
            self.connection.prepare("SELECT id, name, type, serialization_format FROM topics ORDER BY id")?;
        let channels = query.query_map([], |row| {
            let type_name: String = row.get(2)?;
            let (schema_encoding, schema) = match definitions.get(&type_name) {
                Some((encoding, text)) if encoding == "ros2msg" => (encoding.clone(), text.clone()),
                told => match (definition(&type_name), told) {
                    (Some(text), _) => ("ros2msg".into(), text),
                    (None, Some((encoding, text))) => (encoding.clone(), text.clone()),
                    (None, None) => Default::default(),
                },
            };
            let (topic, encoding) = (row.get(1)?, row.get(3)?);
            Ok((row.get(0)?, Channel { topic, type_name, encoding, schema_encoding, schema, publisher: String::new() }))
        })?;
        channels.collect()
    }

    /// Encoding and text of the definitions in the file, by type. Older bags have none.
    fn definitions(&self) -> HashMap<String, (String, String)> {
        let all = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions";
        let Ok(mut query) = self.connection.prepare(all) else { return HashMap::new() };
        let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
        rows.map(|rows| rows.filter_map(rusqlite::Result::ok).collect()).unwrap_or_default()
    }

    /// Messages by topic.
    fn counts(&self) -> rusqlite::Result<HashMap<i64, i64>> {
        let mut query = self.connection.prepare("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    fn messages(&self, topic: i64, hear: &mut dyn Hear) -> rusqlite::Result<Result<()>> {
        let mut query =
            self.connection.prepare("SELECT timestamp, data FROM messages WHERE topic_id = ?1 ORDER BY id")?;
        let mut rows = query.query([topic])?;
        while let Some(row) = rows.next()? {
            let (ValueRef::Blob(message) | ValueRef::Text(message)) = row.get_ref(1)? else { continue };
            if let Err(error) = hear.message(topic.cast_unsigned(), row.get(0)?, message) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// A file shorter than it says would be read as if it went on with zeros.
fn check_size(input: &Input, path: &Path) -> Result<()> {
    let mut header = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io(&input.path, "read"))?;
    let size = file.metadata().map_err(Error::io(&input.path, "read"))?.len();
    file.take(100).read_to_end(&mut header).map_err(Error::io(&input.path, "read"))?;
    let (Some([high, low]), Some([a, b, c, d])) = (header.get(16..18), header.get(28..32)) else {
        return Err(input.error(format!("a database of {size} bytes"), "a whole database"));
    };
    let page = match u16::from_be_bytes([*high, *low]) {
        1 => 65_536,
        page => u64::from(page).max(1),
    };
    // Very old versions of SQLite leave the number of pages behind; then it is told by the file's size.
    let counted = header.get(24..28) == header.get(92..96);
    let pages = if counted { u64::from(u32::from_be_bytes([*a, *b, *c, *d])) } else { size.div_ceil(page) };
    match size < pages * page {
        true => Err(input.error(
            format!("the first {size} of {} bytes of a database", pages * page),
            "a whole database (`sqlite3 FILE .recover` saves what is left of a damaged one)",
        )),
        false => Ok(()),
    }
}
