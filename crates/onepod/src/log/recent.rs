//! The last records of every service, kept in memory for `onepod logs`, and those who want to hear of new ones.
//!
//! Bounded as a whole: when room is needed, the service that holds the most gives up its oldest records, so that a chatty
//! one does not push out what the others said. Deliberately absent: anything on disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// How many bytes the kept records of all services have together at most, what is needed to keep them apart included.
const CAPACITY: usize = 256 * 1024;

/// What it costs to keep one record beside its bytes.
const LENGTH: usize = size_of::<u32>();

/// How many bytes wait for one subscriber at most.
const WAITING: usize = 64 * 1024;

/// The records of all services.
#[derive(Debug, Default)]
pub(super) struct Recent {
    rings: BTreeMap<Box<str>, Ring>,
    /// Bytes in all rings.
    held: usize,
    subscribers: Vec<Subscriber>,
}

/// The records of one service, one behind the other.
#[derive(Debug, Default)]
struct Ring {
    bytes: VecDeque<u8>,
    lengths: VecDeque<u32>,
    /// Records since the start, those no longer kept included.
    total: u64,
}

#[derive(Debug)]
struct Subscriber {
    /// None hears all of them.
    service: Option<Box<str>>,
    feed: Weak<Feed>,
}

#[derive(Debug, Default)]
struct Feed {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<String>,
    bytes: usize,
    /// Records that found no room since the last one that did.
    missed: u64,
}

/// New records of one service or of all, as they come. Whoever reads too slowly misses some and is told how many; nobody who logs
/// ever waits.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
}

/// What a [`Subscription`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A record as it stands in the stream, its line ends within and its last one left out.
    Record(String),
    /// So many records came while there was no room for them.
    Missed(u64),
}

impl Subscription {
    /// Waits for the next record. Safe to cancel: nothing is lost by it.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.take() {
                return heard;
            }
            self.feed.filled.notified().await;
        }
    }

    /// The next record, if it is there already.
    pub fn take(&mut self) -> Option<Heard> {
        let mut waiting = self.feed.lock();
        if let Some(record) = waiting.records.pop_front() {
            waiting.bytes -= record.len();
            return Some(Heard::Record(record));
        }
        match std::mem::take(&mut waiting.missed) {
            0 => None,
            missed => Some(Heard::Missed(missed)),
        }
    }
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Keeps one record, its last line end left out, and hands it to those who listen.
    pub(super) fn push(&mut self, service: &str, record: &[u8]) {
        if !self.subscribers.is_empty() {
            self.tell(service, record);
        }
        let record = record.get(..CAPACITY / 2).unwrap_or(record);
        let room = record.len() + LENGTH;
        while self.held + room > CAPACITY && self.give_up_one() {}
        // A name is known after its first record: no allocation for each.
        if !self.rings.contains_key(service) {
            self.rings.insert(service.into(), Ring::default());
        }
        if let Some(ring) = self.rings.get_mut(service) {
            ring.bytes.extend(record);
            ring.lengths.push_back(u32::try_from(record.len()).unwrap_or(0));
            ring.total += 1;
            self.held += room;
        }
    }

    /// Forgets the oldest record of whoever holds the most; false when nobody holds any.
    fn give_up_one(&mut self) -> bool {
        let Some(ring) = self.rings.values_mut().max_by_key(|ring| ring.held()) else {
            return false;
        };
        let Some(length) = ring.lengths.pop_front() else {
            return false;
        };
        ring.bytes.drain(..(length as usize).min(ring.bytes.len()));
        self.held -= length as usize + LENGTH;
        // What a service no longer needs is given back.
        if ring.bytes.capacity() / 4 > ring.bytes.len() {
            ring.bytes.shrink_to(ring.bytes.len() * 2);
            ring.lengths.shrink_to(ring.lengths.len() * 2);
        }
        true
    }

    fn tell(&mut self, service: &str, record: &[u8]) {
        self.subscribers
            .retain(|subscriber| subscriber.feed.strong_count() > 0);
        let feeds = self
            .subscribers
            .iter()
            .filter(|subscriber| {
                subscriber
                    .service
                    .as_deref()
                    .is_none_or(|wanted| wanted == service)
            })
            .filter_map(|subscriber| subscriber.feed.upgrade());
        for feed in feeds {
            let mut waiting = feed.lock();
            // After the first that is missed nothing is taken until the reader has come round: the gap is in one place.
            if waiting.missed > 0 || waiting.bytes + record.len() > WAITING {
                waiting.missed += 1;
            } else {
                waiting.bytes += record.len();
                waiting
                    .records
                    .push_back(String::from_utf8_lossy(record).into_owned());
            }
            drop(waiting);
            feed.filled.notify_one();
        }
    }

    /// The records of one service, or of all, oldest first.
    pub(super) fn of(&self, service: Option<&str>) -> Vec<String> {
        if let Some(service) = service {
            return self.rings.get(service).map(Ring::records).unwrap_or_default();
        }
        let mut records: Vec<String> = self.rings.values().flat_map(Ring::records).collect();
        // A record begins with its time, in both formats.
        records.sort_by(|a, b| time(a).cmp(time(b)));
        records
    }

    /// The names of all that have records.
    pub(super) fn names(&self) -> Vec<String> {
        self.rings.keys().map(ToString::to_string).collect()
    }

    /// How many records of each service there were since the start.
    pub(super) fn totals(&self) -> Vec<(String, u64)> {
        self.rings
            .iter()
            .map(|(name, ring)| (name.to_string(), ring.total))
            .collect()
    }

    pub(super) fn subscribe(&mut self, service: Option<&str>) -> Subscription {
        let feed = Arc::new(Feed::default());
        self.subscribers.push(Subscriber {
            service: service.map(Into::into),
            feed: Arc::downgrade(&feed),
        });
        Subscription { feed }
    }
}

