//! Attacks on networks of files, and on functions of Python.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use numpy::Element;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, AttackSettings, Observer, Outcome, Passes, Step, Targets,
    Verdict,
};
use tkmia_core::{Bounds, Classifier, Goal, PassMemory};
use tkmia_experiment::{ExperimentError, Workers};

use crate::arrays::{array, images};
use crate::error::refused;
use crate::function::Function;
use crate::interrupt::interruptible;
use crate::judge::goal;
use crate::knobs::knobs;
use crate::network::{Network, tensor, values};

/// Attacks images [n, 3, h, w]: the specified labels are to leave the top-k.
///
/// model is a Network, the path of one, or a function: called with images, it returns their scores [n, c], and a function that
/// takes weights [n, c] to the gradient [n, 3, h, w] of the sum of weights · scores by these images, as jax.vjp does. bounds are
/// the values of black and white of a function's images, (0, 1) if nothing else is said; batch_size is how many it is given at
/// once. delta is how many specified labels must leave, by default all that are in the clean top-k; seed is that of random targets.
///
/// The other keywords are the knobs of the method, with _ for -: variant, stop, lr, max_iterations, optimiser, radius, …
///
/// Returns arrays by name, each image judged again: adversarial [n, 3, h, w]; clean_scores and scores [n, c]; success and
/// success_rounded (after rounding to 8 bits) [n], bools; norm_input and linf_input [n], of the perturbation in the images' unit;
/// excluded, iterations, forward and backward [n]; and lists of outcomes and of signs that the attack failed for reasons of its own.
#[pyfunction]
#[pyo3(signature = (
    model, images, labels, specified, k, method = "tkmia", *, delta = None, seed = 0, bounds = None, batch_size = None,
    **settings
))]
#[expect(clippy::too_many_arguments, reason = "in Python they have names")]
pub fn attack<'py>(
    py: Python<'py>,
    model: &Bound<'py, PyAny>,
    images: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    specified: &Bound<'py, PyAny>,
    k: usize,
    method: &str,
    delta: Option<usize>,
    seed: u64,
    bounds: Option<(f32, f32)>,
    batch_size: Option<NonZeroUsize>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut knobs = knobs(py, settings)?;
    knobs.insert("name".to_owned(), method.into());
    let settings = AttackSettings::from_knobs(&knobs).map_err(refused)?;
    let attack = settings.init().map_err(refused)?;
    if attack.universal().is_some() {
        let message = format!("{method} is fitted to other images: use `tkmia attack --fit`");
        return Err(PyValueError::new_err(message));
    }
    let victim = Victim::of(model, labels, bounds)?;
    let classifier = victim.classifier();
    attack.check(classifier).map_err(refused)?;
    let (images, shape) = self::images(images, classifier)?;
    let classes = classifier.classes();
    let work = Work {
        classifier,
        attack: &*attack,
        images: &images,
        shape,
        goal: goal(labels, specified, [shape[0], classes], k, delta)?,
        targets: settings.target().map(|choice| Targets { choice, seed }),
    };
    let attacked = match &victim {
        Victim::Network(network) => {
            let stop = AtomicBool::new(false);
            let mut workers = network.get().workers(shape, &stop);
            workers.batch_size = batch_size.map_or(workers.batch_size, NonZeroUsize::get);
            work.on_workers(py, workers)?
        }
        Victim::Function(function) => {
            let best =
                || classifier.pass_memory([shape[2], shape[3]]).batch_size(1, PassMemory::LIMIT);
            let size = batch_size.map_or_else(best, NonZeroUsize::get);
            work.on_this_thread(py, size, &function.raised)?
        }
    };
    results(py, attacked, shape, classes)
}

/// What is attacked.
enum Victim {
    Network(Py<Network>),
    Function(Box<Function>),
}

impl Victim {
    fn of(
        model: &Bound<'_, PyAny>,
        labels: &Bound<'_, PyAny>,
        bounds: Option<(f32, f32)>,
    ) -> PyResult<Self> {
        let py = model.py();
        let network = match model.cast::<Network>() {
            Ok(network) => Some(network.clone().unbind()),
            Err(_) if model.is_callable() => None,
            Err(_) => {
                let path: PathBuf = model.extract().map_err(|_| {
                    let found = model.get_type();
                    let message = format!(
                        "`model`: expected a Network, the path of one, or a function, found {found}"
                    );
                    PyTypeError::new_err(message)
                })?;
                Some(py.get_type::<Network>().call1((path,))?.cast_into::<Network>()?.unbind())
            }
        };
        let Some(network) = network else {
            let shape: Vec<usize> =
                py.import("numpy")?.call_method1("shape", (labels,))?.extract()?;
            let (low, high) = bounds.unwrap_or((0.0, 1.0));
            if !(low < high && low.is_finite() && high.is_finite()) {
                let message =
                    format!("`bounds`: expected those of black and white, found ({low}, {high})");
                return Err(PyValueError::new_err(message));
            }
            return Ok(Self::Function(Box::new(Function {
                call: model.clone().unbind(),
                classes: shape.last().copied().unwrap_or(0),
                bounds: Bounds { low, high },
                raised: Arc::default(),
            })));
        };
        match bounds {
            Some(_) => {
                Err(PyValueError::new_err("`bounds` are a function's: a network has its own"))
            }
            None => Ok(Self::Network(network)),
        }
    }

    fn classifier(&self) -> &dyn Classifier {
        match self {
            Self::Network(network) => &*network.get().classifier,
            Self::Function(function) => &**function,
        }
    }
}

/// An attack on images.
struct Work<'a> {
    classifier: &'a dyn Classifier,
    attack: &'a dyn Attack,
    images: &'a [f32],
    shape: [usize; 4],
    goal: Goal,
    targets: Option<Targets>,
}

