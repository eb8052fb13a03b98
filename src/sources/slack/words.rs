//! Slack's way of writing text, as people typed it: `&amp;`, `<@U1|mona>`, `<#C1|general>`, `<https://…|words>`.

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
    let shown = if label.is_empty() { &target[target.len().min(1)..] } else { label };
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

/// The text of a message without the mention of us at its start (any mention, as nobody tells our own name for sure).
pub(super) fn without_mention(text: &str) -> &str {
    let text = text.trim_start();
    match text.strip_prefix("<@").and_then(|rest| rest.split_once('>')) {
        Some((_, after)) => after.trim_start_matches([':', ',']).trim_start(),
        None => text,
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
    }

    #[test]
    fn a_mention_at_the_start_is_who_is_spoken_to() {
        assert_eq!(without_mention("<@U0LAN0Z89> fix it <@U1>"), "fix it <@U1>");
        assert_eq!(without_mention("  <@U0|bot>: fix it"), "fix it");
        assert_eq!(without_mention("fix it"), "fix it");
    }
}
