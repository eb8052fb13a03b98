//! Outgoing webhooks of Microsoft Teams: a message in a channel that mentions the webhook by its name. Who wrote it is the
//! account's number in the directory of its organization; what it is called counts for nothing.
//! Facts from MicrosoftDocs/msteams-docs, `add-outgoing-webhook.md`.

use chrono::DateTime;
use serde::Deserialize;

use super::super::request::Reply;
use super::super::unreadable::Unreadable;
use super::asked::{Asked, Says, place, unreadable};
use crate::chat::teams::{NAME, answer};
use crate::domain::chat::{Chat, ChatSaid};
use crate::domain::identity::Identity;

/// Longest mark of HTML.
const MARK: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Activity {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    timestamp: Option<String>,
    local_timestamp: Option<String>,
    text: String,
    from: From,
    conversation: Conversation,
    channel_data: ChannelData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct From {
    aad_object_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Conversation {
    id: String,
    tenant_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChannelData {
    tenant: Option<Tenant>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tenant {
    id: String,
}

pub(super) fn asked(source: &str, command: &str, body: &[u8]) -> Result<Asked, Unreadable> {
    let activity: Activity = serde_json::from_slice(body).map_err(unreadable)?;
    let kind = activity.kind.clone();
    // The id is one of its conversation.
    let id = activity.id.as_ref().map(|id| format!("{} {id}", activity.conversation.id));
    let stamp = activity.timestamp.or(activity.local_timestamp);
    let at = stamp.and_then(|stamp| DateTime::parse_from_rfc3339(&stamp).ok()).map(|at| at.to_utc());
    if kind != "message" {
        return Ok(Asked { kind, id, at, says: Says::Nothing("an activity that is no message".to_owned()) });
    }
    let account = activity.from.aad_object_id.unwrap_or_default();
    let tenant = activity.channel_data.tenant.map(|tenant| tenant.id).filter(|id| !id.is_empty());
    let tenant = tenant.or(activity.conversation.tenant_id).unwrap_or_default();
    let identity = Identity::new(NAME, &tenant, &account)
        .map_err(|_| Unreadable("the message does not say which account of which organization wrote it".to_owned()))?;
    // Behind it stands the message that the thread began with.
    let channel = activity.conversation.id.split(';').next().unwrap_or_default();
    let chat = Chat {
        place: place(source, channel, None, &account)?,
        identity,
        said: ChatSaid::Command { name: command.to_owned(), text: plain(&activity.text) },
        replies: false,
        answer_to: None,
        server: None,
        opens: None,
    };
    Ok(Asked { kind, id, at, says: Says::Chat { event: "message", chat: Box::new(chat) } })
}

pub(super) fn reply(says: Option<Says>) -> Reply {
    let text = match says {
        Some(Says::Chat { .. }) => return Reply::Heard,
        Some(Says::Nothing(_) | Says::Elsewhere(_) | Says::Ping | Says::Choices) => return Reply::Quiet,
        None => "This message does not say which account wrote it, so nothing can be done.",
    };
    Reply::Recorded { content_type: "application/json", body: answer(text) }
}

/// The text as it was typed, without the mention of us at its start.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut rest, mut mentioned) = (text, false);
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if !mentioned
            && plain.trim().is_empty()
            && let Some(after) = rest.strip_prefix("<at").and_then(|name| name.split_once("</at>"))
        {
            (mentioned, rest) = (true, after.1);
            plain.clear();
            continue;
        }
        let (piece, after) = piece(rest);
        plain.push_str(piece);
        rest = after;
    }
    plain.push_str(rest);
    let plain = plain.replace('\u{a0}', " ");
    plain.trim().trim_start_matches([':', ',']).trim_start().to_owned()
}

/// What `rest`, which starts with `<` or `&`, begins with, and what follows.
fn piece(rest: &str) -> (&'static str, &str) {
    const ENTITIES: [(&str, &str); 6] =
        [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " ")];
    for (entity, char) in ENTITIES {
        if let Some(after) = rest.strip_prefix(entity) {
            return (char, after);
        }
    }
    let Some(inner) = rest.strip_prefix('<') else { return ("&", &rest[1..]) };
    match inner.split_once('>') {
        Some((mark, after))
            if mark.len() <= MARK && mark.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            let breaks = ["br", "/p", "/div", "/li", "/tr"];
            let name = mark.split([' ', '\n']).next().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase();
            let shown = match name.as_str() {
                "at" => "@",
                name if breaks.contains(&name) => "\n",
                _ => "",
            };
            (shown, after)
        }
        _ => ("<", inner),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn text_is_read_as_it_was_typed() {
        for (sent, typed) in [
            ("<at>Bridge</at> fix Größe", "fix Größe"),
            ("<div><div><at itemid=\"0\">Bridge</at>&nbsp;fix it</div></div>", "fix it"),
            ("<at>Bridge</at>: ask <at>Adele</at>", "ask @Adele"),
            ("<p>one &amp; two</p><p>three</p>", "one & two\nthree"),
            ("a < b && b > c &lt;b&gt;", "a < b && b > c <b>"),
            ("<at>Bridge", "@Bridge"),
            ("<", "<"),
            ("", ""),
        ] {
            assert_eq!(plain(sent), typed, "{sent}");
        }
    }
}
