//! MCAP, message by message. Records are parsed by the crate `mcap`; the way through them is here, since that crate's
//! takes memory by the lengths that a file claims, and does not say where a chunk begins.

use super::part::{self, Hear, Index, Part, table};
use super::stream::{Bytes, LONGEST, Stop, array, fill, skip};
use super::topics::{Channel, Survey};
use crate::error::Result;
use crate::read::table::Table;
use crate::read::{Input, ReadOptions};
use mcap::records::{Record, op};
use std::collections::HashMap;
use std::io::{BufReader, Read, SeekFrom};

/// First and last bytes of a file.
const MAGIC: [u8; 8] = *b"\x89MCAP0\r\n";
/// Opcode and length of a record.
const RECORD: u64 = 9;
/// Channel, sequence number and two times of a message.
const MESSAGE: u64 = 22;
/// Footer and last bytes.
const END: i64 = 9 + 20 + 8;

/// Reads a log of ROS 2 or others.
pub(crate) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let record = input.record(&[])?;
    table(input, record, &[part(input.clone())], HashMap::new(), options)
}

/// A file as a part of a log.
pub(super) fn part(input: Input<'_>) -> Part<'_> {
    Part::new(input, survey, scan)
}

fn survey(input: &Input, into: &mut Survey) -> Result<()> {
    part::survey(input, summary(input)?, scan, into)
}

/// Goes through all messages.
///
/// A file that is cut off or damaged is read up to there, a damaged chunk is left out; both are noted.
fn scan(input: &Input, hear: &mut dyn Hear) -> Result<()> {
    // A channel may be described nowhere else than in a chunk that is damaged.
    for (id, channel, _) in summary(input)?.unwrap_or_default() {
        hear.channel(id, channel)?;
    }
    let mut bytes = Bytes::new(input.stream()?);
    let mut scan = Scan { hear, schemas: HashMap::new(), in_chunk: Vec::new(), buffer: Vec::new(), messages: 0 };
    if let Err(stop) = scan.file(input, &mut bytes) {
        let why = stop.damage(input)?;
        let at = bytes.at;
        let before = scan.messages;
        scan.hear
            .note(format!("the file is cut off or damaged at byte {at} ({why}); {before} messages come before it"));
    }
    Ok(())
}

struct Scan<'h> {
    hear: &'h mut dyn Hear,
    schemas: HashMap<u16, Definition>,
    /// Those that came with the chunk.
    in_chunk: Vec<u16>,
    buffer: Vec<u8>,
    messages: u64,
}

/// A schema: name, encoding, text.
type Definition = (String, String, String);

