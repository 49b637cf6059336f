//! [`ScoringCommand`]: a network that only another program can compute, by its scores alone.

mod answer;
mod child;

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_core::{Bounds, Classifier, CoreError, PassMemory, Tagger};

use crate::ModelError;
use crate::adapted::Adapted;
use crate::load::{Holding, Loaded};
pub use answer::answer;
use child::Child;

/// A program that is started once, and is given batches of images and answers with their scores until its standard input ends.
///
/// A batch is a line with its shape, `8 3 64 64`, and after it so many little-endian `f32`, row-major: values in the range that
/// is said, or 0..1. The answer is a line for each image: its scores, with blanks between them. Scores may be probabilities,
/// since ranks are the same. Standard error is the program's own. Each worker has a process of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoringCommand {
    /// The program and its arguments; no shell reads them.
    pub words: Vec<String>,
    /// How long an answer may take, the first one after the program's start included.
    pub answer_within: Duration,
}

impl ScoringCommand {
    /// Five minutes: a framework and a network are loaded in the first.
    pub const ANSWER_WITHIN: Duration = Duration::from_secs(300);

    /// With the usual time for answers.
    pub fn new(words: Vec<String>) -> Self {
        Self { words, answer_within: Self::ANSWER_WITHIN }
    }

    /// Starts it, and has it score a grey image: so many scores each image has.
    ///
    /// # Errors
    /// [`ModelError::Command`] if it doesn't answer as it should; [`ModelError::Tagger`] without a size of the images, and for
    /// what is said of a file; [`ModelError::LabelNames`].
    pub fn load(&self, given: &Tagger, device: &Device) -> Result<Loaded, ModelError> {
        given.check()?;
        let Some(side) = given.input_size else {
            let expected = "the side of the images, which no file says".to_owned();
            let found = "none".to_owned();
            return Err(CoreError::Tagger { field: "input-size", expected, found }.into());
        };
        let of_files = [
            ("layout", given.layout.is_some()),
            ("scores-output", given.scores_output.is_some()),
            ("keep-sigmoid", given.keep_sigmoid.is_some()),
        ];
        if let Some((field, _)) = of_files.into_iter().find(|(_, said)| *said) {
            let (expected, found) = ("a file of a network".to_owned(), self.to_string());
            return Err(CoreError::Tagger { field, expected, found }.into());
        }
        let bounds = given.range.unwrap_or(Bounds::UNIT);
        let mut scorer = Scorer {
            command: self.clone(),
            classes: None,
            bounds,
            size: [side as usize; 2],
            device: device.clone(),
            idle: Mutex::default(),
            failed: OnceLock::new(),
        };
        let [height, width] = scorer.size;
        let grey = Tensor::full([1, 3, height, width], (bounds.low + bounds.high) / 2.0, device);
        let scores = scorer.asked(&given.seen(grey))?;
        if let Some(found) = given.labels.as_ref().map(Vec::len)
            && found != scores.len()
        {
            return Err(ModelError::LabelNames { expected: scores.len(), found });
        }
        scorer.classes = Some(scores.len());
        let tagger = Tagger { range: Some(bounds), ..given.clone() };
        let network = Adapted { network: Box::new(scorer), tagger: tagger.clone(), notes: vec![] };
        Ok(Loaded { classifier: Box::new(network), holding: Holding::Command, tagger })
    }
}

/// Words as a shell reads them.
impl FromStr for ScoringCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Self::new(words)),
            Some(_) => Err("expected a program, found nothing".to_owned()),
            None => Err("expected quotes that are closed".to_owned()),
        }
    }
}

/// Words as a shell reads them.
impl fmt::Display for ScoringCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| {
            shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |word| word.into_owned())
        });
        write!(f, "{}", words.collect::<Vec<_>>().join(" "))
    }
}

/// A command doesn't answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("`{command}`: {fault}")]
pub struct CommandError {
    /// The command.
    pub command: ScoringCommand,
    /// What was expected and found.
    #[source]
    pub fault: Fault,
}

