//! Bags of ROS 1, format 2.0, record by record. A bag that was not closed, or is cut off, needs no index.

use super::part::{self, Hear, Index, Part, table};
use super::stream::{Bytes, Stop, array, fill, skip};
use super::topics::{Channel, Survey};
use crate::error::Result;
use crate::read::table::Table;
use crate::read::{Input, ReadOptions};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read, SeekFrom};

/// First line.
const VERSION: [u8; 13] = *b"#ROSBAG V2.0\n";
/// Kinds of records.
const MESSAGE: u8 = 2;
const BAG: u8 = 3;
const CHUNK: u8 = 5;
const CHUNK_INFO: u8 = 6;
const CONNECTION: u8 = 7;

/// Reads a bag of ROS 1.
pub(crate) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let record = input.record(&[])?;
    table(input, record, &[Part::new(input.clone(), survey, scan)], HashMap::new(), options)
}

fn survey(input: &Input, into: &mut Survey) -> Result<()> {
    part::survey(input, index(input)?, scan, into)
}

/// Goes through all messages.
///
/// A bag that is cut off or damaged is read up to there, a damaged chunk is left out; both are noted.
fn scan(input: &Input, hear: &mut dyn Hear) -> Result<()> {
    // A connection may be described nowhere else than in a chunk that is damaged.
    for (id, channel, _) in index(input)?.unwrap_or_default() {
        hear.channel(id, channel)?;
    }
    let mut bytes = Bytes::new(input.stream()?);
    let mut scan = Scan { hear, header: Vec::new(), buffer: Vec::new(), messages: 0 };
    if let Err(stop) = scan.file(input, &mut bytes) {
        let why = stop.damage(input)?;
        let (at, before) = (bytes.at, scan.messages);
        scan.hear.note(format!("the bag is cut off or damaged at byte {at} ({why}); {before} messages come before it"));
    }
    Ok(())
}

/// The fields of a record's header.
struct Fields<'a>(HashMap<&'a [u8], &'a [u8]>);

impl<'a> Fields<'a> {
    fn parse(mut bytes: &'a [u8]) -> Result<Self, Stop> {
        let mut fields = HashMap::new();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((field, rest)) = rest.split_at_checked(length) else {
                return Err(Stop::Bad(format!("a field of {length} bytes in {}", rest.len())));
            };
            let Some(equals) = field.iter().position(|b| *b == b'=') else {
                return Err(Stop::Bad("a field without `=`".into()));
            };
            fields.insert(&field[..equals], &field[equals + 1..]);
            bytes = rest;
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name.as_bytes()).copied()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.get(name).unwrap_or_default()).into_owned()
    }

    fn u32(&self, name: &str) -> Result<u32, Stop> {
        let bytes = self.get(name).and_then(|value| value.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(|| Stop::Bad(format!("a record without `{name}`")))
    }

    fn u64(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.try_into().ok()).map(u64::from_le_bytes)
    }

    fn kind(&self) -> Result<u8, Stop> {
        match self.get("op") {
            Some([kind]) => Ok(*kind),
            _ => Err(Stop::Bad("a record without `op`".into())),
        }
    }

    /// Seconds and nanoseconds, as nanoseconds.
    fn time(&self) -> Result<i64, Stop> {
        let bytes = self.u64("time").ok_or_else(|| Stop::Bad("a message without `time`".into()))?;
        Ok(i64::from(bytes as u32) * 1_000_000_000 + i64::from((bytes >> 32) as u32))
    }
}

struct Scan<'h> {
    hear: &'h mut dyn Hear,
    header: Vec<u8>,
    buffer: Vec<u8>,
    messages: u64,
}

