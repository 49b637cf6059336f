//! [`Journal`]: records that outlive the process that writes them.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{ExperimentError, read_failed, write_failed};
use crate::record::{Named, Record};
use crate::setting::Setting;

/// A JSON-lines file of records, appended to batch by batch and never rewritten.
///
/// Records come in one order, that of the plan, so that a file that is cut off anywhere is a beginning of
/// the whole one. A batch is one write, flushed to the disk before the next. What a killed process or a
/// full disk leaves behind is at most an unfinished end, which [`open`](Self::open) cuts off.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

/// A place in a journal: what its record is to be of.
#[derive(Debug, Clone)]
pub(crate) struct Expected<'a> {
    pub setting: &'a Setting,
    pub run: Rc<Named>,
    pub id: &'a str,
    pub specified: &'a [usize],
}

impl Expected<'_> {
    fn is_of(&self, record: &Record) -> bool {
        (self.setting, &self.run.key) == (&record.setting, &record.key)
            && (self.id, self.specified) == (&record.id, &record.specified)
    }
}

impl Journal {
    /// Opens a journal, new or begun; gives it and the number of records in it.
    ///
    /// # Errors
    /// [`ExperimentError::Corrupt`] if a line that isn't the last is no record, [`ExperimentError::Unplanned`] if a
    /// record isn't the one that is expected there, and [`ExperimentError::File`].
    pub fn open<'a>(
        path: &Path,
        expected: impl Iterator<Item = Expected<'a>>,
    ) -> Result<(Self, usize), ExperimentError> {
        let path = path.to_owned();
        let (count, whole) = match path.exists() {
            true => check(&path, expected)?,
            false => (0, 0),
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(write_failed(&path))?;
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop))
            .and_then(|()| file.sync_all())
            .map_err(write_failed(&path))?;
        Ok((Self { path, file }, count))
    }

    /// Adds records, and returns when they are on the disk.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<(), ExperimentError> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).expect("plain values can be written");
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        written.map_err(write_failed(&self.path))
    }
}

/// How many records a file has, and how many bytes they are, its unfinished end left out.
///
/// # Errors
/// As [`Journal::open`].
pub(crate) fn check<'a>(
    path: &Path,
    expected: impl Iterator<Item = Expected<'a>>,
) -> Result<(usize, u64), ExperimentError> {
    read(path, expected, |_| Ok(()))
}

/// The same, and hands over each record.
///
/// # Errors
/// As [`check`], and what `take` fails with.
pub(crate) fn read<'a, E: From<ExperimentError>>(
    path: &Path,
    mut expected: impl Iterator<Item = Expected<'a>>,
    mut take: impl FnMut(Record) -> Result<(), E>,
) -> Result<(usize, u64), E> {
    let mut count = 0;
    let whole = scan(path, |line, record| {
        count += 1;
        match expected.next() {
            Some(place) if place.is_of(&record) => take(record),
            place => Err(unplanned(path, line, place, &record).into()),
        }
    })?;
    Ok((count, whole))
}

/// Hands over each record with the number of its line; gives how many bytes are whole records.
fn scan<E: From<ExperimentError>>(
    path: &Path,
    mut take: impl FnMut(usize, Record) -> Result<(), E>,
) -> Result<u64, E> {
    let failed = read_failed(path);
    let mut file = BufReader::new(File::open(path).map_err(&failed)?);
    let (mut line, mut whole) = (Vec::new(), 0);
    let mut bad: Option<(usize, String)> = None;
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(&failed)? == 0 {
            break;
        }
        let record = match line.ends_with(b"\n") {
            true => serde_json::from_slice::<Record>(&line).map_err(|error| error.to_string()),
            false => Err("the line has no end".to_owned()),
        };
        match (record, &bad) {
            (Ok(record), None) => {
                take(number, record)?;
                whole += line.len() as u64;
            }
            // What follows a broken line wasn't written after it: it is no unfinished end.
            (Ok(_), Some((number, reason))) => {
                let (path, line, reason) = (path.to_owned(), *number, reason.clone());
                return Err(ExperimentError::Corrupt { path, line, reason }.into());
            }
            (Err(reason), None) => bad = Some((number, reason)),
            (Err(_), Some(_)) => {}
        }
    }
    Ok(whole)
}

