//! Waiting for a condition, with a deadline. The only place of the scenarios that sleeps.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::progress;

/// Between two looks at a condition: short beside what is measured, long beside what a look costs.
const INTERVAL: Duration = Duration::from_millis(200);

/// What one look at a condition found.
pub(crate) enum Look<T> {
    /// The condition holds.
    Seen(T),
    /// It does not hold yet; the text says why and is printed when it changes.
    NotYet(String),
}

impl<T> Look<T> {
    /// An error that another look may not meet again.
    pub(crate) fn not_yet(error: impl std::fmt::Display) -> Self {
        Self::NotYet(format!("{error:#}"))
    }
}

/// Looks again and again until the condition holds. An error of `look` ends the wait at once; past the limit the
/// error names what was waited for and why it was not there.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<T> {
    let start = Instant::now();
    let mut said = String::new();
    loop {
        // A look that hangs (a connection to a pod that has just gone) must not outlive the deadline.
        let left = limit.saturating_sub(start.elapsed()).max(INTERVAL);
        let why = match tokio::time::timeout(left, look()).await {
            Ok(Ok(Look::Seen(found))) => return Ok(found),
            Ok(Ok(Look::NotYet(why))) => why,
            Ok(Err(error)) => return Err(error.context(format!("while waiting for {what}"))),
            Err(_) => "no answer".to_owned(),
        };
        if start.elapsed() >= limit {
            bail!("{what}: not within {} s; last seen: {why}", limit.as_secs());
        }
        if why != said {
            progress::note(&format!("{:5.1} s  {what}: {why}", start.elapsed().as_secs_f64()));
            said = why;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_condition_that_comes_true_is_returned() {
        let mut looks = 0;
        let found = block_on(until("the third look", Duration::from_secs(30), async || {
            looks += 1;
            Ok(if looks == 3 {
                Look::Seen(looks)
            } else {
                Look::NotYet(format!("look {looks}"))
            })
        }));
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn past_the_limit_the_error_names_the_condition_and_the_last_reason() {
        let error = block_on(until::<()>("the pod", Duration::ZERO, async || {
            Ok(Look::NotYet("no such pod".to_owned()))
        }))
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the pod: not within 0 s; last seen: no such pod"
        );
    }

    #[test]
    fn an_error_of_a_look_ends_the_wait() {
        let error = block_on(until::<()>("the pod", Duration::from_mins(10), async || {
            Err(anyhow!("forbidden"))
        }))
        .unwrap_err();
        assert_eq!(format!("{error:#}"), "while waiting for the pod: forbidden");
    }

    #[test]
    fn a_look_that_hangs_ends_with_the_deadline() {
        let error = block_on(until::<()>("an answer", Duration::from_millis(10), async || {
            std::future::pending().await
        }))
        .unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
    }
}
