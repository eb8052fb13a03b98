//! Coming to rest: nothing is disturbed any more, and the waits that are meant for hours are let pass quickly.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use crate::due;
use crate::stage::{Fatal, Stage};

/// How long everything may take to come to rest.
const LIMIT: Duration = Duration::from_secs(180);

/// What still moves: deliveries not matched, tasks on their way, reports not told.
///
/// A task whose outcome a person must settle, or that waits for a token, rests.
const MOVING: &str = "
    SELECT (SELECT count(*) FROM deliveries WHERE state = 'received') AS deliveries,
           (SELECT count(*) FROM tasks WHERE state IN ('pending', 'starting', 'queued', 'in_progress', 'unrecognised')
               OR state = 'uncertain' AND NOT needs_person
               OR state = 'held' AND hold IS DISTINCT FROM 'token') AS tasks,
           (SELECT count(*) FROM reports WHERE state = 'pending') AS reports";

/// Times that lie ahead are brought near, as if they had come.
const HURRY: [&str; 3] = [
    "UPDATE deliveries SET due_at = clock_timestamp() WHERE state = 'received' AND due_at > clock_timestamp() AND lease IS NULL",
    "UPDATE tasks SET due_at = clock_timestamp() WHERE state IN ('pending', 'uncertain') AND due_at > clock_timestamp() AND lease IS NULL",
    "UPDATE reports SET due_at = clock_timestamp() WHERE state = 'pending' AND due_at > clock_timestamp() AND lease IS NULL",
];

/// Waits until nothing moves; notes as wrong what still does after the limit.
pub(crate) async fn come_to_rest(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    due::look(stage, pool).await?;
    let began = Instant::now();
    let mut quiet = 0;
    loop {
        for statement in HURRY {
            sqlx::query(statement).execute(pool).await?;
        }
        let (deliveries, tasks, reports): (i64, i64, i64) = sqlx::query_as(MOVING).fetch_one(pool).await?;
        quiet = if deliveries + tasks + reports == 0 { quiet + 1 } else { 0 };
        if quiet == 3 {
            break;
        }
        if began.elapsed() > LIMIT {
            stage.wrong(format!("no rest: {deliveries} deliveries, {tasks} tasks and {reports} reports still move"));
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    stage.tally.add("seconds.to_rest", began.elapsed().as_secs());
    Ok(())
}