impl Scan<'_> {
    /// All records up to the end of the data.
    fn file(&mut self, input: &Input, bytes: &mut Bytes) -> Result<(), Stop> {
        if array::<8>(bytes)? != MAGIC {
            return Err(Stop::Bad("other first bytes than those of MCAP".into()));
        }
        loop {
            let (opcode, length) = head(bytes)?;
            match opcode {
                op::DATA_END | op::FOOTER => return Ok(()),
                op::CHUNK => self.chunk(input, bytes, length)?,
                0 => return Err(Stop::Bad("a record of the kind 0".into())),
                _ => self.record(bytes, opcode, length)?,
            }
        }
    }

    /// A record that is no chunk; it has `length` bytes.
    fn record(&mut self, reader: &mut impl Read, opcode: u8, length: u64) -> Result<(), Stop> {
        match opcode {
            op::SCHEMA | op::CHANNEL | op::METADATA => {
                fill(reader, length, &mut self.buffer)?;
                match parsed(opcode, &self.buffer)? {
                    Record::Schema { header, data } => {
                        self.in_chunk.push(header.id);
                        self.schemas.insert(header.id, definition(header, &data));
                    }
                    Record::Channel(channel) => {
                        let id = u64::from(channel.id);
                        self.hear.channel(id, described(channel, &self.schemas))?;
                    }
                    Record::Metadata(metadata) => self.hear.about(&metadata.name, &metadata.metadata),
                    _ => {}
                }
                Ok(())
            }
            op::MESSAGE => self.message(reader, length),
            _ => skip(reader, length),
        }
    }

    fn message(&mut self, reader: &mut impl Read, length: u64) -> Result<(), Stop> {
        let Some(rest) = length.checked_sub(MESSAGE) else {
            return Err(Stop::Bad(format!("a message of {length} bytes")));
        };
        let [a, b, _, _, _, _, time @ .., _, _, _, _, _, _, _, _] = array::<22>(reader)?;
        let id = u64::from(u16::from_le_bytes([a, b]));
        if self.hear.wants(id) {
            fill(reader, rest, &mut self.buffer)?;
            // Later times than those of the year 2262 are no times.
            let log_nanos = i64::try_from(u64::from_le_bytes(time)).unwrap_or(i64::MAX);
            self.messages += 1;
            self.hear.message(id, log_nanos, &self.buffer)?;
        } else {
            skip(reader, rest)?;
            self.messages += 1;
            self.hear.passed(id);
        }
        Ok(())
    }

    /// A chunk of `length` bytes. What is wrong in one that is wholly there concerns this chunk alone.
    fn chunk(&mut self, input: &Input, bytes: &mut Bytes, length: u64) -> Result<(), Stop> {
        let start = bytes.at;
        let unpacked = u64::from_le_bytes({
            skip(bytes, 16)?;
            array(bytes)?
        });
        let crc = u32::from_le_bytes(array(bytes)?);
        let name_length = u32::from_le_bytes(array(bytes)?);
        if name_length > 64 {
            return Err(Stop::Bad(format!("a compression with a name of {name_length} bytes")));
        }
        fill(bytes, u64::from(name_length), &mut self.buffer)?;
        let compression = String::from_utf8_lossy(&self.buffer).into_owned();
        let packed = u64::from_le_bytes(array(bytes)?);
        let Some(left) = length.checked_sub(bytes.at - start).filter(|left| packed <= *left) else {
            return Err(Stop::Bad(format!("{packed} bytes of messages in a chunk of {length}")));
        };
        self.hear.chunk();
        self.in_chunk.clear();
        let (messages, body) = (self.messages, bytes.at);
        let mut inside = bytes.take(packed);
        let done = match compression.as_str() {
            "" => self.records(inside, unpacked, crc),
            "lz4" => match lz4::Decoder::new(&mut inside) {
                Ok(decoder) => self.records(decoder, unpacked, crc),
                Err(e) => Err(Stop::Io(e)),
            },
            "zstd" => match zstd::Decoder::new(&mut inside) {
                Ok(decoder) => self.records(decoder, unpacked, crc),
                Err(e) => Err(Stop::Io(e)),
            },
            other => {
                let found = format!("a chunk packed by `{other}`");
                Err(Stop::Error(input.error(found, "chunks packed by lz4, zstd or nothing")))
            }
        };
        match done {
            Err(stop) if !bytes.ended => {
                let why = stop.damage(input)?;
                self.messages = messages;
                self.schemas.retain(|id, _| !self.in_chunk.contains(id));
                self.hear.lost(&why)?;
            }
            done => done?,
        }
        skip(bytes, left - (bytes.at - body).min(left))
    }

    /// The records of a chunk.
    fn records(&mut self, packed: impl Read, unpacked: u64, crc: u32) -> Result<(), Stop> {
        let hashing = Hashing { inner: packed.take(unpacked), hash: (crc != 0).then(crc32fast::Hasher::new) };
        let mut reader = BufReader::with_capacity(1 << 16, hashing);
        let mut left = unpacked;
        // A message that does not fit its definition may lie in a chunk that is damaged: that is told first.
        let mut wrong = None;
        while left > 0 {
            let (opcode, length) = head(&mut reader)?;
            left = left.saturating_sub(RECORD);
            if length > left {
                return Err(Stop::Bad(format!("a record of {length} bytes in {left}")));
            }
            left -= length;
            if let Err(stop) = self.record(&mut reader, opcode, length) {
                match stop {
                    Stop::Error(error) => wrong = Some(error),
                    stop => return Err(stop),
                }
                skip(&mut reader, left)?;
                break;
            }
        }
        match reader.into_inner().hash.map(crc32fast::Hasher::finalize) {
            Some(found) if found != crc => Err(Stop::Bad(format!("checksum {found:08x}, not {crc:08x}"))),
            _ => wrong.map_or(Ok(()), |error| Err(Stop::Error(error))),
        }
    }
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hash: Option<crc32fast::Hasher>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        if let (Some(hash), Some(read)) = (&mut self.hash, into.get(..count)) {
            hash.update(read);
        }
        Ok(count)
    }
}

