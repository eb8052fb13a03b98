//! Markdown and HTML that carry text a reader does not see. Comments are removed everywhere, also inside
//! code blocks: what this file takes for a code block need not be one for the page's renderer. The milder
//! reductions leave code blocks alone, where attributes and declarations are part of what is reported.

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
    let end = [("-->", 3), ("--!>", 4)].iter().filter_map(|(end, len)| rest.find(end).map(|at| at + len)).min();
    end.map_or("", |end| &rest[end..])
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

fn reduce_prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[', '!']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let line_start = out.rsplit('\n').next().is_none_or(|line| line.trim().is_empty());
        let reduced = image(rest)
            .or_else(|| link_title(rest))
            .or_else(|| if line_start { definition(rest) } else { None })
            .or_else(|| declaration(rest))
            .or_else(|| tag(rest));
        if let Some((shown, len)) = reduced {
            out.push_str(&shown);
            rest = &rest[len..];
        } else {
            let len = rest.chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        }
    }
    out.push_str(rest);
    out
}

/// The longest label, target or tag that is looked at; what is longer is no markup here.
const LONGEST: usize = 2_000;

/// `[label]` at the start: its inside and its whole length.
fn bracketed(text: &str) -> Option<(&str, usize)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().take(LONGEST) {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return Some((&text[1..at], at + 1)),
            ']' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// `(target "title")` at the start: the target, whether there was more, and the whole length.
fn target(text: &str) -> Option<(&str, bool, usize)> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 0_usize;
    let mut quote = None;
    let mut end = None;
    for (at, c) in inner.char_indices().take(LONGEST) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if inner[..at].ends_with(char::is_whitespace) => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => {
                end = Some(at);
                break;
            }
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    let end = end?;
    let words = inner[..end].trim();
    let target = words.split_whitespace().next().unwrap_or("");
    Some((target, target.len() < words.len(), end + 2))
}

/// `![alt](url "title")` becomes `![](url)`; `![alt][ref]` and `![alt]` become `![]`.
fn image(text: &str) -> Option<(String, usize)> {
    let (alt, len) = bracketed(text.strip_prefix('!')?)?;
    let after = &text[1 + len..];
    if let Some((url, more, target_len)) = target(after) {
        let whole = 1 + len + target_len;
        return (!alt.is_empty() || more).then(|| (format!("![]({url})"), whole));
    }
    let reference = bracketed(after).map_or(0, |(_, len)| len);
    (!alt.is_empty() || reference > 0).then(|| ("![]".to_owned(), 1 + len + reference))
}

/// `[text](url "title")` becomes `[text](url)`.
fn link_title(text: &str) -> Option<(String, usize)> {
    let (label, len) = bracketed(text)?;
    let (url, more, target_len) = target(&text[len..])?;
    more.then(|| (format!("[{label}]({url})"), len + target_len))
}

/// `[label]: url "title"`, which renders as nothing, becomes `[label]: url`, or goes when the label is prose.
fn definition(text: &str) -> Option<(String, usize)> {
    let (label, len) = bracketed(text)?;
    let after = text[len..].strip_prefix(':')?;
    let line = after.lines().next().unwrap_or("");
    let whole = len + 1 + line.len();
    let url = line.split_whitespace().next().unwrap_or("");
    let plain = label.len() <= 40 && !label.starts_with('/') && !label.contains(char::is_whitespace);
    let shown = if plain && url.len() > 1 { format!("[{label}]: {url}") } else { String::new() };
    (shown != text[..whole]).then_some((shown, whole))
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
            return (len <= LONGEST * 4 && shown != text[..len]).then_some((shown, len));
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
