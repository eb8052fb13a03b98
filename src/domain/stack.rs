//! Room for parsers and for those who go through what parsers made: both call themselves for each level of a text.

/// Unoptimised, a parser that looks for a way out of mistakes was seen to need more than the 2 MiB that a thread has.
const SIZE: usize = 32 * 1024 * 1024;

/// Does `work` in a thread that has stack enough; `None` if it panics, or there can be no more threads.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| std::thread::Builder::new().stack_size(SIZE).spawn_scoped(scope, work).ok()?.join().ok())
}
