//! The nearest images of a set, by pixels: whether a model has learnt its training images by heart.

use super::Images;
use ebmotion::{Error, Result};

/// An image near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its index in the set.
    pub index: usize,
    /// Euclidean distance with pixels in `[0, 1]`; at most `sqrt(C H W)`.
    pub distance: f64,
}

/// The `count` images of `among` that are nearest to each of `images`, the nearest first; of equally near ones the
/// earlier first.
///
/// # Errors
/// [`Error::Data`] for sets of different shapes, or for a `count` of 0 or beyond the set.
pub fn nearest(images: &Images, among: &Images, count: usize) -> Result<Vec<Vec<Neighbour>>> {
    if images.shape() != among.shape() {
        let expected = format!("{:?}, as of `{}`", images.shape(), images.name);
        return Err(Error::data(
            format!("shape of the images `{}`", among.name),
            format!("{:?}", among.shape()),
            expected,
        ));
    }
    if count == 0 || count > among.len() {
        return Err(Error::data("nearest images asked for", count, format!("1 to {}", among.len())));
    }
    let of = |i: usize| {
        let row = images.row(i);
        let mut all: Vec<(u64, usize)> = (0..among.len()).map(|j| (square(row, among.row(j)), j)).collect();
        all.select_nth_unstable(count - 1);
        all.truncate(count);
        all.sort_unstable();
        all.into_iter().map(|(square, index)| Neighbour { index, distance: (square as f64).sqrt() / 255.0 }).collect()
    };
    Ok((0..images.len()).map(of).collect())
}

/// Squared distance in whole levels: exact.
fn square(a: &[u8], b: &[u8]) -> u64 {
    // A block's sum stays below 2^32 (65536 squares of at most 65025), so that vectors of u32 do it.
    let block = |(a, b): (&[u8], &[u8])| {
        let sum: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum();
        u64::from(sum)
    };
    a.chunks(1 << 16).zip(b.chunks(1 << 16)).map(block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_ties_by_index() -> Result<()> {
        let among = Images::new("set", [1, 1, 2], vec![0, 0, 255, 255, 10, 0, 0, 10], None)?;
        let one = Images::new("one", [1, 1, 2], vec![0, 0], None)?;
        let near = &nearest(&one, &among, 4)?[0];
        assert_eq!(near.iter().map(|n| n.index).collect::<Vec<_>>(), [0, 2, 3, 1]);
        assert_eq!(near[0].distance, 0.0);
        assert!((near[3].distance - 2f64.sqrt()).abs() < 1e-12);
        assert!(nearest(&one, &among, 5).is_err() && nearest(&one, &among, 0).is_err());
        let large = Images::new("large", [1, 1, 1], vec![0], None)?;
        assert!(nearest(&large, &among, 1).is_err());
        Ok(())
    }

    #[test]
    fn white_against_black_does_not_overflow() -> Result<()> {
        let [white, black] = [255, 0].map(|v| Images::new("plain", [3, 256, 256], vec![v; 3 << 16], None));
        let found = nearest(&white?, &black?, 1)?[0][0].distance;
        assert!((found - f64::from(3u32 << 16).sqrt()).abs() < 1e-9);
        Ok(())
    }
}
