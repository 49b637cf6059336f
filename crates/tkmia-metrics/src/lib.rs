//! Measures of top-k multi-label predictions, and of attacks on them.
//!
//! Plain slices in, numbers out. Scores are ranked once, by [`Ranking`]; each measure is a function
//! of that ranking, the sample's relevant labels and `k`. The definitions are those of Sun et al.,
//! "When Measures are Unreliable: Imperceptible Adversarial Perturbations toward Top-k Multi-Label
//! Learning", ACM MM 2023 (*the paper* below). Where its tables or its code do something else than a
//! formula as printed, the function says so: [`average_precision_at_k`],
//! [`top_k_accuracy_released`], [`category_map_at_k`] and [`aper`].
//!
//! [`MEASURES`] is the one table of measures: what each is called, where it is from, what it needs,
//! and its function. These are made of it:
//!
//! | all measures of | item |
//! |---|---|
//! | one sample | [`Measures`] |
//! | a batch, averaged | [`mean_measures`]; sample by sample [`RunningMeans`] |
//! | what a perturbation changes, Δ | [`Measures`] less others, [`change`] of means |
//!
//! Of the attack itself there are [`aper`] (Eq. 13), [`mean_norm`], [`norm_quantile`] and
//! [`success_rate`]; [`share_interval`], [`mean_interval`] and [`ratio_interval`] say how far they can be trusted.
//!
//! Three rules hold throughout. Ties are broken by the lower label index. A score that isn't finite
//! is an error. A sample without a relevant label has no AP@k and no NDCG@k: those are `None`, and
//! the means leave the sample out and say so.
//!
//! The crate is `no_std`; it allocates. The feature `burn-train` has `TopKMetric`, by which Burn's learner shows a measure while a network is
//! trained.
//!
//! # Example
//!
//! ```
//! use tkmia_metrics::{Ranking, average_precision_at_k, precision_at_k};
//!
//! let relevant = [true, false, true, false];
//! let ranking = Ranking::new(&[0.9_f32, 0.7, 0.4, 0.1])?;
//! assert_eq!(ranking.order(), [0, 1, 2, 3]);
//! assert_eq!(precision_at_k(&ranking, &relevant, 2)?, 0.5);
//! assert_eq!(average_precision_at_k(&ranking, &relevant, 2)?, Some(0.5));
//! # Ok::<(), tkmia_metrics::MetricsError>(())
//! ```

#![cfg_attr(not(any(test, feature = "burn-train")), no_std)]

extern crate alloc;

mod average_precision;
#[cfg(feature = "burn-train")]
mod burn_train;
mod category_map;
mod change;
mod error;
mod interval;
mod mean;
mod mean_measures;
mod measure;
mod measures;
mod ndcg;
mod perturbation;
mod precision;
mod ranking;
mod rows;
mod specified;
mod top_k_accuracy;

pub use average_precision::average_precision_at_k;
#[cfg(feature = "burn-train")]
pub use burn_train::{TopKInput, TopKMetric};
pub use category_map::{BestSamples, category_map_at_k};
pub use change::change;
pub use error::MetricsError;
pub use interval::{
    mean_interval, median_interval, median_ratio_interval, ratio_interval, share_interval,
};
pub use mean::mean;
pub use mean_measures::{MeanMeasures, RunningMeans, mean_measures};
pub use measure::{Better, Formula, MEASURES, Measure, Need, Sample, Unit};
pub use measures::Measures;
pub use ndcg::ndcg_at_k;
pub use perturbation::{aper, mean_norm, norm_quantile, success_rate};
pub use precision::precision_at_k;
pub use ranking::Ranking;
pub use specified::specified_in_top_k;
pub use top_k_accuracy::{top_k_accuracy, top_k_accuracy_released};
