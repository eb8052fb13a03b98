//! Slack's way of writing text, as people typed it: `&amp;`, `<@U1|mona>`, `<#C1|general>`, `<https://…|words>`.

use crate::domain::command::only_reads;

/// The text as it was typed.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (piece, after) = piece(rest);
        plain.push_str(&piece);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// What `rest`, which starts with `<` or `&`, begins with, and what follows.
fn piece(rest: &str) -> (String, &str) {
    for (entity, char) in [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        if let Some(after) = rest.strip_prefix(entity) {
            return (char.to_owned(), after);
        }
    }
    if let Some(inner) = rest.strip_prefix('<')
        && let Some((inside, after)) = inner.split_once('>')
        && !inside.contains(['<', '\n'])
        && let Some(piece) = mark(inside)
    {
        return (piece, after);
    }
    let first = rest.chars().next().map_or(0, char::len_utf8);
    (rest[..first].to_owned(), &rest[first..])
}

/// What stands between `<` and `>`, if it is Slack's.
fn mark(inside: &str) -> Option<String> {
    let (target, label) = inside.split_once('|').unwrap_or((inside, ""));
    let named = target.char_indices().nth(1).map_or("", |(at, _)| &target[at..]);
    let shown = if label.is_empty() { named } else { label };
    match target.as_bytes().first()? {
        b'@' => Some(format!("@{}", shown.trim_start_matches('@'))),
        b'#' => Some(format!("#{}", shown.trim_start_matches('#'))),
        b'!' => Some(format!("@{}", shown.trim_start_matches('@'))),
        _ if ["https://", "http://", "mailto:"].iter().any(|start| target.starts_with(start)) => {
            // The address is what was meant; what it was called may say anything.
            Some(target.replace("&amp;", "&"))
        }
        _ => None,
    }
}

/// What a message says to us, whose account is one of `ours`, as it was typed. Our name says only who is meant, so it is left
/// out wherever it stands. What stands in front of it belongs to what is said (`the build is broken, @us fix it`), unless nothing
/// but one of our own words that only reads stands behind it (`thanks! @us status`). One that moves a task is heard where the
/// message begins with our name alone: it may stand in what is said of it (`never @us approve`). What is said in `private` needs no
/// name: one that is not known to be ours is somebody else's.
pub(super) fn said_to(ours: &[&str], private: bool, text: &str) -> String {
    let Some((before, behind)) = split_at_mention(text, |id| ours.contains(&id)) else {
        // Nobody tells our name: then it is the one that the message begins with.
        return plain(match split_at_mention(text, |_| true) {
            Some((before, behind)) if !private && before.trim().is_empty() => without_vocative(behind),
            _ => text.trim_start(),
        });
    };
    let mut rest = without_vocative(behind);
    let mut behind = String::with_capacity(rest.len());
    while let Some((one, other)) = split_at_mention(rest, |id| ours.contains(&id)) {
        join(&mut behind, one);
        rest = other;
    }
    join(&mut behind, rest);
    let said = plain(&behind);
    let quotes = before.trim_start().starts_with("&gt;");
    if before.trim().is_empty() || (!quotes && !said.trim().contains('\n') && only_reads(&said)) {
        return said;
    }
    let mut whole = before.to_owned();
    join(&mut whole, &behind);
    plain(&whole)
}

/// What stands before and behind the first mention of an account that is meant.
fn split_at_mention(text: &str, meant: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    text.match_indices("<@").find_map(|(at, _)| {
        let inside = &text[at + 2..];
        let (inside, behind) = inside.split_at(inside.find(['<', '>'])?);
        let id = inside.split_once('|').map_or(inside, |(id, _)| id);
        Some((&text[..at], behind.strip_prefix('>')?)).filter(|_| meant(id))
    })
}

/// What follows a name that somebody is called by.
fn without_vocative(behind: &str) -> &str {
    behind.trim_start_matches([':', ',']).trim_start()
}

/// Puts two pieces together between which a name stood.
fn join(before: &mut String, behind: &str) {
    let blank = |c: char| c == ' ' || c == '\t';
    let kept = before.trim_end_matches(blank).len();
    if behind.trim().is_empty() || behind.starts_with(['.', ',', ':', ';', '!', '?']) {
        before.truncate(kept);
        before.push_str(behind);
    } else {
        if !before.is_empty() && !before.ends_with(char::is_whitespace) && !behind.starts_with(char::is_whitespace) {
            before.push(' ');
        }
        let doubled = before.is_empty() || before.ends_with(char::is_whitespace);
        before.push_str(if doubled { behind.trim_start_matches(blank) } else { behind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_was_typed() {
        let typed = "fix &lt;b&gt; &amp;amp; in <https://github.com/acme/widgets/issues/4?a=1&amp;b|widgets#4>, says <@U1|mona> in <#C1|dev> <!here> 1 < 2";
        assert_eq!(
            plain(typed),
            "fix <b> &amp; in https://github.com/acme/widgets/issues/4?a=1&b, says @mona in #dev @here 1 < 2"
        );
        assert_eq!(plain("a < b\n> c"), "a < b\n> c");
        assert_eq!(plain("<@U0LAN0Z89>"), "@U0LAN0Z89");
        assert_eq!(plain("<"), "<");
        assert_eq!(plain("<é> <é|x> <@>"), "<é> <é|x> @");
    }

    #[test]
    fn our_name_says_who_is_spoken_to_and_nothing_else() {
        for (text, said) in [
            ("<@U0> fix it <@U1|otto>", "fix it @otto"),
            ("  <@U0|bot>: fix it", "fix it"),
            ("<@U0>\nfix it", "fix it"),
            ("fix it", "fix it"),
            ("hey <@U0>, please fix it", "hey please fix it"),
            ("please fix it <@U0>", "please fix it"),
            ("please fix it <@U0>!", "please fix it!"),
            ("The build is broken.\n<@U0> fix it", "The build is broken.\nfix it"),
            ("<@U1> broke it <@U0> fix it", "@U1 broke it fix it"),
            ("<@U0> ask <@U0> to fix it", "ask to fix it"),
            ("thanks! <@U0> status", "status"),
            (
                "thanks! <@U0>: why <https://github.com/acme/widgets/issues/4>",
                "why https://github.com/acme/widgets/issues/4",
            ),
            ("here: <@U0> link ABCD EFGH", "here: link ABCD EFGH"),
            ("please do not <@U0> approve", "please do not approve"),
            ("If it fails, say <@U0> retry", "If it fails, say retry"),
            ("&gt; <@U0> status", "> status"),
            ("&gt; <@U0> approve\nIs that wise?", "> approve\nIs that wise?"),
            ("look: <@U0> status\nof the shop", "look: status\nof the shop"),
            ("good. <@U0> status reports are slow", "good. status reports are slow"),
            ("status <@U0>", "status"),
            ("<@U0>", ""),
            ("<@U0", "<@U0"),
            ("&lt;@U0&gt; fix it", "<@U0> fix it"),
        ] {
            assert_eq!(said_to(&["U0"], false, text), said, "{text}");
        }
        assert_eq!(said_to(&[], false, "<@U0LAN0Z89> fix it <@U1>"), "fix it @U1", "when nobody tells our name");
        assert_eq!(said_to(&[], false, "fix it <@U1>"), "fix it @U1");
        assert_eq!(said_to(&["U0"], true, "<@U1|otto> broke it"), "@otto broke it", "in private");
        assert_eq!(said_to(&[], true, "<@U1> broke it"), "@U1 broke it");
        assert_eq!(said_to(&["U0"], true, "<@U0> fix it"), "fix it");
    }
}
