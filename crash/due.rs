//! How far ahead what waits may be due. Coming to rest does not wait for it, so a time that is hours too late would
//! be seen by nobody: it is looked at before. The longest waits are written down here a second time.

use sqlx::PgPool;

use crate::check::note;
use crate::stage::{Fatal, Stage};

/// The longest pause that GitHub asks for here, or that a GitHub which does not answer is left alone for.
const PAUSE: f64 = 180.0;
/// What waits for an app that is gone, or was a moment ago, is tried again.
const GONE: f64 = JITTER * 600.0;
/// Waits are up to a fifth longer than said.
const JITTER: f64 = 1.2;
/// A comment that was told anew counts its tries from the start, and keeps its time.
const TRIES_BEFORE: i32 = 5;

/// What waits, how often it was tried, how old it is and how far ahead it is due, in seconds.
///
/// What waits behind another webhook of its task is due with that one.
const WAITING: &str = "
    SELECT kind, id, tries, extract(epoch FROM clock_timestamp() - since)::float8,
           extract(epoch FROM due_at - clock_timestamp())::float8
    FROM (SELECT 'delivery' AS kind, id::text, tries::int, received_at AS since, due_at FROM deliveries
          WHERE state = 'received'
          UNION ALL
          SELECT CASE WHEN needs_person THEN 'person' ELSE state END, id::text, attempt_count::int, created_at, due_at
          FROM tasks WHERE state IN ('pending', 'uncertain')
          UNION ALL
          SELECT CASE WHEN kind = 'outgoing' THEN 'outgoing' WHEN chat IS NOT NULL THEN 'chat' ELSE 'report' END, id::text,
                 CASE WHEN kind = 'outgoing' THEN max(tries) OVER (PARTITION BY task_id, receiver)
                      WHEN revision > 1 THEN greatest(tries, $1) ELSE tries END, made_at, due_at
          FROM reports WHERE state = 'pending') waiting
    WHERE due_at > clock_timestamp()";

/// Notes what is due later than anything of its kind may be: what was put off comes back in time.
///
/// Cases 36, 37, 38.
pub(crate) async fn look(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let rows: Vec<(String, String, i32, f64, f64)> = sqlx::query_as(WAITING).bind(TRIES_BEFORE).fetch_all(pool).await?;
    stage.tally.add("waits.looked_at", rows.len() as u64);
    let late = rows.iter().filter(|(kind, _, tries, age, ahead)| *ahead > longest(kind, *tries, *age));
    let late: Vec<String> = late
        .map(|(kind, id, tries, age, ahead)| {
            let longest = longest(kind, *tries, *age);
            format!(
                "{kind} {id}, {age:.0} s old, is due in {ahead:.0} s after {tries} tries, and not within {longest:.0} s"
            )
        })
        .collect();
    note(stage, "due_too_late", &late);
    Ok(())
}

/// The longest that anything of this kind may be put off.
fn longest(kind: &str, tries: i32, age: f64) -> f64 {
    let backoff = |factor: f64, cap: f64| JITTER * (5.0 * factor.powi((tries - 1).max(0))).min(cap);
    match kind {
        "delivery" => (PAUSE + JITTER * 5.0).max(JITTER * age.min(600.0)),
        "pending" => PAUSE.max(backoff(2.0, 600.0)).max(JITTER * age.min(3600.0)),
        "uncertain" => PAUSE,
        "person" => 1_800.0,
        "outgoing" => backoff(3.0, 7_200.0),
        "chat" => backoff(3.0, 1_800.0).max(GONE),
        _ => PAUSE.max(backoff(3.0, 1_800.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::longest;

    #[test]
    fn nothing_may_wait_longer_than_its_tries_explain() {
        assert_eq!(["outgoing", "chat"].map(|kind| longest(kind, 1, 60.0)), [6.0, 720.0]);
        assert_eq!([2, 3, 30].map(|tries| longest("outgoing", tries, 60.0)), [18.0, 54.0, 8_640.0]);
        assert_eq!([1, 5, 30].map(|tries| longest("report", tries, 60.0)), [180.0, 486.0, 2_160.0]);
        assert_eq!([1, 7, 30].map(|tries| longest("pending", tries, 60.0)), [180.0, 384.0, 720.0]);
        assert_eq!(["delivery", "uncertain", "person"].map(|kind| longest(kind, 9, 60.0)), [186.0, 180.0, 1_800.0]);
    }
}
