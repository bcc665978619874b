//! The kernels between convolutions, compiled once a thread.

use crate::error::Result;
use crate::gpu;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaStream, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use std::sync::Arc;

/// Threads of a block.
const THREADS: usize = 256;
const TEXT: &str = include_str!("kernels.cu");

/// Sizes of a map on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) images: usize,
    /// Rows and columns.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

impl Map {
    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    pub(super) fn numbers(&self) -> usize {
        self.images * self.pixels() * self.channels
    }

    /// Channels are taken four at a time.
    fn wide(&self) -> bool {
        self.channels.is_multiple_of(4)
    }
}

/// One kernel in both widths.
struct Both([CudaFunction; 2]);

/// An activation as the kernels know it: kind and leak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act(pub(super) i32, pub(super) f32);

/// No activation.
pub(super) const NONE: Act = Act(0, 0.0);

/// Rows of modulations: address, numbers of a row, and 1 where each image has its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows(pub(super) u64, pub(super) i32, pub(super) i32);

/// Places of modulations in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places {
    pub(super) gain: Option<usize>,
    pub(super) bias: Option<usize>,
    /// Of the next block's first bias.
    pub(super) next: Option<usize>,
}

pub(super) struct Kernels {
    shift: Both,
    finish: Both,
    unfinish: Both,
    unshift: Both,
    add: Both,
    seed: Both,
    frame: Both,
    total: CudaFunction,
    stream: Arc<CudaStream>,
}

fn place(of: Option<usize>) -> i32 {
    of.map_or(-1, |p| p as i32)
}

/// An argument of a kernel.
#[derive(Clone, Copy)]
enum Arg {
    At(u64),
    Int(i32),
    Float(f32),
}
use Arg::{At, Float, Int};

fn size(of: usize) -> Arg {
    Int(of as i32)
}

impl Map {
    /// Images, pixels, channels.
    fn args(self) -> [Arg; 3] {
        [self.images, self.pixels(), self.channels].map(size)
    }

    /// Images, its sides, other sides, channels.
    fn args_beside(self, [height, width]: [usize; 2]) -> [Arg; 6] {
        [self.images, self.size[0], self.size[1], height, width, self.channels].map(size)
    }
}

impl Rows {
    fn args(self) -> [Arg; 3] {
        [At(self.0), Int(self.1), Int(self.2)]
    }
}

/// Launches a kernel.
///
/// # Safety
/// The arguments are the kernel's, in order and type, and what they point to is as long as it reads.
unsafe fn launch(
    stream: &CudaStream,
    kernel: &CudaFunction,
    blocks: (u32, u32),
    threads: (u32, u32),
    args: &[Arg],
) -> Result<()> {
    let mut launch = stream.launch_builder(kernel);
    for arg in args {
        match arg {
            At(address) => launch.arg(address),
            Int(value) => launch.arg(value),
            Float(value) => launch.arg(value),
        };
    }
    let (grid_dim, block_dim) = ((blocks.0, blocks.1, 1), (threads.0, threads.1, 1));
    // SAFETY: the caller's word for kernel and arguments; no shared memory is asked for.
    unsafe { launch.launch(LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 }) }.w()?;
    Ok(())
}

impl Both {
    /// One thread for the numbers of a lane of `over`.
    ///
    /// # Safety
    /// As [`launch`].
    unsafe fn run(&self, stream: &CudaStream, over: Map, args: &[Arg]) -> Result<()> {
        let [narrow, wide] = &self.0;
        let (kernel, lane) = if over.wide() { (wide, 4) } else { (narrow, 1) };
        let blocks = (over.numbers() / lane).div_ceil(THREADS) as u32;
        // SAFETY: the caller's word; both widths of a kernel take the same arguments, the wide one where channels allow
        // it.
        unsafe { launch(stream, kernel, (blocks, 1), (THREADS as u32, 1), args) }
    }
}

impl Kernels {
    pub(super) fn new(device: &CudaDevice) -> Result<Self> {
        let load = |name: &str| gpu::kernel(device, "conv", &[TEXT], name);
        let both =
            |name: &str| -> Result<Both> { Ok(Both([load(&format!("{name}_1"))?, load(&format!("{name}_4"))?])) };
        Ok(Self {
            shift: both("shift")?,
            finish: both("finish")?,
            unfinish: both("unfinish")?,
            unshift: both("unshift")?,
            add: both("add")?,
            seed: both("seed")?,
            frame: both("frame")?,
            total: load("total")?,
            stream: device.cuda_stream(),
        })
    }

