//! What attacking a classifier takes: `use tkmia::prelude::*;`.
//!
//! # Example: one photograph, whose best label is to leave the top-2
//!
//! ```
//! use tkmia::prelude::*;
//!
//! let model = load("assets/victims/resnet50-mini-voc.onnx", &device("cpu")?)?;
//! let transform = Transform { resize: Resize::short_side(64), bounds: model.bounds() };
//! # let photograph = tkmia::data::Voc2012::open("assets/mini-voc/VOC2012", "val")?.image_path(1);
//! let images = open_image(&photograph, &transform, &model.device())?;
//!
//! // Without labels of its own: what the network itself ranks first is taken to be right.
//! let scores = model.scores(images.clone()).try_to_vec_as::<f32>().expect("scores are floats");
//! let ranked = Ranking::new(&scores)?;
//! let set = |labels: &[usize]| LabelSet::from_indices(&[labels], model.classes());
//! let batch = AttackBatch::new(images, set(ranked.top(4)?)?, set(ranked.top(1)?)?, 2)?;
//!
//! let result = AttackSettings::default().init()?.run(&model, &batch)?;
//! let verdict = result.judge(&model)?.remove(0);
//! assert!(verdict.success && verdict.scores != verdict.clean_scores);
//!
//! let picture = to_image(&result.perturbed.images, 0, model.bounds())?;
//! # let folder = std::env::temp_dir();
//! save_png(&picture, folder.join("attacked.png"))?;
//! # Ok::<(), tkmia::Error>(())
//! ```

pub use tkmia_attacks::{
    Attack, AttackBatch, AttackName, AttackSettings, Ball, BatchResult, Criterion, Descent,
    Geometric, Limits, Method, MinNorm, Norm, Optimiser, Outcome, PenalisedSgd, Square, Stop,
    TargetChoice, Targets, Universal, Variant, Verdict, global_selection,
};
pub use tkmia_core::burn::tensor::{Device, Tensor};
pub use tkmia_core::{Bounds, Classifier, Goal, LabelSet, Tagger, device};
pub use tkmia_data::{
    Coco2014, Dataset, Folder, NusWide, Resize, Transform, Voc2012, load_batch, open_image,
    save_png, to_image, type_classes,
};
pub use tkmia_metrics::Ranking;
pub use tkmia_models::{load, load_with};
