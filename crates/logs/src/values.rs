//! Numbers of a log: in memory where they are few, else in a temporary file.

mod file;
mod growing;
mod stored;
#[cfg(test)]
mod tests;

pub(crate) use growing::Growing;
#[cfg(feature = "parquet")]
pub(crate) use growing::stays;
pub use stored::Values;
