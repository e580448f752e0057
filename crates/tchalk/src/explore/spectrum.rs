//! The eigenvectors of the covariance matrix: the solver behind PCA.
//!
//! With the rows centered into `X [n, d]`, the principal components are the eigenvectors of `XᵀX`,
//! and the variances its eigenvalues over `n - 1`. Where `n` or `d` is small, that matrix (or `XXᵀ`,
//! which has the same eigenvalues) is computed and solved exactly. Otherwise a block Krylov method
//! finds the largest eigenvalues: a block of random directions is multiplied by `XᵀX` repeatedly,
//! each product is made orthogonal to all earlier ones, and the problem is solved within the space
//! that they span (Musco and Musco, *Randomized Block Krylov Methods*, 2015). The data is read a few
//! times, chunk by chunk, as bytes; sums over all rows are kept in `f64`.

use super::observations::Rows;
use crate::error::{Error, Result};
use crate::runtime::progress::Progress;
use crate::runtime::{interrupt, seed};
use tch::{Kind, Tensor, no_grad};

/// Up to this many rows or columns, the matrix is solved exactly.
const MAX_EXACT: usize = 1024;
/// How often a block of directions is multiplied by `XᵀX`.
const PASSES: usize = 7;
/// How many more directions than requested are computed.
const OVERSAMPLING: usize = 8;

/// How many components to find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ComponentCount {
    Number(usize),
    /// As many as keep this fraction of the variance.
    Variance(f64),
}

/// Principal components, those with the largest variance first.
pub(super) struct Spectrum {
    /// `f32 [d]`, scaled.
    pub(super) mean: Tensor,
    /// `f32 [k, d]`, rows of length 1; the entry that is largest in size is positive.
    pub(super) components: Tensor,
    /// The variance along each, `n - 1` in the denominator.
    pub(super) variances: Vec<f64>,
    /// The variance of all the data.
    pub(super) total: f64,
}

/// The first principal components of `rows`.
pub(super) fn leading_components(
    rows: &Rows,
    wanted: ComponentCount,
    op: &str,
) -> Result<Spectrum> {
    let (n, d) = (rows.len(), rows.width());
    no_grad(|| {
        let problem = EigenProblem::new(rows, op)?;
        let most = n.min(d);
        let (components, mut eigenvalues) = match wanted {
            _ if most <= MAX_EXACT => problem.solve_exactly(wanted)?,
            ComponentCount::Number(k) if k > most / 4 => problem.solve_exactly(wanted)?,
            ComponentCount::Number(k) => problem.block_krylov(k)?,
            ComponentCount::Variance(fraction) => problem.krylov_for_variance(fraction)?,
        };
        eigenvalues.truncate(components.size()[0] as usize);
        eigenvalues.iter_mut().for_each(|value| *value = value.max(0.0));
        let denominator = (n - 1) as f64 / (rows.scale * rows.scale);
        let (_, at) = components.abs().max_dim(1, true);
        let components = &components * components.gather(1, &at, false).sign();
        Ok(Spectrum {
            mean: (&problem.mean * rows.scale).to_kind(Kind::Float),
            components: components.to_kind(Kind::Float).contiguous(),
            variances: eigenvalues.into_iter().map(|value| value / denominator).collect(),
            total: problem.total / denominator,
        })
    })
}

struct EigenProblem<'a> {
    rows: &'a Rows,
    op: &'a str,
    /// `f64 [d]`, before scaling.
    mean: Tensor,
    mean_f32: Tensor,
    /// The squared length of all centered rows together: the sum of all eigenvalues.
    total: f64,
}

/// Directions as rows, and eigenvalues of `XᵀX`.
type Pairs = (Tensor, Vec<f64>);

