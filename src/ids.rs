//! Ids are UUIDv7: ordered by time, so that every list can be paged by id and new rows land at the
//! end of an index. Each record has its own type, so that one kind of id cannot pass for another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Ground;

/// A new time-ordered UUID from the given clock and chance.
#[must_use]
pub fn uuid_v7(ground: &Ground) -> Uuid {
    uuid_v7_at(ground.now(), &ground.bytes())
}

/// The smallest id of a moment: whatever was made before it, to the millisecond, is smaller.
#[must_use]
pub fn uuid_floor(at: DateTime<Utc>) -> Uuid {
    uuid_v7_at(at, &[0; 10])
}

fn uuid_v7_at(now: DateTime<Utc>, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later than all made before it (to the millisecond).
            #[must_use]
            pub fn new(ground: &Ground) -> Self {
                Self(uuid_v7(ground))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One received webhook.
    DeliveryId
);
id!(
    /// One verdict of one rule on one delivery.
    DecisionId
);
id!(
    /// One piece of work for the agent.
    TaskId
);
id!(
    /// One try to start a task.
    AttemptId
);
id!(
    /// One thing to tell someone.
    ReportId
);
id!(
    /// One key of the admin API.
    ApiKeyId
);

/// The GitHub account number of a person: what a person is bound to. Logins change, this does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct PersonId(pub i64);

impl std::fmt::Display for PersonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
