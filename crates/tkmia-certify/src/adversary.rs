//! [`changes`]: how an attacker who knows of the noise lowers the precision of the smoothed top-k.

use burn::tensor::Tensor;
use serde_json::json;
use tkmia_attacks::{AttackBatch, AttackSettings};
use tkmia_core::{Classifier, LabelSet};
use tkmia_metrics::Ranking;

use crate::{CertifyError, NoiseAverage};

/// The smallest changes of an image that `min-norm` finds by which one relevant label less is in the top-k of average scores, two
/// less, and so on until there is none.
///
/// `noise` is the attacker's own, of the distribution that is known, and `passes` are the forward passes of each search, over all
/// of it. TkMIA's aim turned round: the specified labels are the lowest relevant ones of the top-k, and what may take their places
/// is *not* relevant. A change may be nothing, where the search finds none or too few labels are not relevant.
///
/// # Shapes
/// - image, and each change: `[1, 3, height, width]`
/// - noise: `[draws, 3, height, width]`
/// - relevant: a flag for each label
///
/// # Errors
/// [`CertifyError::Metrics`] if a score isn't finite, and what the attack says.
pub fn changes(
    classifier: &dyn Classifier,
    image: &Tensor<4>,
    noise: Tensor<4>,
    (relevant, k): (&[bool], usize),
    passes: usize,
) -> Result<Vec<Tensor<4>>, CertifyError> {
    let surrogate = NoiseAverage { classifier, noise };
    let scores = surrogate.scores(image.clone());
    let scores = scores.try_to_vec_as::<f32>().expect("float tensors convert to f32");
    let ranking = Ranking::new(&scores)?;
    let top = ranking.top(k)?.iter().rev();
    let shown: Vec<usize> = top.copied().filter(|&label| relevant[label]).collect();
    let knobs = json!({"name": "tkmia", "variant": "min-norm", "max-iterations": passes});
    let knobs = serde_json::from_value(knobs).expect("a table of knobs");
    let attack = AttackSettings::from_knobs(&knobs)?.init()?;
    let change = |count: usize| {
        let hidden = &shown[..count];
        let fill = (0..relevant.len()).filter(|label| !relevant[*label] || hidden.contains(label));
        let set = |labels: Vec<usize>| LabelSet::from_indices(&[labels], relevant.len());
        let batch =
            AttackBatch::new(image.clone(), set(fill.collect())?, set(hidden.to_vec())?, k)?;
        Ok(attack.run(&surrogate, &batch)?.perturbed.images - image.clone())
    };
    (1..=shown.len()).map(change).collect()
}
