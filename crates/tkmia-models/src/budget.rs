//! What a file may ask for in all: [`Budget`].

use std::cell::Cell;

use tkmia_file::memory_limit;

use crate::ModelError;

/// A number of things that is spent as a file asks for them: a few of its bytes can ask for the same weights again and again.
#[derive(Debug)]
pub struct Budget {
    what: &'static str,
    limit: u64,
    left: Cell<u64>,
}

impl Budget {
    fn new(what: &'static str, bytes: u64) -> Self {
        let limit = memory_limit() / bytes;
        Self { what, limit, left: Cell::new(limit) }
    }

    /// Elements of weights that are read. A value takes 4 bytes in the file, in memory and as kernels have it, or less.
    pub fn of_weights() -> Self {
        Self::new("elements of weights", 8)
    }

    /// Elements of constants that the file computes without holding them.
    pub fn of_constants() -> Self {
        Self::new("elements of computed constants", 32)
    }

    /// Bytes of functions where they are called.
    pub fn of_calls() -> Self {
        Self::new("bytes of functions written out", 32)
    }

    /// Fields of its messages, each of which may become a struct.
    pub fn of_fields() -> Self {
        Self::new("fields of messages", 1 << 11)
    }

    /// Takes so many of what is left.
    ///
    /// # Errors
    /// [`ModelError::TooMuch`] if there aren't as many.
    pub fn spend(&self, count: usize) -> Result<(), ModelError> {
        let left = self.left.get().checked_sub(count as u64);
        let left = left.ok_or(ModelError::TooMuch { what: self.what, limit: self.limit })?;
        self.left.set(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends() {
        let budget = Budget::new("apples", memory_limit() / 3);
        assert!(budget.spend(2).is_ok() && budget.spend(1).is_ok() && budget.spend(0).is_ok());
        let message = budget.spend(1).unwrap_err().to_string();
        assert_eq!(message, "expected at most 3 apples (TKMIA_MAX_MEMORY), found more");
    }
}
