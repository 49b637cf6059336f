//! [`answer`]: the other side of a [`ScoringCommand`](super::ScoringCommand).

use std::io::{self, BufRead, ErrorKind, Read, Write};

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;
use tkmia_file::memory_limit;

/// Answers batches of images with their scores by a classifier until the input ends, as a
/// [`ScoringCommand`](super::ScoringCommand) asks.
///
/// # Errors
/// What isn't a batch that the classifier takes, by its number, and what can't be read or written.
///
/// # Example
///
/// ```
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let network = tkmia_models::load(path, &burn::tensor::Device::flex())?;
/// let asked = [b"2 3 32 32\n".as_slice(), &[0; 4 * 2 * 3 * 32 * 32]].concat();
/// let mut answers = Vec::new();
/// tkmia_models::answer(&*network, &mut &asked[..], &mut answers)?;
/// let lines = String::from_utf8(answers)?;
/// assert_eq!(lines.lines().map(|line| line.split(' ').count()).collect::<Vec<_>>(), [5, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer(
    classifier: &dyn Classifier,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    let device = classifier.device();
    for number in 1.. {
        let refuse = |expected: &str, found: &str| {
            let message = format!("batch {number}: expected {expected}, found {found:?}");
            io::Error::new(ErrorKind::InvalidData, message)
        };
        let mut line = String::new();
        if input.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            break;
        }
        let shape: Result<Vec<usize>, _> = line.split_whitespace().map(str::parse).collect();
        let shape = shape.ok().and_then(|shape| <[usize; 4]>::try_from(shape).ok());
        let fits = |&[images, channels, height, width]: &[usize; 4]| {
            let [tall, wide] = classifier.input_size().unwrap_or([height, width]);
            images > 0 && [channels, height, width] == [3, tall, wide] && height * width > 0
        };
        let Some(shape) = shape.filter(fits) else {
            let size = classifier.input_size();
            let size = size.map_or("height width".to_owned(), |[h, w]| format!("{h} {w}"));
            return Err(refuse(&format!("a line `images 3 {size}`"), line.trim_end()));
        };
        let elements = shape.iter().try_fold(1_usize, |all, &axis| all.checked_mul(axis));
        let bytes = elements.and_then(|elements| elements.checked_mul(size_of::<f32>()));
        let Some(bytes) = bytes.filter(|&bytes| bytes as u64 <= memory_limit()) else {
            return Err(refuse("a batch within TKMIA_MAX_MEMORY", line.trim_end()));
        };
        let mut values = vec![0; bytes];
        input.read_exact(&mut values)?;
        let values = values.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value));
        let images = TensorData::new(values.collect::<Vec<_>>(), shape);
        let scores = classifier.scores(Tensor::from_data(images, &device));
        classifier.check().map_err(io::Error::other)?;
        let scores = scores.try_to_vec_as::<f32>().expect("float tensors convert to f32");
        for scores in scores.chunks_exact(classifier.classes()) {
            let scores: Vec<String> = scores.iter().map(f32::to_string).collect();
            writeln!(output, "{}", scores.join(" "))?;
        }
        output.flush()?;
    }
    Ok(())
}

/// Bytes of a shape at most.
const LONGEST_LINE: u64 = 100;
