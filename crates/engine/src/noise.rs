//! Counter-based random numbers: the only place of the crate that draws any.
//!
//! A number is a pure function of `(key, draw, chain, position)`: the generator is Philox4x32-10 (Salmon et al.,
//! "Parallel random numbers: as easy as 1, 2, 3", SC 2011), so row `b` of a batch gets the same numbers whatever the
//! batch is split into, on any number of threads and on any device.

#[cfg(feature = "learning")]
use crate::error::Result;
use crate::simd::{Isa, normal};
#[cfg(feature = "learning")]
use candle_core::{DType, Device, Shape, Tensor};

/// A stream of random numbers. Its whole state is two integers, so a checkpoint can hold it.
///
/// ```
/// use ebmotion_engine::noise::Noise;
///
/// let mut noise = Noise::new(7);
/// let (mut in_batch, mut alone) = ([0.0; 3], [0.0; 3]);
/// noise.next_draw().normal(5, &mut in_batch); // chain 5 of a batch
/// Noise::new(7).from_chain(5).next_draw().normal(0, &mut alone); // the same chain by itself
/// assert_eq!(in_batch, alone);
/// assert_eq!(noise.fork(1), Noise::new(7).fork(1)); // whatever was drawn in between
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "learning", derive(serde::Serialize, serde::Deserialize))]
pub struct Noise {
    key: u64,
    draw: u32,
    first_chain: u64,
}

impl Noise {
    /// The stream of a user's seed.
    pub fn new(seed: u64) -> Self {
        Self { key: mix(seed), draw: 0, first_chain: 0 }
    }

    /// An independent stream named by `label`; it does not depend on how much was drawn from `self`.
    pub fn fork(&self, label: u64) -> Self {
        let key = mix(self.key ^ mix(label.wrapping_add(0x9e37_79b9_7f4a_7c15)));
        Self { key, draw: 0, first_chain: self.first_chain }
    }

    /// An independent stream named by a text, as [`Noise::fork`].
    pub fn named(&self, name: &str) -> Self {
        name.bytes().fold(self.clone(), |noise, byte| noise.fork(u64::from(byte)))
    }

    /// The same stream for the chains from `first` on: row 0 of a draw is chain `first`. A batch may so be cut into
    /// tiles that each get the numbers that they would have got in the whole.
    pub fn from_chain(&self, first: u64) -> Self {
        Self { first_chain: self.first_chain + first, ..self.clone() }
    }

    /// An independent stream that depends on how far `self` has been used, which it advances by one draw.
    pub fn split_off(&mut self) -> Self {
        let label = u64::from(self.next_draw().draw);
        self.fork(!label)
    }

    /// Begins a new draw and returns its handle: rows of it may be filled in any order, by any thread.
    pub fn next_draw(&mut self) -> Draw {
        let draw = Draw { key: self.key, draw: self.draw, first_chain: self.first_chain };
        self.draw = match self.draw.checked_add(1) {
            Some(next) => next,
            None => {
                *self = self.fork(u64::MAX);
                0
            }
        };
        draw
    }

    /// Standard normal numbers of the given shape; the first dimension is the chain.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the tensor cannot be made (unsupported `dtype`).
    #[cfg(feature = "learning")]
    pub fn normal(&mut self, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        let (draw, shape) = (self.next_draw(), shape.into());
        if dtype != DType::F32 {
            return tensor(shape, dtype, device, |row, out| draw.normal(row, out));
        }
        let rows = shape.dims().first().copied().unwrap_or(1);
        #[cfg(feature = "cuda")]
        if let (Device::Cuda(gpu), true) = (device, shape.elem_count() > 0) {
            let Place { key, draw, chain } = draw.place(0);
            let numbers = crate::gpu::normals(gpu, (key, draw, chain), rows, shape.elem_count() / rows)?;
            let storage = candle_core::cuda_backend::CudaStorage::wrap_cuda_slice(numbers, gpu.clone());
            let none = candle_core::op::BackpropOp::none();
            return Ok(Tensor::from_storage(candle_core::Storage::Cuda(storage), shape, none, false));
        }
        let width = shape.elem_count().checked_div(rows).unwrap_or(0);
        let mut values = vec![0f32; rows * width];
        if width > 0 {
            values.chunks_exact_mut(width).enumerate().for_each(|(row, out)| draw.normal_f32(row as u64, out));
        }
        Ok(Tensor::from_vec(values, shape, device)?)
    }

