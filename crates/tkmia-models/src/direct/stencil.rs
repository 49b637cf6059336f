//! Weighted sums over the neighbourhood of a pixel, what convolutions are forward and backward: [`Stencils`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::tile::{COLUMNS, ROWS, Tiles, panels};

/// Sums over the channels of a group and a few neighbours of a pixel, for one or several places of output pixels:
///
/// ```text
/// output[step_out · p + place] = bias + Σ_channel Σ_tap weights[channel, tap] · input[step_in · p + tap]
/// ```
pub struct Stencil {
    /// Row and column in the input, from where the steps have led.
    taps: Vec<[isize; 2]>,
    /// All that have these taps.
    places: Vec<[usize; 2]>,
    /// `[groups, panels, channels · taps, ROWS]`; a group's rows are `[outputs, places]`.
    panels: Vec<f32>,
}

/// Stencils that together write every pixel of the output.
pub struct Stencils {
    pub groups: usize,
    /// Channels of a group.
    pub inputs: usize,
    pub outputs: usize,
    pub step_in: [usize; 2],
    pub step_out: [usize; 2],
    pub list: Vec<Stencil>,
    /// One for each output channel.
    pub bias: Vec<f32>,
}

impl Stencil {
    /// Of the weight for a group, an output, a place, an input, and a tap, the last four of them in the group.
    pub fn new(
        [groups, outputs, inputs]: [usize; 3],
        taps: Vec<[isize; 2]>,
        places: Vec<[usize; 2]>,
        weight: impl Fn(usize, usize, usize, usize, usize) -> f32,
    ) -> Self {
        let (rows, depth) = (outputs * places.len(), inputs * taps.len());
        let of_group = |group: usize| {
            panels(rows, depth, |row, k| {
                let (output, place) = (row / places.len(), row % places.len());
                weight(group, output, place, k / taps.len(), k % taps.len())
            })
        };
        let panels = (0..groups).flat_map(of_group).collect();
        Self { taps, places, panels }
    }

    /// How often the step fits along rows and columns of an output.
    fn positions(&self, size: [usize; 2], step: [usize; 2]) -> [usize; 2] {
        let along = |axis: usize| {
            let first = self.places.iter().map(|place| place[axis]).min().unwrap_or(0);
            size[axis].saturating_sub(first).div_ceil(step[axis])
        };
        [along(0), along(1)]
    }
}

impl Stencils {
    /// From `[images, channels, height, width]` to the same of the output, of these heights and widths.
    pub fn run(
        &self,
        arch: Arch,
        x: &[f32],
        images: usize,
        from: [usize; 2],
        to: [usize; 2],
    ) -> Vec<f32> {
        let planes = Planes::new(self, x, from, to);
        let (channels, area) = (self.groups * self.outputs, to[0] * to[1]);
        let mut y = vec![0.0; images * channels * area];
        let threads = rayon::current_num_threads();
        if threads <= images {
            let each = images.div_ceil(threads);
            y.par_chunks_mut(each * channels * area).enumerate().for_each(|(at, y)| {
                let first = at * each;
                let images = first..(first + each).min(images);
                self.part(arch, &planes, images, 0..channels, to, y);
            });
            return y;
        }
        // Fewer images than threads are cut between groups, or between panels where these are of one place.
        let unit = match self.list.iter().all(|stencil| stencil.places.len() == 1) {
            true if self.groups == 1 => ROWS,
            _ => self.outputs,
        };
        let each = channels.div_ceil(unit).div_ceil(threads.div_ceil(images)) * unit;
        y.par_chunks_mut(channels * area).enumerate().for_each(|(image, y)| {
            y.par_chunks_mut(each * area).enumerate().for_each(|(at, y)| {
                let channels = at * each..((at + 1) * each).min(channels);
                self.part(arch, &planes, image..image + 1, channels, to, y);
            });
        });
        y
    }

