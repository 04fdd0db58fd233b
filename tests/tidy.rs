//! The rules of the architecture, checked over the sources as text.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the lowest rank to the highest. A module may use its own and lower ranks; those
/// on one line do not know each other, except at rank 0.
const RANKS: &[&[&str]] = &[
    &["argv", "block", "clock", "error", "number", "random", "sync", "value"],
    &["data"],
    &["pubsub"],
    &["keyspace"],
    &["codec"],
    &["ops"],
    &["wire"],
    &["persist"],
    &["engine"],
    &["handles", "store"],
    &["rdb"],
    &["session"],
    &["server", "compat"],
    &["testing"],
];

/// What the code of a folder must not name.
const UNKNOWN: &[(&str, &[&str])] = &[
    ("src/data", &["parking_lot", "Mutex", "RwLock", "Clock", "Instant", "SystemTime", "RESP"]),
    ("src/keyspace", &["RESP"]),
    ("src/ops", &["wire", "RESP", "argv"]),
];

const LONGEST_FUNCTION: usize = 70;
const WIDEST_LINE: usize = 100;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The module directly below the crate's root that the file belongs to.
    fn module(&self) -> &str {
        let path = self.path.strip_prefix("src").expect("a file of src");
        let first = path.iter().next().and_then(|name| name.to_str()).expect("a UTF-8 name");
        first.trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "models.rs")
    }

    /// The lines, numbered from one, up to the tests at the file's end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        code.lines().zip(1..).map(|(line, number)| (number, line))
    }
}

/// The Rust files below a folder; none if there is no such folder, but for `src`.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    folders.retain(|folder| folder.is_dir());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a UTF-8 file");
                found.push(Source { path, text });
            }
        }
    }
    assert!(folder != "src" || !found.is_empty(), "no sources");
    found
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

/// The top-level modules that a line of code names by `crate::`.
fn named_modules(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).filter(|_| !code.contains("pub(crate::")).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn report(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn imports_run_downwards() {
    let mut problems = Vec::new();
    for source in sources("src").iter().filter(|source| source.module() != "lib") {
        let module = source.module();
        let Some(own) = rank(module) else {
            problems.push(format!("{}: its module has no rank", source.path.display()));
            continue;
        };
        if source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            for used in named_modules(line) {
                let allowed = used == module
                    || rank(used).is_none_or(|rank| rank < own || (rank == own && rank == 0))
                    || (RANKS[own].contains(&"store") && RANKS[own].contains(&used));
                if !allowed {
                    let place = source.path.display();
                    problems.push(format!("{place}:{number}: {module} must not use {used}"));
                }
            }
        }
    }
    report(problems);
}

#[test]
fn modules_are_declared_in_the_order_of_their_ranks() {
    let text = fs::read_to_string("src/lib.rs").expect("the crate's root");
    let declared =
        |line| str::strip_suffix(line, ";")?.trim_start_matches("pub ").strip_prefix("mod ");
    let modules: Vec<_> = text.lines().filter_map(declared).collect();
    let ranks: Vec<_> = modules.iter().map(|module| rank(module)).collect();
    assert!(ranks.is_sorted(), "from low to high: {modules:?} have the ranks {ranks:?}");
    for module in RANKS.iter().flat_map(|modules| modules.iter()) {
        let file = Path::new("src").join(module);
        let exists = file.is_dir() || file.with_extension("rs").is_file();
        assert_eq!(exists, modules.contains(module), "{module}: a file without a mod line");
    }
}

#[test]
fn folders_know_nothing_of_what_they_are_kept_apart_from() {
    let mut problems = Vec::new();
    for (folder, words) in UNKNOWN {
        for source in sources(folder).iter().filter(|source| !source.is_test()) {
            for (number, line) in source.code().filter(|(_, line)| !is_comment(line)) {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    problems.push(format!("{}:{number}: {word}", source.path.display()));
                }
            }
        }
    }
    report(problems);
}

#[test]
fn unsafe_code_lives_in_one_module() {
    let allowed = Path::new("src/block.rs");
    let mut problems = Vec::new();
    for source in sources("src").iter().filter(|source| source.path != allowed) {
        for (line, number) in source.text.lines().zip(1..) {
            if line.contains("unsafe {")
                || line.contains("unsafe fn")
                || line.contains("unsafe impl")
            {
                problems.push(format!("{}:{number}: unsafe code", source.path.display()));
            }
        }
    }
    report(problems);
}

#[test]
fn functions_are_short() {
    let mut problems = Vec::new();
    for source in ["src", "examples", "tests", "benches"].into_iter().flat_map(sources) {
        let mut open: Option<(usize, usize, String)> = None;
        for (line, number) in source.text.lines().zip(1..) {
            let indent = line.len() - line.trim_start().len();
            if let Some((start, depth, name)) = &open {
                if indent == *depth && line.trim_start().starts_with('}') {
                    let length = number - start + 1;
                    if length > LONGEST_FUNCTION {
                        let place = source.path.display();
                        problems.push(format!("{place}:{start}: {name} has {length} lines"));
                    }
                    open = None;
                }
            } else if let Some(name) = function_name(line)
                && !line.trim_end().ends_with(['}', ';'])
            {
                open = Some((number, indent, name));
            }
        }
    }
    report(problems);
}

/// The name of the function whose definition starts on this line.
fn function_name(line: &str) -> Option<String> {
    let code = line.trim_start();
    let words = code.split_whitespace().take_while(|word| *word != "fn").count();
    let prefix_is_plain = code.split_whitespace().take(words).all(|word| {
        word.starts_with("pub") || ["const", "async", "extern", "\"C\""].contains(&word)
    });
    let after = code.split_whitespace().nth(words + 1)?;
    prefix_is_plain.then(|| after.split(['(', '<']).next().unwrap_or_default().to_owned())
}

#[test]
fn every_file_says_what_it_is() {
    let mut problems = Vec::new();
    for source in ["src", "examples", "tests", "benches"].into_iter().flat_map(sources) {
        if !["//!", "#![doc"].iter().any(|opening| source.text.starts_with(opening)) {
            problems.push(format!("{}: opens without a //! comment", source.path.display()));
        }
    }
    report(problems);
}

#[test]
fn no_line_is_too_wide_and_nothing_is_left_undone() {
    let unfinished = ["todo!", "unimplemented!", "FIXME", "XXX", "dbg!"];
    let mut problems = Vec::new();
    let own = Path::new("tests/tidy.rs");
    let all = ["src", "examples", "tests", "benches"].into_iter().flat_map(sources);
    for source in all.filter(|source| source.path != own) {
        for (line, number) in source.text.lines().zip(1..) {
            let place = source.path.display();
            if line.chars().count() > WIDEST_LINE {
                problems.push(format!("{place}:{number}: wider than {WIDEST_LINE}"));
            }
            for word in unfinished.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{place}:{number}: {word}"));
            }
        }
    }
    report(problems);
}