    /// Uniform numbers in the open interval (0, 1), of the given shape; the first dimension is the chain.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the tensor cannot be made (unsupported `dtype`).
    #[cfg(feature = "learning")]
    pub fn uniform(&mut self, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        let draw = self.next_draw();
        tensor(shape.into(), dtype, device, |row, out| draw.uniform(row, out))
    }

    /// `count` indices, each uniform over `0..below`. `below` must not be 0.
    pub fn indices(&mut self, count: usize, below: usize) -> Vec<usize> {
        let draw = self.next_draw();
        (0..count as u64)
            .map(|row| {
                let [a, b, ..] = draw.block(row, 0);
                let wide = (u64::from(a) << 32 | u64::from(b)) as u128 * below as u128;
                (wide >> 64) as usize
            })
            .collect()
    }

    /// A uniformly random order of `0..n` (Fisher and Yates).
    ///
    /// ```
    /// use ebmotion_engine::noise::Noise;
    ///
    /// let mut order = Noise::new(3).permutation(5);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let draw = self.next_draw();
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let [a, b, ..] = draw.block(i as u64, 0);
            let wide = (u64::from(a) << 32 | u64::from(b)) as u128 * (i as u128 + 1);
            order.swap(i, (wide >> 64) as usize);
        }
        order
    }
}

/// One draw of a [`Noise`]: a table of numbers indexed by chain and position.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    key: u64,
    draw: u32,
    first_chain: u64,
}

impl Draw {
    /// Standard normal numbers of chain `chain` (Box and Muller, Ann. Math. Stat. 29, 1958).
    pub fn normal(&self, chain: u64, out: &mut [f64]) {
        for (i, four) in out.chunks_mut(4).enumerate() {
            let u = self.block(chain, i as u32).map(open_unit);
            for (pair, u) in four.chunks_mut(2).zip(u.chunks_exact(2)) {
                let radius = (-2.0 * u[0].ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * u[1]).sin_cos();
                pair[0] = radius * cos;
                if let Some(second) = pair.get_mut(1) {
                    *second = radius * sin;
                }
            }
        }
    }

    /// As [`Draw::normal`], computed in f32 on the processor's vectors: equal to it within some 1e-6.
    pub fn normal_f32(&self, chain: u64, out: &mut [f32]) {
        let Place { key, draw, chain } = self.place(chain);
        normal::Row { key, draw, chain, block: 0, out }.fill(Isa::best());
    }

    /// Where the numbers of chain `chain` stand in the generator's space, for those who make them elsewhere.
    pub(crate) fn place(&self, chain: u64) -> Place {
        Place { key: self.key, draw: self.draw, chain: self.first_chain + chain }
    }

    /// Uniform numbers in (0, 1) of chain `chain`.
    pub fn uniform(&self, chain: u64, out: &mut [f64]) {
        for (i, four) in out.chunks_mut(4).enumerate() {
            for (value, bits) in four.iter_mut().zip(self.block(chain, i as u32)) {
                *value = open_unit(bits);
            }
        }
    }

    fn block(&self, row: u64, position: u32) -> [u32; 4] {
        let chain = self.first_chain + row;
        philox4x32(
            [position, self.draw, chain as u32, (chain >> 32) as u32],
            [self.key as u32, (self.key >> 32) as u32],
        )
    }
}

/// Key, draw and chain of a number; its position in the row is all that is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) key: u64,
    pub(crate) draw: u32,
    pub(crate) chain: u64,
}

