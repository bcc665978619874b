//! Logs of ROS and MCAP: messages on topics. One topic is read; each of its messages is a row.

mod common;
mod episodes;
mod gather;
mod json;
mod layout;
mod mcap;
mod part;
mod rosbag1;
mod rosbag2;
mod schema;
mod sqlite;
mod stream;
mod topics;
mod walk;

pub(crate) use common::definition;
pub(crate) use episodes::ABOUT;
pub(crate) use mcap::read as mcap;
pub(crate) use rosbag1::read as rosbag1;
pub(crate) use rosbag2::read as rosbag2;
pub(crate) use sqlite::read as sqlite;
