//! Every SQL text of the server against what SCALING.md says that it uses beside the standard.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Words of the standard (ISO/IEC 9075) that the store uses.
const STANDARD: &str = "SELECT FROM WHERE AND OR NOT IS NULL IN BETWEEN AS JOIN LEFT ON ORDER BY DESC GROUP DISTINCT \
    EXISTS CASE WHEN THEN ELSE END COUNT MAX MIN SUM COALESCE INSERT INTO VALUES UPDATE SET DELETE CREATE ALTER ADD COLUMN \
    TABLE TEXT BIGINT PRIMARY KEY REFERENCES DEFAULT BEGIN COMMIT ROLLBACK START TRANSACTION ISOLATION LEVEL READ \
    COMMITTED REPEATABLE WRITE ONLY FILTER";
/// What both databases have beside it. An index is nothing of the standard's either.
const BOTH: &str = "CONFLICT DO RETURNING LIMIT OFFSET UNIQUE INDEX substr";
/// What is in the files of one database alone, and the words of it that SCALING.md names.
const POSTGRES: &str = "LISTEN DISCARD PLANS SET LOCAL COLLATE pg_notify unnest text pg_advisory_xact_lock \
    current_setting current_schema";
const SQLITE: &str = "PRAGMA IMMEDIATE VACUUM sqlite_master";
/// Names that no table of ours has. One letter stands for a table.
const NAMES: &str = "excluded found said information_schema tables table_name table_schema";

fn words(list: &str) -> BTreeSet<&str> {
    list.split_whitespace().collect()
}

fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The texts between quotes of a source file, without those in comments.
fn literals(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let tail = &rest[at..];
        rest = if tail.starts_with("//") {
            tail.find('\n').map_or("", |end| &tail[end..])
        } else if let Some(behind) = tail.strip_prefix("'\"'") {
            behind
        } else if tail.starts_with('"') && rest[..at].ends_with("r#") {
            let end = tail.find("\"#").unwrap();
            texts.push(tail[1..end].to_owned());
            &tail[end + 2..]
        } else if tail.starts_with('"') {
            let mut end = 1;
            while !tail[end..].starts_with('"') {
                end += if tail[end..].starts_with('\\') {
                    2
                } else {
                    tail[end..].chars().next().unwrap().len_utf8()
                };
            }
            texts.push(tail[1..end].replace("\\\n", " "));
            &tail[end + 1..]
        } else {
            &tail[1..]
        };
    }
    texts
}

fn is_sql(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
    let verbs = "SELECT INSERT UPDATE DELETE CREATE ALTER DROP WITH BEGIN COMMIT ROLLBACK START PRAGMA LISTEN \
        TEXT UNLISTEN NOTIFY SET SHOW VACUUM ANALYZE LOCK TRUNCATE EXPLAIN ATTACH REINDEX SAVEPOINT";
    words(verbs).contains(first) || text.contains("$1") || text.contains("$2")
}

/// Every SQL text of the store, with the file that it is in.
fn texts() -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for path in files(&store()) {
        let text = std::fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("sql") => {
                let without_comments = text.lines().map(|line| line.split("--").next().unwrap());
                texts.push((path, without_comments.collect::<Vec<_>>().join("\n")));
            }
            Some("rs") => {
                let found = literals(&text).into_iter().filter(|text| is_sql(text));
                texts.extend(found.map(|text| (path.clone(), text)));
            }
            other => panic!("{}: {other:?}", path.display()),
        }
    }
    texts
}

/// The words of an SQL text, and whether a bracket follows; what is quoted is a value.
fn spoken(text: &str) -> Vec<(String, bool)> {
    let unquoted: String = text.split('\'').step_by(2).collect::<Vec<_>>().join("''");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut words = Vec::new();
    let mut rest = unquoted.as_str();
    while let Some(at) = rest.find(is_word) {
        let tail = &rest[at..];
        let end = tail.find(|c| !is_word(c)).unwrap_or(tail.len());
        let word = &tail[..end];
        if !word.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
            words.push((word.to_owned(), tail[end..].starts_with('(')));
        }
        rest = &tail[end..];
    }
    words
}

/// Tables, columns and indexes.
fn names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = words(NAMES).into_iter().map(str::to_owned).collect();
    for (path, text) in texts() {
        if path.extension().is_some_and(|extension| extension == "sql") {
            let mut before = String::new();
            for (word, _) in spoken(&text) {
                let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
                let is_declared = ["TABLE", "INDEX", "COLUMN"].contains(&before.as_str());
                if is_name && is_declared {
                    names.insert(word.clone());
                }
                if ["TEXT", "BIGINT"].contains(&word.as_str()) {
                    names.insert(before);
                }
                before = word;
            }
        }
    }
    names
}

#[test]
fn only_standard_sql_and_what_scaling_lists_is_used() {
    let names = names();
    let (mut found, mut strange) = (0, Vec::new());
    for (path, text) in texts() {
        let place = path.strip_prefix(store()).unwrap().display().to_string();
        let of_one = match place.split(['/', '.']).next().unwrap() {
            "postgres" => POSTGRES,
            "sqlite" => SQLITE,
            _ => "",
        };
        let known = [STANDARD, BOTH, of_one].map(words).into_iter().flatten().collect::<BTreeSet<_>>();
        // A setting of SQLite's is named behind the word, and of PostgreSQL's behind SHOW.
        let is_setting = text.contains("PRAGMA") || text.starts_with("SHOW") || text.starts_with("SET ");
        for (word, is_called) in spoken(&text) {
            let is_ours =
                known.contains(word.as_str()) || !is_called && (names.contains(&word) || word.len() == 1);
            if !is_ours && (!is_setting || of_one.is_empty()) {
                strange.push(format!("{place}: `{word}` in: {text}"));
            }
        }
        found += 1;
    }
    assert!(strange.is_empty(), "neither standard nor listed in SCALING.md: {strange:#?}");
    assert!(found > 50, "{found}");
}

#[test]
fn what_is_allowed_beside_the_standard_is_used_and_listed() {
    let scaling = std::fs::read_to_string(store().join("../../SCALING.md")).unwrap();
    let section = scaling.split("## SQL that is not standard").nth(1).unwrap().split("\n## ").next().unwrap();
    let used: BTreeSet<String> =
        texts().iter().flat_map(|(_, text)| spoken(text)).map(|(word, _)| word).collect();
    for word in [BOTH, POSTGRES, SQLITE].map(words).into_iter().flatten() {
        assert!(used.contains(word), "{word} is used nowhere");
        assert!(section.contains(word), "{word} is not in SCALING.md");
    }
}

#[test]
fn what_is_not_standard_is_seen() {
    let seen = |text: &str| spoken(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(
        seen("SELECT json_extract(data, '$.LIMIT') FROM documents"),
        ["SELECT", "json_extract", "data", "FROM", "documents"]
    );
    assert_eq!(literals(r##"f("a\"b", '"', r#"c"d"#) // "e""##), [r#"a\"b"#, r#"c"d"#]);
}
