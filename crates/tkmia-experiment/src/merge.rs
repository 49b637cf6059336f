//! [`merge`]: the shards of an experiment as one.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use tkmia_file::{WholeFile, write_whole};

use crate::changes::refuse_changes;
use crate::error::{ExperimentError, read_failed, write_failed};
use crate::folder::{self, IMAGES, MANIFESTS, RECORDS, TUNING};
use crate::journal::check;
use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::shard::Shard;

/// Puts the shards of an experiment together: the same records, line for line, as of a run in one piece.
///
/// Folders that hold a shard of the tuning only are put together to a tuning. Gives the number of records.
///
/// # Errors
/// - [`ExperimentError::Changed`] if the folders aren't of one experiment with the same manifests
/// - [`ExperimentError::Shards`] if a shard is missing, or there twice
/// - [`ExperimentError::Incomplete`] if one lacks records
/// - [`ExperimentError::File`], and what else a record can be wrong in
pub fn merge(folders: &[PathBuf], output: &Path) -> Result<usize, ExperimentError> {
    let whole = |folder: &PathBuf| Plan::read(folder).map(|plan| (folder.clone(), plan));
    match folders.iter().map(whole).collect::<Result<Vec<_>, _>>() {
        Ok(parts) => merge_stage(parts, output),
        Err(ExperimentError::NotAnExperiment { path }) => {
            let tuning = |folder: &PathBuf| {
                let folder = folder.join(TUNING);
                match Plan::read(&folder) {
                    Ok(plan) => Ok((folder, plan)),
                    // The folder itself is what was named.
                    Err(_) => Err(ExperimentError::NotAnExperiment { path: path.clone() }),
                }
            };
            let parts = folders.iter().map(tuning).collect::<Result<Vec<_>, _>>()?;
            merge_stage(parts, &output.join(TUNING))
        }
        Err(other) => Err(other),
    }
}

fn merge_stage(mut parts: Vec<(PathBuf, Plan)>, output: &Path) -> Result<usize, ExperimentError> {
    check_shards(&parts)?;
    parts.sort_by_key(|(_, plan)| plan.shard.map(|shard| shard.index));
    let (first, plan) = (parts[0].0.clone(), Plan { shard: None, ..parts[0].1.clone() });
    for (folder, part) in &parts {
        let part = Plan { shard: None, title: plan.title.clone(), ..part.clone() };
        refuse_changes(folder, &plan, &part)?;
    }
    if let Ok(before) = Plan::read(output) {
        refuse_changes(output, &before.inputs, &plan.inputs)?;
    }
    let manifests = plan.read_manifests(&first)?;

    folder::make(&output.join(MANIFESTS))?;
    folder::make(&output.join(IMAGES))?;
    for entry in &plan.manifests {
        copy(&first.join(&entry.file), &output.join(&entry.file))?;
    }
    for (folder, _) in &parts {
        copy_images(folder, output)?;
    }
    let records = output.join(RECORDS);
    let failed = write_failed(&records);
    let mut file = BufWriter::new(WholeFile::create(&records).map_err(&failed)?);
    let count =
        interleave(&parts, &plan, &manifests, |line| file.write_all(line).map_err(&failed))?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.finish().map_err(&failed)?;
    plan.write(output)?;
    Ok(count)
}

/// Each of the shards must be there, once.
fn check_shards(parts: &[(PathBuf, Plan)]) -> Result<(), ExperimentError> {
    let shards: Vec<Option<Shard>> = parts.iter().map(|(_, plan)| plan.shard).collect();
    let count = shards.iter().flatten().map(|shard| shard.count).max().unwrap_or(1);
    let is =
        |shard: &Option<Shard>, index| shard.is_some_and(|found| found == Shard { index, count });
    let whole = (1..=count)
        .all(|index| shards.iter().filter(|shard| is(shard, index)).count() == 1)
        && shards.len() == count;
    if whole {
        return Ok(());
    }
    let name =
        |shard: &Option<Shard>| shard.map_or("the whole".to_owned(), |shard| shard.to_string());
    let found = match shards.len() {
        0 => "none".to_owned(),
        _ => shards.iter().map(name).collect::<Vec<_>>().join(", "),
    };
    Err(ExperimentError::Shards { count, found })
}

/// Hands over the lines of all shards in the order of the whole.
fn interleave(
    parts: &[(PathBuf, Plan)],
    plan: &Plan,
    manifests: &[Manifest],
    mut write: impl FnMut(&[u8]) -> Result<(), ExperimentError>,
) -> Result<usize, ExperimentError> {
    let mut readers = Vec::new();
    for (folder, part) in parts {
        let path = folder.join(RECORDS);
        let (found, _) = check(&path, part.expected(manifests))?;
        if found < part.records() {
            let (path, of) = (folder.clone(), part.records());
            return Err(ExperimentError::Incomplete { path, found, of });
        }
        readers.push(BufReader::new(File::open(&path).map_err(read_failed(&path))?));
    }
    let mut count = 0;
    let mut line = Vec::new();
    for job in &plan.jobs {
        for position in plan.positions(job.manifest) {
            let holder = position % readers.len();
            line.clear();
            let read = readers[holder].read_until(b'\n', &mut line);
            read.map_err(read_failed(&parts[holder].0.join(RECORDS)))?;
            write(&line)?;
            count += 1;
        }
    }
    Ok(count)
}

fn copy(from: &Path, to: &Path) -> Result<(), ExperimentError> {
    let bytes = fs::read(from).map_err(read_failed(from))?;
    write_whole(to, bytes).map_err(write_failed(to))
}

fn copy_images(from: &Path, to: &Path) -> Result<(), ExperimentError> {
    let folder = from.join(IMAGES);
    if !folder.is_dir() {
        return Ok(());
    }
    let failed = read_failed(&folder);
    for entry in fs::read_dir(&folder).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let path = entry.path();
        // Others are what a killed process has left behind.
        if path.extension().is_some_and(|extension| extension == "png" || extension == "npy") {
            copy(&path, &to.join(IMAGES).join(entry.file_name()))?;
        }
    }
    Ok(())
}
