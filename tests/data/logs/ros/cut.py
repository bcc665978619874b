#!/usr/bin/env python3
"""Cuts the logs in this folder from whole ones, in which one episode of g1_inspire lies as joint states.

    pip install mcap==1.6.0 mcap-ros2-support==0.6.0 rosbags==0.11.9
    tests/data/logs/ros/cut.py FOLDER

FOLDER has `g1_inspire_ep000_{zstd,lz4,json,none}.mcap`, `..._ros1.bag` and `..._rosbag2_db3/`. The first three are taken
as they are, of the others the first 40 messages.
"""
import pathlib
import shutil
import sqlite3
import sys

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer as McapWriter
from rosbags.rosbag1 import Reader, Writer

KEPT = 40


def mcap(source, target):
    reader = make_reader(open(source, "rb"))
    with open(target, "wb") as file:
        writer = McapWriter(file, chunk_size=8_000, compression=CompressionType.NONE)
        writer.start(profile="ros2")
        channel_id = None
        for count, (schema, channel, message) in enumerate(reader.iter_messages()):
            if count == KEPT:
                break
            if channel_id is None:
                schema_id = writer.register_schema(schema.name, schema.encoding, schema.data)
                channel_id = writer.register_channel(channel.topic, channel.message_encoding, schema_id)
            writer.add_message(channel_id, message.log_time, message.data, message.publish_time, message.sequence)
        writer.finish()


def bag(source, target, compression):
    target.unlink(missing_ok=True)
    bag = Writer(target)
    bag.chunk_threshold = 8_000
    if compression:
        bag.set_compression(compression)
    with Reader(source) as reader, bag as writer:
        connection = None
        for count, (old, time, data) in enumerate(reader.messages()):
            if count == KEPT:
                break
            if connection is None:
                connection = writer.add_connection(old.topic, old.msgtype, msgdef=old.msgdef.data, md5sum=old.digest)
            writer.write(connection, time, data)


def database(source, target):
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    shutil.copyfile(source / f"{source.name}.db3", target / "joints_0.db3")
    connection = sqlite3.connect(target / "joints_0.db3")
    connection.execute("DELETE FROM messages WHERE id > (SELECT MIN(id) FROM messages) + ?", (KEPT - 1,))
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    text = (source / "metadata.yaml").read_text()
    text = text.replace(f"{source.name}.db3", "joints_0.db3").replace("message_count: 479", f"message_count: {KEPT}")
    (target / "metadata.yaml").write_text(text)


def main():
    here, whole = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[1])
    name = "g1_inspire_ep000"
    for kind in ["zstd", "lz4", "json"]:
        shutil.copyfile(whole / f"{name}_{kind}.mcap", here / f"{kind}.mcap")
    mcap(whole / f"{name}_none.mcap", here / "none.mcap")
    for kind in [None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4]:
        bag(whole / f"{name}_ros1.bag", here / f"{kind.name.lower() if kind else 'none'}.bag", kind)
    database(whole / f"{name}_rosbag2_db3", here / "joints")


main()
