//! Named tensors and a JSON text in one safetensors file: models and checkpoints.

use crate::error::{Error, Result};
use crate::files;
use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Key of the JSON text in the file's metadata.
const META: &str = "ebmotion";
/// Key of the SHA-256 of that text and of all tensors, by name: their names, types, shapes and numbers.
const DIGEST: &str = "ebmotion.sha256";

/// The content of a model or checkpoint file.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::train::Archive;
///
/// # let folder = tempfile::tempdir().map_err(ebmotion::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("weights.safetensors");
/// let mut archive = Archive { meta: serde_json::json!({"kind": "example"}), ..Archive::default() };
/// archive.tensors.insert("bias".into(), Tensor::new(&[1f32, 2.0], &Device::Cpu)?);
/// archive.save(&path)?;
/// let read = Archive::load(&path)?;
/// assert_eq!(read.tensor(&path, "bias")?.to_vec1::<f32>()?, [1.0, 2.0]);
/// assert!(read.meta["kind"] == "example" && read.digested);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Archive {
    /// Tensors by name: f32, f64, bf16, u32 or i64.
    pub tensors: BTreeMap<String, Tensor>,
    /// What describes them, as JSON.
    pub meta: serde_json::Value,
    /// The file had a digest of its content, which was right. Files of version 1 have none.
    pub digested: bool,
}

impl Archive {
    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; [`Error::Model`] for a tensor of another type.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut raw = Vec::with_capacity(self.tensors.len());
        for (name, tensor) in &self.tensors {
            let flat = tensor.flatten_all()?.to_device(&Device::Cpu)?;
            let (dtype, bytes): (Dtype, Vec<u8>) = match tensor.dtype() {
                DType::F32 => (Dtype::F32, flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
                DType::F64 => (Dtype::F64, flat.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
                DType::BF16 => {
                    let wide = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                    (Dtype::BF16, wide.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect())
                }
                DType::U32 => (Dtype::U32, flat.to_vec1::<u32>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
                DType::I64 => (Dtype::I64, flat.to_vec1::<i64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
                other => {
                    let found = format!("tensor `{name}` of {other:?} to be written");
                    return Err(Error::model(path, found, "f32, f64, bf16, u32 or i64"));
                }
            };
            raw.push((name, dtype, tensor.dims().to_vec(), bytes));
        }
        let mut views = Vec::with_capacity(raw.len());
        for (name, dtype, shape, bytes) in &raw {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|e| Error::model(path, format!("tensor `{name}`: {e}"), "a storable one"))?;
            views.push((name.as_str(), view));
        }
        let text = self.meta.to_string();
        let parts = raw.iter().map(|(name, dtype, shape, bytes)| (name.as_str(), *dtype, &shape[..], &bytes[..]));
        let meta = HashMap::from([(DIGEST.to_string(), digest(&text, parts)), (META.to_string(), text)]);
        let bytes = safetensors::serialize(views, Some(meta)).map_err(|e| Error::model(path, e, "storable tensors"))?;
        files::write_bytes(path, &bytes)
    }

    /// Reads a file written by [`Archive::save`].
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Model`] when it is truncated, damaged or not one of ours.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_bytes(path, &bytes)
    }

    /// As [`Archive::load`], for bytes at hand; `path` names them in errors.
    ///
    /// # Errors
    /// As [`Archive::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        const WHOLE: &str = "a whole safetensors file written by ebmotion";
        let bad = |found: String| Error::model(path, found, WHOLE);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(format!("{} bytes: {e}", bytes.len())))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| bad(format!("{} bytes: {e}", bytes.len())))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(META))
            .ok_or_else(|| bad("a safetensors file of another program".into()))?;
        let meta = serde_json::from_str(text).map_err(|e| bad(format!("unreadable description: {e}")))?;
        let mut all = file.tensors();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let said = header.metadata().as_ref().and_then(|m| m.get(DIGEST));
        if let Some(said) = said {
            let parts = all.iter().map(|(name, view)| (name.as_str(), view.dtype(), view.shape(), view.data()));
            if *said != digest(text, parts) {
                return Err(bad("content that its digest does not fit: a damaged file".into()));
            }
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in all {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F64 => DType::F64,
                Dtype::BF16 => DType::BF16,
                Dtype::U32 => DType::U32,
                Dtype::I64 => DType::I64,
                other => return Err(bad(format!("tensor `{name}` of type {other:?}"))),
            };
            let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, meta, digested: said.is_some() })
    }

    /// The tensor of a name.
    ///
    /// # Errors
    /// [`Error::Model`] naming `path` when it is missing.
    pub fn tensor(&self, path: &Path, name: &str) -> Result<Tensor> {
        self.tensors
            .get(name)
            .cloned()
            .ok_or_else(|| Error::model(path, format!("no tensor `{name}`"), "a whole model of this version"))
    }
}

/// SHA-256 of a description and of tensors in the order of their names, as hexadecimal digits.
fn digest<'a>(text: &str, tensors: impl Iterator<Item = (&'a str, Dtype, &'a [usize], &'a [u8])>) -> String {
    let mut sum = files::Digest::new();
    sum.add(text.as_bytes());
    for (name, dtype, shape, bytes) in tensors {
        sum.add(format!("{name} {dtype:?} {shape:?}").as_bytes());
        sum.add(bytes);
    }
    sum.hex()
}
