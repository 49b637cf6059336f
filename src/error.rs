//! [`Error`]: whatever can go wrong in any of the crates.

/// An error of any of the crates; `?` turns each of theirs into this one.
///
/// # Example
///
/// ```
/// fn labels(path: &str) -> Result<usize, tkmia::Error> {
///     let device = tkmia::core::device("cpu")?;
///     Ok(tkmia::models::load(path, &device)?.classes())
/// }
/// # use tkmia::prelude::*;
/// assert_eq!(labels("assets/victims/resnet50-mini-voc.onnx")?, 20);
/// assert!(labels("no-such-file.onnx").unwrap_err().to_string().contains("no-such-file.onnx"));
/// # Ok::<(), tkmia::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Labels, goals and devices.
    #[error(transparent)]
    Core(#[from] tkmia_core::CoreError),
    /// Scores and measures.
    #[error(transparent)]
    Metrics(#[from] tkmia_metrics::MetricsError),
    /// Monitors.
    #[error(transparent)]
    Monitor(#[from] tkmia_monitor::MonitorError),
    /// Networks.
    #[error(transparent)]
    Model(#[from] tkmia_models::ModelError),
    /// Images and data sets.
    #[error(transparent)]
    Data(#[from] tkmia_data::DataError),
    /// Attacks.
    #[error(transparent)]
    Attack(#[from] tkmia_attacks::AttackError),
    /// What an attack stops at.
    #[error(transparent)]
    Criterion(#[from] tkmia_attacks::UnknownCriterion),
    /// Pictures.
    #[error(transparent)]
    Figure(#[from] tkmia_figure::FigureError),
    /// Experiments.
    #[error(transparent)]
    Experiment(#[from] tkmia_experiment::ExperimentError),
    /// Reports.
    #[error(transparent)]
    Report(#[from] tkmia_report::ReportError),
    /// Training.
    #[error(transparent)]
    Train(#[from] tkmia_train::TrainError),
}
