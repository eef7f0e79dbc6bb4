//! Whether a release that is tried out is worse than the one that serves: a judgement of two samples,
//! the canary's and that of the instance whose place it is to take. Pure.
//!
//! **Errors**: Fisher's exact test, one-sided. It is exact for any numbers, so a share of a tenth against
//! the rest needs no correction, and it asks how likely it is that chance alone gave the canary so many of
//! all errors. **Times**: the rank-sum test of Mann and Whitney by classes, with the correction for ties,
//! one-sided; with many requests it finds differences that nobody would notice, so the 95th percentile must
//! also be half as long again and 20 ms longer.
//!
//! At the end the level is 1 %. Who looks often finds something at last, so before the end it is 0.1 %
//! (Haybittle and Peto), and only errors count: everybody is slow at first.

use std::time::Duration;

use crate::model::trial::Sample;

/// What follows from the two samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Wait,
    /// It is not worse, for this reason.
    Good(String),
    /// It is worse.
    Bad(String),
}

/// Whether the time of the trial is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Not yet.
    Interim,
    /// It is.
    Last,
}

/// Judges.
pub(super) fn judge(canary: &Sample, control: &Sample, look: Look) -> Verdict {
    let (level, enough) = match look {
        Look::Interim => (0.001, canary.errors >= CERTAIN),
        Look::Last => (0.01, canary.answers >= ENOUGH && control.answers >= ENOUGH),
    };
    if enough && by_chance(canary, control) < level {
        return Verdict::Bad(format!(
            "{} of {} requests failed, and {} of {} with what served",
            canary.errors, canary.answers, control.errors, control.answers
        ));
    }
    match look {
        Look::Interim => Verdict::Wait,
        Look::Last if !enough => too_few(canary, control),
        Look::Last => match slower(canary, control) {
            Some(reason) => Verdict::Bad(reason),
            None => Verdict::Good(format!(
                "{} of {} requests failed, {} of {} with what served",
                canary.errors, canary.answers, control.errors, control.answers
            )),
        },
    }
}

/// What follows from numbers that prove nothing: whoever made no mistake may go on, and so may who failed
/// no larger part than the other.
fn too_few(canary: &Sample, control: &Sample) -> Verdict {
    let Sample { answers, errors, .. } = canary;
    let worse = u128::from(*errors) * u128::from(control.answers.max(1))
        > u128::from(control.errors) * u128::from(*answers);
    if *errors == 0 {
        Verdict::Good(format!("too few requests to compare: {answers}, and none failed"))
    } else if worse {
        Verdict::Bad(format!("{errors} of {answers} requests failed, too few to hope for chance"))
    } else {
        Verdict::Good(format!(
            "too few requests to compare: {errors} of {answers} failed, no more than with what served"
        ))
    }
}

/// How likely it is that chance alone gives the canary so many of all errors, or more: the upper tail of
/// the hypergeometric distribution.
fn by_chance(canary: &Sample, control: &Sample) -> f64 {
    let (drawn, others) = (count(canary.answers), count(control.answers));
    let all = drawn + others;
    let marked = (count(canary.errors) + count(control.errors)).min(all);
    let found = count(canary.errors).min(drawn);
    if found * all <= marked * drawn {
        return 1.0; // No more than its part: not even a sign.
    }
    let most = marked.min(drawn);
    let first = choices(marked, found) + choices(all - marked, drawn - found) - choices(all, drawn);
    let (mut term, mut tail, mut next) = (first.exp(), 0.0, found);
    loop {
        tail += term;
        // From here on the terms fall, soon below anything that could be noticed; the first may be already.
        if next >= most || term <= tail * 1e-12 {
            return tail.min(1.0);
        }
        term *= (marked - next) * (drawn - next);
        term /= (next + 1.0) * (all - marked - drawn + next + 1.0);
        next += 1.0;
    }
}