    /// Some output channels of some images.
    fn part(
        &self,
        arch: Arch,
        planes: &Planes<'_>,
        images: Range<usize>,
        channels: Range<usize>,
        to: [usize; 2],
        y: &mut [f32],
    ) {
        for stencil in &self.list {
            if stencil.taps.is_empty() && self.bias.is_empty() {
                continue;
            }
            let positions = stencil.positions(to, self.step_out);
            let walk = Walk {
                offsets: stencil.taps.iter().map(|&tap| planes.offset(tap)).collect(),
                reach: match positions {
                    [0, _] | [_, 0] => continue,
                    [rows, columns] => (rows - 1) * planes.pitch + columns,
                },
                columns: positions[1],
                images: images.clone(),
                channels: channels.clone(),
                to,
            };
            for group in channels.start / self.outputs..channels.end.div_ceil(self.outputs) {
                SCRATCH.with_borrow_mut(|scratch| {
                    match (self.inputs, self.outputs * stencil.places.len()) {
                        (1, 1) => self.alone(arch, stencil, planes, &walk, group, scratch, y),
                        _ => self.together(arch, stencil, planes, &walk, group, scratch, y),
                    }
                });
            }
        }
    }

    /// A group of one channel: each tap adds a shifted plane.
    #[expect(clippy::too_many_arguments, reason = "all that a part of the work is")]
    fn alone(
        &self,
        arch: Arch,
        stencil: &Stencil,
        planes: &Planes<'_>,
        walk: &Walk,
        group: usize,
        scratch: &mut Scratch,
        y: &mut [f32],
    ) {
        let depth = stencil.taps.len();
        let weights: Vec<f32> =
            (0..depth).map(|tap| stencil.panels[(group * depth + tap) * ROWS]).collect();
        let sums = scratch.sums(walk.reach.next_multiple_of(SPAN));
        for image in walk.images.clone() {
            let plane = &planes.values[image * planes.image + group * planes.channel..];
            arch.dispatch(Shifted { plane, offsets: &walk.offsets, weights: &weights, sums });
            let mut pieces = Vec::new();
            let span = Span { image: image - walk.images.start, from: 0, at: 0, count: walk.reach };
            self.pieces(planes, walk, &span, &mut pieces);
            self.write(stencil, walk, &pieces, [group, 0], sums, y);
        }
    }

    /// A group of several channels: panels of weights by strips of neighbours.
    #[expect(clippy::too_many_arguments, reason = "all that a part of the work is")]
    fn together(
        &self,
        arch: Arch,
        stencil: &Stencil,
        planes: &Planes<'_>,
        walk: &Walk,
        group: usize,
        scratch: &mut Scratch,
        y: &mut [f32],
    ) {
        let depth = self.inputs * stencil.taps.len();
        let places = stencil.places.len();
        let of_group = (self.outputs * places).div_ceil(ROWS);
        // The part's rows in the group: all, or whole panels.
        let first = walk.channels.start.saturating_sub(group * self.outputs) * places;
        let behind = (walk.channels.end - group * self.outputs).min(self.outputs) * places;
        let each = depth * ROWS;
        let chosen = group * of_group + first / ROWS..group * of_group + behind.div_ceil(ROWS);
        let panels = &stencil.panels[chosen.start * each..chosen.end * each];
        let total = walk.images.len() * walk.reach;
        let (strip, sums) = scratch.both(depth * COLUMNS, chosen.len() * ROWS * COLUMNS);
        let (mut spans, mut pieces) = (Vec::new(), Vec::new());
        for start in (0..total).step_by(COLUMNS) {
            let columns = COLUMNS.min(total - start);
            // What the strip has of each image.
            spans.clear();
            pieces.clear();
            let mut at = 0;
            while at < columns {
                let (image, from) = ((start + at) / walk.reach, (start + at) % walk.reach);
                let count = (walk.reach - from).min(columns - at);
                spans.push(Span { image, from, at, count });
                at += count;
            }
            for span in &spans {
                self.pieces(planes, walk, span, &mut pieces);
                let &Span { image, from, at, count } = span;
                let image = (walk.images.start + image) * planes.image;
                let first = image + group * self.inputs * planes.channel + from;
                let mut rows = strip.chunks_exact_mut(COLUMNS);
                for channel in 0..self.inputs {
                    let first = first + channel * planes.channel;
                    for offset in &walk.offsets {
                        let row = rows.next().expect("a row for each channel and tap");
                        let values = &planes.values[first + offset..];
                        match (values.first_chunk::<COLUMNS>(), count) {
                            (Some(values), COLUMNS) => row.copy_from_slice(values),
                            _ => row[at..at + count].copy_from_slice(&values[..count]),
                        }
                    }
                }
            }
            arch.dispatch(Tiles { panels, rows: behind - first, strip, columns, sums });
            for (at, sums) in sums.chunks_exact(COLUMNS).take(behind - first).enumerate() {
                let row = first + at;
                let channel = group * self.outputs + row / places;
                self.write(stencil, walk, &pieces, [channel, row % places], sums, y);
            }
        }
    }