#[cfg(feature = "learning")]
fn tensor(shape: Shape, dtype: DType, device: &Device, fill: impl Fn(u64, &mut [f64])) -> Result<Tensor> {
    let rows = shape.dims().first().copied().unwrap_or(1);
    let width = shape.elem_count().checked_div(rows).unwrap_or(0);
    let mut row = vec![0.0; width];
    let tensor = if dtype == DType::F32 {
        let mut values = Vec::with_capacity(rows * width);
        for chain in 0..rows as u64 {
            fill(chain, &mut row);
            values.extend(row.iter().map(|v| *v as f32));
        }
        Tensor::from_vec(values, shape, device)?
    } else {
        let mut values = Vec::with_capacity(rows * width);
        for chain in 0..rows as u64 {
            fill(chain, &mut row);
            values.extend_from_slice(&row);
        }
        Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?
    };
    Ok(tensor)
}

/// Maps 32 bits to (0, 1) without either end, also after rounding to f32.
fn open_unit(bits: u32) -> f64 {
    ((f64::from(bits) + 0.5) / 4_294_967_296.0).min(1.0 - f64::from(f32::EPSILON) / 2.0)
}

/// Finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): spreads a seed over 64 bits.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Philox4x32-10 (Salmon et al. 2011, section 4.3 and table 2).
fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xd251_1f53;
        let b = u64::from(counter[2]) * 0xcd9e_8d57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers published with the Random123 library.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[cfg(feature = "learning")]
    #[test]
    fn a_row_does_not_depend_on_the_batch() -> Result<()> {
        let device = Device::Cpu;
        let whole = Noise::new(7).normal((8, 5), DType::F64, &device)?.to_vec2::<f64>()?;
        let part = Noise::new(7).normal((3, 5), DType::F64, &device)?.to_vec2::<f64>()?;
        assert_eq!(whole[..3], part[..]);
        let tail = Noise::new(7).from_chain(5).normal((3, 5), DType::F64, &device)?.to_vec2::<f64>()?;
        assert_eq!(whole[5..], tail[..]);
        let single = Noise::new(7).normal((8, 5), DType::F32, &device)?.to_vec2::<f32>()?;
        assert!(whole.iter().flatten().zip(single.iter().flatten()).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-6));
        Ok(())
    }

    /// Over a million numbers, so that small and large arguments of the logarithm are among them.
    #[test]
    fn vectors_give_the_numbers_of_the_definition() {
        let draw = Noise::new(11).next_draw();
        let (mut exact, mut fast) = (vec![0f64; 1000], vec![0f32; 1000]);
        for isa in Isa::available() {
            let mut worst = 0f64;
            for chain in 0..1000u64 {
                draw.normal(chain, &mut exact);
                let Place { key, draw, chain } = draw.place(chain);
                normal::Row { key, draw, chain, block: 0, out: &mut fast }.fill(isa);
                for (a, b) in exact.iter().zip(&fast) {
                    worst = worst.max((a - f64::from(*b)).abs());
                }
            }
            assert!(worst < 1.5e-6, "{isa:?} is off by {worst}");
        }
    }

    #[cfg(feature = "learning")]
    #[test]
    fn normals_have_the_moments_of_a_normal() -> Result<()> {
        let n = 400_000;
        let x = Noise::new(1).normal((n / 4, 4), DType::F64, &Device::Cpu)?.flatten_all()?.to_vec1::<f64>()?;
        let moment = |k: i32| x.iter().map(|v| v.powi(k)).sum::<f64>() / n as f64;
        // Standard errors of the raw moments of N(0,1): sqrt(var(x^k) / n) with var 1, 2, 15, 96.
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let z = (moment(k) - expected) / (variance / n as f64).sqrt();
            assert!(z.abs() < 4.0, "moment {k} is {z} standard errors off");
        }
        Ok(())
    }

    #[test]
    fn draws_and_forks_differ_and_a_fork_does_not_depend_on_the_past() {
        let mut a = Noise::new(3);
        let before = a.fork(5);
        let first = a.indices(16, 1 << 30);
        let second = a.indices(16, 1 << 30);
        assert_ne!(first, second);
        assert_eq!(before, a.fork(5));
        assert_ne!(a.fork(5).indices(16, 1 << 30), a.fork(6).indices(16, 1 << 30));
        let mut order = Noise::new(9).permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
