pub(crate) mod sorted_set {
    #[derive(Default, Clone)]
    pub(crate) struct SortedSet;
    impl SortedSet {
        pub(crate) fn is_empty(&self) -> bool {
            true
        }
        pub(crate) fn bytes(&self) -> usize {
            0
        }
    }
}
pub(crate) mod stream {
    #[derive(Default, Clone)]
    pub(crate) struct Stream;
    impl Stream {
        pub(crate) fn is_empty(&self) -> bool {
            true
        }
        pub(crate) fn bytes(&self) -> usize {
            0
        }
    }
}