    /// Adds where the sums of a span go.
    fn pieces(&self, planes: &Planes<'_>, walk: &Walk, span: &Span, pieces: &mut Vec<Piece>) {
        let &Span { image, from, at, count } = span;
        if planes.pitch == walk.to[1] && self.step_out == [1, 1] {
            let (row, column) = (from / planes.pitch, from % planes.pitch);
            return pieces.push(Piece { at, image, row, column, count });
        }
        let mut position = from;
        while position < from + count {
            let (row, column) = (position / planes.pitch, position % planes.pitch);
            let end = (position - column + planes.pitch).min(from + count);
            // Behind the last position of a row there is none.
            let count = (end - position).min(walk.columns.saturating_sub(column));
            if count > 0 {
                pieces.push(Piece { at: at + position - from, image, row, column, count });
            }
            position = end;
        }
    }

    /// Writes a channel's sums of one place.
    fn write(
        &self,
        stencil: &Stencil,
        walk: &Walk,
        pieces: &[Piece],
        [channel, place]: [usize; 2],
        sums: &[f32],
        y: &mut [f32],
    ) {
        let bias = self.bias.get(channel).copied().unwrap_or(0.0);
        let [height, width] = walk.to;
        let [down, across] = stencil.places[place];
        let channels = walk.channels.len();
        for piece in pieces {
            let row = down + piece.row * self.step_out[0];
            let column = across + piece.column * self.step_out[1];
            if row >= height || column >= width {
                continue;
            }
            let first = (piece.image * channels + channel - walk.channels.start) * height * width;
            let y = &mut y[first + row * width + column..first + height * width];
            let sums = &sums[piece.at..][..piece.count];
            match self.step_out[1] {
                1 => y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum + bias),
                step => {
                    let y = y[..width - column].iter_mut().step_by(step);
                    y.zip(sums).for_each(|(y, sum)| *y = sum + bias);
                }
            }
        }
    }
}

/// Positions of an image that follow each other in the planes.
struct Span {
    /// In the part of the work.
    image: usize,
    /// The first position, and the first of their sums.
    from: usize,
    at: usize,
    count: usize,
}

/// A run of sums, and where they go.
struct Piece {
    /// The first of them.
    at: usize,
    /// In the part of the work.
    image: usize,
    /// The position that it belongs to.
    row: usize,
    column: usize,
    count: usize,
}

/// How a stencil goes over the planes, for a part of the output.
struct Walk {
    /// Where each tap of the first position is in a channel.
    offsets: Vec<usize>,
    /// Positions from the first to the last in the planes, with what lies between rows.
    reach: usize,
    /// Positions in a row.
    columns: usize,
    images: Range<usize>,
    channels: Range<usize>,
    to: [usize; 2],
}

/// The input as stencils read it: one plane for every place of a pixel between two steps that some tap reads, with
/// zeros around, in rows of one pitch. A tap is then one offset from any position.
struct Planes<'a> {
    values: Cow<'a, [f32]>,
    /// From one image, channel and plane to the next.
    image: usize,
    channel: usize,
    plane: usize,
    pitch: usize,
    /// The first position.
    origin: usize,
    step: [usize; 2],
    phases: Vec<[usize; 2]>,
}

/// Values behind the last plane that may be read.
const SLACK: usize = SPAN;

