//! Whole files: [`WholeFile`] and [`write_whole`].

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::STANDARD_STREAM;

/// Writes a file whole or not at all, even if the power goes: see [`WholeFile`].
///
/// # Errors
/// Those of [`WholeFile::create`] and [`WholeFile::finish`].
pub fn write_whole(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes.as_ref())?;
    file.finish()
}

/// A file that gets its name when it is [finished](Self::finish).
///
/// Until then it lies beside its place, under a name of its own that ends in `.partial`; if it is
/// dropped, it is removed, and what was at its place stays. What a killed process has left of it there is
/// removed when it is created anew. Where its place is a device or a pipe, or the standard output as `-`,
/// [`finish`](Self::finish) writes into that.
///
/// # Example
///
/// ```
/// use std::fs;
/// use std::io::Write;
/// use tkmia_file::WholeFile;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("report.csv");
/// fs::write(&path, "old")?;
/// let mut file = WholeFile::create(&path)?;
/// file.write_all(b"new")?;
/// assert_eq!(fs::read_to_string(&path)?, "old");
/// file.finish()?;
/// assert_eq!(fs::read_to_string(&path)?, "new");
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    partial: NamedTempFile,
    /// What is at the path, if that is no file.
    special: Option<Special>,
}

#[derive(Debug)]
enum Special {
    DeviceOrPipe(File),
    StandardOutput,
}

/// The end of an unfinished file's name, and the number of random letters before it.
const SUFFIX: &str = ".partial";
const RANDOM: usize = 6;

impl WholeFile {
    /// Starts a file that will be at `path`, in a folder that is there.
    ///
    /// # Errors
    /// Those of creating a file in that folder, or of opening the device or pipe at `path`; a folder
    /// at `path` is one.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let special = match fs::metadata(&path) {
            _ if is_standard_output(&path) => Some(Special::StandardOutput),
            Ok(found) if !found.is_file() => {
                Some(Special::DeviceOrPipe(OpenOptions::new().write(true).open(&path)?))
            }
            _ => None,
        };
        let folder = match path.parent() {
            _ if special.is_some() => &std::env::temp_dir(),
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut prefix = path.file_name().unwrap_or(OsStr::new("")).to_owned();
        prefix.push(".");
        remove_left_behind(folder, &prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
        // What `File::create` asks for, and the umask narrows; tempfile's own are for one's eyes only.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let partial = builder.tempfile_in(folder)?;
        // A lock ends with its process. Where there are none, nothing counts as left behind.
        let _ = partial.as_file().try_lock();
        Ok(Self { path, partial, special })
    }

    /// Gives the file its name, in place of one that is there.
    ///
    /// # Errors
    /// Those of bringing it to the disk and of renaming it; then it is removed.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(special) = self.special {
            self.partial.rewind()?;
            let mut into: Box<dyn Write> = match special {
                Special::DeviceOrPipe(file) => Box::new(file),
                Special::StandardOutput => Box::new(io::stdout()),
            };
            io::copy(&mut self.partial, &mut into)?;
            return into.flush();
        }
        self.partial.as_file().sync_all()?;
        self.partial.persist(self.path)?;
        Ok(())
    }
}

/// Whether what is written to this path goes to the standard output: [`STANDARD_STREAM`], or the system's name for it, which may be
/// a link to a file, in whose place none is put.
pub fn is_standard_output(path: impl AsRef<Path>) -> bool {
    [STANDARD_STREAM, "/dev/stdout"].iter().any(|name| path.as_ref() == Path::new(name))
}

/// Removes unfinished files of this prefix that no process holds.
fn remove_left_behind(folder: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let middle = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let random = middle.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        if random.is_some_and(|random| random.len() == RANDOM)
            && let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // It is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.partial.flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.partial.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        fs::read_dir(folder).unwrap().map(|entry| name(entry).unwrap()).collect()
    }

    #[test]
    fn it_replaces_what_is_there_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, "first").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"sEcond").unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        file.write_all(b"e").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_dropped_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        let partial = names(folder.path());
        assert!(partial[0].starts_with("a.txt.") && partial[0].ends_with(".partial"));
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut other = WholeFile::create(path("a.txt")).unwrap();
        other.write_all(b"other").unwrap();
        for name in ["a.txt.AbC123.partial", "a.txt.old.partial", "b.txt.AbC123.partial"] {
            fs::write(path(name), "half").unwrap();
        }
        write_whole(path("a.txt"), "whole").unwrap();
        assert!(!path("a.txt.AbC123.partial").exists());
        assert!(path("a.txt.old.partial").exists() && path("b.txt.AbC123.partial").exists());
        other.finish().unwrap();
        assert_eq!(fs::read(path("a.txt")).unwrap(), b"other");
    }

    #[test]
    fn a_place_that_cannot_be_written_to_shows_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(WholeFile::create(folder.path()).is_err());
        assert!(WholeFile::create(folder.path().join("missing/a.txt")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_they_may_read_any_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let [whole, plain] = ["whole", "plain"].map(|name| folder.path().join(name));
        write_whole(&whole, "a").unwrap();
        fs::write(&plain, "a").unwrap();
        let [whole, plain] =
            [whole, plain].map(|path| fs::metadata(path).unwrap().permissions().mode());
        assert_eq!(whole, plain);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_stays_a_device() {
        use std::os::unix::fs::FileTypeExt;

        write_whole("/dev/null", "a").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let mut full = WholeFile::create("/dev/full").unwrap();
        full.write_all(b"a").unwrap();
        assert!(full.finish().is_err());
    }
}
