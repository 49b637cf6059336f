//! [`Workers`]: independent pieces of work, side by side and in order.

use std::collections::BTreeMap;
use std::iter;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rayon::ThreadPoolBuilder;

use crate::error::ExperimentError;

/// How work is cut into batches and over threads.
///
/// Each worker runs single-threaded kernels on batches of its own: on CPUs that beats one worker
/// with threaded kernels at any batch size. One worker alone leaves the kernels their threads.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'a> {
    /// Number of batches under way at once.
    pub count: usize,
    /// Images in a batch.
    pub batch_size: usize,
    /// Set from outside to end the work early; what is finished is kept.
    pub stop: &'a AtomicBool,
}

impl Workers<'_> {
    /// How many batches are best under way at once: one for each core on CPUs, 1 on GPUs. `device` is
    /// a name as [`tkmia_core::device`] takes it.
    pub fn best_count(device: &str) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        if ["cpu", "ndarray"].contains(&device) { cores() } else { 1 }
    }

    /// Cuts work into batches that are worked on one by one.
    ///
    /// With several workers the last ones are smaller, down to single items, so that no worker
    /// is idle while another has several left.
    pub fn cut<'a, T>(&self, mut items: &'a [T]) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (count, batch_size) = (self.count, self.batch_size.max(1));
        iter::from_fn(move || {
            let share = if count > 1 { items.len().div_ceil(2 * count) } else { items.len() };
            let (batch, rest) = items.split_at_checked(share.min(batch_size))?;
            items = rest;
            (!batch.is_empty()).then_some(batch)
        })
    }

    /// Does `work` on each batch of `items` and hands the results to `take` in the order of the
    /// items, on the calling thread. The same results for any number of workers.
    ///
    /// # Errors
    /// The first error of a batch, in their order, or of `take`; later batches are given up.
    pub fn run<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&[T]) -> Result<R, ExperimentError> + Sync,
        mut take: impl FnMut(R) -> Result<(), ExperimentError>,
    ) -> Result<(), ExperimentError> {
        for (what, number) in [("workers", self.count), ("batch size", self.batch_size)] {
            if number == 0 {
                return Err(ExperimentError::Zero { what });
            }
        }
        let batches: Vec<&[T]> = self.cut(items).collect();
        let count = self.count.min(batches.len());
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (next, failed, batches, work) = (&next, &failed, &batches, &work);
        let pools = (0..count)
            .map(|_| match count {
                1 => ThreadPoolBuilder::new().build(),
                _ => ThreadPoolBuilder::new().num_threads(1).build(),
            })
            .collect::<Result<Vec<_>, _>>()?;

        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let workers: Vec<_> = pools
                .iter()
                .map(|pool| {
                    let sender = sender.clone();
                    scope.spawn(move || {
                        loop {
                            // A batch that is taken is worked on, so that the results never have a
                            // gap behind which finished ones would be lost.
                            if failed.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            let Some(&batch) = batches.get(at) else { break };
                            let result = pool.install(|| work(batch));
                            // The receiver is gone only after a failure.
                            let _ = sender.send((at, result));
                        }
                    })
                })
                .collect();
            drop(sender);

            let outcome = in_order(receiver, &mut take);
            failed.store(outcome.is_err(), Ordering::Relaxed);
            for worker in workers {
                if let Err(panic) = worker.join() {
                    resume_unwind(panic);
                }
            }
            outcome
        })
    }
}

/// Hands results on in the order of their numbers, holding back those that came too early.
fn in_order<R>(
    receiver: mpsc::Receiver<(usize, Result<R, ExperimentError>)>,
    take: &mut impl FnMut(R) -> Result<(), ExperimentError>,
) -> Result<(), ExperimentError> {
    let mut early = BTreeMap::new();
    let mut expected = 0;
    for (at, result) in receiver {
        early.insert(at, result);
        while let Some(result) = early.remove(&expected) {
            take(result?)?;
            expected += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static RUNNING: AtomicBool = AtomicBool::new(false);

    #[test]
    fn results_come_in_order_for_any_number_of_workers() -> Result<(), ExperimentError> {
        let items: Vec<u64> = (0..50).collect();
        for count in 1..=5 {
            let workers = Workers { count, batch_size: 3, stop: &RUNNING };
            let mut taken = Vec::new();
            let slow_first = |batch: &[u64]| {
                thread::sleep(std::time::Duration::from_millis(5 - batch[0] / 10));
                Ok(batch.to_vec())
            };
            workers.run(&items, slow_first, |batch| {
                taken.extend(batch);
                Ok(())
            })?;
            assert_eq!(taken, items);
        }
        Ok(())
    }

    #[test]
    fn the_last_batches_are_shared_out() {
        let items: Vec<u32> = (0..23).collect();
        let sizes = |count, batch_size| -> Vec<usize> {
            let workers = Workers { count, batch_size, stop: &RUNNING };
            assert_eq!(workers.cut(&items).flatten().copied().collect::<Vec<_>>(), items);
            workers.cut(&items).map(<[u32]>::len).collect()
        };
        assert_eq!(sizes(1, 8), [8, 8, 7]);
        assert_eq!(sizes(2, 8), [6, 5, 3, 3, 2, 1, 1, 1, 1]);
        assert_eq!(sizes(4, 2), [2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(sizes(3, 1), [1; 23]);
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let workers = Workers { count: 2, batch_size: 1, stop: &RUNNING };
        let mut taken = Vec::new();
        let error = workers.run(
            &[0, 1, 2, 3],
            |batch| match batch[0] {
                2 => Err(ExperimentError::Zero { what: "two" }),
                other => Ok(other),
            },
            |item| {
                taken.push(item);
                Ok(())
            },
        );
        assert!(matches!(error, Err(ExperimentError::Zero { what: "two" })));
        assert_eq!(taken, [0, 1]);
    }

    #[test]
    fn nothing_starts_once_stop_is_set() -> Result<(), ExperimentError> {
        let stop = AtomicBool::new(true);
        let workers = Workers { count: 2, batch_size: 1, stop: &stop };
        workers.run(&[1, 2], |_| Ok(()), |()| panic!("started"))
    }
}
