//! [`Event`]: how far an experiment is.

use tkmia_data::DataError;

use crate::plan::Plan;

/// How far an experiment is; the calling program may show it.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// So many images at most are about to be scored without an attack.
    Scoring(usize),
    /// So many more are.
    Scored(usize),
    /// One of them can't be decoded, and takes no part.
    Undecodable(&'a DataError),
    /// So many universal perturbations are about to be fitted.
    Fitting(usize),
    /// One more is.
    Fitted,
    /// Attacks are about to begin, or to continue after so many records.
    Attacking {
        /// What is done.
        plan: &'a Plan,
        /// Records that are there already.
        recorded: usize,
    },
    /// So many more samples of this attack are done.
    Attacked {
        /// Position in [`Plan::jobs`].
        job: usize,
        /// Samples.
        samples: usize,
    },
}
