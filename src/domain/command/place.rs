//! Where work said in a chat is to be done: `repo:owner/name` somewhere in the first line, or a link to something on GitHub.

/// Whether a text is `owner/name`.
#[must_use]
pub fn is_repo(text: &str) -> bool {
    let Some((owner, name)) = text.split_once('/') else { return false };
    let word = |text: &str, more: &[char]| {
        (1..=100).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    word(owner, &['-', '_']) && word(name, &['-', '_', '.']) && !matches!(name, "." | "..")
}

/// The repository that a text names, and the text without the word that named it. A link stays in the text, since it
/// says more than where.
///
/// # Errors
/// What is wrong, for the one who wrote it.
pub fn repo_of(text: &str, host: &str) -> Result<(Option<String>, String), String> {
    let (line, below) = text.split_once('\n').map_or((text, None), |(line, below)| (line, Some(below)));
    let mut named: Option<&str> = None;
    let mut rest = String::with_capacity(text.len());
    for piece in line.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let Some(repo) = word.strip_prefix("repo:").filter(|repo| !repo.is_empty()) else {
            rest.push_str(piece);
            continue;
        };
        if !is_repo(repo) {
            return Err("a repository is written `repo:owner/name`".to_owned());
        }
        match named {
            Some(other) if !other.eq_ignore_ascii_case(repo) => {
                return Err(format!("name one repository, not both `{other}` and `{repo}`"));
            }
            _ => named = Some(repo),
        }
    }
    let mut rest = rest.trim_end().to_owned();
    if let Some(below) = below {
        rest.push('\n');
        rest.push_str(below);
    }
    let repo = named.map(str::to_owned).or_else(|| text.split_whitespace().find_map(|word| linked(word, host)));
    Ok((repo, rest))
}

/// The repository that a link leads into.
fn linked(word: &str, host: &str) -> Option<String> {
    let path = link_path(word, host)?;
    let mut parts = path.split('/');
    let (owner, name) = (parts.next()?, parts.next()?);
    let name = name.trim_end_matches(['.', ',', ')', ':', ';', '!', '?']);
    let repo = format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name));
    is_repo(&repo).then_some(repo)
}

/// The repository and the number of the issue or pull request that a word links to.
#[must_use]
pub fn subject_of(word: &str, host: &str) -> Option<(String, i64)> {
    let path = link_path(word, host)?;
    let mut parts = path.split('/');
    let repo = format!("{}/{}", parts.next()?, parts.next()?);
    let kind = parts.next()?;
    let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    let number = digits.parse().ok().filter(|_| matches!(kind, "issues" | "pull"))?;
    is_repo(&repo).then_some((repo, number))
}

fn link_path<'a>(word: &'a str, host: &str) -> Option<&'a str> {
    let (scheme, rest) = word.trim_start_matches(['(', '<']).split_once("://")?;
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let (there, path) = rest.split_once('/')?;
    // A GitHub that is tried out on one's own machine has a port, and no certificate.
    let (there, has_port) = there.split_once(':').map_or((there, false), |(there, _)| (there, true));
    let host = host.split(':').next().unwrap_or(host);
    let is_there = scheme == "https" || scheme == "http" && has_port;
    (is_there && there.eq_ignore_ascii_case(host)).then(|| path.split(['?', '#', '>', '|']).next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Option<String>, String) {
        repo_of(text, "github.com").unwrap()
    }

    #[test]
    fn a_repository_is_named_by_a_word_or_a_link() {
        assert_eq!(of("repo:acme/widgets fix it\nnow"), (Some("acme/widgets".into()), "fix it\nnow".into()));
        assert_eq!(of("fix it repo:acme/widgets"), (Some("acme/widgets".into()), "fix it".into()));
        let link = "see (https://github.com/acme/widgets/issues/42#issuecomment-1) please";
        assert_eq!(of(link), (Some("acme/widgets".into()), link.into()));
        assert_eq!(
            of("clone https://github.com/acme/wid.gets.git."),
            (Some("acme/wid.gets".into()), "clone https://github.com/acme/wid.gets.git.".into())
        );
        assert_eq!(of("fix it").0, None);
        assert_eq!(of("fix it\nrepo:acme/widgets").0, None, "below the first line stands text");
        for elsewhere in [
            "https://github.com.evil.example/acme/widgets",
            "http://github.com/acme/widgets",
            "https://github.com/acme",
        ] {
            assert_eq!(of(elsewhere).0, None, "{elsewhere}");
        }
        assert!(repo_of("repo:acme fix", "github.com").is_err());
        assert!(repo_of("repo:a/b repo:c/d", "github.com").is_err());
        assert!(repo_of("repo:a/../b fix", "github.com").is_err());
    }

    #[test]
    fn an_issue_is_known_by_its_link() {
        assert_eq!(
            subject_of("https://github.com/acme/widgets/issues/42", "github.com"),
            Some(("acme/widgets".into(), 42))
        );
        assert_eq!(
            subject_of("https://github.com/acme/widgets/pull/7/files", "github.com"),
            Some(("acme/widgets".into(), 7))
        );
        assert_eq!(subject_of("https://github.com/acme/widgets", "github.com"), None);
        assert_eq!(subject_of("42", "github.com"), None);
        for host in ["127.0.0.1", "127.0.0.1:4000"] {
            let link = "http://127.0.0.1:4000/acme/widgets/issues/42";
            assert_eq!(subject_of(link, host), Some(("acme/widgets".into(), 42)), "{host}");
        }
    }
}
