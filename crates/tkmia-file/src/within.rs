//! Paths that files name: [`within`].

use std::path::{Component, Path, PathBuf};

/// The place of a file that another one names, in the folder that it may not leave; `None` for an absolute path, for
/// one through `..`, and for none at all.
///
/// Symbolic links are followed like any other name: what lies in the folder was put there by its owner.
///
/// # Example
///
/// ```
/// use std::path::Path;
/// use tkmia_file::within;
///
/// let folder = Path::new("images");
/// assert_eq!(within(folder, "./a/b.jpg").as_deref(), Some(Path::new("images/a/b.jpg")));
/// for outside in ["../a.jpg", "a/../../b.jpg", "/etc/passwd", "", "."] {
///     assert_eq!(within(folder, outside), None);
/// }
/// ```
pub fn within(folder: &Path, named: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    let mut names = 0;
    for part in Path::new(named).components() {
        match part {
            Component::Normal(name) => {
                path.push(name);
                names += 1;
            }
            Component::CurDir => {}
            _ => return None,
        }
    }
    (names > 0).then_some(path)
}
