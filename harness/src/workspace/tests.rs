use std::fs;

use tempfile::TempDir;

use super::{crates::Crates, *};

/// A directory that looks like a checkout.
fn checkout() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for place in ["harness/src", "runners/machines"] {
        fs::create_dir_all(dir.path().join(place)).expect("a writable directory");
    }
    for file in ["Cargo.toml", "harness/Cargo.toml"] {
        fs::write(dir.path().join(file), "").expect("a writable directory");
    }
    dir
}

/// The checkout that these tests are part of.
fn own() -> Workspace {
    Workspace::find().expect("tests run in a checkout")
}

#[test]
fn the_checkout_is_the_one_around_the_current_directory() {
    let checkout = checkout();
    for here in [
        checkout.path().to_owned(),
        checkout.path().join("harness/src"),
    ] {
        let found = Workspace::choose(&here, None).expect("a checkout is around it");
        assert_eq!(found.root(), checkout.path());
    }
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let found = Workspace::choose(elsewhere.path(), None);
    assert!(matches!(found, Err(Error::NoCheckout { .. })), "{found:?}");
}

#[test]
fn a_variable_cannot_have_another_checkout_tested() {
    let (here, there) = (checkout(), checkout());
    let choose = |here: &Path, named: &Path| Workspace::choose(here, Some(named.to_owned()));
    let found = choose(here.path(), there.path());
    assert!(
        matches!(found, Err(Error::TwoCheckouts { .. })),
        "{found:?}"
    );
    assert!(choose(here.path(), here.path()).is_ok());
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    assert!(choose(elsewhere.path(), there.path()).is_ok());
    let found = choose(elsewhere.path(), elsewhere.path());
    assert!(
        matches!(found, Err(Error::NotACheckout { .. })),
        "{found:?}"
    );
}

#[test]
fn a_program_refuses_a_checkout_with_other_sources() {
    let copy = tempfile::tempdir().expect("a temporary directory");
    for source in sources::HOST {
        copy_all(&own().root().join(source), &copy.path().join(source));
    }
    let workspace = Workspace::at(copy.path());
    workspace.check_sources().expect("the same contents");
    let file = copy.path().join("harness/src/lib.rs");
    let time = fs::metadata(&file).and_then(|data| data.modified());
    let text = fs::read_to_string(&file).expect("a source");
    // As long as before, and of the same time: only the contents tell.
    fs::write(&file, text.replacen("Setway", "Setwax", 1)).expect("a writable directory");
    let opened = fs::File::options().write(true).open(&file);
    opened
        .and_then(|file| file.set_modified(time?))
        .expect("a writable file");
    let refused = workspace.check_sources();
    assert!(
        matches!(refused, Err(Error::OtherSources { .. })),
        "{refused:?}"
    );
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a writable directory");
        for entry in fs::read_dir(from).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            copy_all(&from.join(&name), &to.join(&name));
        }
    } else {
        let above = to.parent().expect("a file is in a directory");
        fs::create_dir_all(above).expect("a writable directory");
        fs::copy(from, to).expect("a readable file");
    }
}

#[test]
fn the_digest_covers_every_crate_that_the_harness_is_made_of() {
    let root = own().root().to_owned();
    let crates = Crates::read(&root).expect("sound manifests");
    let closure = crates.closure("setway").expect("the harness is a package");
    assert!(closure.contains("setway-cases"), "{closure:?}");
    for name in closure.into_iter().filter(|name| *name != "setway") {
        let dir = crates.directory(name).expect("it is in the workspace");
        assert!(
            sources::HOST.contains(&dir),
            "`sources::HOST` lacks {dir}, which the harness is made of"
        );
    }
}

#[test]
fn a_source_that_is_not_there_is_an_error() {
    let missing = sources::digest(own().root(), &["Cargo.toml", "payloads/gone"]);
    let error = missing.expect_err("there is no such directory").to_string();
    assert!(error.contains("payloads/gone"), "{error}");
}

#[test]
fn a_checkout_knows_its_commit() {
    let dir = checkout();
    assert_eq!(Workspace::at(dir.path()).revision(), None);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(dir.path());
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        let status = command.args(arguments).status();
        assert!(status.expect("git").success());
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "One"]);
    let clean = Workspace::at(dir.path()).revision().expect("a commit");
    assert!(!clean.is_modified);
    assert_eq!(clean.commit.len(), 40);
    fs::write(dir.path().join("new"), "").expect("a writable directory");
    let modified = Workspace::at(dir.path()).revision().expect("a commit");
    assert!(modified.is_modified);
}