/// What came of an image.
struct Attacked {
    adversarial: Vec<f32>,
    verdict: Verdict,
    outcome: Outcome,
    iterations: usize,
    passes: Passes,
}

impl Work<'_> {
    /// Several batches at once, until a signal comes.
    fn on_workers(&self, py: Python<'_>, workers: Workers<'_>) -> PyResult<Vec<Attacked>> {
        let rows: Vec<usize> = (0..self.shape[0]).collect();
        let mut all = Vec::with_capacity(rows.len());
        let flow = || match workers.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let batch = |rows: &[usize]| {
            let attacked = self.batch(rows, &mut |_: &Step<'_>| flow());
            let ids = || format!("images {} to {}", rows[0], rows[rows.len() - 1]);
            attacked.map_err(|source| ExperimentError::Attack { ids: ids(), source })
        };
        let take = |attacked| {
            all.extend::<Vec<Attacked>>(attacked);
            Ok(())
        };
        interruptible(py, workers.stop, || workers.run(&rows, batch, take))?.map_err(refused)?;
        Ok(all)
    }

    /// One batch after the other, as a function of Python may depend on the thread; until it raises something, or a signal does.
    fn on_this_thread(
        &self,
        py: Python<'_>,
        batch_size: usize,
        raised: &OnceLock<PyErr>,
    ) -> PyResult<Vec<Attacked>> {
        let rows: Vec<usize> = (0..self.shape[0]).collect();
        let mut watch = |_: &Step<'_>| {
            if let Err(signal) = Python::attach(|py| py.check_signals()) {
                let _ = raised.set(signal);
            }
            match raised.get() {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        };
        let mut all = Vec::with_capacity(rows.len());
        for rows in rows.chunks(batch_size) {
            let attacked = py.detach(|| self.batch(rows, &mut watch));
            if let Some(error) = raised.get() {
                return Err(error.clone_ref(py));
            }
            all.extend(attacked.map_err(refused)?);
        }
        Ok(all)
    }

    /// Consecutive images.
    fn batch(
        &self,
        rows: &[usize],
        watch: &mut dyn Observer,
    ) -> Result<Vec<Attacked>, AttackError> {
        let images = tensor(self.images, self.shape, rows);
        let mut batch = AttackBatch::with_goal(images, self.goal.select(rows))?;
        if let Some(targets) = self.targets {
            let ids: Vec<String> = rows.iter().map(usize::to_string).collect();
            batch = batch.aim(targets, self.attack.view(), self.classifier, &ids)?;
        }
        let result = self.attack.run_watched(self.classifier, &batch, watch)?;
        let verdicts = result.judge(self.classifier)?;
        let perturbed = result.perturbed;
        let images = values(perturbed.images);
        let images = images.chunks_exact(images.len() / rows.len());
        let attacked = verdicts.into_iter().zip(images).enumerate();
        let attacked = attacked.map(|(at, (verdict, adversarial))| Attacked {
            adversarial: adversarial.to_vec(),
            verdict,
            outcome: perturbed.outcomes[at],
            iterations: perturbed.iterations[at],
            passes: perturbed.passes[at],
        });
        Ok(attacked.collect())
    }
}

fn results<'py>(
    py: Python<'py>,
    attacked: Vec<Attacked>,
    shape: [usize; 4],
    classes: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let table = PyDict::new(py);
    let of_labels = |of: fn(&Verdict) -> &[f32]| {
        let all = attacked.iter().flat_map(|one| of(&one.verdict)).copied().collect();
        array(py, all, [shape[0], classes])
    };
    table.set_item("clean_scores", of_labels(|verdict| &verdict.clean_scores))?;
    table.set_item("scores", of_labels(|verdict| &verdict.scores))?;
    fn column<'py, T: Element>(
        py: Python<'py>,
        attacked: &[Attacked],
        of: fn(&Attacked) -> T,
    ) -> Bound<'py, PyAny> {
        array(py, attacked.iter().map(of).collect(), [attacked.len()])
    }
    table.set_item("success", column(py, &attacked, |one| one.verdict.success))?;
    table.set_item("success_rounded", column(py, &attacked, |one| one.verdict.success_rounded))?;
    table.set_item("norm_input", column(py, &attacked, |one| one.verdict.norm_input))?;
    table.set_item("linf_input", column(py, &attacked, |one| one.verdict.linf_input))?;
    table.set_item("excluded", column(py, &attacked, |one| one.verdict.excluded))?;
    table.set_item("iterations", column(py, &attacked, |one| one.iterations as i64))?;
    table.set_item("forward", column(py, &attacked, |one| one.passes.forward as i64))?;
    table.set_item("backward", column(py, &attacked, |one| one.passes.backward as i64))?;
    let outcomes = attacked.iter().map(|one| match one.outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Exhausted => "exhausted".to_owned(),
        Outcome::Interrupted => "interrupted".to_owned(),
        Outcome::Ineligible(reason) => format!("not eligible: {reason}"),
        Outcome::NonFiniteScore { label } => {
            format!("not attacked: the score of label {label} isn't finite")
        }
    });
    table.set_item("outcomes", outcomes.collect::<Vec<_>>())?;
    let signs = |one: &Attacked| -> Vec<String> {
        one.verdict.indicators.iter().map(ToString::to_string).collect()
    };
    table.set_item("signs", attacked.iter().map(signs).collect::<Vec<_>>())?;
    let adversarial = attacked.into_iter().flat_map(|one| one.adversarial).collect();
    table.set_item("adversarial", array(py, adversarial, shape))?;
    Ok(table)
}
