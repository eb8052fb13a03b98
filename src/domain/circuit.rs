//! Whether the other side answers at all. After a row of failures nothing more is sent to it but a small question now
//! and then; the first answer of any kind lets everything go on. So an outage costs the same few questions however
//! much work waits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::backoff::Backoff;

/// Failures in a row, of whatever calls, before the question is put.
pub const IN_A_ROW: u32 = 5;
/// Waits between two questions. The first is put at once: one broken corner of a server that answers otherwise
/// should hold nobody up.
pub const WAITS: Backoff =
    Backoff { first: Duration::from_secs(10), factor: 2, cap: Duration::from_secs(120), tries: u32::MAX };
/// The longest that a wait may be, jitter included. A clock that was put back must not make it longer.
const LONGEST: TimeDelta = TimeDelta::seconds(180);

/// The memory of the row of failures and of the outage.
#[derive(Debug, Default)]
pub struct Circuit {
    failures: u32,
    open: Option<Open>,
    back_since: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Open {
    since: DateTime<Utc>,
    /// Questions put so far.
    probes: u32,
    /// When the next one is put.
    due_at: DateTime<Utc>,
    /// Whether a question has failed: before that it is only a suspicion.
    confirmed: bool,
}

impl Open {
    fn waits(&self, now: DateTime<Utc>) -> bool {
        let left = self.due_at.signed_duration_since(now);
        left > TimeDelta::zero() && left <= LONGEST
    }
}

/// What a caller may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// Send.
    Pass,
    /// Put the question first; nobody else does so now.
    Probe,
    /// Send nothing before this moment.
    Wait(DateTime<Utc>),
}

/// An outage that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the row of failures was complete.
    pub since: DateTime<Utc>,
    /// When it is asked again.
    pub next_probe_at: DateTime<Utc>,
}

impl Circuit {
    /// What a caller may do at `now`. `jitter` spreads a wait. A question that is never answered needs no telling:
    /// the next one is put when its wait is over.
    pub fn admit(&mut self, now: DateTime<Utc>, jitter: impl FnOnce(Duration) -> Duration) -> Admit {
        let Some(open) = &mut self.open else { return Admit::Pass };
        if open.waits(now) {
            return Admit::Wait(open.due_at);
        }
        open.probes = open.probes.saturating_add(1);
        let wait = TimeDelta::from_std(jitter(WAITS.after(open.probes).unwrap_or(WAITS.cap))).unwrap_or(LONGEST);
        open.due_at = now + wait.min(LONGEST);
        Admit::Probe
    }

    /// What [`Circuit::admit`] would answer, for somebody who wants to know it before taking up work.
    #[must_use]
    pub fn would_admit(&self, now: DateTime<Utc>) -> Admit {
        match &self.open {
            None => Admit::Pass,
            Some(open) if open.waits(now) => Admit::Wait(open.due_at),
            Some(_) => Admit::Probe,
        }
    }

    /// Where no small question shows anything, since only some calls fail: what is let through is the question. Answers
    /// whether this failure begins an outage.
    pub fn failed_as_question(&mut self, now: DateTime<Utc>) -> bool {
        let suspected = self.open.is_some();
        self.failed(now);
        suspected && self.probe_failed()
    }

