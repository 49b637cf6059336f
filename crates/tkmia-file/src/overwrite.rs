//! Outputs that are inputs: [`overwritten`].

use std::path::{Path, PathBuf};

use same_file::is_same_file;

/// The first input that writing one of the outputs would destroy: the same file or folder, by this name, by
/// another, or by a symbolic or hard link.
///
/// # Example
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let input = [folder.path().join("x.npz")];
/// std::fs::write(&input[0], "")?;
/// assert_eq!(tkmia_file::overwritten(&[folder.path().join("./x.npz")], &input), Some(&*input[0]));
/// assert_eq!(tkmia_file::overwritten(&[folder.path().join("y.npz")], &input), None);
/// # std::io::Result::Ok(())
/// ```
pub fn overwritten<'p>(outputs: &[PathBuf], inputs: &'p [PathBuf]) -> Option<&'p Path> {
    let is_output = |input: &&PathBuf| {
        // What isn't there yet is no input.
        outputs.iter().any(|output| is_same_file(output, input).unwrap_or(false))
    };
    inputs.iter().find(is_output).map(PathBuf::as_path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_to_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "").unwrap();
        fs::write(path("b"), "").unwrap();
        symlink(path("a"), path("soft")).unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        for (output, same) in [("soft", true), ("hard", true), ("b", false), ("none", false)] {
            assert_eq!(overwritten(&[path(output)], &[path("a")]).is_some(), same, "{output}");
        }
    }
}
