//! Numbers of a log: in memory where they are few, else in a temporary file.

mod file;
mod growing;
mod stored;
#[cfg(test)]
mod tests;

pub(crate) use growing::Growing;
pub use stored::Values;
