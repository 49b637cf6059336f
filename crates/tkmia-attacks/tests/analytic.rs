//! Every attack on a linear victim whose smallest perturbation is known.

#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_attacks::{AttackBatch, AttackError, Method, Settings, SpecifiedOut, Variant, judge};
use tkmia_core::{Bounds, Classifier, LabelSet};

const CLASSES: usize = 6;

/// Label i is scored by the i-th value of the image: `f_i = 4 x_i`.
#[derive(Debug)]
struct OneValuePerLabel;

impl Classifier for OneValuePerLabel {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten::<2>(1, 3).narrow(1, 0, CLASSES).mul_scalar(4.0)
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([2, 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

/// Image `row`: label 1 (specified) leads label 0 (relevant too) by `gap`, the others follow.
///
/// kFool ends on the border itself, where the tie goes to the lower index.
fn gap(row: usize) -> f32 {
    0.1 + 0.05 * row as f32
}

/// k = 1: the smallest perturbation moves values 0 and 1 to their mean, `gap / √2` away.
fn batch(rows: std::ops::Range<usize>) -> AttackBatch {
    let count = rows.len();
    let image = |row| {
        let mut image = vec![0.0_f32; 12];
        image[..CLASSES].copy_from_slice(&[0.2, 0.2 + gap(row), -0.2, -0.3, -0.4, -0.5]);
        image
    };
    let data = TensorData::new(rows.flat_map(image).collect(), [count, 3, 2, 2]);
    let set = |labels: &[usize]| LabelSet::from_indices(&vec![labels; count], CLASSES).unwrap();
    let images = Tensor::from_data(data, &Device::default());
    AttackBatch::new(images, set(&[0, 1]), set(&[1]), 1).unwrap()
}

/// Method, variant, and how many times the smallest norm its own may be; none: it's no attack.
///
/// The released variants' smallest perturbation in model-input units is that of `tanh(x)`, a little
/// smaller. TkML-AP-U pushes down the better of labels 0 and 1 and raises all labels, ML-CW-U pushes it
/// down and raises the last label as much: twice the smallest norm, before any overshoot. The minimum-norm
/// form has no overshoot; what it is above the smallest lets it survive rounding to 8-bit pixels.
const TABLE: [(Method, Variant, Option<f64>); 15] = [
    (Method::Tkmia, Variant::Corrected, Some(1.2)),
    (Method::Tkmia, Variant::Released, Some(1.2)),
    (Method::Tkmia, Variant::Literal, Some(1.3)),
    (Method::Tkmia, Variant::MinNorm, Some(1.02)),
    (Method::TkmlApU, Variant::Corrected, Some(1.5)),
    (Method::TkmlApU, Variant::Released, Some(1.5)),
    (Method::TkmlApU, Variant::Literal, Some(1.5)),
    (Method::KFool, Variant::Corrected, Some(1.2)),
    (Method::KFool, Variant::Released, Some(1.2)),
    (Method::MlCwU, Variant::Corrected, Some(2.3)),
    (Method::MlCwU, Variant::Released, Some(2.3)),
    (Method::MlCwU, Variant::Literal, Some(2.3)),
    (Method::MlCwUPrinted, Variant::Corrected, None),
    (Method::MlCwUPrinted, Variant::Released, None),
    (Method::MlCwUPrinted, Variant::Literal, None),
];

#[test]
fn every_attack_is_in_the_table() {
    for method in Method::ALL {
        for variant in Variant::ALL {
            let settings = Settings { method, variant, ..Settings::default() };
            let listed = TABLE.iter().any(|&(m, v, _)| (m, v) == (method, variant));
            let exists = !matches!(
                settings.init(Bounds::SYMMETRIC),
                Err(AttackError::NoLiteral | AttackError::NoMinNorm { .. })
            );
            assert_eq!(listed, exists, "{}", settings.name());
        }
    }
}

#[test]
fn every_attack_comes_near_the_smallest_perturbation_at_any_batch_size() {
    for (method, variant, limit) in TABLE {
        let settings = Settings {
            method,
            variant,
            learning_rate: 2e-4,
            max_iterations: 2000,
            ..Settings::default()
        };
        let attack = settings.init(Bounds::SYMMETRIC).unwrap();
        for size in [1, 3, 8] {
            let batch = batch(0..size);
            let result = attack.run(&OneValuePerLabel, &batch, &mut ()).unwrap();
            let criterion = SpecifiedOut::default();
            let verdicts = judge(&OneValuePerLabel, &batch.goal, &result, &criterion).unwrap();
            for (row, verdict) in verdicts.iter().enumerate() {
                let ratio = verdict.norm_input / f64::from(gap(row) / 2.0_f32.sqrt());
                let name = settings.name();
                match limit {
                    Some(limit) => {
                        assert!(verdict.success, "{name}, row {row}");
                        assert!(ratio <= limit, "{name}, row {row}: {ratio} times the smallest");
                    }
                    None => assert!(!verdict.success && ratio < 1e-5, "{name}, row {row}: {ratio}"),
                }
            }
        }
    }
}
