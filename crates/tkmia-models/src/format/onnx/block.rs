//! A residual block: `relu(main(x) + shortcut(x))`.

use super::head::POOLING;
use super::node::Node;
use super::walk::Walk;
use crate::ModelError;
use crate::resnet::blueprint::{Block, Convolution};

const BLOCK: &str =
    "the start of a residual block, whose input feeds one Conv and either an Add or a second Conv";

/// Caffe2's exporter adds with `Sum`.
const ADDITION: [&str; 2] = ["Add", "Sum"];

/// A path through a block, up to the addition where it ends.
struct Branch<'g, 'a> {
    convolutions: Vec<Convolution>,
    end: Walk<'g, 'a>,
    join: &'g Node<'a>,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// Steps over the next residual block, or none where the last one's pooling is reached.
    ///
    /// `before` are the blocks so far, and `pooled` tells whether the stem has a max-pooling.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] with the first node that doesn't fit.
    pub fn block(&mut self, before: &[Block], pooled: bool) -> Result<Option<Block>, ModelError> {
        let expected = match (before, pooled) {
            ([], false) => format!("a MaxPool, or {BLOCK}"),
            ([], true) => BLOCK.to_owned(),
            _ => format!("global average pooling, or {BLOCK}"),
        };
        let readers: Vec<&Node> = self.graph.readers(self.at).collect();
        if readers.len() < 2 {
            let pooling = if before.is_empty() { &[][..] } else { &POOLING };
            return self.next(pooling, &expected).map(|_| None);
        }
        let fits = |node: &Node| node.op == "Conv" || ADDITION.contains(&&*node.op);
        if let Some(odd) = readers.iter().find(|node| !fits(node)) {
            return Err(odd.misfit(expected));
        }
        let convs: Vec<&Node> = readers.iter().copied().filter(|node| node.op == "Conv").collect();
        let (main, shortcut) = match (&convs[..], &readers[..]) {
            ([conv], [_, _]) => (self.branch(conv)?, None),
            ([first, second], [_, _]) => {
                let (first, second) = (self.branch(first)?, self.branch(second)?);
                if first.convolutions.len() >= second.convolutions.len() {
                    (first, Some(second))
                } else {
                    (second, Some(first))
                }
            }
            ([], _) => return Err(readers[0].misfit(expected)),
            _ => return Err(readers[2].misfit(expected)),
        };
        self.join(before, main, shortcut).map(Some)
    }

    /// Follows a path of convolutions from the value to an addition.
    fn branch(&self, first: &'g Node<'a>) -> Result<Branch<'g, 'a>, ModelError> {
        let mut end = self.clone();
        let mut convolutions = vec![end.convolution(first)?];
        loop {
            let join = match convolutions.len() {
                3 => end.next(&ADDITION, "the Add that ends a block of three convolutions")?,
                _ => end.next(&["Relu", "Add", "Sum"], "Relu, or the Add that ends a block")?,
            };
            if join.op != "Relu" {
                return Ok(Branch { convolutions, end, join });
            }
            end.at = join.output();
            let next = end.next(&["Conv"], "the next Conv of a block")?;
            convolutions.push(end.convolution(next)?);
        }
    }

    /// Checks that a main path and a shortcut meet in one addition, and steps over it.
    fn join(
        &mut self,
        before: &[Block],
        main: Branch<'g, 'a>,
        shortcut: Option<Branch<'g, 'a>>,
    ) -> Result<Block, ModelError> {
        let join = main.join;
        let found = main.convolutions.len();
        if found < 2 {
            return Err(join.misfit("a main path of two or three convolutions, found one"));
        }
        if let Some(first) = before.first().filter(|first| first.main.len() != found) {
            let expected = first.main.len();
            return Err(join.misfit(format!(
                "a main path of {expected} convolutions as in the first block, found {found}"
            )));
        }
        let (shortcut, projection) = match shortcut {
            None => (self.clone(), None),
            Some(mut branch) => {
                let projection = branch.convolutions.pop();
                if !branch.convolutions.is_empty() {
                    return Err(branch.join.misfit("a shortcut of one Conv, or none"));
                }
                (branch.end, projection)
            }
        };
        let ends = [main.end.at, shortcut.at];
        if join.inputs != ends && !join.inputs.iter().eq(ends.iter().rev()) {
            return Err(join.misfit(format!("the sum of `{}` and `{}`", ends[0], ends[1])));
        }
        let [of_main, of_shortcut] =
            [&main.end, &shortcut].map(|end| [end.channels, end.size[0], end.size[1]]);
        if of_main != of_shortcut {
            return Err(join.misfit(format!(
                "operands of one shape [channels, height, width], found {of_main:?} and {of_shortcut:?}"
            )));
        }
        *self = Walk { at: join.output(), ..main.end };
        self.relu()?;
        Ok(Block { main: main.convolutions, projection })
    }
}
