//! Whether the event loop of PID 1 responds: the endpoint has a thread of its own, so its answer alone would not say so.
//!
//! The question is put when somebody asks for `/livez`, at most once a second: an idle pod sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// An event loop that leaves a question unanswered for this long is stalled.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// Time between two questions, at least.
const QUESTION_INTERVAL: Duration = Duration::from_secs(1);

/// The event loop that is asked. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct EventLoop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    /// When the last question was put, in milliseconds since the start.
    asked: AtomicU64,
    /// The last question that was answered.
    answered: AtomicU64,
    question: Notify,
}

impl Default for EventLoop {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                start: Instant::now(),
                asked: AtomicU64::new(0),
                answered: AtomicU64::new(0),
                question: Notify::new(),
            }),
        }
    }
}

impl EventLoop {
    /// Answers until it is dropped; to be spawned on the event loop in question.
    pub async fn respond(self) {
        loop {
            self.shared.question.notified().await;
            let asked = self.shared.asked.load(Ordering::Acquire);
            self.shared.answered.store(asked, Ordering::Release);
        }
    }

    /// For how long the event loop has not responded, when that is too long.
    #[must_use]
    pub fn stalled(&self) -> Option<Duration> {
        self.stalled_at(self.shared.start.elapsed())
    }

    fn stalled_at(&self, now: Duration) -> Option<Duration> {
        let Shared { asked, answered, .. } = &*self.shared;
        let last = asked.load(Ordering::Acquire);
        let since = now.saturating_sub(Duration::from_millis(last));
        if answered.load(Ordering::Acquire) < last {
            return (since >= STALL_LIMIT).then_some(since);
        }
        if since >= QUESTION_INTERVAL {
            asked.store(
                u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
                Ordering::Release,
            );
            self.shared.question.notify_one();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stalled_event_loop_is_noticed_and_recovers() {
        let event_loop = EventLoop::default();
        let at = |seconds| event_loop.stalled_at(Duration::from_secs(seconds));
        assert_eq!([at(5), at(14)], [None, None]);
        assert_eq!(at(15), Some(STALL_LIMIT));
        let responder = tokio::spawn(event_loop.clone().respond());
        while at(16).is_some() {
            tokio::task::yield_now().await;
        }
        let Shared { asked, answered, .. } = &*event_loop.shared;
        while answered.load(Ordering::Acquire) < asked.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        responder.abort();
        assert_eq!([at(40), at(45)], [None, None]);
        assert_eq!(at(50), Some(STALL_LIMIT));
    }
}