    /// `to = act(from) + bias`.
    ///
    /// # Safety
    /// Addresses of maps of this size; rows that hold the places.
    pub(super) unsafe fn shift(&self, map: Map, to: u64, from: u64, rows: Rows, bias: usize, act: Act) -> Result<()> {
        let own = [size(bias), Int(act.0), Float(act.1)];
        let args = [&[At(to), At(from)], &rows.args()[..], &own, &map.args()].concat();
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.shift.run(&self.stream, map, &args) }
    }

    /// `z = pool(gain * sums + bias + round)`, `h = act(z)`, `next = h + bias of the next block`: from a map of `from`
    /// pixels to `map`. `round` and `next` may be 0 for none, `z` may be `sums` where nothing is pooled.
    ///
    /// # Safety
    /// As [`Kernels::shift`].
    pub(super) unsafe fn finish(
        &self,
        map: Map,
        from: [usize; 2],
        [z, h, next, sums, round]: [u64; 5],
        rows: Rows,
        places: Places,
        (act, pool): (Act, bool),
    ) -> Result<()> {
        let places = [places.gain, places.bias, places.next].map(|p| Int(place(p)));
        let own = [Int(act.0), Float(act.1), Int(pool.into())];
        let args =
            [&[z, h, next, sums, round].map(At)[..], &rows.args(), &places, &own, &map.args_beside(from)].concat();
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.finish.run(&self.stream, map, &args) }
    }

    /// The way down through [`Kernels::finish`]: `plain = spread(delta * act'(z))` of `map`, `gained = gain * plain`;
    /// `to` are the sides of `delta` and `z`.
    ///
    /// # Safety
    /// As [`Kernels::shift`].
    pub(super) unsafe fn unfinish(
        &self,
        map: Map,
        to: [usize; 2],
        [plain, gained, delta, z]: [u64; 4],
        rows: Rows,
        gain: Option<usize>,
        (act, pool): (Act, bool),
    ) -> Result<()> {
        let own = [Int(place(gain)), Int(act.0), Float(act.1), Int(pool.into())];
        let args = [&[plain, gained, delta, z].map(At)[..], &rows.args(), &own, &map.args_beside(to)].concat();
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.unfinish.run(&self.stream, map, &args) }
    }

    /// `delta *= act'(z)`.
    ///
    /// # Safety
    /// As [`Kernels::shift`].
    pub(super) unsafe fn unshift(&self, map: Map, delta: u64, z: u64, act: Act) -> Result<()> {
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe {
            self.unshift.run(
                &self.stream,
                map,
                &[&[At(delta), At(z), Int(act.0), Float(act.1)], &map.args()[..]].concat(),
            )
        }
    }

    /// `to += from`.
    ///
    /// # Safety
    /// As [`Kernels::shift`].
    pub(super) unsafe fn add(&self, map: Map, to: u64, from: u64) -> Result<()> {
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.add.run(&self.stream, map, &[&[At(to), At(from)], &map.args()[..]].concat()) }
    }

    /// The head's gradient: `delta = coefficient of the image * head * rectify'(h)`.
    ///
    /// # Safety
    /// As [`Kernels::shift`]; one coefficient an image, one weight a channel.
    pub(super) unsafe fn seed(&self, map: Map, [delta, h, head, coefficients]: [u64; 4], rectify: i32) -> Result<()> {
        let args = [&[delta, h, head, coefficients].map(At)[..], &[Int(rectify)], &map.args()].concat();
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.seed.run(&self.stream, map, &args) }
    }

    /// `small` within zeros, or out of their middle: `wide` are the sides with the zeros, `at` where the small one
    /// begins.
    ///
    /// # Safety
    /// As [`Kernels::shift`].
    pub(super) unsafe fn frame(
        &self,
        small: Map,
        wide: [usize; 2],
        at: [usize; 2],
        [to, from]: [u64; 2],
        inwards: bool,
    ) -> Result<()> {
        let over = if inwards { small } else { Map { size: wide, ..small } };
        let [up, left] = at.map(size);
        let [images, height, width, wide_height, wide_width, channels] = small.args_beside(wide);
        let args =
            [At(to), At(from), Int(inwards.into()), images, height, width, wide_height, wide_width, up, left, channels];
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { self.frame.run(&self.stream, over, &args) }
    }

    /// Sums over pixels of `rectify(one)`, or of `one * other` where that is not 0, into `width` numbers an image from
    /// `place` on.
    ///
    /// # Safety
    /// As [`Kernels::shift`]; so many numbers for each image in `sums`.
    pub(super) unsafe fn total(
        &self,
        map: Map,
        [sums, one, other]: [u64; 3],
        rectify: i32,
        width: usize,
        place: usize,
    ) -> Result<()> {
        let blocks = (map.channels.div_ceil(32) as u32, map.images as u32);
        let args = [
            At(sums),
            At(one),
            At(other),
            Int(rectify),
            size(map.pixels()),
            size(map.channels),
            size(width),
            size(place),
        ];
        // SAFETY: the caller's word for the arrays; the arguments stand in the order of `kernels.cu`.
        unsafe { launch(&self.stream, &self.total, blocks, (32, 8), &args) }
    }
}
