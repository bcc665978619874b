//! The cheapest pairing of two sets of equal size.

/// For each row of a square cost matrix (row-major, finite) its column, such that the sum of the chosen costs is least:
/// the Hungarian method by shortest augmenting paths, cubic in the size (Jonker & Volgenant 1987, Computing 38).
pub(super) fn cheapest(costs: &[f64], n: usize) -> Vec<usize> {
    // Columns are counted from 1; column 0 stands for the row that is being placed.
    let (mut row_price, mut column_price) = (vec![0.0; n], vec![0.0; n + 1]);
    let mut row_of: Vec<Option<usize>> = vec![None; n + 1];
    for new in 0..n {
        row_of[0] = Some(new);
        let (mut least, mut before, mut seen) = (vec![f64::INFINITY; n + 1], vec![0; n + 1], vec![false; n + 1]);
        let mut column = 0;
        while let Some(row) = row_of[column] {
            seen[column] = true;
            let (mut step, mut next) = (f64::INFINITY, column);
            for j in (1..=n).filter(|j| !seen[*j]) {
                let reduced = costs[row * n + j - 1] - row_price[row] - column_price[j];
                if reduced < least[j] {
                    (least[j], before[j]) = (reduced, column);
                }
                if least[j] < step {
                    (step, next) = (least[j], j);
                }
            }
            if next == column {
                break; // only where a cost is not a number
            }
            for j in 0..=n {
                match (seen[j], row_of[j]) {
                    (true, Some(row)) => {
                        row_price[row] += step;
                        column_price[j] -= step;
                    }
                    _ => least[j] -= step,
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut columns = vec![0; n];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        if let Some(row) = row {
            columns[*row] = column - 1;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use ebmotion::noise::Noise;

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        match n {
            0 => vec![vec![]],
            _ => permutations(n - 1)
                .into_iter()
                .flat_map(|p| {
                    (0..n).map(move |at| {
                        let mut p = p.clone();
                        p.insert(at, n - 1);
                        p
                    })
                })
                .collect(),
        }
    }

    #[test]
    fn no_permutation_is_cheaper() {
        let mut noise = Noise::new(1);
        for n in [1, 2, 3, 5, 6] {
            for _ in 0..20 {
                let costs = noise.normal((n, n), DType::F64, &Device::Cpu).unwrap().flatten_all().unwrap();
                let costs = costs.to_vec1::<f64>().unwrap();
                let cost = |p: &[usize]| p.iter().enumerate().map(|(i, j)| costs[i * n + j]).sum::<f64>();
                let found = cheapest(&costs, n);
                let mut sorted = found.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                let best = permutations(n).iter().map(|p| cost(p)).fold(f64::INFINITY, f64::min);
                assert!((cost(&found) - best).abs() < 1e-12, "{n}: {} above {best}", cost(&found));
            }
        }
    }

    /// On a line the cheapest pairing by squared distance keeps the order.
    #[test]
    fn points_of_a_line_are_paired_in_order() {
        let n = 150;
        let draw = |seed| {
            let x = Noise::new(seed).normal(n, DType::F64, &Device::Cpu).unwrap();
            x.to_vec1::<f64>().unwrap()
        };
        let (a, b) = (draw(2), draw(3));
        let costs: Vec<f64> = a.iter().flat_map(|x| b.iter().map(move |y| (x - y).powi(2))).collect();
        let pairs = cheapest(&costs, n);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|i, j| a[*i].total_cmp(&a[*j]));
        assert!(order.windows(2).all(|w| b[pairs[w[0]]] <= b[pairs[w[1]]]));
    }
}