fn unplanned(
    path: &Path,
    line: usize,
    place: Option<Expected<'_>>,
    record: &Record,
) -> ExperimentError {
    let name = |setting: &Setting, method: &str, id: &str, specified: &[usize]| {
        format!("`{method}` on {setting}, sample `{id}` with S = {specified:?}")
    };
    ExperimentError::Unplanned {
        path: path.to_owned(),
        line,
        expected: place.map_or("the end of the file".to_owned(), |place| {
            name(place.setting, &place.run.method, place.id, place.specified)
        }),
        found: name(&record.setting, &record.method, &record.id, &record.specified),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;
    use crate::toy::toy;

    fn places(records: &[Record]) -> impl Iterator<Item = Expected<'_>> {
        records.iter().map(|Record { setting, method, key, id, specified, .. }| Expected {
            setting,
            run: Rc::new(Named { method: method.clone(), key: key.clone() }),
            id,
            specified,
        })
    }

    fn records() -> Vec<Record> {
        (0..4).map(|number| Record { id: number.to_string(), ..toy("a", 1, true, 0.1) }).collect()
    }

    #[test]
    fn a_journal_cut_off_at_any_byte_goes_on_to_the_same_file() {
        let (folder, records) = (tempdir().unwrap(), records());
        let path = folder.path().join("records.jsonl");
        let (mut journal, count) = Journal::open(&path, places(&records)).unwrap();
        assert_eq!(count, 0);
        journal.append(&records).unwrap();
        let whole = fs::read(&path).unwrap();
        // Zeros in place of what was lost are what some file systems leave after a power cut.
        let ends = [&b""[..], &[0; 9], b"\0\0\n"];
        let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap();
        let lengths = (0..last).step_by(41).chain((last..=whole.len()).step_by(5));
        for (length, end) in lengths.chain([whole.len()]).zip(ends.into_iter().cycle()) {
            fs::write(&path, [&whole[..length], end].concat()).unwrap();
            let (mut journal, count) = Journal::open(&path, places(&records)).unwrap();
            journal.append(&records[count..]).unwrap();
            assert!(fs::read(&path).unwrap() == whole, "cut off at {length}");
        }
        let mut found = Vec::new();
        let take = |record| {
            found.push(record);
            Ok::<(), ExperimentError>(())
        };
        read(&path, places(&records), take).unwrap();
        assert!(found == records);
    }

    #[test]
    fn a_broken_line_before_others_is_named() {
        let (folder, records) = (tempdir().unwrap(), records());
        let path = folder.path().join("records.jsonl");
        let line = |record: &Record| serde_json::to_string(record).unwrap();
        let text = format!("{}\nnothing\n{}\n", line(&records[0]), line(&records[1]));
        fs::write(&path, &text).unwrap();
        let error = Journal::open(&path, places(&records)).unwrap_err().to_string();
        assert!(error.contains("records.jsonl, line 2"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing is cut off");
    }

    #[test]
    fn other_words_for_an_attack_do_not_orphan_its_records() {
        let (folder, records) = (tempdir().unwrap(), records());
        let path = folder.path().join("records.jsonl");
        let (mut journal, _) = Journal::open(&path, places(&records)).unwrap();
        journal.append(&records).unwrap();
        let reworded = |record: &Record| Record { method: "other".to_owned(), ..record.clone() };
        let other: Vec<Record> = records.iter().map(reworded).collect();
        assert_eq!(Journal::open(&path, places(&other)).unwrap().1, 4);
        let changed = |record: &Record| Record { key: "1:other".to_owned(), ..record.clone() };
        let other: Vec<Record> = records.iter().map(changed).collect();
        assert!(Journal::open(&path, places(&other)).is_err());
    }

    #[test]
    fn a_record_that_is_not_planned_is_named() {
        let (folder, records) = (tempdir().unwrap(), records());
        let path = folder.path().join("records.jsonl");
        let (mut journal, _) = Journal::open(&path, places(&records)).unwrap();
        journal.append([&records[1]]).unwrap();
        let error = Journal::open(&path, places(&records)).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("sample `0`"), "{error}");
        let error = Journal::open(&path, places(&[])).unwrap_err().to_string();
        assert!(error.contains("the end of the file"), "{error}");
    }
}
