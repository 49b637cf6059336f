//! How much a graph may compute while it is built and tried: [`limited`].

use std::cell::Cell;

use super::value::Fault;

/// Elements and products, of which CPUs compute so many in minutes. The largest networks take a hundredth for an image.
const MOST: u64 = 1 << 43;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// What `f` computes on this thread, which is an error of its node once it becomes more than a network may ask for.
pub fn limited<T>(f: impl FnOnce() -> T) -> T {
    let before = LEFT.replace(MOST);
    let result = f();
    LEFT.set(before);
    result
}

/// Counts elements or products that are about to be computed.
pub fn spend(count: usize, each: usize) -> Result<(), Fault> {
    let work = (count as u64).saturating_mul(each as u64);
    let left = LEFT.get().checked_sub(work);
    LEFT.set(left.ok_or_else(|| format!("expected a pass of at most {MOST} products"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_where_it_is_limited_and_nowhere_else() {
        let half = 1 << 42;
        assert!(limited(|| spend(half, 2)).is_ok());
        assert!(limited(|| spend(half, 2).and_then(|()| spend(1, 1))).is_err());
        assert!(spend(half, 4).is_ok());
    }
}
