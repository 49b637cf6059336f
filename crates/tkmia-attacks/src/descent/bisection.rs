//! [`Bisection`]: the smallest share of a step that still succeeds.

/// A search between no step at all, a failure, and a whole one, a success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bisection {
    /// The share that was looked at last.
    share: f32,
    /// The largest share that failed, and the smallest that succeeded.
    fails: f32,
    succeeds: f32,
    /// Looks that are left.
    left: usize,
}

impl Bisection {
    /// Takes note of a look; the first success begins a search by so many looks more. Says whether to go on.
    pub fn looked(search: &mut Option<Self>, met: bool, looks: usize) -> bool {
        match search {
            None if !met => return true,
            None => *search = Some(Self { share: 1.0, fails: 0.0, succeeds: 1.0, left: looks }),
            Some(search) => {
                *(if met { &mut search.succeeds } else { &mut search.fails }) = search.share;
                search.left -= 1;
            }
        }
        search.is_some_and(|search| search.left > 0)
    }

    /// The share to look at next.
    pub fn halve(&mut self) -> f32 {
        self.share = 0.5 * (self.fails + self.succeeds);
        self.share
    }

    /// By what to scale what was looked at to come to the next share.
    pub fn rescale(&mut self) -> f32 {
        let before = self.share;
        self.halve() / before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_enclosed_by_halves() {
        let (mut search, mut at, mut looks) = (None, 1.0, 0);
        assert!(Bisection::looked(&mut search, false, 10));
        while Bisection::looked(&mut search, at >= 0.3, 10) {
            at *= search.as_mut().expect("it succeeded").rescale();
            looks += 1;
        }
        let Bisection { fails, succeeds, .. } = search.expect("it succeeded");
        assert!(fails < 0.3 && succeeds >= 0.3 && looks == 10);
        assert_eq!(succeeds - fails, 1.0 / 1024.0);
        assert!(!Bisection::looked(&mut None, true, 0));
    }
}