impl<'a> EigenProblem<'a> {
    fn new(rows: &'a Rows, op: &'a str) -> Result<EigenProblem<'a>> {
        let options = (Kind::Double, rows.matrix.device());
        // Taken from near the mean, so that the sum of squares has nothing large to take away. Whole
        // numbers: sums of bytes stay exact in f32; other numbers are added up in f64.
        let (start, count) = rows.chunks()[0];
        let first = rows.chunk(start, count);
        let near = first.mean_dim([0i64].as_slice(), false, Kind::Float).round();
        let bytes = rows.matrix.kind() == Kind::Uint8;
        let kind = if bytes { Kind::Float } else { Kind::Double };
        let mut sum = Tensor::zeros([rows.width() as i64], options);
        let mut squares = Tensor::zeros([1], options);
        each_chunk(rows, op, &near, |chunk| {
            sum += chunk.sum_dim_intlist([0i64].as_slice(), false, kind);
            let lengths = chunk.norm_scalaropt_dim(2.0, [1i64].as_slice(), false);
            squares += lengths.to_kind(Kind::Double).square().sum(Kind::Double);
        })?;
        let n = rows.len() as f64;
        let offset = sum / n;
        let mean = &offset + &near;
        let total = (squares - offset.square().sum(Kind::Double) * n).double_value(&[0]);
        if !total.is_finite() {
            let hint = "Look for values that are not numbers, or infinite.";
            return Err(Error::invalid(op, "finite numbers", total.to_string(), hint));
        }
        let mean_f32 = mean.to_kind(Kind::Float);
        Ok(EigenProblem { rows, op, mean, mean_f32, total: total.max(0.0) })
    }

    /// Calls `with` for the centered rows, chunk by chunk. Every chunk lies in the same memory.
    fn each_chunk(&self, with: impl FnMut(Tensor)) -> Result<()> {
        each_chunk(self.rows, self.op, &self.mean_f32, with)
    }

    /// `XᵀX` times `directions [d, k]`, as `f64 [d, k]`.
    fn multiply(&self, directions: &Tensor, mut tick: impl FnMut()) -> Result<Tensor> {
        let mut product = Tensor::zeros(directions.size(), (Kind::Double, directions.device()));
        let directions = directions.to_kind(Kind::Float);
        self.each_chunk(|chunk| {
            product += chunk.tr().matmul(&chunk.matmul(&directions)).to_kind(Kind::Double);
            tick();
        })?;
        Ok(product)
    }

    /// Everything, from the smaller of `XᵀX` and `XXᵀ`.
    fn solve_exactly(&self, wanted: ComponentCount) -> Result<Pairs> {
        let (n, d) = (self.rows.len(), self.rows.width());
        let options = (Kind::Double, self.rows.matrix.device());
        if d <= n {
            let mut covariance = Tensor::zeros([d as i64, d as i64], options);
            // Small products in f32, the long sum in f64; where there are few columns, all in f64.
            self.each_chunk(|chunk| {
                let chunk = if d <= 128 { chunk.to_kind(Kind::Double) } else { chunk };
                for few in chunk.split(1024, 0) {
                    covariance += few.tr().matmul(&few).to_kind(Kind::Double);
                }
            })?;
            let (values, vectors) = eigh_descending(&covariance)?;
            let k = self.count(wanted, &values, d);
            return Ok((vectors.narrow(1, 0, k as i64).tr(), values[..k].to_vec()));
        }
        let mut chunks = Vec::new();
        self.each_chunk(|chunk| chunks.push(chunk.copy()))?;
        let x = Tensor::cat(&chunks, 0).to_kind(Kind::Double);
        drop(chunks);
        let (values, vectors) = eigh_descending(&x.matmul(&x.tr()))?;
        let k = self.count(wanted, &values, n);
        // Directions without variance are arbitrary; QR makes them unit vectors all the same.
        let directions = x.tr().matmul(&vectors.narrow(1, 0, k as i64));
        Ok((Tensor::linalg_qr(&directions, "reduced").0.tr(), values[..k].to_vec()))
    }

    fn count(&self, wanted: ComponentCount, values: &[f64], most: usize) -> usize {
        match wanted {
            ComponentCount::Number(k) => k.min(most),
            ComponentCount::Variance(fraction) => {
                components_for_variance(values, fraction * self.total)
                    .unwrap_or(values.len())
                    .min(most)
            }
        }
    }

    /// The first `k` directions by the block Krylov method, with their eigenvalues and, from below,
    /// estimates of many more eigenvalues.
    fn block_krylov(&self, k: usize) -> Result<Pairs> {
        let (n, d) = (self.rows.len(), self.rows.width());
        let width = (k + OVERSAMPLING).min(n.min(d) / PASSES);
        let chunks = self.rows.chunks().len();
        let mut progress = Progress::of(self.op, "chunks", chunks * PASSES);
        let mut done = 0;
        let mut block = orthonormal(&self.random(d, width));
        let (mut basis, mut products) = (Vec::new(), Vec::new());
        for _ in 0..PASSES {
            let product = self.multiply(&block, || {
                done += 1;
                progress.done(done);
            })?;
            basis.push(block);
            block = orthonormal_outside(&Tensor::cat(&basis, 1), &product);
            products.push(product);
        }
        // The eigenvectors of `XᵀX` within the space of all blocks (Rayleigh and Ritz).
        let basis = Tensor::cat(&basis, 1);
        let inside = basis.tr().matmul(&Tensor::cat(&products, 1));
        let (values, vectors) = eigh_descending(&((&inside + inside.tr()) * 0.5))?;
        let components = basis.matmul(&vectors.narrow(1, 0, k as i64)).tr();
        Ok((components, values))
    }

    /// As many as keep `fraction` of the variance.
    fn krylov_for_variance(&self, fraction: f64) -> Result<Pairs> {
        let most = self.rows.len().min(self.rows.width());
        let sum = fraction * self.total;
        let mut k = 64;
        while k <= most / 4 {
            let (components, values) = self.block_krylov(k)?;
            // The eigenvalues after the first `k` are estimates from below: so many are enough.
            k = match components_for_variance(&values, sum) {
                Some(count) if count <= k => {
                    return Ok((components.narrow(0, 0, count as i64), values));
                }
                Some(count) => count,
                None => 4 * k,
            };
        }
        self.solve_exactly(ComponentCount::Variance(fraction))
    }

    fn random(&self, rows: usize, columns: usize) -> Tensor {
        let mut rng = seed::rng("pca");
        let numbers: Vec<f32> = (0..rows * columns).map(|_| seed::unit(&mut rng) - 0.5).collect();
        Tensor::from_slice(&numbers)
            .view([rows as i64, columns as i64])
            .to_device(self.rows.matrix.device())
            .to_kind(Kind::Double)
    }
}

