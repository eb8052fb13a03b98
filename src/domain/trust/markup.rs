//! Markdown and HTML that carry text a reader does not see. Comments are removed everywhere, also inside
//! code blocks: what this file takes for a code block need not be one for the page's renderer. The milder
//! reductions leave code blocks alone, where attributes and declarations are part of what is reported.

use std::collections::HashMap;

/// Removes `<!-- … -->`, also unclosed, also such as only appear once an inner one is gone.
pub(super) fn remove_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('-') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if out.ends_with("<!--") {
            out.truncate(out.len() - 4);
            rest = after_comment(rest);
        }
    }
    out.push_str(rest);
    out
}

fn after_comment(rest: &str) -> &str {
    for empty in [">", "->"] {
        if let Some(after) = rest.strip_prefix(empty) {
            return after;
        }
    }
    let mut at = 0;
    while let Some(dashes) = rest[at..].find("--") {
        at += dashes + 1;
        for end in [">", "!>"] {
            if let Some(after) = rest[at + 1..].strip_prefix(end) {
                return after;
            }
        }
    }
    ""
}

/// Outside code blocks: images lose their text, links their titles, link definitions their titles and
/// wordy labels, HTML tags their attributes except addresses, and declarations go.
pub(super) fn reduce_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut prose = String::new();
    let mut fence: Option<(char, usize)> = None;
    for line in text.split_inclusive('\n') {
        let run = fence_run(line);
        match (fence, run) {
            (None, Some(_)) => {
                out.push_str(&reduce_prose(&std::mem::take(&mut prose)));
                fence = run;
                out.push_str(line);
            }
            (None, None) => prose.push_str(line),
            (Some((c, n)), Some((close, m))) if c == close && m >= n && line.trim().trim_matches(c).is_empty() => {
                fence = None;
                out.push_str(line);
            }
            (Some(_), _) => out.push_str(line),
        }
    }
    out.push_str(&reduce_prose(&prose));
    out
}

/// The character and length of a code fence at the start of `line`.
fn fence_run(line: &str) -> Option<(char, usize)> {
    let trimmed = line.trim_start_matches(' ');
    if line.len() - trimmed.len() > 3 {
        return None;
    }
    let c = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let run = trimmed.chars().take_while(|x| *x == c).count();
    // An info string of a backtick fence has no backticks; with them it is a code span.
    (run >= 3 && !(c == '`' && trimmed[run..].contains('`'))).then_some((c, run))
}

/// Every step looks ahead over a bounded stretch or over what it then consumes, so that a text made to
/// be slow is not: this runs on whatever strangers send.
fn reduce_prose(text: &str) -> String {
    let labels = Labels::of(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].find(['<', '[', '!']) {
        out.push_str(&text[at..at + next]);
        at += next;
        let rest = &text[at..];
        let before = out.trim_end_matches([' ', '\t']);
        let line_start = before.is_empty() || before.ends_with('\n');
        let reduced = image(text, at, &labels)
            .or_else(|| link_title(text, at, &labels))
            .or_else(|| if line_start { definition(text, at, &labels) } else { None })
            .or_else(|| declaration(rest))
            .or_else(|| tag(rest));
        let (shown, len) = reduced.unwrap_or_else(|| (rest[..1].to_owned(), 1));
        out.push_str(&shown);
        at += len;
    }
    out.push_str(&text[at..]);
    out
}

/// Which `]` belongs to which `[`, found once for the whole text.
struct Labels(HashMap<usize, usize>);

impl Labels {
    fn of(text: &str) -> Self {
        let (mut open, mut pairs, mut escaped) = (Vec::new(), HashMap::new(), false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'[' => open.push(at),
                b']' => {
                    if let Some(start) = open.pop() {
                        pairs.insert(start, at);
                    }
                }
                _ => {}
            }
        }
        Self(pairs)
    }

    /// The inside of `[label]` at `at`, and where it ends.
    fn at<'a>(&self, text: &'a str, at: usize) -> Option<(&'a str, usize)> {
        let end = *self.0.get(&at)?;
        Some((&text[at + 1..end], end + 1))
    }
}