/// Why the canary is slower, if it is.
fn slower(canary: &Sample, control: &Sample) -> Option<String> {
    let (ours, theirs) = (canary.p95()?, control.p95()?);
    let many = |sample: &Sample| sample.times.iter().sum::<u64>() >= ENOUGH_TIMES;
    let noticed = ours > theirs * 3 / 2 && ours > theirs + NOTICED;
    let proved = many(canary) && many(control) && ranks(canary, control) > Z_OF_ONE_PERCENT;
    (noticed && proved).then(|| {
        let millis = |time: Duration| time.as_millis();
        format!(
            "95 of 100 requests took up to {} ms, and {} ms with what served",
            millis(ours),
            millis(theirs)
        )
    })
}

/// By how many standard deviations the canary's ranks are higher than chance has it.
fn ranks(canary: &Sample, control: &Sample) -> f64 {
    let (mut ours, mut theirs, mut wins, mut ties) = (0.0, 0.0, 0.0, 0.0);
    for (a, b) in canary.times.into_iter().zip(control.times) {
        let (a, b) = (count(a), count(b));
        // Against all faster ones won, against those of the same class half.
        wins += a * (theirs + b / 2.0);
        ties += (a + b).powi(3) - (a + b);
        ours += a;
        theirs += b;
    }
    let all: f64 = ours + theirs;
    let variance = ours * theirs / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance > 0.0 { (wins - ours * theirs / 2.0) / variance.sqrt() } else { 0.0 }
}

/// The logarithm of the number of ways to choose so many of so many.
fn choices(of: f64, chosen: f64) -> f64 {
    factorial(of) - factorial(chosen) - factorial(of - chosen)
}

/// The logarithm of a factorial: Stirling's series, after a few steps up to where it is exact to the last
/// digits.
fn factorial(number: f64) -> f64 {
    let (mut at, mut below) = (number + 1.0, 0.0);
    while at < 10.0 {
        below += at.ln();
        at += 1.0;
    }
    let series = 1.0 / (12.0 * at) - 1.0 / (360.0 * at.powi(3)) + 1.0 / (1260.0 * at.powi(5));
    (at - 0.5) * at.ln() - at + std::f64::consts::TAU.ln() / 2.0 + series - below
}

