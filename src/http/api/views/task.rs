//! Tasks and their stories.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::task::State;
use crate::store::attempts::Attempt;
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::list::ListedTask;
use crate::store::tasks::story::{SessionRow, TimelineEntry, UsageSum};
use crate::store::tasks::{Hold, Task};

/// A GitHub account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its number, which does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its login at that time.
    pub login: String,
}

/// A task in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskSummary {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Why it stands there, in words.
    pub reason: String,
    /// What a held task waits for.
    pub hold: Option<Hold>,
    /// Only a person can settle it.
    pub needs_person: bool,
    /// The rule that made it.
    pub rule: String,
    /// The source of the delivery.
    pub source: String,
    /// The event, for example `issues.labeled`.
    pub event: String,
    /// The repository where the agent works, as `owner/name`.
    pub repo: String,
    /// The repository's number.
    pub repo_id: i64,
    /// What the event was about: `issue`, `pull_request` and so on.
    pub subject_kind: String,
    /// Its number in the repository of origin.
    pub subject_number: Option<i64>,
    /// Its page.
    pub subject_url: String,
    /// Who asked.
    pub actor: Account,
    /// Whose token it runs with.
    pub person: Account,
    /// The delivery that made it; it may be forgotten earlier than the task.
    pub delivery_id: Uuid,
    /// The ended task that this one repeats.
    pub retry_of: Option<Uuid>,
    /// GitHub's page of the task.
    pub remote_url: Option<String>,
    /// The pull request's page.
    pub pull_url: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the remote task was known to exist.
    pub started_at: Option<DateTime<Utc>>,
    /// When its state last changed.
    pub changed_at: DateTime<Utc>,
    /// When it ended, for now: GitHub may reopen it.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<ListedTask> for TaskSummary {
    fn from(task: ListedTask) -> Self {
        Self {
            id: task.id.0,
            repo: format!("{}/{}", task.repo_owner, task.repo_name),
            state: task.state,
            // GitHub's messages are not ours: should one repeat the prompt, the marker must not show.
            reason: task.marker.mask(&task.reason),
            hold: task.hold,
            needs_person: task.needs_person,
            rule: task.rule,
            source: task.source,
            event: task.event,
            repo_id: task.repo_id,
            subject_kind: task.subject_kind,
            subject_number: task.subject_number,
            subject_url: task.subject_url,
            actor: Account { id: task.actor_id, login: task.actor_login },
            person: Account { id: Some(task.person_id.0), login: task.person_login },
            delivery_id: task.delivery_id.0,
            retry_of: task.retry_of.map(|id| id.0),
            remote_url: task.remote_url,
            pull_url: task.pull_url,
            created_at: task.created_at,
            started_at: task.started_at,
            changed_at: task.changed_at,
            ended_at: task.ended_at,
        }
    }
}

impl From<Task> for TaskSummary {
    fn from(task: Task) -> Self {
        ListedTask::from(task).into()
    }
}

/// One task with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskDetail {
    /// What lists show.
    #[serde(flatten)]
    pub summary: TaskSummary,
    /// The rule set of that time.
    pub rule_version: String,
    /// The prompt, without the line by which the task is found again on GitHub.
    pub prompt: String,
    /// The model asked for.
    pub model: Option<String>,
    /// The custom agent asked for.
    pub custom_agent: Option<String>,
    /// The branch to start from.
    pub base_ref: Option<String>,
    /// The branch of the open pull request to work on.
    pub head_ref: Option<String>,
    /// Whether the agent opens a pull request.
    pub create_pull_request: bool,
    /// What GitHub says of it.
    pub remote: Remote,
    /// When the next attempt to start it is due, if it waits for one.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When GitHub is asked about it next, if it is.
    pub next_look_at: Option<DateTime<Utc>>,
    /// Every try to start it, oldest first.
    pub attempts: Vec<AttemptView>,
    /// Its story, oldest first.
    pub timeline: Vec<TimelineView>,
    /// Its sessions on GitHub, oldest first.
    pub sessions: Vec<SessionView>,
    /// What its sessions used.
    pub usage: Vec<UsageView>,
    /// What people were told of it.
    pub reports: Vec<ReportView>,
}

/// What GitHub says of a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct Remote {
    /// GitHub's id of it.
    pub id: Option<String>,
    /// GitHub's word for its state, as it came.
    pub state: Option<String>,
    /// GitHub's time of the newest news.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was last seen in an answer of GitHub.
    pub looked_at: Option<DateTime<Utc>>,
    /// Since when GitHub answers that there is none.
    pub missing_since: Option<DateTime<Utc>>,
    /// The branch that the agent works on.
    pub branch: Option<String>,
    /// The pull request's number.
    pub pull_number: Option<i64>,
    /// The error of the newest session.
    pub error: Option<String>,
}

