//! Feature maps whose channels lie in blocks of a vector's width: [`Maps`].

/// Channels in a block.
pub(super) const LANES: usize = 16;

/// The channels of a block at one pixel, in one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub const ZERO: Self = Self([0.0; LANES]);

    /// The values of a block's channels, with zeros behind the last channel.
    pub fn of(block: usize, channels: usize, value: impl Fn(usize) -> f32) -> Self {
        let value = |channel| if channel < channels { value(channel) } else { 0.0 };
        Self(std::array::from_fn(|lane| value(block * LANES + lane)))
    }
}

/// Rows and columns of zeros around a map: top, left, bottom, right.
pub(super) type Halo = [usize; 4];

/// The halo that suffices for both.
pub(super) fn wider(a: Halo, b: Halo) -> Halo {
    std::array::from_fn(|side| a[side].max(b[side]))
}

/// How the maps of an image lie in memory: `[blocks, rows, columns, LANES]`, with the halo in rows and
/// columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub blocks: usize,
    /// Height and width without the halo.
    pub size: [usize; 2],
    pub halo: Halo,
}

impl Shape {
    /// From one row to the next.
    pub fn pitch(&self) -> usize {
        self.halo[1] + self.size[1] + self.halo[3]
    }

    /// From one block to the next.
    pub fn plane(&self) -> usize {
        (self.halo[0] + self.size[0] + self.halo[2]) * self.pitch()
    }

    /// The first pixel inside the halo.
    pub fn origin(&self) -> usize {
        self.halo[0] * self.pitch() + self.halo[1]
    }

    /// Pixels without the halo.
    pub fn area(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Where the part of a block that is behind some rows begins, and that of its signs; the first part has the halo
    /// before it.
    pub fn cut(&self, rows: usize) -> [usize; 2] {
        match rows {
            0 => [0, 0],
            _ => [(self.halo[0] + rows) * self.pitch(), rows * self.size[1]],
        }
    }

    /// Where a row of pixels begins within its block.
    pub fn row(&self, row: usize) -> usize {
        self.origin() + row * self.pitch()
    }
}

/// Feature maps of an image; the halo is zero.
pub(super) struct Maps {
    pub shape: Shape,
    pub values: Vec<Lanes>,
}

impl Maps {
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, values: vec![Lanes::ZERO; shape.blocks * shape.plane()] }
    }
}

/// Maps that aren't in use, kept because their halos are zero and their pages are there.
pub(super) struct Arena {
    /// Height and width of the images that they are of.
    pub image: [usize; 2],
    free: Vec<Maps>,
    /// What a convolution works with.
    pub scratch: [Vec<Lanes>; 2],
}

impl Arena {
    /// For images of that size.
    pub fn new(image: [usize; 2]) -> Self {
        Self { image, free: Vec::new(), scratch: [Vec::new(), Vec::new()] }
    }

    /// Maps with a halo of zeros and anything inside.
    pub fn take(&mut self, shape: Shape) -> Maps {
        match self.free.iter().position(|maps| maps.shape == shape) {
            Some(at) => self.free.swap_remove(at),
            None => Maps::zeros(shape),
        }
    }

    pub fn give(&mut self, maps: Maps) {
        self.free.push(maps);
    }
}
