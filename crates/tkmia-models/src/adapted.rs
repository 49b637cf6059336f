//! A network behind what its images go through first: [`Adapted`].

use burn::tensor::Tensor;
use tkmia_core::{Channels, Classifier, Tagger, in_front_of};

/// A network that is given images as its [`Tagger`] describes them; gradients go back through that.
#[derive(Debug)]
pub struct Adapted {
    pub network: Box<dyn Classifier>,
    pub tagger: Tagger,
    pub notes: Vec<String>,
}

impl Classifier for Adapted {
    in_front_of!(self => self.network; input_size, pass_memory);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.scores(self.tagger.seen(images))
    }

    fn label_names(&self) -> Option<&[String]> {
        self.tagger.labels.as_deref().or(self.network.label_names())
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn description(&self) -> String {
        let mut text = self.network.description();
        if self.tagger.mean.is_some() {
            text += ", images normalised";
        }
        if self.tagger.channels == Some(Channels::Bgr) {
            text += ", channels bgr";
        }
        text
    }
}
