//! [`FitFlags`]: the images that a universal method is fitted to.

use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use tkmia_attacks::{AttackBatch, Fitted, Step};
use tkmia_experiment::write_perturbation;

use crate::error::CliError;
use crate::input::Input;
use crate::progress::STOP;
use crate::subject::{Subject, SubjectFlags};

#[derive(Debug, Args)]
pub struct FitFlags {
    /// What a universal method is fitted to: images, labels and specified, as in IN.npz; none may be an image of
    /// IN.npz
    #[arg(long, value_name = "FIT.npz")]
    fit: Option<PathBuf>,
    /// Where the fitted perturbation goes, and beside it a picture of it, as PNG
    #[arg(long, value_name = "V.npz", requires = "fit")]
    perturbation: Option<PathBuf>,
}

impl FitFlags {
    /// The files that are read.
    pub fn inputs(&self) -> Option<PathBuf> {
        self.fit.clone()
    }

    /// The files that are written.
    pub fn outputs(&self) -> Vec<PathBuf> {
        let npz = self.perturbation.iter();
        npz.flat_map(|npz| [npz.clone(), npz.with_extension("png")]).collect()
    }

    /// The perturbation of a universal attack, fitted and written; nothing for another attack, and nothing
    /// whole if Ctrl-C ended the fit.
    pub fn fit(
        &self,
        subject: &Subject,
        flags: &SubjectFlags,
    ) -> Result<Option<Fitted>, Box<dyn Error>> {
        let (model, attack) = (subject.attacked(), subject.attack.as_ref());
        let (attack, fit) = match (attack.universal(), &self.fit) {
            (Some(attack), Some(fit)) => (attack, fit),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(CliError::NoFit.into()),
            (None, Some(_)) => return Err(CliError::FitUnused.into()),
        };
        let delta = flags.delta.map(NonZeroUsize::get);
        let images = Input::read(fit, model, flags.k, delta)?;
        refuse_shared((fit, &images), (&flags.input, &subject.input))?;
        let rows: Vec<usize> = (0..images.shape[0]).collect();
        let batch = AttackBatch::with_goal(images.tensor(&rows, model), images.goal.clone())?;
        let mut watch = |_: &Step<'_>| match STOP.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let fitted = attack.fit(model, &batch, &mut watch)?;
        if let Some(path) = self.perturbation.as_ref().filter(|_| !fitted.interrupted) {
            write_perturbation(path, &fitted.perturbation, model.bounds())?;
        }
        Ok(Some(fitted))
    }
}

/// Refuses an image that is both fitted to and attacked.
fn refuse_shared(fit: (&Path, &Input), input: (&Path, &Input)) -> Result<(), CliError> {
    let bytes = |input: &Input, row: usize| -> Vec<u32> {
        let size = input.image_size();
        input.images[row * size..][..size].iter().map(|value| value.to_bits()).collect()
    };
    let rows = 0..fit.1.shape[0];
    let known: HashMap<Vec<u32>, usize> = rows.map(|row| (bytes(fit.1, row), row)).collect();
    for row in 0..input.1.shape[0] {
        if let Some(&fit_row) = known.get(&bytes(input.1, row)) {
            let [fit, input] = [fit.0, input.0].map(Path::to_owned);
            return Err(CliError::FittedInput { fit, fit_row, input, row });
        }
    }
    Ok(())
}

/// What is to be known of a fit before its result.
pub fn describe(fitted: &Fitted) -> String {
    let (images, rounds) = (fitted.passes.len(), fitted.rounds);
    format!(
        "fitted to {images} images in {rounds} rounds: success there {:.3}, which says nothing of others\n",
        fitted.success
    )
}