/// `(target "title")` at the start, as CommonMark has it: the target, whether there was more, the whole length.
fn target(text: &str) -> Option<(&str, bool, usize)> {
    let inner = text.strip_prefix('(')?.trim_start();
    let target_len = if inner.starts_with('<') {
        inner[..inner.floor_char_boundary(2048)].find('>')? + 1
    } else {
        let (mut depth, mut end) = (0_usize, inner.len());
        for (at, c) in inner.char_indices() {
            match c {
                '(' => depth += 1,
                ')' if depth == 0 => end = at,
                ')' => depth -= 1,
                c if c.is_whitespace() => end = at,
                _ => {}
            }
            if end == at || depth > 32 {
                break;
            }
        }
        if depth > 32 {
            return None;
        }
        end
    };
    let (target, rest) = inner.split_at(target_len);
    let spaced = rest.trim_start();
    let (more, rest) = match spaced.chars().next()? {
        ')' => (false, spaced),
        open @ ('"' | '\'' | '(') if spaced.len() < rest.len() => {
            let close = if open == '(' { ')' } else { open };
            let end = spaced[1..].find(close)? + 2;
            (true, spaced[end..].trim_start())
        }
        _ => return None,
    };
    let after = rest.strip_prefix(')')?;
    Some((target, more, text.len() - after.len()))
}

/// `![alt](url "title")` becomes `![](url)`; `![alt][ref]` and `![alt]` become `![]`.
fn image(text: &str, at: usize, labels: &Labels) -> Option<(String, usize)> {
    let (alt, end) = text[at..].starts_with("![").then(|| labels.at(text, at + 1))??;
    if let Some((url, more, len)) = target(&text[end..]) {
        return (!alt.is_empty() || more).then(|| (format!("![]({url})"), end + len - at));
    }
    let whole = labels.at(text, end).map_or(end, |(_, end)| end);
    (whole - at > "![]".len()).then(|| ("![]".to_owned(), whole - at))
}

/// `[text](url "title")` becomes `[text](url)`; the text is looked at again, it may hold an image.
fn link_title(text: &str, at: usize, labels: &Labels) -> Option<(String, usize)> {
    let (label, end) = labels.at(text, at)?;
    let (url, more, len) = target(&text[end..])?;
    more.then(|| (format!("[{label}]({url})"), end + len - at))
}

/// `[label]: url "title"`, which renders as nothing, becomes `[label]: url`, or goes when the label is prose.
fn definition(text: &str, at: usize, labels: &Labels) -> Option<(String, usize)> {
    let (label, end) = labels.at(text, at)?;
    let line = text[end..].strip_prefix(':')?.lines().next().unwrap_or("");
    let whole = &text[at..end + 1 + line.len()];
    let url = line.split_whitespace().next().unwrap_or("");
    let plain = label.len() <= 40 && !label.starts_with('/') && !label.contains(char::is_whitespace);
    let shown = if plain && url.len() > 1 { format!("[{label}]: {url}") } else { String::new() };
    (shown != whole).then_some((shown, whole.len()))
}

/// `<?…?>`, `<!DOCTYPE …>` and `<![CDATA[…]]>` render as nothing.
fn declaration(text: &str) -> Option<(String, usize)> {
    let ends = match text.as_bytes() {
        [b'<', b'?', ..] => "?>",
        [b'<', b'!', b'[', ..] => "]]>",
        [b'<', b'!', letter, ..] if letter.is_ascii_alphabetic() => ">",
        _ => return None,
    };
    let len = text.find(ends).map_or(text.len(), |at| at + ends.len());
    Some((String::new(), len))
}

/// `<tag a="b" href="c">` becomes `<tag href="c">`; what is not a well-formed tag is visible and stays.
fn tag(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('<')?;
    let name_len = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(inner.len());
    let name = &inner[..name_len];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut rest = &inner[name_len..];
    let mut shown = format!("<{name}");
    loop {
        let trimmed = rest.trim_start();
        if let Some(after) = trimmed.strip_prefix("/>").or_else(|| trimmed.strip_prefix('>')) {
            let len = text.len() - after.len();
            shown.push('>');
            return (shown != text[..len]).then_some((shown, len));
        }
        if trimmed.len() == rest.len() {
            return None;
        }
        let (attribute, after) = attribute(trimmed)?;
        if let Some((key, value)) = attribute
            && matches!(key.to_ascii_lowercase().as_str(), "href" | "src")
            && !value.contains(char::is_whitespace)
        {
            shown.push_str(&format!(" {key}=\"{value}\""));
        }
        rest = after;
    }
}

/// One attribute at the start of `text` and what follows it.
type Attribute<'a> = (Option<(&'a str, &'a str)>, &'a str);

fn attribute(text: &str) -> Option<Attribute<'_>> {
    let name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-' | '@');
    let len = text.find(|c| !name_char(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(len);
    if name.is_empty() {
        return None;
    }
    let Some(value) = rest.trim_start().strip_prefix('=') else {
        return Some((None, rest));
    };
    let value = value.trim_start();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let end = inner.find(quote)?;
            return Some((Some((name, &inner[..end])), &inner[end + 1..]));
        }
    }
    let end = value.find(|c: char| c.is_whitespace() || "\"'=<>`".contains(c)).unwrap_or(value.len());
    (end > 0).then(|| (Some((name, &value[..end])), &value[end..]))
}