/// Nobody answers more than four billion requests in a trial.
fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Fewer errors than this are never called certain.
const CERTAIN: u64 = 3;
/// With fewer requests than this, on either side, nothing is compared.
const ENOUGH: u64 = 20;
/// The same for times, which vary more.
const ENOUGH_TIMES: u64 = 100;
/// A difference that people notice.
const NOTICED: Duration = Duration::from_millis(20);
/// What a standard normal variable exceeds in one of a hundred cases.
const Z_OF_ONE_PERCENT: f64 = 2.326_347_874;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(answers: u64, errors: u64) -> Sample {
        Sample { answers, errors, ..Sample::default() }
    }

    /// `canary` and `control` as (requests, failed).
    #[track_caller]
    fn check(canary: (u64, u64), control: (u64, u64), look: Look, expected: &str) {
        let verdict = judge(&sample(canary.0, canary.1), &sample(control.0, control.1), look);
        let told = match verdict {
            Verdict::Wait => "wait".to_owned(),
            Verdict::Good(reason) => format!("good: {reason}"),
            Verdict::Bad(reason) => format!("bad: {reason}"),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn fishers_test_is_exact() {
        let p = |a, b| by_chance(&a, &b);
        // The lady tasting tea: all of 4 right, and 3 of 4.
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-9, "{found} and not {expected}");
        };
        close(p(sample(4, 4), sample(4, 0)), 1.0 / 70.0);
        close(p(sample(4, 3), sample(4, 1)), 17.0 / 70.0);
        close(p(sample(0, 0), sample(0, 0)), 1.0);
        close(p(sample(10, 0), sample(90, 5)), 1.0);
        close(p(sample(5, 5), sample(0, 0)), 1.0);
        close(p(sample(1, 1), sample(1999, 0)), 1.0 / 2000.0);
        let many = p(sample(1_000_000, 1_001), sample(9_000_000, 8_999));
        assert!((0.4..0.6).contains(&many), "{many}");
        close(p(sample(100_000, 0), sample(100_000, 90_000)), 1.0);
        // What no float can tell from nothing is not looked for billions of times.
        let all = u64::from(u32::MAX);
        close(p(sample(all, all / 2), sample(all, all / 4)), 0.0);
    }

    #[test]
    fn before_the_end_only_what_is_certain_counts() {
        check((10, 0), (90, 0), Look::Interim, "wait");
        check((1, 1), (5000, 0), Look::Interim, "wait");
        check((40, 3), (360, 3), Look::Interim, "wait");
        check(
            (5, 3),
            (45, 0),
            Look::Interim,
            "bad: 3 of 5 requests failed, and 0 of 45 with what served",
        );
    }

    #[test]
    fn at_the_end_it_is_one_or_the_other() {
        check(
            (100, 0),
            (900, 0),
            Look::Last,
            "good: 0 of 100 requests failed, 0 of 900 with what served",
        );
        check(
            (100, 10),
            (900, 80),
            Look::Last,
            "good: 10 of 100 requests failed, 80 of 900 with what served",
        );
        check(
            (100, 4),
            (900, 4),
            Look::Last,
            "bad: 4 of 100 requests failed, and 4 of 900 with what served",
        );
    }

    #[test]
    fn too_few_requests_prove_nothing() {
        check((0, 0), (0, 0), Look::Last, "good: too few requests to compare: 0, and none failed");
        check(
            (19, 0),
            (900, 9),
            Look::Last,
            "good: too few requests to compare: 19, and none failed",
        );
        check(
            (4, 1),
            (40, 0),
            Look::Last,
            "bad: 1 of 4 requests failed, too few to hope for chance",
        );
        check(
            (4, 4),
            (0, 0),
            Look::Last,
            "bad: 4 of 4 requests failed, too few to hope for chance",
        );
        check(
            (4, 1),
            (8, 3),
            Look::Last,
            "good: too few requests to compare: 1 of 4 failed, no more than with what served",
        );
    }

    /// So many answers in the classes up to 5, 10, 25, 50 and 100 ms.
    fn timed(times: [u64; 5]) -> Sample {
        let mut sample = sample(times.iter().sum(), 0);
        sample.times.iter_mut().skip(2).zip(times).for_each(|(to, from)| *to = from);
        sample
    }

    #[test]
    fn slower_is_what_is_proved_and_noticed() {
        let bad = |canary, control| match judge(&timed(canary), &timed(control), Look::Last) {
            Verdict::Bad(reason) => Some(reason),
            Verdict::Good(_) | Verdict::Wait => None,
        };
        let usual = [0, 800, 100, 0, 0];
        assert_eq!(bad([0, 80, 20, 0, 0], usual), None, "proved, and not noticed");
        let reason = bad([0, 20, 20, 40, 40], usual).unwrap();
        assert_eq!(reason, "95 of 100 requests took up to 92 ms, and 18 ms with what served");
        assert_eq!(bad([0, 5, 5, 10, 10], usual), None, "too few");
        assert_eq!(bad([0, 94, 0, 0, 6], [0, 940, 0, 0, 40]), None, "noticed, and not proved");
        let early = judge(&timed([0, 0, 0, 0, 500]), &timed([5000, 0, 0, 0, 0]), Look::Interim);
        assert_eq!(early, Verdict::Wait, "everybody is slow at first");
    }

    #[test]
    fn equal_samples_have_equal_ranks() {
        let one = timed([7, 80, 100, 3, 1]);
        assert!(ranks(&one, &one).abs() < 1e-9);
        assert!((ranks(&timed([0, 0, 9, 0, 0]), &timed([0, 0, 5, 0, 0]))).abs() < 1e-9);
        let (slow, fast) = (timed([0, 0, 50, 50, 0]), timed([0, 50, 50, 0, 0]));
        assert!((ranks(&slow, &fast) + ranks(&fast, &slow)).abs() < 1e-9);
        assert!(ranks(&slow, &fast) > 5.0);
    }
}
