//! The outside: what is asked of GitHub and told to it.
//!
//! One [`Github`](crate::github::Github) is shared by the whole process; a [`Session`](crate::github::Session) is
//! that client holding one token, and every call is a method of it. A call never sends a second request in secret:
//! no redirect is followed on a write, nothing is retried here, and [`CallError`](crate::github::CallError) tells
//! apart "surely not done" from "nobody knows", because a task started twice costs its owner money.

mod answer;
mod app;
mod client;
mod comments;
mod error;
mod issues;
mod jwt;
mod lenient;
mod limits;
mod manifests;
mod oauth;
mod paths;
mod permissions;
mod presence;
mod pulls;
mod reactions;
mod remote_task;
mod repos;
mod session;
mod settings;
mod tasks;

pub use app::{App, Card, Cover};
pub use client::Github;
pub use comments::{CommentPage, CommentQuery, RemoteComment};
pub use error::{CallError, Next, SetupError};
pub use issues::IssueInfo;
pub use limits::{MAX_PAUSE, MIN_PAUSE, RateView, SECONDARY_PAUSE, TokenOwner};
pub use manifests::{AppOwner, MadeApp};
pub use oauth::{DeviceAnswer, DeviceCode, OAuth, OAuthError, Pair};
pub use paths::{BadRepoPath, RepoPath};
pub use permissions::{Me, PermissionAnswer};
pub use presence::Write;
pub use pulls::PullInfo;
pub use reactions::ReactTo;
pub use remote_task::{Artifact, RemoteSession, RemoteTask, Usage};
pub use repos::RepoInfo;
pub use session::{Session, Token};
pub use settings::{AppSettings, Settings, SignInSettings};
pub use tasks::{NewTask, TaskPage, TaskQuery};
