//! How a network came along: [`Curve`].

use std::io;
use std::path::Path;

use image::RgbImage;
use serde::{Deserialize, Serialize};
use tkmia_data::to_png;
use tkmia_figure::{Axis, Chart, Series, Shape, beside};

use crate::checkpoint::write_whole;
use crate::{Evaluation, TrainError};

/// One pass over the training split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// The learning rate of its first step.
    pub learning_rate: f64,
    /// The mean loss of its images, as they were trained on.
    pub train_loss: f64,
    /// What the network made of the validation split after it.
    pub validation: Evaluation,
    /// How long it took, with its evaluation.
    pub seconds: f64,
}

/// The learning curve of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curve {
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
}

impl Curve {
    /// The epoch of the highest instance-wise mAP, the first of equals.
    pub fn best(&self) -> Option<&Epoch> {
        let map = |epoch: &Epoch| epoch.validation.map_instance;
        self.epochs.iter().reduce(|best, next| if map(next) > map(best) { next } else { best })
    }

    /// Writes `curve.csv` and `curve.png` into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        write_whole(&folder.join("curve.csv"), self.csv().map_err(io::Error::from))?;
        let picture = to_png(&self.picture()).map_err(io::Error::other);
        write_whole(&folder.join("curve.png"), picture)
    }

    /// The losses, and beside them the measures.
    fn picture(&self) -> RgbImage {
        let series = |name: &str, value: fn(&Epoch) -> f64| Series {
            name: name.to_owned(),
            points: self.epochs.iter().map(|e| (e.epoch as f64, value(e))).collect(),
            shape: Shape::Line,
        };
        let losses = [
            series("training", |epoch| epoch.train_loss),
            series("validation", |epoch| epoch.validation.loss),
        ];
        let measures = [
            series("by category", |epoch| epoch.validation.map_category),
            series("by instance", |epoch| epoch.validation.map_instance),
        ];
        let charts = [
            ("Loss", "mean over images", losses),
            ("mAP on validation", "mean average precision", measures),
        ];
        beside(&charts.map(|(title, vertical, series)| {
            let chart = Chart {
                title: title.to_owned(),
                horizontal: Axis::linear("epoch"),
                vertical: Axis::linear(vertical),
                series: series.to_vec(),
                size: [380.0, 220.0],
            };
            chart.picture()
        }))
    }

    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record([
            "epoch",
            "learning_rate",
            "train_loss",
            "validation_loss",
            "map_category",
            "map_instance",
            "seconds",
        ])?;
        for epoch in &self.epochs {
            let Evaluation { loss, map_category, map_instance } = epoch.validation;
            let numbers = [epoch.learning_rate, epoch.train_loss, loss, map_category, map_instance];
            let numbers = numbers.map(|number| number.to_string());
            let cells = std::iter::once(epoch.epoch.to_string()).chain(numbers);
            table.write_record(cells.chain([format!("{:.1}", epoch.seconds)]))?;
        }
        table.into_inner().map_err(|error| error.into_error().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Curve {
        let epoch = |epoch, map| Epoch {
            epoch,
            learning_rate: 0.5,
            train_loss: 2.0,
            validation: Evaluation { loss: 3.0, map_category: 0.25, map_instance: map },
            seconds: 1.26,
        };
        Curve { epochs: vec![epoch(1, 0.5), epoch(2, 0.75), epoch(3, 0.75)] }
    }

    #[test]
    fn the_best_is_the_first_of_the_highest() {
        assert_eq!(curve().best().unwrap().epoch, 2);
        assert_eq!(Curve::default().best(), None);
    }

    #[test]
    fn a_table_has_a_row_for_each_epoch() {
        let text = String::from_utf8(curve().csv().unwrap()).unwrap();
        let head =
            "epoch,learning_rate,train_loss,validation_loss,map_category,map_instance,seconds";
        assert_eq!(text.lines().next(), Some(head));
        assert_eq!(text.lines().nth(2), Some("2,0.5,2,3,0.25,0.75,1.3"));
    }
}