/// What can be wrong with what a command answers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It can't be started, or its answer can't be read.
    #[error("{0}")]
    Stream(#[from] io::Error),
    /// It took too long.
    #[error("expected an answer within {seconds} s, found scores of {found} of {of} images")]
    Late {
        /// How long it had.
        seconds: f64,
        /// Images that it scored.
        found: usize,
        /// Images that it was given.
        of: usize,
    },
    /// It ended, or closed its standard output.
    #[error(
        "expected scores of {of} images, found those of {found} when it ended ({})",
        status.as_ref().map_or_else(ToString::to_string, ToString::to_string)
    )]
    Ended {
        /// How.
        status: io::Result<ExitStatus>,
        /// Images that it scored.
        found: usize,
        /// Images that it was given.
        of: usize,
    },
    /// It wrote something else than scores.
    #[error(
        "expected the scores of an image, numbers with blanks between them, found {line:?} (what isn't scores goes to the standard error)"
    )]
    NoScores {
        /// The line.
        line: String,
    },
    /// It wrote more than was asked for.
    #[error("expected a line for each image and no more, found {line:?} too")]
    Unasked {
        /// The line.
        line: String,
    },
    /// It gave another number of scores than before.
    #[error("expected {expected} scores of each image, as of the first, found {found}")]
    Count {
        /// How many it gave first.
        expected: usize,
        /// How many it gave.
        found: usize,
    },
    /// It gave something that can't be ranked.
    #[error("expected finite scores, found {found} for label {label}")]
    NonFinite {
        /// The label.
        label: usize,
        /// The score.
        found: f32,
    },
}

/// What a command scores. The first failure is the last: scores are NaN from then on.
#[derive(Debug)]
struct Scorer {
    command: ScoringCommand,
    /// Known since the first answer.
    classes: Option<usize>,
    bounds: Bounds,
    size: [usize; 2],
    device: Device,
    /// One for each pass that was ever under way beside others.
    idle: Mutex<Vec<Child>>,
    failed: OnceLock<Arc<CommandError>>,
}

impl Scorer {
    /// The scores of images, one image's after the other's.
    fn asked(&self, images: &Tensor<4>) -> Result<Vec<f32>, CommandError> {
        let shape = images.dims();
        let values = images.clone().try_to_vec_as::<f32>().expect("float tensors convert to f32");
        let mut question = shape.map(|axis| axis.to_string()).join(" ").into_bytes();
        question.push(b'\n');
        question.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let ask = || {
            let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = idle().pop();
            let mut child = waiting.map_or_else(|| Child::start(&self.command.words), Ok)?;
            let lines = child.ask(question, shape[0], self.command.answer_within)?;
            idle().push(child);
            let rows = lines.iter().map(|line| scores_of(line, self.classes));
            Ok(rows.collect::<Result<Vec<_>, Fault>>()?.concat())
        };
        ask().map_err(|fault| CommandError { command: self.command.clone(), fault })
    }
}

/// The scores in a line.
fn scores_of(line: &str, classes: Option<usize>) -> Result<Vec<f32>, Fault> {
    /// Characters of a line that say enough.
    const SHOWN: usize = 60;
    let scores: Result<Vec<f32>, _> = line.split_whitespace().map(str::parse).collect();
    let Some(scores) = scores.ok().filter(|scores| !scores.is_empty()) else {
        return Err(Fault::NoScores { line: line.chars().take(SHOWN).collect() });
    };
    if let Some(expected) = classes
        && expected != scores.len()
    {
        return Err(Fault::Count { expected, found: scores.len() });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(label) => Err(Fault::NonFinite { label, found: scores[label] }),
        None => Ok(scores),
    }
}

