//! Many jobs at once, their results in order.

use std::{
    io,
    num::NonZero,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// There is no thread for runs.
#[derive(Debug, thiserror::Error)]
#[error(
    "no thread can be started for runs: {0}\n  next: choose fewer with --jobs, or raise the limit on processes (`ulimit -u`)"
)]
pub struct NoThread(io::Error);

/// Does `work` for each of `items` on `workers` threads; reports each result to `done` as it comes,
/// and returns all in the order of `items`.
///
/// # Errors
///
/// If the system gives no thread, which a limit on a user's processes counts, too.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    workers: NonZero<usize>,
    work: impl Fn(&T) -> R + Sync,
    done: impl FnMut(&T, &R),
) -> Result<Vec<R>, NoThread> {
    map_with(items, workers, |(), item| work(item), done)
}

/// Like [`map`], where each thread has something of its own that it keeps from item to item.
///
/// # Errors
///
/// As [`map`].
pub fn map_with<T: Sync, R: Send, S: Default>(
    items: &[T],
    workers: NonZero<usize>,
    work: impl Fn(&mut S, &T) -> R + Sync,
    mut done: impl FnMut(&T, &R),
) -> Result<Vec<R>, NoThread> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let started = thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..workers.get().min(items.len()) {
            let (send, next, work) = (send.clone(), &next, &work);
            let worker = move || {
                let mut own = S::default();
                while let Some((index, item)) = take(items, next) {
                    if send.send((index, work(&mut own, item))).is_err() {
                        break;
                    }
                }
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, worker) {
                // Those that were started take nothing more.
                next.store(items.len(), Ordering::Relaxed);
                return Err(NoThread(error));
            }
        }
        drop(send);
        for (index, result) in receive {
            done(&items[index], &result);
            results[index] = Some(result);
        }
        Ok(())
    });
    // A worker that panicked has already ended the scope with its panic.
    started.map(|()| results.into_iter().flatten().collect())
}

/// The first of `items` for which `work` finds something, on `workers` threads. Which one that is does not depend on who
/// is first, as long as `work` does not: what was begun before it is waited for.
///
/// # Errors
///
/// As [`map`].
pub fn find<T: Sync, R: Send>(
    items: &[T],
    workers: NonZero<usize>,
    work: impl Fn(&T) -> Option<R> + Sync,
) -> Result<Option<R>, NoThread> {
    let first = AtomicUsize::new(usize::MAX);
    let numbered: Vec<(usize, &T)> = items.iter().enumerate().collect();
    let attempt = |(n, item): &(usize, &T)| {
        if first.load(Ordering::Relaxed) < *n {
            return None;
        }
        let found = work(item)?;
        first.fetch_min(*n, Ordering::Relaxed);
        Some(found)
    };
    let found = map(&numbered, workers, attempt, |_, _| ())?;
    Ok(found.into_iter().flatten().next())
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_come_in_order_whoever_is_first() {
        let items: Vec<u64> = (0..20).collect();
        let workers = NonZero::new(4).expect("four is not zero");
        let mut reported = 0;
        let work = |item: &u64| {
            thread::sleep(Duration::from_millis(20 - item));
            item * 2
        };
        let results = map(&items, workers, work, |_, _| reported += 1).expect("threads");
        assert_eq!(results, (0..20).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(reported, 20);
    }

    #[test]
    fn what_is_found_is_the_first_and_nothing_is_begun_after_it() {
        let items: Vec<u64> = (0..1000).collect();
        let workers = NonZero::new(4).expect("four is not zero");
        let tried = AtomicUsize::new(0);
        let work = |item: &u64| {
            tried.fetch_add(1, Ordering::Relaxed);
            // The later one is found sooner.
            thread::sleep(Duration::from_millis(u64::from(*item == 20) * 30 + 1));
            [20, 21].contains(item).then_some(*item)
        };
        assert_eq!(find(&items, workers, work).expect("threads"), Some(20));
        assert!(tried.load(Ordering::Relaxed) < 30);
        assert_eq!(
            find(&items, workers, |_| None::<u64>).expect("threads"),
            None
        );
    }
}