    /// A call was not answered, or with a server's fault.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= IN_A_ROW && self.open.is_none() {
            self.open = Some(Open { since: now, probes: 0, due_at: now, confirmed: false });
        }
    }

    /// The question was not answered either. Answers whether this begins an outage.
    pub fn probe_failed(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| !std::mem::replace(&mut open.confirmed, true))
    }

    /// There was an answer. Answers how long an outage lasted that it ends.
    pub fn answered(&mut self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.failures = 0;
        let outage = self.open.take().filter(|open| open.confirmed)?;
        self.back_since = Some(now);
        Some(now.signed_duration_since(outage.since))
    }

    /// The outage that goes on, if one does.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        let open = self.open.as_ref().filter(|open| open.confirmed)?;
        Some(Outage { since: open.since, next_probe_at: open.due_at })
    }

    /// When the last outage ended: patience that is measured in time begins anew there.
    #[must_use]
    pub fn back_since(&self) -> Option<DateTime<Utc>> {
        self.back_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn as_it_is(wait: Duration) -> Duration {
        wait
    }

    /// After a whole row of failures at second 0.
    fn suspicious() -> Circuit {
        let mut circuit = Circuit::default();
        (0..IN_A_ROW).for_each(|_| circuit.failed(at(0)));
        circuit
    }

    #[test]
    fn a_row_that_an_answer_interrupts_opens_nothing() {
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            (1..IN_A_ROW).for_each(|_| circuit.failed(at(0)));
            assert_eq!(circuit.admit(at(0), as_it_is), Admit::Pass);
            assert_eq!(circuit.answered(at(0)), None);
        }
    }

    #[test]
    fn a_suspicion_that_the_first_question_clears_is_no_outage() {
        let mut circuit = suspicious();
        assert_eq!(circuit.admit(at(0), as_it_is), Admit::Probe);
        assert_eq!((circuit.outage(), circuit.answered(at(1)), circuit.back_since()), (None, None, None));
        assert_eq!(circuit.admit(at(1), as_it_is), Admit::Pass);
        (1..IN_A_ROW).for_each(|_| circuit.failed(at(1)));
        assert_eq!(circuit.admit(at(1), as_it_is), Admit::Pass, "the row begins anew");
    }

    #[test]
    fn an_outage_is_asked_about_less_and_less_often_and_by_one_at_a_time() {
        let mut circuit = suspicious();
        let mut asked = Vec::new();
        for second in 0..7200 {
            if circuit.admit(at(second), as_it_is) == Admit::Probe {
                assert!(matches!(circuit.admit(at(second), as_it_is), Admit::Wait(_)), "one at a time");
                assert_eq!(circuit.probe_failed(), asked.is_empty(), "it begins once");
                asked.push(second);
            }
            // Calls that were still under way.
            circuit.failed(at(second));
        }
        assert_eq!(asked[..7], [0, 10, 30, 70, 150, 270, 390]);
        assert_eq!(asked.len(), 63);
        let outage = circuit.outage().unwrap();
        assert_eq!((outage.since, outage.next_probe_at), (at(0), at(7230)));
        assert_eq!(circuit.answered(at(7200)), Some(TimeDelta::hours(2)));
        assert_eq!((circuit.outage(), circuit.back_since()), (None, Some(at(7200))));
        assert_eq!(circuit.admit(at(7200), as_it_is), Admit::Pass);
    }

    #[test]
    fn jitter_moves_a_wait_and_cannot_make_it_endless() {
        let mut circuit = suspicious();
        assert_eq!(circuit.admit(at(0), |wait| wait.mul_f64(1.2)), Admit::Probe);
        assert_eq!(circuit.admit(at(11), as_it_is), Admit::Wait(at(12)));
        assert_eq!(circuit.admit(at(12), |_| Duration::MAX), Admit::Probe);
        assert_eq!(circuit.admit(at(13), as_it_is), Admit::Wait(at(12) + LONGEST));
    }

    #[test]
    fn where_the_calls_are_the_questions_the_sixth_failure_begins_an_outage() {
        let mut circuit = Circuit::default();
        assert!((0..IN_A_ROW).all(|_| !circuit.failed_as_question(at(0))), "a suspicion");
        assert_eq!((circuit.would_admit(at(0)), circuit.outage()), (Admit::Probe, None));
        assert_eq!(circuit.admit(at(0), as_it_is), Admit::Probe);
        assert_eq!(circuit.would_admit(at(0)), Admit::Wait(at(10)));
        assert!(circuit.failed_as_question(at(1)) && !circuit.failed_as_question(at(1)), "it begins once");
        assert_eq!(circuit.outage().unwrap().next_probe_at, at(10));
        assert_eq!(circuit.answered(at(10)), Some(TimeDelta::seconds(10)));
        assert_eq!(circuit.would_admit(at(10)), Admit::Pass);
    }

    #[test]
    fn a_question_whose_end_nobody_told_is_put_again() {
        let mut circuit = suspicious();
        assert_eq!(circuit.admit(at(0), as_it_is), Admit::Probe);
        assert_eq!(circuit.admit(at(10), as_it_is), Admit::Probe);
    }

    #[test]
    fn a_clock_that_is_put_back_an_hour_holds_nobody_up_for_an_hour() {
        let mut circuit = suspicious();
        assert_eq!(circuit.admit(at(0), as_it_is), Admit::Probe);
        assert_eq!(circuit.admit(at(-3600), as_it_is), Admit::Probe);
        assert_eq!(circuit.admit(at(-3599), as_it_is), Admit::Wait(at(-3580)));
    }
}
