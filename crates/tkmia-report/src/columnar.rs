//! [`write_parquet`]: the records of an experiment's folder as columns.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use serde_arrow::schema::{SchemaLike, TracingOptions};
use tkmia_experiment::{Plan, Record};
use tkmia_file::WholeFile;

use crate::ReportError;

/// The file, in a folder's `report/`.
const FILE: &str = "records.parquet";

/// Rows of a group, whose columns are held until it is whole.
const GROUP: usize = 1 << 16;
/// Rows that are turned into columns at once.
const BATCH: usize = 1 << 12;

/// A [`Record`] as a row; its fields are the columns, under the same names where these are plain.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    dataset: String,
    /// Which labels are specified, in words, with `k` and `δ`.
    setting: String,
    k: usize,
    /// All of the setting's, where there is none.
    delta: Option<usize>,
    method: String,
    key: String,
    id: String,
    /// None under the global scheme.
    draws: Vec<usize>,
    relevant: Vec<usize>,
    specified: Vec<usize>,
    clean_scores: Vec<f32>,
    scores: Vec<f32>,
    success: bool,
    success_rounded: bool,
    outcome: String,
    iterations: usize,
    forward: usize,
    backward: usize,
    excluded: i64,
    norm: f64,
    norm_input: f64,
    norm_pixels: f64,
    linf_input: f64,
    linf_pixels: f64,
    indicators: Vec<String>,
    /// Of universal perturbations alone: whether the negated one succeeds.
    negated: Option<bool>,
    /// The same: the share of shuffled ones that succeed.
    shuffled: Option<f64>,
    seconds: f64,
}

impl From<Record> for Row {
    fn from(record: Record) -> Self {
        let controls = record.universal.as_ref().map(|universal| &universal.controls);
        Self {
            setting: record.setting.to_string(),
            linf_pixels: record.linf_pixels(),
            negated: controls.map(|controls| controls.negated),
            shuffled: controls.map(|controls| controls.shuffled),
            dataset: record.setting.dataset,
            k: record.setting.k,
            delta: record.setting.delta,
            method: record.method,
            key: record.key,
            id: record.id,
            draws: record.draws,
            relevant: record.relevant,
            specified: record.specified,
            clean_scores: record.clean_scores,
            scores: record.scores,
            success: record.success,
            success_rounded: record.success_rounded,
            outcome: <&str>::from(record.outcome).to_owned(),
            iterations: record.iterations,
            forward: record.passes.forward,
            backward: record.passes.backward,
            excluded: record.excluded,
            norm: record.norm,
            norm_input: record.norm_input,
            norm_pixels: record.norm_pixels,
            linf_input: record.linf_input,
            indicators: record.indicators.iter().map(ToString::to_string).collect(),
            seconds: record.seconds,
        }
    }
}

/// Writes the records of an experiment's folder into `report/records.parquet` there, a row for each in their order, and gives that
/// path. What is held of them is a group of 65,536 rows.
///
/// # Errors
/// [`ReportError::Experiment`] if the folder is no experiment's, or has records that aren't the plan's or can't be read;
/// [`ReportError::Columns`] if the file can't be written.
pub fn write_parquet(folder: &Path) -> Result<PathBuf, ReportError> {
    let plan = Plan::read(folder)?;
    let path = folder.join("report").join(FILE);
    let rows = |take: Take<'_>| plan.each_record(folder, |_, record| take(record.into()));
    std::fs::create_dir_all(folder.join("report")).map_err(failed(&path))?;
    write(&path, rows)?;
    Ok(path)
}

type Take<'a> = &'a mut dyn FnMut(Row) -> Result<(), ReportError>;

fn write(
    path: &Path,
    rows: impl FnOnce(Take<'_>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let as_parquet_has_them =
        TracingOptions::default().sequence_as_large_list(false).strings_as_large_utf8(false);
    let fields = Vec::<FieldRef>::from_type::<Row>(as_parquet_has_them).map_err(failed(path))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let file = WholeFile::create(path).map_err(failed(path))?;
    let schema = Arc::new(Schema::new(fields.clone()));
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed(path))?;
    let mut batch = Vec::with_capacity(BATCH);
    let mut add = |batch: &mut Vec<Row>| {
        let columns = serde_arrow::to_record_batch(&fields, batch).map_err(failed(path))?;
        batch.clear();
        writer.write(&columns).map_err(failed(path))
    };
    rows(&mut |row| {
        batch.push(row);
        if batch.len() < BATCH { Ok(()) } else { add(&mut batch) }
    })?;
    add(&mut batch)?;
    let file = writer.into_inner().map_err(failed(path))?;
    file.finish().map_err(failed(path))
}

fn failed<E: Into<Box<dyn Error + Send + Sync>>>(path: &Path) -> impl Fn(E) -> ReportError {
    let path = path.to_owned();
    move |source| ReportError::Columns { path: path.clone(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use tkmia_attacks::{Controls, Indicator};
    use tkmia_experiment::{Controlled, FitFacts};

    use super::*;
    use crate::toy::toy;

    fn record(number: usize) -> Record {
        let fit = FitFacts {
            sha256: "0".to_owned(),
            images: 2,
            success: 0.5,
            rounds: 1,
            forward: 3.0,
            backward: 2.0,
        };
        let controls = Controls { negated: true, shuffled: 0.2 };
        let mut record = toy("a", number % 3, number % 2 == 0, 0.1 + number as f64);
        record.id = number.to_string();
        if number % 5 == 0 {
            record.draws = vec![0, number];
            record.indicators = vec![Indicator::FlatLoss];
            record.universal = Some(Controlled { fit, controls });
        }
        record
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let records = || (0..2 * BATCH + 7).map(record);
        write(&path, |take| records().try_for_each(|record| take(record.into()))).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap());
        let batches = reader.unwrap().build().unwrap();
        let rows = batches.flat_map(|batch| -> Vec<Row> {
            serde_arrow::from_record_batch(&batch.unwrap()).unwrap()
        });
        assert!(rows.eq(records().map(Row::from)));
    }

    #[test]
    fn what_could_not_be_read_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let lost = ReportError::Columns { path: path.clone(), source: "lost".into() };
        let found = write(&path, |take| {
            take(record(0).into())?;
            Err(lost)
        });
        assert_eq!(found.unwrap_err().to_string(), format!("{}: can't be written", path.display()));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