impl<'a> Planes<'a> {
    fn new(stencils: &Stencils, x: &'a [f32], from: [usize; 2], to: [usize; 2]) -> Self {
        let step = stencils.step_in;
        let channels = stencils.groups * stencils.inputs;
        let taps = || stencils.list.iter().flat_map(|stencil| &stencil.taps);
        let positions =
            stencils.list.iter().map(|stencil| stencil.positions(to, stencils.step_out));
        let positions =
            positions.fold([0; 2], |[a, b], [rows, columns]| [a.max(rows), b.max(columns)]);
        let mut phases: Vec<[usize; 2]> = taps().map(|&tap| phase(tap, step)).collect();
        phases.sort_unstable();
        phases.dedup();
        let alone = stencils.inputs == 1 && stencils.outputs == 1;
        if !alone && step == [1, 1] && positions == from && taps().all(|tap| *tap == [0, 0]) {
            let area = from[0] * from[1];
            let (values, image) = (Cow::Borrowed(x), channels * area);
            return Self {
                values,
                image,
                channel: area,
                plane: area,
                pitch: from[1],
                origin: 0,
                step,
                phases,
            };
        }
        let along = |axis: usize| {
            let cells = taps().map(|tap| tap[axis].div_euclid(step[axis] as isize));
            let (first, last) = cells.fold((0, 0), |(a, b), cell| (a.min(cell), b.max(cell)));
            let (before, behind) = (first.unsigned_abs(), last.unsigned_abs());
            // What the input has of those that are read.
            let held = from[axis].div_ceil(step[axis]).min(positions[axis] + behind);
            (before, behind, held)
        };
        let (above, below, rows) = along(0);
        let (before, behind, columns) = along(1);
        // What lies behind a row is what lies before the next.
        let pitch = (columns + before).max(positions[1] + behind);
        let origin = above * pitch + before;
        let plane = (above + (positions[0] + below).max(rows)) * pitch + before;
        let channel = phases.len() * plane;
        let images = x.len() / (channels * from[0] * from[1]).max(1);
        let mut values = vec![0.0; images * channels * channel + SLACK];
        let filled =
            values.par_chunks_mut(channel.max(1)).zip(x.par_chunks((from[0] * from[1]).max(1)));
        filled.for_each(|(planes, x)| {
            for (plane, &[down, across]) in planes.chunks_exact_mut(plane).zip(&phases) {
                for (row, x) in
                    x.chunks_exact(from[1]).skip(down).step_by(step[0]).take(rows).enumerate()
                {
                    let to = &mut plane[origin + row * pitch..];
                    match step[1] {
                        1 => to[..columns].copy_from_slice(&x[..columns]),
                        step => {
                            let x = x.iter().skip(across).step_by(step).take(columns);
                            to.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
                        }
                    }
                }
            }
        });
        let (values, image) = (Cow::Owned(values), channels * channel);
        Self { values, image, channel, plane, pitch, origin, step, phases }
    }

    /// Where a tap of the first position is in a channel.
    fn offset(&self, tap: [isize; 2]) -> usize {
        let phase = phase(tap, self.step);
        let phase = self.phases.iter().position(|own| *own == phase).expect("phases of all taps");
        let [row, column] = [0, 1].map(|axis| tap[axis].div_euclid(self.step[axis] as isize));
        let from_first = row * self.pitch as isize + column;
        phase * self.plane + self.origin.checked_add_signed(from_first).expect("within the halo")
    }
}

/// The place of a tap between two steps.
fn phase(tap: [isize; 2], step: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| tap[axis].rem_euclid(step[axis] as isize) as usize)
}

/// Columns that are summed at once where a group has one channel.
const SPAN: usize = 64;

/// `sums[p] = Σ_tap weights[tap] · plane[p + offsets[tap]]`
struct Shifted<'a> {
    plane: &'a [f32],
    offsets: &'a [usize],
    weights: &'a [f32],
    /// A multiple of [`SPAN`].
    sums: &'a mut [f32],
}

impl WithSimd for Shifted<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (span, sums) in self.sums.chunks_exact_mut(SPAN).enumerate() {
            let (sums, _) = S::as_mut_simd_f32s(sums);
            // Registers for four vectors of sums at a time.
            for (part, sums) in sums.chunks_exact_mut(4).enumerate() {
                let first = span * SPAN + part * 4 * S::F32_LANES;
                let mut sum = [simd.splat_f32s(0.0); 4];
                for (offset, weight) in self.offsets.iter().zip(self.weights) {
                    let weight = simd.splat_f32s(*weight);
                    let (values, _) =
                        S::as_simd_f32s(&self.plane[first + offset..][..4 * S::F32_LANES]);
                    for v in 0..4 {
                        sum[v] = simd.mul_add_f32s(weight, values[v], sum[v]);
                    }
                }
                sums.copy_from_slice(&sum);
            }
        }
    }
}

/// Memory of a thread for strips and sums.
#[derive(Default)]
pub struct Scratch {
    strip: Vec<f32>,
    sums: Vec<f32>,
}

thread_local! {
    /// Borrowed by what waits for no other work.
    pub static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Scratch {
    /// Anything may be in them.
    pub fn both(&mut self, strip: usize, sums: usize) -> (&mut [f32], &mut [f32]) {
        self.strip.resize(self.strip.len().max(strip), 0.0);
        self.sums.resize(self.sums.len().max(sums), 0.0);
        (&mut self.strip[..strip], &mut self.sums[..sums])
    }

    fn sums(&mut self, count: usize) -> &mut [f32] {
        self.both(0, count).1
    }
}
