//! No ring of modules: who changes one module must not have to understand others that know it back. Looked for among all
//! files and folders beside each other, at every level of `src/`, at any length; and among single files, where the first file
//! of a folder (`mod.rs`) counts by itself. Names that a folder hands on from inside (`pub use`) are followed to their file.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::{code, sources};

/// A module by its path, as `["store", "deliveries", "record"]`.
type Path = Vec<String>;
type Graph = BTreeMap<Path, BTreeSet<Path>>;

/// Rings of single files that there are. The first of its modules, how many they are, and why. One that is gone or smaller must
/// leave the list.
const KNOWN: [(&str, usize, &str); 1] =
    [("sandbox", 32, "the simulated GitHub is one world under one lock, which every call looks at and changes")];

/// Code with its comments cut off; none of tests.
struct Module {
    code: String,
    /// What it hands on under its own name.
    handed_on: BTreeMap<String, Path>,
}

fn module_of(file: &str) -> Option<Path> {
    let inner = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut path: Path = inner.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    let is_product = !matches!(inner, "lib" | "main") && path.last().is_some_and(|last| last != "tests");
    is_product.then_some(path)
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// The paths that a text begins with: one, or all of a group like `a::{b, c::d}`.
fn paths(text: &str) -> Vec<Path> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return crate::architecture::split_group(group).into_iter().flat_map(paths).collect();
    }
    let first = word(text);
    match text[first.len()..].strip_prefix("::") {
        _ if first.is_empty() => vec![Vec::new()],
        Some(rest) => {
            let rest = paths(rest).into_iter();
            rest.map(|mut rest| {
                rest.insert(0, first.to_owned());
                rest
            })
            .collect()
        }
        None => vec![vec![first.to_owned()]],
    }
}

/// Takes `pub use child::Name;` out of the code of a folder's first file: whoever names it there knows the child.
fn hand_on(own: &Path, code: &str, all: &BTreeSet<Path>) -> Module {
    let (mut kept, mut handed_on) = (String::new(), BTreeMap::new());
    for statement in code.split_inclusive(';') {
        let line = statement.rfind("\npub").map_or(0, |at| at + 1);
        let used = statement[line..].strip_prefix("pub").and_then(|rest| {
            let rest = rest.split_once(')').filter(|_| rest.starts_with('(')).map_or(rest, |(_, rest)| rest);
            rest.trim_start().strip_prefix("use ")
        });
        let mut children: Vec<Path> = used.map(paths).unwrap_or_default();
        children.iter_mut().for_each(|path| path.retain(|part| part != "self"));
        let child = |path: &Path| [own.clone(), path[..1].to_vec()].concat();
        if children.is_empty() || !children.iter().all(|path| !path.is_empty() && all.contains(&child(path))) {
            kept += statement;
            continue;
        }
        kept += &statement[..line];
        for path in children {
            handed_on.insert(path.last().cloned().unwrap_or_default(), [own.clone(), path].concat());
        }
    }
    Module { code: kept, handed_on }
}

/// The module that a path leads to.
fn resolve(path: &[String], modules: &BTreeMap<Path, Module>) -> Option<Path> {
    let mut at = Path::new();
    for (nth, name) in path.iter().enumerate() {
        let deeper = [at.clone(), vec![name.clone()]].concat();
        if modules.contains_key(&deeper) {
            at = deeper;
        } else if let Some(whole) = modules.get(&at).and_then(|module| module.handed_on.get(name)) {
            return resolve(&[whole.clone(), path[nth + 1..].to_vec()].concat(), modules);
        } else {
            break;
        }
    }
    modules.contains_key(&at).then_some(at)
}

/// Which modules each names.
fn graph(files: &BTreeMap<String, String>) -> Graph {
    let all: BTreeSet<Path> = files.keys().filter_map(|file| module_of(file)).collect();
    let mut modules = BTreeMap::new();
    for (file, text) in files {
        let Some(own) = module_of(file) else { continue };
        modules.insert(own.clone(), hand_on(&own, &code(text), &all));
    }
    let mut graph = Graph::new();
    for (own, module) in &modules {
        let mut named = BTreeSet::new();
        let children = all.iter().filter(|path| path.len() == own.len() + 1 && path.starts_with(own));
        let children: Vec<String> = children.filter_map(|path| path.last().map(|last| format!("{last}::"))).collect();
        let starts = ["crate::", "super::", "self::"].into_iter().map(str::to_owned).chain(children);
        for start in starts {
            for (at, _) in module.code.match_indices(&start) {
                let before = &module.code[..at];
                // `pub(in …)` says who may look in, and looks at nobody.
                if before.ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) || before.ends_with("pub(in ") {
                    continue;
                }
                for mut path in paths(&module.code[at..]) {
                    let mut base = match path[0].as_str() {
                        "crate" => Path::new(),
                        _ => own.clone(),
                    };
                    while path.first().is_some_and(|first| first == "super") {
                        path.remove(0);
                        base.pop();
                    }
                    path.retain(|part| !matches!(part.as_str(), "crate" | "self"));
                    named.extend(resolve(&[base, path].concat(), &modules).filter(|other| other != own));
                }
            }
        }
        graph.insert(own.clone(), named);
    }
    graph
}

