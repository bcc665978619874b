//! CIFAR's binary records: a label (CIFAR-100: coarse, then fine), then 32 x 32 bytes of red, of green, of blue.
//! Described on <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::input::Input;
use crate::image::Images;
use ebmotion::Result;

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// Tells CIFAR-10 and CIFAR-100 apart by the length.
pub(super) fn parse(input: &Input) -> Result<Images> {
    let length = input.bytes.len();
    let (label_bytes, classes) = match () {
        () if length == 0 => return Err(input.error("an empty file", "records of 3073 or 3074 bytes")),
        () if length.is_multiple_of(PIXELS + 1) => (1, 10),
        () if length.is_multiple_of(PIXELS + 2) => (2, 100),
        () => {
            let expected = "a multiple of 3073 (CIFAR-10) or of 3074 (CIFAR-100)";
            return Err(input.error(format!("{length} bytes"), expected));
        }
    };
    let record = PIXELS + label_bytes;
    let mut pixels = Vec::with_capacity(length / record * PIXELS);
    let mut labels = Vec::with_capacity(length / record);
    for (i, bytes) in input.bytes.chunks_exact(record).enumerate() {
        let (label, image) = bytes.split_at(label_bytes);
        let label = label[label_bytes - 1];
        if label >= classes {
            let place = format!("record {i}, byte {}", i * record + label_bytes - 1);
            return Err(input.error(format!("label {label}"), format!("a label below {classes}")).at(place));
        }
        labels.push(u32::from(label));
        pixels.extend_from_slice(image);
    }
    input.images(SHAPE, pixels, Some(labels))
}
