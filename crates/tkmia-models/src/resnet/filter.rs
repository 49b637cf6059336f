//! Which convolutions are computed with fewer products: [`Filter`].

use crate::resnet::blueprint::Convolution;

/// A filter F(m×m, 3×3): m×m outputs from (m+2)×(m+2) products for each input channel, not from 9·m×m.
///
/// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// F(2×2, 3×3)
    Two,
    /// F(4×4, 3×3)
    Four,
}

impl Filter {
    /// What computes a convolution fastest at its output size, if not the plain sum of its taps.
    pub fn of(conv: &Convolution) -> Option<Self> {
        let window = &conv.window;
        let fits = [window.kernel, window.stride, window.dilation] == [[3, 3], [1, 1], [1, 1]];
        let plain = 9 * (conv.output_size.iter().product::<usize>() + READING);
        let cost = |filter: &Self| {
            let tiles: usize = filter.tiles(conv.output_size).iter().product();
            filter.points() * (tiles + READING)
        };
        let filters = [Self::Two, Self::Four].into_iter();
        filters.min_by_key(cost).filter(|filter| fits && cost(filter) < plain)
    }

    /// Outputs of a tile along an axis.
    pub fn outputs(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Products for a tile and an input channel, and as many weights.
    pub fn points(self) -> usize {
        (self.outputs() + 2).pow(2)
    }

    /// Tiles down and across.
    pub fn tiles(self, output: [usize; 2]) -> [usize; 2] {
        output.map(|size| size.div_ceil(self.outputs()))
    }
}

/// Products that take as long as reading a weight from memory, about.
const READING: usize = 16;
