//! What served before: who may linger, so that pages that were opened then still get their files.
//!
//! It is written in the same breath as [`App::current`], and says only what was and when. Whether somebody
//! lingers, and until when, follows from what the release that serves says.

use serde::{Deserialize, Serialize};

use super::{App, Incarnation, Timestamp};

/// An incarnation whose place another took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Which.
    pub incarnation: Incarnation,
    /// Since when it is not what serves.
    pub since: Timestamp,
}

impl App {
    /// Another incarnation serves from now on, with files of its own.
    pub fn succeed(&mut self, to: Incarnation, now: Timestamp) {
        if let Some(incarnation) = self.current.replace(to).filter(|before| *before != to) {
            self.earlier.insert(0, Earlier { incarnation, since: now });
        }
        self.earlier.retain(|one| one.incarnation != to);
        self.earlier.truncate(MOST_EARLIER);
    }

    /// Another serves from now on that has the same files, or did before: nobody is to linger for what
    /// takes its leave.
    pub fn serve(&mut self, incarnation: Incarnation) {
        self.current = Some(incarnation);
        self.earlier.retain(|one| one.incarnation != incarnation);
    }
}

/// More than may linger: some of them have the same files.
const MOST_EARLIER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReleaseVersion;

    fn of(release: u32) -> Incarnation {
        Incarnation { release: ReleaseVersion(release), restart: 0 }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[track_caller]
    fn check(app: &App, expected: &[(u32, i64)]) {
        let expected = expected.iter().map(|(release, since)| (of(*release), at(*since)));
        let found = app.earlier.iter().map(|one| (one.incarnation, one.since));
        assert!(found.clone().eq(expected), "{:?}", found.collect::<Vec<_>>());
    }

    #[test]
    fn the_newest_come_first_and_who_serves_is_not_among_them() {
        let mut app = App::new("my-app".parse().unwrap(), at(0));
        app.succeed(of(1), at(1));
        check(&app, &[]);
        app.succeed(of(2), at(2));
        app.succeed(of(3), at(3));
        check(&app, &[(2, 3), (1, 2)]);
        app.serve(of(2));
        check(&app, &[(1, 2)]);
        app.succeed(of(3), at(4));
        app.succeed(of(3), at(5));
        check(&app, &[(2, 4), (1, 2)]);
        (4..30).for_each(|release| app.succeed(of(release), at(release.into())));
        assert_eq!(app.earlier.len(), MOST_EARLIER);
    }
}
