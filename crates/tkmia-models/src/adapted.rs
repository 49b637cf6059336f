//! A network behind what its images go through first: [`Adapted`].

use burn::tensor::{Device, Tensor};
use tkmia_core::{Bounds, Channels, Classifier, PassMemory, Tagger};

/// A network that is given images as its [`Tagger`] describes them; gradients go back through that.
#[derive(Debug)]
pub struct Adapted {
    pub network: Box<dyn Classifier>,
    pub tagger: Tagger,
    pub notes: Vec<String>,
}

impl Classifier for Adapted {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.scores(self.tagger.seen(images))
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn bounds(&self) -> Bounds {
        self.network.bounds()
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.network.input_size()
    }

    fn device(&self) -> Device {
        self.network.device()
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        self.network.pass_memory(size)
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
