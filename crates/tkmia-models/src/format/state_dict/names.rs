//! Which network among a file's tensors, and what of it has been read: [`Names`].

use std::collections::BTreeSet;

use super::StateDict;
use crate::resnet::blueprint::BatchNorm;
use crate::{FloatType, ModelError};

/// The keys under which people save a network among other things; the first that is there counts.
///
/// A running average is often saved beside it (`model_ema`): it's the network itself that is read.
const KEYS: [&str; 4] = ["", "state_dict.", "model.", "model_state_dict."];

/// Epsilon of torchvision's batch norms, which no state dict holds.
pub const EPSILON: f64 = 1e-5;

/// How many names an error tells.
const SOME: usize = 3;

/// The tensors of one network, by their names without its prefix.
#[derive(Debug)]
pub struct Names<'d> {
    dict: &'d StateDict,
    prefix: String,
    read: BTreeSet<String>,
}

impl<'d> Names<'d> {
    /// Finds the network: what stands before `conv1.weight` and `layer1.0.conv1.weight` alike.
    ///
    /// # Errors
    /// [`ModelError::NoNetwork`] and [`ModelError::SeveralNetworks`].
    pub fn new(dict: &'d StateDict) -> Result<Self, ModelError> {
        let prefixes: Vec<&str> = dict
            .names()
            .filter_map(|name| name.strip_suffix("layer1.0.conv1.weight"))
            .filter(|prefix| dict.shape(&format!("{prefix}conv1.weight")).is_some())
            .collect();
        let usual = KEYS.iter().find_map(|key| {
            // The network under a key may have prefixes of its own: `state_dict.module.`.
            let under = |prefix: &&&str| match *key {
                "" => prefix.is_empty(),
                key => prefix.starts_with(key),
            };
            let mut under = prefixes.iter().filter(under);
            under.next().filter(|_| under.next().is_none()).copied()
        });
        match (usual, &prefixes[..]) {
            (_, []) => Err(ModelError::NoNetwork { found: summary(dict) }),
            (Some(prefix), _) | (None, &[prefix]) => {
                Ok(Self { dict, prefix: prefix.to_owned(), read: BTreeSet::new() })
            }
            (None, _) => {
                let prefixes = prefixes.into_iter().map(str::to_owned).collect();
                Err(ModelError::SeveralNetworks { prefixes })
            }
        }
    }

    /// The shape of a tensor, or `None` if it isn't there.
    pub fn shape(&self, name: &str) -> Option<&'d [usize]> {
        self.dict.shape(&self.full(name))
    }

    /// What the file calls a tensor.
    pub fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The shape of a tensor that must have `N` dimensions, of which `fits` approves.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`] and [`ModelError::TensorFit`] with what is `expected`.
    pub fn dims<const N: usize>(
        &self,
        name: &str,
        expected: &str,
        fits: impl Fn([usize; N]) -> bool,
    ) -> Result<[usize; N], ModelError> {
        let (tensor, expected) = (self.full(name), expected.to_owned());
        match self.shape(name) {
            None => Err(ModelError::MissingTensor { tensor, expected }),
            Some(found) => match <[usize; N]>::try_from(found) {
                Ok(dims) if fits(dims) => Ok(dims),
                _ => Err(ModelError::TensorFit { tensor, expected, found: found.to_vec() }),
            },
        }
    }

    /// The values of a tensor that is there.
    ///
    /// # Errors
    /// Those of [`StateDict::floats`].
    pub fn floats(&mut self, name: &str) -> Result<(FloatType, Vec<f32>), ModelError> {
        let full = self.full(name);
        let floats = self.dict.floats(&full)?;
        self.read.insert(full);
        Ok(floats)
    }

    /// A value for each of `channels`.
    ///
    /// # Errors
    /// Those of [`dims`](Self::dims) and [`floats`](Self::floats).
    pub fn row(&mut self, name: &str, channels: usize) -> Result<Vec<f32>, ModelError> {
        self.dims(name, &format!("a value for each of {channels} channels"), |[n]| n == channels)?;
        Ok(self.floats(name)?.1)
    }

    /// The batch norm of that name.
    ///
    /// # Errors
    /// Those of [`row`](Self::row), and [`ModelError::NotFinite`] for a variance below −epsilon.
    pub fn norm(&mut self, name: &str, channels: usize) -> Result<BatchNorm, ModelError> {
        let mut values = |part: &str| -> Result<Vec<f64>, ModelError> {
            let values = self.row(&format!("{name}.{part}"), channels)?;
            Ok(values.into_iter().map(f64::from).collect())
        };
        let (gamma, beta) = (values("weight")?, values("bias")?);
        let (mean, variance) = (values("running_mean")?, values("running_var")?);
        let norm = BatchNorm { gamma, beta, mean, variance, epsilon: EPSILON };
        norm.map().check_finite(&self.full(&format!("{name}.running_var")))?;
        Ok(norm)
    }

    /// Checks that every tensor of the network has been read, but for counters of training steps.
    ///
    /// # Errors
    /// [`ModelError::UnexpectedTensor`] with the first that hasn't.
    pub fn finish(self) -> Result<(), ModelError> {
        let own = |name: &&str| {
            let rest = name.strip_prefix(&self.prefix);
            rest.is_some_and(|rest| !rest.ends_with("num_batches_tracked"))
        };
        match self.dict.names().filter(own).find(|&name| !self.read.contains(name)) {
            None => Ok(()),
            Some(name) => Err(ModelError::UnexpectedTensor { tensor: name.to_owned() }),
        }
    }
}

/// How many tensors there are, and the names of the first.
fn summary(dict: &StateDict) -> String {
    let count = dict.names().count();
    let names: Vec<String> = dict.names().take(SOME).map(|name| format!("`{name}`")).collect();
    match count {
        0 => "no tensor".to_owned(),
        _ if count <= SOME => names.join(", "),
        _ => format!("{count} tensors such as {}", names.join(", ")),
    }
}
