//! Images of a folder in batches, decoded by several threads.

use super::Split;
use super::image_decoder::ImageDecoder;
use crate::error::{Error, Result};
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use crate::runtime::seed;
use ndarray::Array4;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

/// The files of a folder, with their labels.
#[derive(Debug)]
pub(super) struct LabeledFiles {
    pub(super) name: String,
    pub(super) class_names: Vec<String>,
    pub(super) files: Vec<(PathBuf, usize)>,
}

/// An image's label and its pixels.
type LabeledPixels = (usize, Vec<u8>);

/// Images of a folder, in batches; made by [`ImageFolder::stream`](super::ImageFolder::stream).
///
/// ```no_run
/// use tchalk::prelude::*;
/// let stream = ImageFolder::new("photos").size([128, 128]).stream(64)?.shuffle();
/// while let Some(batch) = stream.next_batch()? {
///     let tensors = batch.to_tensors(Device::cuda_if_available()); // f32 [64, 3, 128, 128]
/// }
/// # Ok::<(), tchalk::Error>(())
/// ```
pub struct ImageStream {
    name: String,
    class_names: Vec<String>,
    files: Vec<(PathBuf, usize)>,
    decoder: ImageDecoder,
    batch: usize,
    state: Mutex<StreamState>,
}

#[derive(Default)]
struct StreamState {
    /// One receiver for each thread. Image `i` comes from thread `i % threads`, which keeps the order.
    threads: Vec<Receiver<Result<LabeledPixels>>>,
    /// How many images were received.
    taken: usize,
    /// The images of an incomplete batch, after an interrupt.
    waiting: Vec<LabeledPixels>,
}

impl ImageStream {
    pub(super) fn new(files: LabeledFiles, decoder: ImageDecoder, batch: usize) -> ImageStream {
        let LabeledFiles { name, class_names, files } = files;
        ImageStream { name, class_names, files, decoder, batch, state: Mutex::default() }
    }

    /// The same images from the start, in random order.
    pub fn shuffle(mut self) -> ImageStream {
        seed::shuffle(&mut self.files, &mut seed::rng("stream"));
        self.state = Mutex::default();
        self
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The number of batches; the last one may be smaller.
    pub fn batches(&self) -> usize {
        self.files.len().div_ceil(self.batch)
    }

    /// The names of the classes.
    pub fn class_names(&self) -> Vec<String> {
        self.class_names.clone()
    }

    /// The next batch; `None` after the last one.
    ///
    /// # Errors
    ///
    /// If a file is no image: the message names it, and the next call continues after it. After an
    /// interrupt: the next call continues where this one stopped.
    pub fn next_batch(&self) -> Result<Option<Split>> {
        let Some(images) = self.next_pixels()? else { return Ok(None) };
        let [height, width] = self.decoder.size;
        let (labels, pixels): (Vec<usize>, Vec<Vec<u8>>) = images.into_iter().unzip();
        let images = Array4::from_shape_vec((labels.len(), height, width, 3), pixels.concat())
            .expect("every image has the same size");
        Split::new(self.name.clone(), images, labels, self.class_names.clone()).map(Some)
    }

    /// Labels and pixels of the next batch.
    pub(super) fn next_pixels(&self) -> Result<Option<Vec<LabeledPixels>>> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.threads.is_empty() {
            state.threads = self.start();
        }
        while state.waiting.len() < self.batch && state.taken < self.files.len() {
            let image = self.next_image(&state)?;
            state.taken += 1;
            let image = image?;
            state.waiting.push(image);
        }
        let batch = std::mem::take(&mut state.waiting);
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// The next image, or the error of decoding it.
    fn next_image(&self, state: &StreamState) -> Result<Result<LabeledPixels>> {
        let thread = &state.threads[state.taken % state.threads.len()];
        loop {
            interrupt::check(&format!("reading {}", self.name))?;
            match thread.recv_timeout(POLL_INTERVAL) {
                Ok(image) => return Ok(image),
                Err(RecvTimeoutError::Disconnected) => {
                    // A thread ends early only if decoding panicked.
                    let path = &self.files[state.taken].0;
                    return Ok(Err(Error::bad_file(path, "reading it failed", "Remove the file.")));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Starts the threads. The channel of each holds its share of two batches.
    fn start(&self) -> Vec<Receiver<Result<LabeledPixels>>> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(16);
        let threads = threads.min(self.files.len()).max(1);
        let room = (2 * self.batch).div_ceil(threads);
        (0..threads)
            .map(|thread| {
                let (sender, receiver) = sync_channel(room);
                let files: Vec<_> =
                    self.files.iter().skip(thread).step_by(threads).cloned().collect();
                let decoder = self.decoder.clone();
                std::thread::spawn(move || {
                    for (path, label) in files {
                        let image = decoder.decode_file(&path).map(|pixels| (label, pixels));
                        if sender.send(image).is_err() {
                            return; // The stream is gone.
                        }
                    }
                });
                receiver
            })
            .collect()
    }
}

impl std::fmt::Debug for ImageStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [height, width] = self.decoder.size;
        let (n, batches, size) = (self.len(), self.batches(), self.batch);
        write!(
            f,
            "{}: {n} images of {height} × {width} × 3 in {batches} batches of {size}, from files",
            self.name
        )
    }
}
