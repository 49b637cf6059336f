//! [`merge`]: the shards of an experiment as one.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::campaign::TUNING;
use crate::journal::check;
use crate::manifest::Manifest;
use crate::plan::{Plan, Shard, refuse_changes};
use crate::stage::read_manifests;
use crate::{EvalError, write_whole};

/// Puts the shards of an experiment together: the same records, line for line, as of a run in one piece.
///
/// Folders that hold a shard of the tuning only are put together to a tuning. Gives the number of records.
///
/// # Errors
/// - [`EvalError::Changed`] if the folders aren't of one experiment with the same manifests
/// - [`EvalError::Shards`] if a shard is missing, or there twice
/// - [`EvalError::Incomplete`] if one lacks records
/// - [`EvalError::Read`], [`EvalError::Write`], and what else a record can be wrong in
pub fn merge(folders: &[PathBuf], output: &Path) -> Result<usize, EvalError> {
    let whole = |folder: &PathBuf| Plan::read(folder).map(|plan| (folder.clone(), plan));
    match folders.iter().map(whole).collect::<Result<Vec<_>, _>>() {
        Ok(parts) => merge_stage(parts, output),
        Err(EvalError::NotAnExperiment { path }) => {
            let tuning = |folder: &PathBuf| {
                let folder = folder.join(TUNING);
                match Plan::read(&folder) {
                    Ok(plan) => Ok((folder, plan)),
                    // The folder itself is what was named.
                    Err(_) => Err(EvalError::NotAnExperiment { path: path.clone() }),
                }
            };
            let parts = folders.iter().map(tuning).collect::<Result<Vec<_>, _>>()?;
            merge_stage(parts, &output.join(TUNING))
        }
        Err(other) => Err(other),
    }
}

fn merge_stage(mut parts: Vec<(PathBuf, Plan)>, output: &Path) -> Result<usize, EvalError> {
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
    let manifests = read_manifests(&first, &plan.manifests)?;

    let write_failed = |path: &Path| {
        let path = path.to_owned();
        |source| EvalError::Write { path, source }
    };
    for folder in ["manifests", "images"] {
        let path = output.join(folder);
        fs::create_dir_all(&path).map_err(write_failed(&path))?;
    }
    for entry in &plan.manifests {
        copy(&first.join(&entry.file), &output.join(&entry.file))?;
    }
    for (folder, _) in &parts {
        copy_images(folder, output)?;
    }
    let records = output.join("records.jsonl");
    let partial = output.join("records.jsonl.partial");
    let file = File::create(&partial).map_err(write_failed(&partial))?;
    let mut file = BufWriter::new(file);
    let count = interleave(&parts, &plan, &manifests, |line| {
        file.write_all(line).map_err(write_failed(&partial))
    })?;
    file.into_inner()
        .map_err(|error| error.into_error())
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&partial, &records))
        .map_err(write_failed(&records))?;
    plan.write(output)?;
    Ok(count)
}

/// Each of the shards must be there, once.
fn check_shards(parts: &[(PathBuf, Plan)]) -> Result<(), EvalError> {
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
    Err(EvalError::Shards { count, found })
}

/// Hands over the lines of all shards in the order of the whole.
fn interleave(
    parts: &[(PathBuf, Plan)],
    plan: &Plan,
    manifests: &[Manifest],
    mut write: impl FnMut(&[u8]) -> Result<(), EvalError>,
) -> Result<usize, EvalError> {
    let mut readers = Vec::new();
    for (folder, part) in parts {
        let path = folder.join("records.jsonl");
        let names = part.names();
        let (found, _) = check(&path, part.entries(&names, manifests))?;
        if found < part.records() {
            let (path, of) = (folder.clone(), part.records());
            return Err(EvalError::Incomplete { path, found, of });
        }
        let file = File::open(&path).map_err(|source| EvalError::Read { path, source })?;
        readers.push(BufReader::new(file));
    }
    let mut count = 0;
    let mut line = Vec::new();
    for job in &plan.jobs {
        for position in plan.positions(job.manifest) {
            let holder = position % readers.len();
            line.clear();
            readers[holder].read_until(b'\n', &mut line).map_err(|source| EvalError::Read {
                path: parts[holder].0.join("records.jsonl"),
                source,
            })?;
            write(&line)?;
            count += 1;
        }
    }
    Ok(count)
}

fn copy(from: &Path, to: &Path) -> Result<(), EvalError> {
    let bytes =
        fs::read(from).map_err(|source| EvalError::Read { path: from.to_owned(), source })?;
    write_whole(to, &bytes)
}

fn copy_images(from: &Path, to: &Path) -> Result<(), EvalError> {
    let folder = from.join("images");
    if !folder.is_dir() {
        return Ok(());
    }
    let failed = |source| EvalError::Read { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().extension().is_some_and(|extension| extension == "png") {
            copy(&entry.path(), &to.join("images").join(entry.file_name()))?;
        }
    }
    Ok(())
}
