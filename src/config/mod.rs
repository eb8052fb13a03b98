//! What the operator may say, a section a file. [`load`](crate::config::load) reads the files, tells every
//! fault at once with its line and column, and gives back nothing that is half right.
//!
//! The order of work: YAML with places (`yaml`), the schema walked over it (`check`), serde into
//! [`Config`](crate::config::Config), then what no schema can say (`sections`, `compile`, `together`).

mod check;
mod compile;
mod duration;
mod fault;
mod findings;
mod fingerprint;
mod form;
mod github_events;
mod include;
mod load;
mod node;
mod place;
mod reader;
mod reference;
mod restart;
mod scalar;
mod schema;
mod secret_text;
mod sections;
mod suggest;
mod together;
mod yaml;

pub use duration::Duration;
pub use fault::{Fault, Faults};
pub use fingerprint::fingerprint;
pub use form::{
    AlertState, CommandName, EventName, HeaderText, LabelName, Listen, Login, Name, PointerText, ReceiverUrl, RepoName,
    RunAsText, SlashName, TeamName, WebUrl,
};
pub use load::{Loaded, load};
pub use reader::{FileText, Reader};
pub use reference::reference;
pub use restart::needs_restart;
pub use schema::schema;
pub use secret_text::{SecretFrom, SecretText};
pub(crate) use sections::is_snowflake;
pub use sections::*;
pub(crate) use suggest::nearest;
