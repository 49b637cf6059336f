//! [`Keep`]: how much of the clean ranking is to be kept.

named! {
    /// How much of the clean ranking an attack is to keep.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Keep {
        /// Nothing: only the specified labels' places count
        Nothing,
        /// As many relevant labels in the top-k: P@k doesn't drop
        Count,
        /// As many relevant labels in each prefix of it: P@k, AP@k and NDCG@k don't drop
        #[default]
        Order,
        /// That, and the top-k full of relevant labels that aren't specified, as far as there are so many
        Full,
    }
}
