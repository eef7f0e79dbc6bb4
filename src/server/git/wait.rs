//! Waiting in the middle of a push, with somebody at the other end who should know what for.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    git::{Arrival, Repositories, Turn, Voice},
    model::AppName,
};

/// Waits, and shows meanwhile that the line is alive.
pub(super) async fn breathing<T>(voice: &mut Voice, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(BREATH) => voice.breathe().await,
        }
    }
}

/// Waits for an app's turn, and says whose it is: at once, often for a minute, and then now and then.
/// Who need not wait is told nothing; `None` if it took too long.
pub(super) async fn turn(
    voice: &mut Voice,
    repositories: &Repositories,
    (app, arrival): (&AppName, &Arrival),
    who: &str,
) -> Option<Turn> {
    let wait = arrival.turn(who);
    tokio::pin!(wait);
    let mut breaths = 0_u32;
    loop {
        let pause = if breaths == 0 { Duration::ZERO } else { BREATH };
        tokio::select! {
            biased;
            turn = &mut wait => return turn,
            () = sleep(pause) => {}
        }
        match repositories.holder(app).filter(|_| is_told(breaths)) {
            Some(holder) => {
                let since = holder.since.as_secs();
                let text =
                    format!("waiting for the push of {}, which began {since} s ago", holder.who);
                voice.say(&text).await;
            }
            None => voice.breathe().await,
        }
        breaths += 1;
    }
}

/// Whether something is said at this breath: at each of the first minute, then twice a minute.
fn is_told(breath: u32) -> bool {
    breath < 12 || breath.is_multiple_of(6)
}

/// As git's own server does it.
const BREATH: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_hour_is_told_in_some_seventy_lines() {
        let told = (0..30 * 12).filter(|breath| is_told(*breath)).count();
        assert_eq!(told, 70);
    }
}
