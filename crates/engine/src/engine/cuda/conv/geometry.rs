//! The shape of a convolution.

/// Where a convolution reads and writes; rows first, then columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Geometry {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Zeros on every side.
    pub(super) pad: [usize; 2],
    pub(super) from: [usize; 2],
    pub(super) to: [usize; 2],
}
