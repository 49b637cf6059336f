//! [`Shard`]: a part of an experiment's samples.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several parts of an experiment's samples: those at positions `index − 1`, `index − 1 + count`, …
/// of each manifest.
///
/// # Example
///
/// ```
/// use tkmia_experiment::Shard;
///
/// let shard: Shard = "2/3".parse()?;
/// assert_eq!((0..7).filter(|&at| shard.holds(at)).collect::<Vec<_>>(), [1, 4]);
/// assert!("4/3".parse::<Shard>().is_err());
/// # Ok::<(), tkmia_experiment::NotAShard>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N with 1 ≤ I ≤ N, as in 3/16, found `{0}`")]
pub struct NotAShard(String);

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/');
        let numbers =
            parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(NotAShard(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether the sample at this position of a manifest belongs to the part.
    pub fn holds(self, position: usize) -> bool {
        position % self.count == self.index - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_out_all_positions() {
        for count in 1..6 {
            let shards = (1..=count).map(|index| Shard { index, count });
            let mut all: Vec<usize> =
                shards.flat_map(|shard| (0..13).filter(move |&at| shard.holds(at))).collect();
            all.sort();
            assert_eq!(all, (0..13).collect::<Vec<_>>());
        }
        for bad in ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
        assert_eq!("3/16".parse::<Shard>().unwrap().to_string(), "3/16");
    }
}
