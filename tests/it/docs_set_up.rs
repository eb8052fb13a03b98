//! What people copy when they set it up: snippets, the compose example, the image and its health check.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use taskbridge::config::{Loaded, Reader, load};

use crate::docs_pages::{pages, read};
use crate::support::chats::TEAMS_TOKEN;
use crate::support::world::SIGNING_KEY;

const SECRET: &str = "postgres://a-long-enough-secret";

/// Loads a text with every variable and file that it names there.
fn load_text(text: &str) -> Result<Loaded, String> {
    let between = |open: &str, close: &[char]| -> Vec<String> {
        text.split(open)
            .skip(1)
            .filter_map(|rest| rest.split(close).next())
            .map(|name| name.trim().to_owned())
            .collect()
    };
    let (variables, files) = (between("${", &['}']), between("file:", &['}', '\n']));
    let key = |name: &str| match name {
        name if name.contains("SIGNING") => SIGNING_KEY,
        name if name.contains("TEAMS") => TEAMS_TOKEN,
        name if name.contains("REFRESH") => "xoxe-1-a-token-of-a-page",
        _ => SECRET,
    };
    let mut env: Vec<(&str, &str)> = variables.iter().map(|name| (name.as_str(), key(name))).collect();
    env.push(("GITHUB_WEBHOOK_SECRET", SECRET));
    let mut files: Vec<(&str, &str)> = files.iter().map(|name| (name.as_str(), SECRET)).collect();
    files.push(("taskbridge.yaml", text));
    load(Path::new("taskbridge.yaml"), &Reader::fixed(&env, &files)).map_err(|faults| faults.to_string())
}

#[test]
fn every_configuration_that_a_page_shows_loads() {
    let mut loaded = 0;
    // The reference is made from the code and tried out where that is tested.
    for page in pages().into_iter().filter(|page| !page.path.ends_with("docs/configuration.md")) {
        for block in page.text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            if let Err(faults) = load_text(block) {
                panic!("{}:\n{block}\n{faults}", page.path.display());
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "{loaded}");
}

#[test]
fn the_compose_example_loads_and_its_secrets_are_the_ones_that_are_mounted_and_explained() {
    let example = read("examples/compose/taskbridge.yaml");
    let loaded = load_text(&example).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!loaded.rules.rules.is_empty());
    assert!(!example.contains("${"), "nothing secret comes through the environment");
    let compose = read("docker-compose.yml");
    let page = read("docs/operating.md");
    let secrets: Vec<&str> = example
        .split("/run/secrets/")
        .skip(1)
        .filter_map(|rest| rest.split([' ', '}']).next())
        .filter(|n| !n.contains('.'))
        .collect();
    assert!(secrets.len() >= 3, "{secrets:?}");
    for name in secrets {
        assert!(compose.contains(&format!("    file: ./secrets/{name}\n")), "{name} is not mounted");
        assert!(page.contains(&format!("> secrets/{name}\n")), "{name} is not explained");
    }
    assert!(compose.contains("POSTGRES_PASSWORD_FILE:") && !compose.contains("POSTGRES_PASSWORD:"));
}

#[test]
fn every_variable_of_the_environment_example_is_read_by_something() {
    fn all_code(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all_code(&path, text);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut readers = read("docker-compose.yml");
    all_code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut readers);
    let example = read(".env.example");
    let names: Vec<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(readers.contains(name), "nothing reads {name}");
    }
}

#[test]
fn the_image_asks_the_port_that_it_listens_on_and_finds_every_bench() {
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("EXPOSE 8080"));
    assert!(dockerfile.contains(r#"CMD ["serve", "--listen", "0.0.0.0:8080""#));
    assert!(dockerfile.contains(r#"CMD ["taskbridge", "health", "--url", "http://127.0.0.1:8080"]"#));
    assert!(dockerfile.contains("\nUSER taskbridge\n"));
    // The stand-ins of the benches are named by reading this, line by line.
    let manifest = read("Cargo.toml");
    assert_eq!(manifest.matches("[[bench]]").count(), manifest.matches("\n[[bench]]\nname = \"").count());
    assert!(dockerfile.contains(r"/^\[\[bench\]\]$/ { n;"));
}

/// A service that gives one answer, and the request that it saw.
fn ask_one_that_answers(answer: &'static str) -> (i32, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let length = stream.read(&mut head).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let output = Command::new(env!("CARGO_BIN_EXE_taskbridge")).args(["health", "--url", &url]).output().unwrap();
    (output.status.code().unwrap(), server.join().unwrap())
}

#[test]
fn the_health_check_is_good_only_when_the_service_is_ready() {
    let (code, request) = ask_one_that_answers("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n");
    assert_eq!(code, 0);
    assert!(request.starts_with("GET /readyz HTTP/1.1\r\n"), "{request}");
    assert_eq!(ask_one_that_answers("HTTP/1.1 503 Service Unavailable\r\n\r\n").0, 1);
    assert_eq!(ask_one_that_answers("SSH-2.0-something\r\n").0, 1);
    assert_eq!(ask_one_that_answers("").0, 1);
}