/// The beginning of a record, in which its time stands.
fn time(record: &str) -> &str {
    record.split([' ', ',']).next().unwrap_or_default()
}

impl Ring {
    fn held(&self) -> usize {
        self.bytes.len() + self.lengths.len() * LENGTH
    }

    fn records(&self) -> Vec<String> {
        let mut bytes = self.bytes.iter().copied();
        self.lengths
            .iter()
            .map(|length| {
                let record: Vec<u8> = bytes.by_ref().take(*length as usize).collect();
                String::from_utf8_lossy(&record).into_owned()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(recent: &Recent) -> usize {
        recent.rings.values().map(Ring::held).sum()
    }

    #[test]
    fn a_chatty_service_does_not_push_out_what_the_others_said() {
        let mut recent = Recent::default();
        for number in 0..100 {
            recent.push("quiet", format!("word {number}").as_bytes());
        }
        for number in 0..100_000 {
            recent.push("chatty", format!("line {number} of many").as_bytes());
        }
        assert_eq!(recent.of(Some("quiet")).len(), 100);
        assert_eq!(
            recent.totals(),
            [("chatty".to_owned(), 100_000), ("quiet".to_owned(), 100)]
        );
        let chatty = recent.of(Some("chatty"));
        assert_eq!(chatty.last().unwrap(), "line 99999 of many");
        assert!(chatty.len() > 5000, "{}", chatty.len());
        assert!(recent.of(Some("unknown")).is_empty());
        assert_eq!(recent.names(), ["chatty", "quiet"]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_end_of_what_was_said_and_bounded(
            pushes in prop::collection::vec((0_usize..5, 0_usize..20_000), 0..120)
        ) {
            let mut recent = Recent::default();
            let mut said: Vec<Vec<String>> = vec![Vec::new(); 5];
            for (number, (service, length)) in pushes.into_iter().enumerate() {
                let record = format!("{number} {}", "x".repeat(length));
                recent.push(&service.to_string(), record.as_bytes());
                said[service].push(record);
                prop_assert!(all(&recent) <= CAPACITY);
                prop_assert_eq!(all(&recent), recent.held);
                let reserved: usize = recent.rings.values().map(|ring| ring.bytes.capacity()).sum();
                prop_assert!(reserved <= 4 * CAPACITY, "{} reserved", reserved);
            }
            for (service, said) in said.iter().enumerate() {
                prop_assert!(said.ends_with(&recent.of(Some(&service.to_string()))));
            }
        }
    }

    #[tokio::test]
    async fn a_subscriber_hears_its_service_and_how_much_it_missed() {
        let mut recent = Recent::default();
        recent.push("oned", b"before");
        let mut subscription = recent.subscribe(Some("oned"));
        recent.push("oned", b"one");
        recent.push("oneflow", b"another's");
        assert_eq!(subscription.next().await, Heard::Record("one".to_owned()));
        assert_eq!(subscription.take(), None);
        let long = vec![b'x'; WAITING / 2];
        for _ in 0..5 {
            recent.push("oned", &long);
        }
        assert!(matches!(subscription.next().await, Heard::Record(_)));
        assert!(matches!(subscription.next().await, Heard::Record(_)));
        assert_eq!(subscription.next().await, Heard::Missed(3));
        recent.push("oned", b"after");
        assert_eq!(subscription.next().await, Heard::Record("after".to_owned()));
    }

    #[tokio::test]
    async fn all_services_together_are_in_the_order_of_their_times() {
        let mut recent = Recent::default();
        for (service, record) in [
            ("oned", "10:01 INFO one"),
            ("oneflow", "10:02 INFO two"),
            ("oned", "10:03 INFO three"),
        ] {
            recent.push(service, record.as_bytes());
        }
        assert_eq!(
            recent.of(None),
            ["10:01 INFO one", "10:02 INFO two", "10:03 INFO three"]
        );
        let mut subscription = recent.subscribe(None);
        recent.push("onegate", b"10:04 INFO four");
        assert_eq!(
            subscription.next().await,
            Heard::Record("10:04 INFO four".to_owned())
        );
    }

    #[test]
    fn a_subscriber_that_has_gone_costs_nothing() {
        let mut recent = Recent::default();
        drop(recent.subscribe(Some("oned")));
        recent.push("oned", b"one");
        assert!(recent.subscribers.is_empty());
    }
}
