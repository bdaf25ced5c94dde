//! Waiting for a condition, with a deadline. The only place of the suite that sleeps.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at a condition: short beside what is measured, long beside what a look costs.
const INTERVAL: Duration = Duration::from_millis(20);

/// Factor on every limit of this process; 1 where it was not set.
static LIMIT_FACTOR: OnceLock<u32> = OnceLock::new();

/// Makes every limit of this process that many times as long. The first call counts.
pub fn widen_limits(factor: u32) {
    let _ = LIMIT_FACTOR.set(factor);
}

/// What one look at a condition found.
pub enum Look<T> {
    /// The condition holds.
    Seen(T),
    /// It does not hold yet; the text says why.
    NotYet(String),
}

/// Looks again and again until the condition holds. An error of `look` ends the wait at once; past the limit the
/// error names what was waited for and why it was not there.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Look<T>>) -> Result<T> {
    let limit = limit.saturating_mul(*LIMIT_FACTOR.get_or_init(|| 1));
    let start = Instant::now();
    loop {
        let why = match look() {
            Ok(Look::Seen(found)) => return Ok(found),
            Ok(Look::NotYet(why)) => why,
            Err(error) => return Err(error.context(format!("while waiting for {what}"))),
        };
        if start.elapsed() >= limit {
            bail!(
                "{what}: not within {} s; last seen: {}",
                limit.as_secs(),
                why.trim()
            );
        }
        pause(INTERVAL);
    }
}

/// Lets this much time pass, where the passing of time itself is the fault: an outage of that length, say.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the suite that lets time pass"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_condition_that_comes_true_is_returned() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(30), || {
            looks += 1;
            Ok(if looks == 3 {
                Look::Seen(looks)
            } else {
                Look::NotYet(format!("look {looks}"))
            })
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn past_the_limit_the_error_names_the_condition_and_the_last_reason() {
        let error = until::<()>("the pod", Duration::ZERO, || {
            Ok(Look::NotYet("no pod\n".to_owned()))
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "the pod: not within 0 s; last seen: no pod"
        );
    }

    #[test]
    fn an_error_of_a_look_ends_the_wait() {
        let error = until::<()>("the pod", Duration::from_mins(10), || Err(anyhow!("it ended"))).unwrap_err();
        assert_eq!(format!("{error:#}"), "while waiting for the pod: it ended");
    }
}
