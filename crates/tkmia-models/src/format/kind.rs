//! Which kind of file a model is in: [`Format`].

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A kind of model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A graph with its weights: <https://onnx.ai/onnx/repo-docs/IR.html>
    #[strum(serialize = "ONNX")]
    Onnx,
    /// Named tensors: <https://huggingface.co/docs/safetensors>
    #[strum(serialize = "safetensors")]
    Safetensors,
    /// What `torch.save` writes.
    PyTorch,
}

/// As many bytes of a file as [`Format::of`] looks at.
pub(crate) const HEAD: usize = 512;

impl Format {
    /// Tells the kind of a file by its first bytes, and where these leave it open by its name.
    pub(crate) fn of(head: &[u8], path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        Self::of_content(head).or(match extension.as_deref() {
            Some("onnx") => Some(Self::Onnx),
            Some("safetensors") => Some(Self::Safetensors),
            Some("pth" | "pt") => Some(Self::PyTorch),
            _ => None,
        })
    }

    fn of_content(head: &[u8]) -> Option<Self> {
        // A length in 64 bits, then JSON: the length's upper bytes are 0 for any header there is.
        if head.len() > 8 && head[8] == b'{' && head[4..8] == [0; 4] {
            return Some(Self::Safetensors);
        }
        let zip = head.starts_with(b"PK\x03\x04");
        let pickle = matches!(head, [0x80, 2..=5, ..]);
        let tar = head.get(257..262) == Some(b"ustar");
        if zip || pickle || tar {
            return Some(Self::PyTorch);
        }
        // The field `ir_version` of a ModelProto, which every exporter writes first.
        matches!(head, [0x08, 1..=0x7f, ..]).then_some(Self::Onnx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_goes_before_the_name_and_the_name_decides_where_there_is_no_telling() {
        let of = |head: &[u8], name: &str| Format::of(head, Path::new(name));
        assert_eq!(of(b"\x08\x08\x12\x07pytorch", "model"), Some(Format::Onnx));
        assert_eq!(of(b"\x10\0\0\0\0\0\0\0{\"a\":", "model.pth"), Some(Format::Safetensors));
        assert_eq!(of(b"\x80\0\0\0\0\0\0\0{\"a\":", "x.bin"), Some(Format::Safetensors));
        assert_eq!(of(b"PK\x03\x04....", "model.onnx"), Some(Format::PyTorch));
        assert_eq!(of(b"\x80\x02\x8a\nl\xfc", "old"), Some(Format::PyTorch));
        assert_eq!(of(b"", "model.ONNX"), Some(Format::Onnx));
        assert_eq!(of(b"version https://git-lfs", "model.pt"), Some(Format::PyTorch));
        assert_eq!(of(b"import torch", "model.py"), None);
    }
}
