//! [`Journal`]: records that outlive the process that writes them.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{EvalError, Record};

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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub setting: &'a crate::Setting,
    pub method: &'a str,
    pub id: &'a str,
}

impl Entry<'_> {
    fn is_of(&self, record: &Record) -> bool {
        (self.setting, self.method, self.id) == (&record.setting, &record.method, &record.id)
    }
}

impl Journal {
    /// Opens a journal, new or begun; gives it and the number of records in it.
    ///
    /// # Errors
    /// [`EvalError::Corrupt`] if a line that isn't the last is no record, [`EvalError::Unplanned`] if a
    /// record isn't the one that is expected there, and [`EvalError::Read`], [`EvalError::Write`].
    pub fn open<'a>(
        path: &Path,
        expected: impl Iterator<Item = Entry<'a>>,
    ) -> Result<(Self, usize), EvalError> {
        let path = path.to_owned();
        let failed = |source| EvalError::Write { path: path.clone(), source };
        let (count, whole) = match path.exists() {
            true => check(&path, expected)?,
            false => (0, 0),
        };
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok((Self { path, file }, count))
    }

    /// Adds records, and returns when they are on the disk.
    ///
    /// # Errors
    /// [`EvalError::Encode`] or [`EvalError::Write`].
    pub fn append(&mut self, records: &[&Record]) -> Result<(), EvalError> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).map_err(|error| EvalError::Encode {
                path: self.path.clone(),
                reason: error.to_string(),
            })?;
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        written.map_err(|source| EvalError::Write { path: self.path.clone(), source })
    }
}

/// How many records a file has, and how many bytes they are, its unfinished end left out.
///
/// # Errors
/// As [`Journal::open`].
pub(crate) fn check<'a>(
    path: &Path,
    mut expected: impl Iterator<Item = Entry<'a>>,
) -> Result<(usize, u64), EvalError> {
    let mut count = 0;
    let whole = scan(path, |line, record| {
        count += 1;
        match expected.next() {
            Some(entry) if entry.is_of(&record) => Ok(()),
            entry => Err(unplanned(path, line, entry, &record)),
        }
    })?;
    Ok((count, whole))
}

/// The records of a file, but for an unfinished end.
///
/// # Errors
/// [`EvalError::Read`], and [`EvalError::Corrupt`] if a line that isn't the last is no record.
pub fn read_records(path: &Path) -> Result<Vec<Record>, EvalError> {
    let mut records = Vec::new();
    scan(path, |_, record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// Hands over each record with the number of its line; gives how many bytes are whole records.
fn scan(
    path: &Path,
    mut take: impl FnMut(usize, Record) -> Result<(), EvalError>,
) -> Result<u64, EvalError> {
    let failed = |source| EvalError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let (mut line, mut whole) = (Vec::new(), 0);
    let mut bad: Option<(usize, String)> = None;
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(failed)? == 0 {
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
                return Err(EvalError::Corrupt { path, line, reason });
            }
            (Err(reason), None) => bad = Some((number, reason)),
            (Err(_), Some(_)) => {}
        }
    }
    Ok(whole)
}

fn unplanned(path: &Path, line: usize, entry: Option<Entry<'_>>, record: &Record) -> EvalError {
    let name = |setting: &crate::Setting, method: &str, id: &str| {
        format!("`{method}` on {setting}, sample `{id}`")
    };
    EvalError::Unplanned {
        path: path.to_owned(),
        line,
        expected: entry.map_or("the end of the file".to_owned(), |entry| {
            name(entry.setting, entry.method, entry.id)
        }),
        found: name(&record.setting, &record.method, &record.id),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::record::tests::toy;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("journal-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn entries(records: &[Record]) -> impl Iterator<Item = Entry<'_>> {
        records.iter().map(|Record { setting, method, id, .. }| Entry { setting, method, id })
    }

    fn records() -> Vec<Record> {
        (0..4).map(|number| Record { id: number.to_string(), ..toy("a", 1, true, 0.1) }).collect()
    }

    #[test]
    fn a_journal_cut_off_at_any_byte_goes_on_to_the_same_file() {
        let (folder, records) = (folder("cut"), records());
        let path = folder.0.join("records.jsonl");
        let (mut journal, count) = Journal::open(&path, entries(&records)).unwrap();
        assert_eq!(count, 0);
        journal.append(&records.iter().collect::<Vec<_>>()).unwrap();
        let whole = fs::read(&path).unwrap();
        // Zeros in place of what was lost are what some file systems leave after a power cut.
        let ends = [&b""[..], &[0; 9], b"\0\0\n"];
        let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap();
        let lengths = (0..last).step_by(41).chain((last..=whole.len()).step_by(5));
        for (length, end) in lengths.chain([whole.len()]).zip(ends.into_iter().cycle()) {
            fs::write(&path, [&whole[..length], end].concat()).unwrap();
            let (mut journal, count) = Journal::open(&path, entries(&records)).unwrap();
            journal.append(&records[count..].iter().collect::<Vec<_>>()).unwrap();
            assert!(fs::read(&path).unwrap() == whole, "cut off at {length}");
        }
        assert!(read_records(&path).unwrap() == records);
    }

    #[test]
    fn a_broken_line_before_others_is_named() {
        let (folder, records) = (folder("broken"), records());
        let path = folder.0.join("records.jsonl");
        let line = |record: &Record| serde_json::to_string(record).unwrap();
        let text = format!("{}\nnothing\n{}\n", line(&records[0]), line(&records[1]));
        fs::write(&path, &text).unwrap();
        let error = Journal::open(&path, entries(&records)).unwrap_err().to_string();
        assert!(error.contains("records.jsonl, line 2"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing is cut off");
    }

    #[test]
    fn a_record_that_is_not_planned_is_named() {
        let (folder, records) = (folder("unplanned"), records());
        let path = folder.0.join("records.jsonl");
        let (mut journal, _) = Journal::open(&path, entries(&records)).unwrap();
        journal.append(&[&records[1]]).unwrap();
        let error = Journal::open(&path, entries(&records)).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("sample `0`"), "{error}");
        let error = Journal::open(&path, entries(&[])).unwrap_err().to_string();
        assert!(error.contains("the end of the file"), "{error}");
    }
}
