//! Energy distances between segments of velocity, and what they are on resamples of episodes.

/// Segments of velocity, each of an episode.
#[derive(Default)]
pub struct Segments {
    pub points: Vec<Vec<f32>>,
    pub unit: Vec<usize>,
}

/// Sums of distances between two samples, by pairs of episodes.
fn sums(a: &Segments, b: &Segments, units: usize) -> Vec<f64> {
    let mut sums = vec![0.0; units * units];
    for (x, i) in a.points.iter().zip(&a.unit) {
        for (y, j) in b.points.iter().zip(&b.unit) {
            let square: f32 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
            sums[i * units + j] += f64::from(square.sqrt());
        }
    }
    sums
}

/// What energy distances of one model are made of: real with each way, each with itself, and segments an episode.
pub struct Distances {
    across: Vec<Vec<f64>>,
    own: Vec<Vec<f64>>,
    real: Vec<f64>,
    counts: Vec<f64>,
    /// Episodes.
    pub units: usize,
}

impl Distances {
    pub fn of(real: &Segments, ways: &[&Segments]) -> Self {
        let units = real.unit.iter().max().map_or(1, |u| u + 1);
        let mut counts = vec![0.0; units];
        real.unit.iter().for_each(|u| counts[*u] += 1.0);
        let across = ways.iter().map(|way| sums(real, way, units)).collect();
        let own = ways.iter().map(|way| sums(way, way, units)).collect();
        Self { across, own, real: sums(real, real, units), counts, units }
    }

    /// `2 E|X-Y| - E|X-X'| - E|Y-Y'|` of a way, with each episode's segments counted as often as its weight says.
    pub fn distance(&self, way: usize, weights: &[f64]) -> f64 {
        let n: f64 = self.counts.iter().zip(weights).map(|(c, w)| c * w).sum();
        let mean = |sums: &[f64]| {
            let of = |(i, sum): (usize, &f64)| sum * weights[i / self.units] * weights[i % self.units];
            sums.iter().enumerate().map(of).sum::<f64>() / (n * n)
        };
        2.0 * mean(&self.across[way]) - mean(&self.own[way]) - mean(&self.real)
    }
}