/// Opcode and length of the next record.
fn head(reader: &mut impl Read) -> Result<(u8, u64), Stop> {
    let [opcode, length @ ..] = array::<9>(reader)?;
    Ok((opcode, u64::from_le_bytes(length)))
}

/// A record of one of the kinds that are small.
fn parsed(opcode: u8, body: &[u8]) -> Result<Record<'_>, Stop> {
    match std::panic::catch_unwind(|| mcap::parse_record(opcode, body)) {
        Ok(record) => record.map_err(|e| Stop::Bad(format!("a record that cannot be read ({e})"))),
        Err(_) => Err(Stop::Bad("a record on which the crate `mcap` gave up".into())),
    }
}

fn definition(header: mcap::records::SchemaHeader, text: &[u8]) -> Definition {
    (header.name, header.encoding, String::from_utf8_lossy(text).into_owned())
}

fn described(channel: mcap::records::Channel, schemas: &HashMap<u16, Definition>) -> Channel {
    let (type_name, schema_encoding, schema) = schemas.get(&channel.schema_id).cloned().unwrap_or_default();
    Channel {
        topic: channel.topic,
        type_name,
        encoding: channel.message_encoding,
        schema_encoding,
        schema,
        publisher: channel.metadata.get("callerid").cloned().unwrap_or_default(),
    }
}

/// The channels by number, with how many messages they have, from the summary; `None` without a whole one.
fn summary(input: &Input) -> Result<Option<Index>> {
    let Some(mut file) = input.seekable()? else { return Ok(None) };
    let mut end = Vec::new();
    if file.seek(SeekFrom::End(-END)).is_err() || file.by_ref().take(END as u64).read_to_end(&mut end).is_err() {
        return Ok(None);
    }
    let [op::FOOTER, _, _, _, _, _, _, _, _, start @ .., a, b, c, d, e, f, g, h] = end.as_slice() else {
        return Ok(None);
    };
    let Some(start) = start.first_chunk().map(|start| u64::from_le_bytes(*start)).filter(|start| *start > 0) else {
        return Ok(None);
    };
    if [*a, *b, *c, *d, *e, *f, *g, *h] != MAGIC || file.seek(SeekFrom::Start(start)).is_err() {
        return Ok(None);
    }
    Ok(summary_records(&mut Bytes::new(Box::new(file))).ok().flatten())
}

fn summary_records(bytes: &mut Bytes) -> Result<Option<Index>, Stop> {
    let (mut schemas, mut channels, mut counts) = (HashMap::new(), Vec::new(), None);
    let mut buffer = Vec::new();
    loop {
        let (opcode, length) = head(bytes)?;
        match opcode {
            op::FOOTER => break,
            op::SCHEMA | op::CHANNEL | op::STATISTICS if length <= LONGEST => {
                fill(bytes, length, &mut buffer)?;
                match parsed(opcode, &buffer)? {
                    Record::Schema { header, data } => {
                        schemas.insert(header.id, definition(header, &data));
                    }
                    Record::Channel(channel) => channels.push(channel),
                    Record::Statistics(statistics) => counts = Some(statistics),
                    _ => {}
                }
            }
            _ => skip(bytes, length)?,
        }
    }
    let Some(counts) = counts else { return Ok(None) };
    let count = |id: u16| counts.channel_message_counts.get(&id).copied().unwrap_or(0);
    let told: u64 = channels.iter().map(|c| count(c.id)).fold(0, u64::saturating_add);
    if told != counts.message_count {
        return Ok(None);
    }
    let told = |channel: mcap::records::Channel| {
        let (id, messages) = (channel.id, count(channel.id));
        (u64::from(id), described(channel, &schemas), messages)
    };
    Ok(Some(channels.into_iter().map(told).collect()))
}
