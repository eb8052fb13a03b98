//! Where in a comment a command stands. Quoting somebody, showing code or leaving an HTML comment must
//! not start work.

/// The rest of the command's line after the prefix, and the lines below it.
pub(super) fn command_line<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let mut fence: Option<(char, usize)> = None;
    let mut in_comment = false;
    let mut below = text;
    while !below.is_empty() {
        let (line, after) = below.split_once('\n').unwrap_or((below, ""));
        below = after;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = line.trim_start_matches(' ');
        let indented = line.len() - content.len() > 3;
        if let Some((mark, length)) = fence {
            let run = content.chars().take_while(|c| *c == mark).count();
            if !indented && run >= length && content.trim_end().chars().all(|c| c == mark) {
                fence = None;
            }
            continue;
        }
        if in_comment {
            in_comment = comment_open(content, true);
            continue;
        }
        if !indented && let Some(rest) = after_prefix(content, prefix) {
            return Some((rest.trim(), below));
        }
        fence = fence_start(content).filter(|_| !indented);
        in_comment = fence.is_none() && comment_open(content, false);
    }
    None
}

fn after_prefix<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = line.split_at_checked(prefix.len())?;
    let fits = start.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with(char::is_whitespace));
    fits.then_some(rest)
}

fn fence_start(content: &str) -> Option<(char, usize)> {
    let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let run = content.chars().take_while(|c| *c == mark).count();
    (run >= 3 && !(mark == '`' && content[run..].contains('`'))).then_some((mark, run))
}

/// Whether an HTML comment is open after `line`.
fn comment_open(mut line: &str, mut open: bool) -> bool {
    loop {
        let wanted = if open { "-->" } else { "<!--" };
        let Some(at) = line.find(wanted) else {
            return open;
        };
        line = &line[at + wanted.len()..];
        open = !open;
    }
}