/// Calls `with` for the rows less `from`, chunk by chunk, all in the same memory: to ask for new memory
/// each time takes longer than to fill it.
fn each_chunk(rows: &Rows, op: &str, from: &Tensor, mut with: impl FnMut(Tensor)) -> Result<()> {
    let chunks = rows.chunks();
    let most = chunks.iter().map(|&(_, count)| count).max().unwrap_or(0) as i64;
    let buffer = Tensor::empty([most, rows.width() as i64], (Kind::Float, rows.matrix.device()));
    for (start, count) in chunks {
        interrupt::check(op)?;
        let mut chunk = buffer.narrow(0, 0, count as i64);
        chunk.copy_(&rows.matrix.narrow(0, start as i64, count as i64));
        with(chunk.subtract_(from));
    }
    Ok(())
}

/// How many of the values, from the first on, are needed to reach `sum`.
fn components_for_variance(values: &[f64], sum: f64) -> Option<usize> {
    let mut reached = 0.0;
    values
        .iter()
        .position(|value| {
            reached += value;
            reached >= sum
        })
        .map(|at| at + 1)
}

/// The eigenvalues of a symmetric matrix, largest first, and the eigenvectors as columns.
fn eigh_descending(matrix: &Tensor) -> Result<(Vec<f64>, Tensor)> {
    let (values, vectors) = matrix.f_linalg_eigh("L")?;
    let values = Vec::<f64>::try_from(values.flip([0]).to_device(tch::Device::Cpu))?;
    Ok((values, vectors.flip([1])))
}

/// An orthonormal basis of what the columns span.
fn orthonormal(columns: &Tensor) -> Tensor {
    Tensor::linalg_qr(columns, "reduced").0
}

/// The same, of what is left of the columns outside an orthonormal `basis`. Twice is enough.
fn orthonormal_outside(basis: &Tensor, columns: &Tensor) -> Tensor {
    let once = columns - basis.matmul(&basis.tr().matmul(columns));
    let once = orthonormal(&once);
    orthonormal(&(&once - basis.matmul(&basis.tr().matmul(&once))))
}
