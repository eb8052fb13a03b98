//! The other outside: receivers that the operator names and nobody here knows. A webhook goes to a vetted address, signed as
//! Standard Webhooks, once a call; nothing that they answer is believed but the status.

mod error;
mod poster;
mod receiver;
mod signature;
mod vetted;

pub use error::PostError;
pub use poster::{Message, Poster};
pub use receiver::Receiver;
pub use vetted::{Looking, Lookup};