impl Scan<'_> {
    /// All records up to the index.
    fn file(&mut self, input: &Input, bytes: &mut Bytes) -> Result<(), Stop> {
        if array::<13>(bytes)? != VERSION {
            let found = "another version of the format than 2.0";
            return Err(Stop::Error(input.error(found, "a bag of version 2.0 (`rosbag fix` brings it there)")));
        }
        let mut index = 0;
        while index == 0 || bytes.at < index {
            if bytes.is_at_end()? {
                return match index {
                    0 => {
                        self.hear.note("the bag was not closed: it has no index".into());
                        Ok(())
                    }
                    _ => Err(Stop::Bad("the end of the file".into())),
                };
            }
            let header = self.header(bytes)?;
            let done = self.file_record(input, bytes, &header, &mut index);
            self.header = header;
            done?;
        }
        Ok(())
    }

    fn file_record(&mut self, input: &Input, bytes: &mut Bytes, header: &[u8], index: &mut u64) -> Result<(), Stop> {
        let fields = Fields::parse(header)?;
        let length = u64::from(u32::from_le_bytes(array(bytes)?));
        match fields.kind()? {
            BAG => {
                *index = fields.u64("index_pos").unwrap_or(0);
                skip(bytes, length)
            }
            CHUNK => self.chunk(input, bytes, &fields, length),
            _ => self.record(bytes, &fields, length),
        }
    }

    /// The next record's header, in the buffer for headers, which is to be given back.
    fn header(&mut self, reader: &mut impl Read) -> Result<Vec<u8>, Stop> {
        let length = u32::from_le_bytes(array(reader)?);
        let mut header = std::mem::take(&mut self.header);
        fill(reader, u64::from(length), &mut header)?;
        Ok(header)
    }

    /// A record that is no chunk, whose data have `length` bytes.
    fn record(&mut self, reader: &mut impl Read, fields: &Fields, length: u64) -> Result<(), Stop> {
        match fields.kind()? {
            CONNECTION => {
                let id = u64::from(fields.u32("conn")?);
                fill(reader, length, &mut self.buffer)?;
                self.hear.channel(id, connection(fields, &self.buffer)?)?;
                Ok(())
            }
            MESSAGE => {
                let id = u64::from(fields.u32("conn")?);
                let time = fields.time()?;
                if self.hear.wants(id) {
                    fill(reader, length, &mut self.buffer)?;
                    self.messages += 1;
                    self.hear.message(id, time, &self.buffer)?;
                } else {
                    skip(reader, length)?;
                    self.messages += 1;
                    self.hear.passed(id);
                }
                Ok(())
            }
            _ => skip(reader, length),
        }
    }

    /// A chunk of `length` bytes. What is wrong in one that is wholly there concerns this chunk alone.
    fn chunk(&mut self, input: &Input, bytes: &mut Bytes, fields: &Fields, length: u64) -> Result<(), Stop> {
        let unpacked = u64::from(fields.u32("size")?);
        let compression = fields.text("compression");
        self.hear.chunk();
        let (messages, start) = (self.messages, bytes.at);
        let mut inside = bytes.take(length);
        let done = match compression.as_str() {
            "none" => self.records(inside, unpacked),
            "bz2" => self.records(bzip2::read::BzDecoder::new(inside), unpacked),
            "lz4" => match lz4::Decoder::new(&mut inside) {
                Ok(decoder) => self.records(decoder, unpacked),
                Err(e) => Err(Stop::Io(e)),
            },
            other => {
                let found = format!("a chunk packed by `{other}`");
                Err(Stop::Error(input.error(found, "chunks packed by bz2, lz4 or nothing")))
            }
        };
        match done {
            Err(stop) if !bytes.ended => {
                let why = stop.damage(input)?;
                self.messages = messages;
                self.hear.lost(&why)?;
            }
            done => done?,
        }
        skip(bytes, length - (bytes.at - start).min(length))
    }

    /// The records of a chunk.
    fn records(&mut self, packed: impl Read, unpacked: u64) -> Result<(), Stop> {
        let mut reader = BufReader::with_capacity(1 << 16, packed.take(unpacked));
        let mut left = unpacked;
        while left > 0 {
            let header = self.header(&mut reader)?;
            let length = u64::from(u32::from_le_bytes(array(&mut reader)?));
            let Some(rest) = left.checked_sub(8 + header.len() as u64).filter(|rest| length <= *rest) else {
                return Err(Stop::Bad(format!("a record of {length} bytes in {left}")));
            };
            left = rest - length;
            let done = Fields::parse(&header).and_then(|fields| self.record(&mut reader, &fields, length));
            self.header = header;
            done?;
        }
        Ok(())
    }
}

/// The channel that a connection's record and data tell.
fn connection(fields: &Fields, data: &[u8]) -> Result<Channel, Stop> {
    let about = Fields::parse(data)?;
    Ok(Channel {
        topic: fields.text("topic"),
        type_name: about.text("type"),
        encoding: "ros1".into(),
        schema_encoding: "ros1msg".into(),
        schema: about.text("message_definition"),
        publisher: about.text("callerid"),
    })
}

/// The connections by number, with how many messages they have, from the index; `None` without a whole one.
fn index(input: &Input) -> Result<Option<Index>> {
    let Some(mut file) = input.seekable()? else { return Ok(None) };
    let Ok(Some((at, connections, chunks))) = bag_header(&mut file) else { return Ok(None) };
    if at == 0 || file.seek(SeekFrom::Start(at)).is_err() {
        return Ok(None);
    }
    Ok(index_records(&mut Bytes::new(Box::new(file)), connections, chunks).ok())
}

/// Where the index is, and how many connections and chunks it tells.
fn bag_header(file: &mut impl Read) -> Result<Option<(u64, u32, u32)>, Stop> {
    if array::<13>(file)? != VERSION {
        return Ok(None);
    }
    let mut header = Vec::new();
    let length = u32::from_le_bytes(array(file)?);
    fill(file, u64::from(length), &mut header)?;
    let fields = Fields::parse(&header)?;
    Ok(match fields.u64("index_pos") {
        Some(at) => Some((at, fields.u32("conn_count")?, fields.u32("chunk_count")?)),
        None => None,
    })
}

fn index_records(bytes: &mut Bytes, connections: u32, chunks: u32) -> Result<Index, Stop> {
    let (mut found, mut counts) = (BTreeMap::new(), HashMap::<u32, u64>::new());
    let (mut header, mut data) = (Vec::new(), Vec::new());
    let mut infos = 0;
    while (found.len() as u64) < u64::from(connections) || infos < chunks {
        let length = u32::from_le_bytes(array(bytes)?);
        fill(bytes, u64::from(length), &mut header)?;
        let length = u32::from_le_bytes(array(bytes)?);
        fill(bytes, u64::from(length), &mut data)?;
        let fields = Fields::parse(&header)?;
        match fields.kind()? {
            CONNECTION => {
                found.insert(fields.u32("conn")?, connection(&fields, &data)?);
            }
            CHUNK_INFO => {
                infos += 1;
                for pair in data.chunks_exact(8) {
                    let [a, b, c, d, count @ ..] = pair else { continue };
                    let count = count.first_chunk().map_or(0, |count| u32::from_le_bytes(*count));
                    *counts.entry(u32::from_le_bytes([*a, *b, *c, *d])).or_default() += u64::from(count);
                }
            }
            _ => {}
        }
    }
    let count = |id: u32| counts.get(&id).copied().unwrap_or(0);
    Ok(found.into_iter().map(|(id, channel)| (u64::from(id), channel, count(id))).collect())
}