impl Classifier for Scorer {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let shape = [images.dims()[0], self.classes()];
        let asked = match self.failed.get() {
            Some(_) => None,
            None => self.asked(&images).map_err(|error| self.failed.set(Arc::new(error))).ok(),
        };
        let scores = asked.unwrap_or_else(|| vec![f32::NAN; shape[0] * shape[1]]);
        Tensor::from_data(TensorData::new(scores, shape), &images.device())
    }

    fn classes(&self) -> usize {
        self.classes.unwrap_or_default()
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some(self.size)
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        PassMemory { weights: 0, worker: 0, image: PassMemory::attacked_image(size) }
    }

    fn has_gradients(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), CoreError> {
        match self.failed.get() {
            Some(error) => Err(CoreError::Victim(error.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// Reads a batch.
    const READ: &str = "read n c h w && head -c $((4 * n * c * h * w)) > /dev/null";

    fn sh(script: &str) -> ScoringCommand {
        let words = ["sh", "-c", &script.replace("READ", READ)].map(str::to_owned);
        ScoringCommand { words: words.into(), answer_within: Duration::from_secs(20) }
    }

    fn tagger() -> Tagger {
        Tagger { input_size: Some(4), ..Tagger::default() }
    }

    fn loaded(script: &str) -> Box<dyn Classifier> {
        sh(script).load(&tagger(), &Device::flex()).unwrap().classifier
    }

    fn images(count: usize) -> Tensor<4> {
        Tensor::zeros([count, 3, 4, 4], &Device::flex())
    }

    fn scored(classifier: &dyn Classifier, count: usize) -> Vec<f32> {
        classifier.scores(images(count)).try_to_vec_as().unwrap()
    }

    #[test]
    fn batches_are_scored_by_one_process_for_each_pass_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("started");
        let script = "echo >> LOG; while READ; do
            for image in $(seq $n); do echo $image 0.5 -1e3; done; done";
        let classifier = &*loaded(&script.replace("LOG", log.to_str().unwrap()));
        assert_eq!((classifier.classes(), classifier.input_size()), (3, Some([4, 4])));
        assert!(!classifier.has_gradients());
        assert_eq!(scored(classifier, 2), [1.0, 0.5, -1000.0, 2.0, 0.5, -1000.0]);
        assert_eq!(fs::read_to_string(&log).unwrap(), "\n");
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    (1..9).for_each(|count| assert_eq!(scored(classifier, count).len(), 3 * count))
                });
            }
        });
        assert!(fs::read_to_string(&log).unwrap().len() <= 2);
        classifier.check().unwrap();
    }

    #[test]
    fn values_arrive_as_they_are_described() {
        // The first values of each image, and the last.
        let script = "while read n c h w; do for image in $(seq $n); do
            echo $(head -c $((4 * c * h * w)) | od -An -v -t f4); done; done";
        let bgr = Tagger { channels: Some(tkmia_core::Channels::Bgr), ..tagger() };
        let classifier = sh(script).load(&bgr, &Device::flex()).unwrap().classifier;
        assert_eq!((classifier.classes(), classifier.bounds()), (48, Bounds::UNIT));
        let values: Vec<f32> = (0..96).map(|at| at as f32 / 128.0).collect();
        let data = TensorData::new(values.clone(), [2, 3, 4, 4]);
        let scores = classifier.scores(Tensor::from_data(data, &Device::flex()));
        let found = scores.try_to_vec_as::<f32>().unwrap();
        for (at, &found) in found.iter().enumerate() {
            let (image, channel, place) = (at / 48, at / 16 % 3, at % 16);
            assert_eq!(found, values[image * 48 + (2 - channel) * 16 + place]);
        }
    }

    #[test]
    fn what_is_wrong_with_the_first_answer_is_told() {
        let faults = [
            (
                "exit 3",
                "expected scores of 1 images, found those of 0 when it ended (exit status: 3)",
            ),
            (
                "READ; echo Loading weights; cat",
                "expected the scores of an image, numbers with blanks between them, found \"Loading weights\"",
            ),
            ("READ; echo; cat", "found \"\""),
            ("READ; echo 1 NaN 2; cat", "expected finite scores, found NaN for label 1"),
        ];
        for (script, expected) in faults {
            let error = sh(script).load(&tagger(), &Device::flex()).unwrap_err().to_string();
            assert!(error.starts_with("`sh -c "), "{error}");
            assert!(error.contains(expected), "{script}: {error}");
        }
        let late =
            ScoringCommand { answer_within: Duration::from_millis(100), ..sh("exec sleep 60") };
        let error = late.load(&tagger(), &Device::flex()).unwrap_err().to_string();
        assert!(
            error.ends_with("expected an answer within 0.1 s, found scores of 0 of 1 images"),
            "{error}"
        );
        let absent = ScoringCommand::new(vec!["no-such-program".to_owned()]);
        let error = absent.load(&tagger(), &Device::flex()).unwrap_err().to_string();
        assert!(error.starts_with("`no-such-program`: No such file"), "{error}");
        let nothing = ScoringCommand::new(Vec::new()).load(&tagger(), &Device::flex()).unwrap_err();
        assert!(nothing.to_string().contains("expected a program"), "{nothing}");
    }

    #[test]
    fn a_later_failure_is_kept_and_scores_are_nan_from_then_on() {
        let faults = [
            (
                "READ; echo 1 2; exit 4",
                "of 2 images, found those of 0 when it ended (exit status: 4)",
            ),
            (
                "READ; echo 1 2; READ; echo 3 4; exit 5",
                "found those of 1 when it ended (exit status: 5)",
            ),
            (
                "READ; echo 1 2; READ; echo 3 4; echo 5 6 7; cat",
                "expected 2 scores of each image, as of the first, found 3",
            ),
            (
                "READ; echo 1 2; echo done; sleep 0.3; cat",
                "expected a line for each image and no more, found \"done\" too",
            ),
        ];
        for (script, expected) in faults {
            let classifier = loaded(script);
            // What nobody asked for has arrived.
            thread::sleep(Duration::from_millis(150));
            classifier.check().unwrap();
            for _ in 0..2 {
                assert!(scored(&*classifier, 2).iter().all(|score| score.is_nan()));
                let error = classifier.check().unwrap_err().to_string();
                assert!(error.contains(expected), "{script}: {error}");
            }
        }
    }

    #[test]
    fn what_is_said_of_files_is_refused_and_a_size_is_asked_for() {
        let says = |given: Tagger| {
            sh("READ; echo 1 2; cat").load(&given, &Device::flex()).unwrap_err().to_string()
        };
        let error = says(Tagger::default());
        assert_eq!(
            error,
            "`input-size`: expected the side of the images, which no file says, found `none`"
        );
        let error = says(Tagger { keep_sigmoid: Some(true), ..tagger() });
        assert!(
            error.starts_with("`keep-sigmoid`: expected a file of a network, found `sh -c "),
            "{error}"
        );
        let labels = Some(vec!["cat".to_owned()]);
        let error = says(Tagger { labels, ..tagger() });
        assert!(
            error.contains("expected names of 2 labels") && error.ends_with("found 1"),
            "{error}"
        );
    }

    #[test]
    fn words_are_read_and_shown_as_a_shell_reads_them() {
        let command: ScoringCommand = "python 'my score.py' --k 3".parse().unwrap();
        assert_eq!(command.words, ["python", "my score.py", "--k", "3"]);
        assert_eq!(command.to_string(), "python 'my score.py' --k 3");
        assert!("python 'score.py".parse::<ScoringCommand>().is_err());
        assert!(" ".parse::<ScoringCommand>().is_err());
    }

    #[test]
    fn what_is_no_batch_is_named() {
        let classifier = loaded("while READ; do for image in $(seq $n); do echo 1 2; done; done");
        let says = |asked: &[u8]| {
            let mut answers = Vec::new();
            let error = answer(&*classifier, &mut &asked[..], &mut answers).unwrap_err();
            (error.to_string(), String::from_utf8(answers).unwrap())
        };
        let batch = [b"1 3 4 4\n".as_slice(), &[0; 192]].concat();
        let (error, answers) = says(&[&batch, b"1 3 8 8\n".as_slice()].concat());
        assert_eq!(answers, "1 2\n");
        assert_eq!(error, "batch 2: expected a line `images 3 4 4`, found \"1 3 8 8\"");
        assert!(says(b"\x93NUMPY\x01\0").0.contains("valid UTF-8"));
        assert!(says(&batch[..100]).0.contains("fill whole buffer"));
        assert!(says(b"99999999999999999 3 4 4\n").0.contains("TKMIA_MAX_MEMORY"));
    }
}
