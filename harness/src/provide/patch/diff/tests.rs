use super::*;

const HYPERVISOR: &str = "hyp-under-test/aarch64/src/main.rs";
const BEFORE: &str = "fn main() {\n    flush();\n    resume();\n}\n";

/// A checkout with the crates that matter here.
fn checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |place: &str, text: &str| {
        let path = dir.path().join(place);
        let above = path.parent().expect("a file is in a directory");
        fs::create_dir_all(above).expect("a writable directory");
        fs::write(path, text).expect("a writable directory");
    };
    let members = "'hyp-under-test/aarch64', 'payloads/architecture', 'payloads/cases'";
    write(
        "Cargo.toml",
        &format!("[workspace]\nmembers = [{members}]\n"),
    );
    let needs =
        "[dependencies]\nsetway-architecture.workspace = true\nsetway-cases.workspace = true\n";
    let manifest = |name: &str, needs: &str| format!("[package]\nname = '{name}'\n{needs}");
    write(
        "hyp-under-test/aarch64/Cargo.toml",
        &manifest("setway-hyp-aarch64", needs),
    );
    write(
        "payloads/architecture/Cargo.toml",
        &manifest("setway-architecture", ""),
    );
    write("payloads/cases/Cargo.toml", &manifest("setway-cases", ""));
    write(HYPERVISOR, BEFORE);
    write("payloads/architecture/src/lib.rs", "one\ntwo\n");
    write("payloads/cases/src/lib.rs", "one\ntwo\n");
    dir
}

fn edited(patch: &str) -> Result<Edits, Error> {
    let dir = checkout();
    edits(&Workspace::at(dir.path()), patch)
}

fn refused(patch: &str) -> String {
    edited(patch).expect_err("it is refused").to_string()
}

/// A hunk that takes the flush away.
const HUNK: &str = "@@ -1,4 +1,3 @@\n fn main() {\n-    flush();\n     resume();\n }\n";

fn after() -> Edits {
    let text = BEFORE.replace("    flush();\n", "");
    Edits::from([(HYPERVISOR.into(), Some(text))])
}

#[test]
fn a_path_may_have_gits_prefixes_or_none() {
    for (old, new) in [("a/", "b/"), ("", ""), ("old/", "new/"), ("./", "./")] {
        let plain = format!("--- {old}{HYPERVISOR}\n+++ {new}{HYPERVISOR}\n{HUNK}");
        assert_eq!(edited(&plain).expect(old), after(), "{old}");
    }
    let git = format!(
        "From: someone\nSubject: a defect\n\ndiff --git a/{HYPERVISOR} b/{HYPERVISOR}\nindex 1..2 100644\n\
         --- a/{HYPERVISOR}\n+++ b/{HYPERVISOR}\n{HUNK}-- \n2.47.3\n"
    );
    assert_eq!(
        edited(&git).expect("as `git format-patch` writes it"),
        after()
    );
    let bare =
        format!("diff --git {HYPERVISOR} {HYPERVISOR}\n--- {HYPERVISOR}\n+++ {HYPERVISOR}\n{HUNK}");
    assert_eq!(edited(&bare).expect("with diff.noprefix"), after());
}

#[test]
fn a_hunk_is_found_where_its_lines_are() {
    let moved = HUNK.replace("@@ -1,4 +1,3 @@", "@@ -31,4 +31,3 @@");
    let patch = format!("--- {HYPERVISOR}\n+++ {HYPERVISOR}\n{moved}");
    assert_eq!(edited(&patch).expect("it has a place"), after());
}

#[test]
fn several_files_are_changed_made_and_removed() {
    let git = format!(
        "diff --git a/{HYPERVISOR} b/{HYPERVISOR}\n--- a/{HYPERVISOR}\n+++ b/{HYPERVISOR}\n{HUNK}\
         diff --git a/hyp-under-test/aarch64/src/new.rs b/hyp-under-test/aarch64/src/new.rs\n\
         new file mode 100644\n--- /dev/null\n+++ b/hyp-under-test/aarch64/src/new.rs\n@@ -0,0 +1 @@\n+new\n\
         diff --git a/payloads/architecture/src/lib.rs b/payloads/architecture/src/lib.rs\n\
         deleted file mode 100644\n--- a/payloads/architecture/src/lib.rs\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"
    );
    let mut expected = after();
    expected.insert(
        "hyp-under-test/aarch64/src/new.rs".into(),
        Some("new\n".to_owned()),
    );
    expected.insert("payloads/architecture/src/lib.rs".into(), None);
    assert_eq!(edited(&git).expect("it applies"), expected);
}

#[test]
fn what_cannot_be_applied_is_named() {
    let plain = |path: &str, hunk: &str| format!("--- a/{path}\n+++ b/{path}\n{hunk}");
    let two = "@@ -1,2 +1 @@\n one\n-two\n";
    for (patch, said) in [
        ("just words\n".to_owned(), "it is no unified diff"),
        (String::new(), "it is no unified diff"),
        (
            plain("hyp-under-test/aarch64/src/gone.rs", HUNK),
            "hyp-under-test/aarch64/src/gone.rs, which is not in this checkout",
        ),
        (
            plain(HYPERVISOR, &HUNK.replace("resume", "return_to")),
            "in hyp-under-test/aarch64/src/main.rs hunk #1 has no place",
        ),
        (
            plain("payloads/cases/src/lib.rs", two),
            "payloads/cases/src/lib.rs, of which the hypervisor is not made",
        ),
        (
            plain("../../etc/passwd", two),
            "which is not in this checkout",
        ),
        (plain("/etc/passwd", two), "which is not in this checkout"),
        (
            plain(
                HYPERVISOR,
                "@@ -1,2 +1,2 @@\n fn main() {\n-    flush();\n+    flush();\n",
            ),
            "it changes nothing",
        ),
        (
            format!("--- /dev/null\n+++ b/{HYPERVISOR}\n@@ -0,0 +1 @@\n+new\n"),
            "it creates hyp-under-test/aarch64/src/main.rs, which is there",
        ),
        (
            format!(
                "diff --git a/{HYPERVISOR} b/{HYPERVISOR}\nindex 1..2 100644\n\
                 Binary files a/{HYPERVISOR} and b/{HYPERVISOR} differ\n"
            ),
            "by more than lines of text",
        ),
    ] {
        let error = refused(&patch);
        assert!(
            error.contains(said) && error.contains("next: "),
            "{patch}\n{error}"
        );
    }
    let shared = plain("payloads/architecture/src/lib.rs", two);
    assert_eq!(
        edited(&shared).expect("the hypervisor is made of it").len(),
        1
    );
}
