//! Philox4x32-10 and standard normal numbers on vectors; what they are is said in [`crate::noise`].

use super::math::{ln_unit, sin_cos_turn};
use super::{Isa, Kernel, Simd};

/// Ten rounds (Salmon et al. 2011, section 4.3 and table 2), a counter a lane.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
unsafe fn philox<S: Simd>(mut c: [S::I; 4], key: u64) -> [S::I; 4] {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let (mut k0, mut k1) = (key as u32, (key >> 32) as u32);
        let mut round = 0;
        while round < 10 {
            let (a_high, a_low) = S::mul_wide(c[0], 0xd251_1f53);
            let (b_high, b_low) = S::mul_wide(c[2], 0xcd9e_8d57);
            let first = S::ixor(S::ixor(b_high, c[1]), S::isplat(k0));
            let third = S::ixor(S::ixor(a_high, c[3]), S::isplat(k1));
            c = [first, b_low, third, a_low];
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
            round += 1;
        }
        c
    }
}

/// `(bits + 0.5) / 2^32`, rounded once.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
unsafe fn open_unit<S: Simd>(bits: S::I) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let high = S::to_f32(S::shr::<16>(bits));
        let low = S::add(S::to_f32(S::iand(bits, S::isplat(0xffff))), S::splat(0.5));
        S::mul(S::mul_add(high, S::splat(65_536.0), low), S::splat(1.0 / 4_294_967_296.0))
    }
}

/// Two normals from two integers (Box and Muller 1958).
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
unsafe fn pair<S: Simd>(a: S::I, b: S::I) -> (S::F, S::F) {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let u = open_unit::<S>(a);
        // 1 - u from the complement's bits, to full precision; never 0, as in the scalar definition.
        let v = open_unit::<S>(S::ixor(a, S::isplat(u32::MAX)));
        let v = S::max(v, S::splat(f32::EPSILON / 2.0));
        let u = S::min(u, S::splat(1.0 - f32::EPSILON / 2.0));
        let radius = S::sqrt(S::mul(S::splat(-2.0), ln_unit::<S>(u, v)));
        let (sin, cos) = sin_cos_turn::<S>(b);
        (S::mul(radius, cos), S::mul(radius, sin))
    }
}

/// Four normals a lane.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
unsafe fn four<S: Simd>(counter: [S::I; 4], key: u64) -> [S::F; 4] {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let c = philox::<S>(counter, key);
        let (n0, n1) = pair::<S>(c[0], c[1]);
        let (n2, n3) = pair::<S>(c[2], c[3]);
        [n0, n1, n2, n3]
    }
}

/// Normals of one chain from number `4 block` on, a block of four a lane.
pub(crate) struct Row<'a> {
    pub(crate) key: u64,
    pub(crate) draw: u32,
    pub(crate) chain: u64,
    pub(crate) block: u32,
    pub(crate) out: &'a mut [f32],
}

impl Row<'_> {
    /// Fills the row with the instructions of an ISA of this machine.
    pub(crate) fn fill(self, isa: Isa) {
        // SAFETY: the ISA is one that the machine has; the kernel writes through its slice, whose length it knows.
        unsafe { isa.call(self) }
    }
}

impl Kernel for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's word for the instructions. `places` holds 16 integers, as many as any ISA's lanes.
        // Where `4 LANES` numbers are left in `out` they are written there, else into `rest`, which has room for 64.
        unsafe {
            // Interleaving four vectors within groups of 128 bits leaves group L of result j with the numbers of lane
            // 4 L + j: with block j * groups + L in that lane they come out in order.
            let groups = S::LANES / 4;
            let mut places = [0u32; 16];
            let mut lane = 0;
            while lane < S::LANES {
                places[lane] = ((lane % 4) * groups + lane / 4) as u32;
                lane += 1;
            }
            let offsets = S::iload(places.as_ptr());
            let (draw, low, high) =
                (S::isplat(self.draw), S::isplat(self.chain as u32), S::isplat((self.chain >> 32) as u32));
            let (n, step) = (self.out.len(), 4 * S::LANES);
            let mut i = 0;
            while i < n {
                let position = S::iadd(offsets, S::isplat(self.block + (i / 4) as u32));
                let v = four::<S>([position, draw, low, high], self.key);
                if i + step <= n {
                    S::store_quads(self.out.as_mut_ptr().add(i), v);
                } else {
                    let mut rest = [0f32; 64];
                    S::store_quads(rest.as_mut_ptr(), v);
                    let left = n - i;
                    self.out[i..].copy_from_slice(&rest[..left]);
                }
                i += step;
            }
        }
    }
}

/// Normals of consecutive chains, a chain a lane: numbers `4 block .. 4 block + 4` of each.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn of_chains<S: Simd>(key: u64, draw: u32, chain: u64, block: u32) -> [S::F; 4] {
    // SAFETY: the caller's word for the instructions; both arrays hold 16 integers, as many as any ISA's lanes.
    unsafe {
        let mut low = [0u32; 16];
        let mut high = [0u32; 16];
        let mut lane = 0;
        while lane < S::LANES {
            let c = chain.wrapping_add(lane as u64);
            low[lane] = c as u32;
            high[lane] = (c >> 32) as u32;
            lane += 1;
        }
        four::<S>([S::isplat(block), S::isplat(draw), S::iload(low.as_ptr()), S::iload(high.as_ptr())], key)
    }
}