/// All that can be reached from here.
fn reached(graph: &Graph, from: &Path) -> BTreeSet<Path> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        open.extend(graph.get(at).into_iter().flatten().filter(|next| seen.insert((*next).clone())));
    }
    seen
}

/// Rings: modules each of which reaches all others and itself.
fn rings(graph: &Graph) -> BTreeSet<Vec<Path>> {
    let all: BTreeMap<&Path, BTreeSet<Path>> = graph.keys().map(|path| (path, reached(graph, path))).collect();
    let ring = |path: &Path| -> Vec<Path> {
        all[path].iter().filter(|other| all.get(other).is_some_and(|back| back.contains(path))).cloned().collect()
    };
    graph.keys().map(ring).filter(|ring| ring.len() > 1).collect()
}

/// What stands in a folder, files and folders, and who of them names whom.
fn beside(graph: &Graph, folder: &[String]) -> Graph {
    let inside =
        |path: &Path| (path.len() > folder.len() && path.starts_with(folder)).then(|| path[..=folder.len()].to_vec());
    let mut level = Graph::new();
    for (from, named) in graph {
        let Some(from) = inside(from) else { continue };
        let named = named.iter().filter_map(inside).filter(|to| *to != from);
        level.entry(from.clone()).or_default().extend(named);
    }
    level
}

fn told(ring: &[Path]) -> String {
    ring.iter().map(|path| path.join("/")).collect::<Vec<_>>().join(", ")
}

/// Rings of what stands beside each other, at every level.
fn rings_beside(graph: &Graph) -> Vec<String> {
    let folders: BTreeSet<&[String]> = graph.keys().map(|path| &path[..path.len() - 1]).collect();
    folders.into_iter().flat_map(|folder| rings(&beside(graph, folder))).map(|ring| told(&ring)).collect()
}

#[test]
fn nothing_that_stands_beside_each_other_knows_itself_through_others() {
    let graph = graph(&sources());
    let named: usize = graph.values().map(BTreeSet::len).sum();
    assert!(graph.len() > 250 && named > 1000, "{} modules name {named}: looked in the wrong place", graph.len());
    assert_eq!(rings_beside(&graph), Vec::<String>::new());
}

#[test]
fn the_rings_of_single_files_are_known_and_get_fewer() {
    let found: BTreeSet<Vec<Path>> = rings(&graph(&sources()));
    let found: BTreeMap<String, (usize, String)> =
        found.into_iter().map(|ring| (ring[0].join("/"), (ring.len(), told(&ring)))).collect();
    let known: BTreeMap<String, usize> = KNOWN.iter().map(|(first, size, _)| ((*first).to_owned(), *size)).collect();
    for (first, (size, told)) in &found {
        match known.get(first) {
            None => panic!("a new ring: {told}"),
            Some(listed) => assert_eq!(size, listed, "the ring of {first} has changed, its list must follow: {told}"),
        }
    }
    let gone: Vec<&String> = known.keys().filter(|first| !found.contains_key(*first)).collect();
    assert!(gone.is_empty(), "these rings are gone, take them off the list: {gone:?}");
}

#[test]
fn rings_of_any_length_and_at_any_depth_are_seen() {
    let of = |files: &[(&str, &str)]| {
        graph(&files.iter().map(|(file, text)| (format!("src/{file}"), (*text).to_owned())).collect())
    };
    let three = of(&[
        ("a/mod.rs", "mod one;"),
        ("a/one.rs", "use super::two::X;"),
        ("a/two.rs", "use crate::a::{four, three::{Y, Z}};"),
        ("a/three.rs", "fn f() { super::one::g() }"),
        ("a/four.rs", ""),
    ]);
    assert_eq!(rings_beside(&three), ["a/one, a/three, a/two"]);
    let deep = of(&[
        ("a/mod.rs", "mod b;"),
        ("a/b/mod.rs", "mod c;\nmod d;\npub(super) use c::X;\npub use self::d::{Y, Z};\nfn f() { c::g() }"),
        ("a/b/c.rs", "use super::Y;"),
        ("a/b/d.rs", "use crate::a::b::X;"),
        ("a/e.rs", "use super::b::X;"),
    ]);
    assert_eq!(rings_beside(&deep), ["a/b/c, a/b/d"], "by names that are handed on");
    assert_eq!(rings(&deep).len(), 1, "the folder only hands on");
    let above = of(&[
        ("a/mod.rs", "mod b;\npub struct X;\nfn f() { b::g() }"),
        ("a/b.rs", "use super::X; // crate::c\n#[cfg(test)]\nmod tests { use crate::c; }"),
        ("c.rs", "use crate::a::X;"),
    ]);
    assert_eq!(rings_beside(&above), Vec::<String>::new());
    assert_eq!(rings(&above).iter().map(|ring| told(ring)).collect::<Vec<_>>(), ["a, a/b"]);
}