/// A try to start a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// 1 for the first.
    pub number: i32,
    /// Before the request left.
    pub began_at: DateTime<Utc>,
    /// When its outcome was known.
    pub ended_at: Option<DateTime<Utc>>,
    /// `created`, `deferred`, `refused`, `unauthorized`, `unknown`, `adopted` or `absent`; none while it runs.
    pub outcome: Option<String>,
    /// GitHub's status, if there was an answer.
    pub http_status: Option<i32>,
    /// GitHub's message or the failure, in words.
    pub message: Option<String>,
}

/// An entry of a task's story.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// When.
    pub at: DateTime<Utc>,
    /// `made`, `state`, `observation`, `attempt` or `note`.
    pub kind: String,
    /// The state before.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: Option<String>,
    /// What happened, in words.
    pub text: String,
}

/// A session of a task on GitHub.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// GitHub's id of it.
    pub id: String,
    /// GitHub's word for its state.
    pub state: String,
    /// GitHub's time of its start.
    pub created_at: Option<DateTime<Utc>>,
    /// GitHub's time of its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// What it used.
    pub usage: Option<UsageView>,
    /// GitHub's error message.
    pub error: Option<String>,
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// `ai_credits` or `premium_requests`.
    pub kind: String,
    /// Billionths of the kind's unit.
    pub nano: i64,
}

/// One thing that people are told of a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    /// Its kind.
    pub kind: ReportKind,
    /// For an outgoing webhook: the name of its receiver.
    pub receiver: Option<String>,
    /// For an outgoing webhook: its id, as `webhook-id` has it.
    pub webhook_id: Option<Uuid>,
    /// `pending`, `sent` or `failed`.
    pub state: String,
    /// Its page, once it was told.
    pub link: Option<String>,
    /// Tries of what is to be told now.
    pub tries: i32,
    /// Why it could not be told.
    pub trouble: Option<String>,
    /// When it was last told.
    pub sent_at: Option<DateTime<Utc>>,
}

/// What belongs to a task.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the detail")]
pub struct Story {
    pub attempts: Vec<Attempt>,
    pub timeline: Vec<TimelineEntry>,
    pub sessions: Vec<SessionRow>,
    pub usage: Vec<UsageSum>,
    pub reports: Vec<Report>,
    /// When the next round over its person's tasks is due, while it is watched.
    pub next_round: Option<DateTime<Utc>>,
}

impl TaskDetail {
    /// Puts a task and what belongs to it together.
    #[must_use]
    pub fn new(task: Task, story: Story) -> Self {
        let marker = task.marker.clone();
        let clean = |text: String| marker.mask(&text);
        let next_look_at = match task.state {
            State::Uncertain => Some(task.due_at),
            _ if task.remote_id.is_some() => task.look_at.into_iter().chain(story.next_round).min(),
            _ => None,
        };
        let attempts = story.attempts.into_iter().map(|attempt| AttemptView {
            number: attempt.number,
            began_at: attempt.began_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            http_status: attempt.http_status,
            message: attempt.message.map(clean),
        });
        let timeline = story.timeline.into_iter().map(|entry| TimelineView {
            at: entry.at,
            kind: entry.kind,
            from_state: entry.from_state,
            to_state: entry.to_state,
            text: clean(entry.text),
        });
        let sessions = story.sessions.into_iter().map(|session| SessionView {
            id: session.remote_id,
            state: session.state,
            created_at: session.created_at,
            completed_at: session.completed_at,
            usage: session.usage_kind.zip(session.usage_nano).map(|(kind, nano)| UsageView { kind, nano }),
            error: session.error.map(clean),
        });
        let reports = story.reports.into_iter().map(|report| ReportView {
            webhook_id: report.receiver.as_ref().map(|_| report.id.0),
            kind: report.kind,
            receiver: report.receiver,
            state: report.state,
            link: report.external_url,
            tries: report.tries,
            trouble: report.trouble.map(clean),
            sent_at: report.sent_at,
        });
        Self {
            attempts: attempts.collect(),
            timeline: timeline.collect(),
            sessions: sessions.collect(),
            reports: reports.collect(),
            usage: story.usage.into_iter().map(UsageView::from).collect(),
            rule_version: task.rule_version.clone(),
            prompt: task.prompt.clone(),
            model: task.model.clone(),
            custom_agent: task.custom_agent.clone(),
            base_ref: task.base_ref.clone(),
            head_ref: task.head_ref.clone(),
            create_pull_request: task.create_pull_request,
            remote: Remote {
                id: task.remote_id.clone(),
                state: task.remote_state.clone(),
                updated_at: task.remote_updated_at,
                looked_at: task.looked_at,
                missing_since: task.missing_since,
                branch: task.branch.clone(),
                pull_number: task.pull_number,
                error: task.remote_error.clone().map(clean),
            },
            next_attempt_at: (task.state == State::Pending).then_some(task.due_at),
            next_look_at,
            summary: task.into(),
        }
    }
}

impl From<UsageSum> for UsageView {
    fn from(sum: UsageSum) -> Self {
        Self { kind: sum.kind, nano: sum.nano }
    }
}
