//! What becomes of a pixel's sums: gain, bias, activation, and where they are kept.

use super::super::activation::activate;
use super::super::layers::Nonlinearity;
use super::map::{Map, PerImage};
use crate::simd::Simd;

/// The last factor of a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    /// 1.
    Keep,
    /// The activation; its derivative goes into the map.
    Activate(Nonlinearity, Map),
    /// A number of a map.
    Times(Map),
}

/// In this order: keep the raw sum, multiply by the gain, add the bias, add a map, activate or multiply, keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    pub(super) raw: Option<Map>,
    pub(super) gain: Option<PerImage>,
    pub(super) bias: Option<PerImage>,
    pub(super) add: Option<Map>,
    pub(super) then: Then,
    pub(super) to: Option<Map>,
    /// Keeps the result plus a number an image and channel as well.
    pub(super) shifted: Option<(Map, PerImage)>,
    /// Keeps the result times a number an image and channel as well.
    pub(super) scaled: Option<(Map, PerImage)>,
}

impl Finish {
    /// Keeps nothing yet.
    pub(super) const NONE: Self =
        Self { raw: None, gain: None, bias: None, add: None, then: Then::Keep, to: None, shifted: None, scaled: None };

    /// Where the sums go, if nothing else becomes of them.
    pub(super) fn only(&self) -> Option<Map> {
        let as_it_is = self.raw.is_none() && self.gain.is_none() && self.bias.is_none() && self.add.is_none();
        let once = self.shifted.is_none() && self.scaled.is_none() && matches!(self.then, Then::Keep);
        self.to.filter(|_| as_it_is && once)
    }

    /// Finishes one block of channels of one pixel.
    ///
    /// # Safety
    /// Within a kernel. All maps and rows have the image, the block of channels and the pixel, and nobody else uses
    /// them now.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd>(&self, sum: S::F, image: usize, block: usize, y: usize, x: usize) {
        // SAFETY: the caller's word; maps and rows hold whole vectors of channels.
        unsafe {
            let channel = block * S::LANES;
            let mut v = sum;
            if let Some(raw) = &self.raw {
                S::store(raw.at(image, block, y, x), v);
            }
            match (&self.gain, &self.bias) {
                (None, None) => {}
                (None, Some(bias)) => v = S::add(v, S::load(bias.at(image, channel))),
                (Some(gain), None) => v = S::mul(v, S::load(gain.at(image, channel))),
                (Some(gain), Some(bias)) => {
                    v = S::mul_add(v, S::load(gain.at(image, channel)), S::load(bias.at(image, channel)));
                }
            }
            if let Some(add) = &self.add {
                v = S::add(v, S::load(add.at(image, block, y, x)));
            }
            match &self.then {
                Then::Keep => {}
                Then::Activate(activation, slope) => {
                    let (h, s) = activate::<S>(v, *activation);
                    S::store(slope.at(image, block, y, x), s);
                    v = h;
                }
                Then::Times(map) => v = S::mul(v, S::load(map.at(image, block, y, x))),
            }
            if let Some(to) = &self.to {
                S::store(to.at(image, block, y, x), v);
            }
            if let Some((to, rows)) = &self.shifted {
                S::store(to.at(image, block, y, x), S::add(v, S::load(rows.at(image, channel))));
            }
            if let Some((to, rows)) = &self.scaled {
                S::store(to.at(image, block, y, x), S::mul(v, S::load(rows.at(image, channel))));
            }
        }
    }
}
