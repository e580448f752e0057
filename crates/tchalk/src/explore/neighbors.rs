//! Who is nearest to whom, by straight distance.

use super::observations::Rows;
use crate::error::Result;
use crate::runtime::interrupt;
use tch::{Device, Kind, Tensor, no_grad};

/// The nearest rows of each row, itself left out.
pub(super) struct Neighbors {
    pub(super) count: usize,
    /// `each` numbers of rows for each row, the nearest first.
    pub(super) indices: Vec<i64>,
    /// The squared distances to them.
    pub(super) squared_distances: Vec<f32>,
}

/// The `each` nearest of all rows, found by comparing all with all, on the rows' device.
pub(super) fn nearest(rows: &Rows, each: usize, op: &str) -> Result<Neighbors> {
    let (n, each) = (rows.len(), each.min(rows.len() - 1));
    no_grad(|| {
        let all = rows.chunk(0, n) * rows.scale;
        // Distances come from products, which are most exact around zero.
        let all = &all - all.mean_dim([0i64].as_slice(), true, Kind::Float);
        let lengths = all.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        let (mut indices, mut squares) = (Vec::new(), Vec::new());
        let count = ((1 << 24) / n).clamp(1, n);
        for start in (0..n).step_by(count) {
            interrupt::check(op)?;
            let (start, count) = (start as i64, count.min(n - start) as i64);
            let some = all.narrow(0, start, count);
            let mut distances = some.matmul(&all.tr()) * -2.0
                + &lengths
                + lengths.narrow(0, start, count).unsqueeze(1);
            let own = Tensor::arange_start(start, start + count, (Kind::Int64, all.device()));
            let _ = distances.scatter_value_(1, &own.unsqueeze(1), f64::INFINITY);
            let (least, at) = distances.topk(each as i64, 1, false, true);
            squares.push(least.clamp_min(0.0).to_device(Device::Cpu));
            indices.push(at.to_device(Device::Cpu));
        }
        Ok(Neighbors {
            count: each,
            indices: Vec::try_from(Tensor::cat(&indices, 0).view(-1))?,
            squared_distances: Vec::try_from(Tensor::cat(&squares, 0).view(-1))?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Observations;
    use ndarray::array;

    #[test]
    fn the_nearest_come_first_and_nobody_is_its_own() {
        let rows = array![[0.0f32, 0.0], [1.0, 0.0], [0.0, 3.0], [-0.5, 0.0]].rows_of_numbers();
        let found = nearest(&rows, 2, "test").unwrap();
        assert_eq!(found.indices, [3, 1, 0, 3, 0, 3, 0, 1]);
        for (got, expected) in
            found.squared_distances.iter().zip([0.25, 1.0, 1.0, 2.25, 9.0, 9.25, 0.25, 2.25])
        {
            assert!((got - expected).abs() < 1e-5, "{:?}", found.squared_distances);
        }
    }

    trait RowsOfNumbers {
        fn rows_of_numbers(&self) -> Rows;
    }

    impl<T: Observations> RowsOfNumbers for T {
        fn rows_of_numbers(&self) -> Rows {
            self.to_rows().unwrap()
        }
    }
}
