//! Tables and lists in documents and scripts, against the data that they are about.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use setway::{catalog::Catalog, cli::Cli, workspace::Workspace};

use super::{assert_none, text};

/// The first cells of the table in `document` whose first column has this title.
fn first_cells<'a>(document: &'a str, title: &str) -> Vec<&'a str> {
    let lines = document
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {title} |")));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).collect();
    assert!(!cells.is_empty(), "there is no table of the column {title}");
    cells
}

/// What stands as code in `text`.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn catalog() -> Catalog {
    let workspace = Workspace::find().expect("tests run in a checkout");
    Catalog::load(&workspace).expect("the committed files are sound")
}

#[test]
fn the_readme_has_each_hypervisor_once() {
    let catalog = catalog();
    let readme = text("README.md");
    let mut faults = Vec::new();
    let (mut labels, mut named) = (BTreeSet::new(), BTreeSet::new());
    for label in first_cells(&readme, "target").into_iter().flat_map(code) {
        if !labels.insert(label) {
            faults.push(format!("{label} stands there twice"));
        }
        let (hypervisor, machine) = label.split_once('@').unwrap_or((label, "virt-a57"));
        let mut machines = catalog.machines.iter();
        if !machines.any(|it| it.name == machine) {
            faults.push(format!("{label}: there is no machine {machine}"));
        }
        let known = catalog.hypervisors.iter().filter(|it| !it.self_test);
        let known: Vec<&str> = match hypervisor.strip_suffix("-…") {
            Some(every) => known
                .filter(|it| it.name == every)
                .map(|it| &*it.name)
                .collect(),
            None => {
                let is_version = |it: &&setway::catalog::hypervisor::Hypervisor| {
                    let mut versions = it.versions.iter();
                    versions.any(|version| format!("{}-{}", it.name, version.version) == hypervisor)
                };
                known.filter(is_version).map(|it| &*it.name).collect()
            }
        };
        if known.is_empty() {
            faults.push(format!("{label} is no target"));
        }
        named.extend(known);
    }
    // Those without versions are not fetched: they are the project's own, and described elsewhere.
    let real = catalog
        .hypervisors
        .iter()
        .filter(|it| !it.self_test && !it.versions.is_empty());
    let real: BTreeSet<&str> = real.map(|it| &*it.name).collect();
    faults.extend(
        real.difference(&named)
            .map(|it| format!("{it} is not there")),
    );
    assert_none(&faults);
}

#[test]
fn the_readme_has_each_command() {
    let readme = text("README.md");
    let cells = first_cells(&readme, "command").into_iter().flat_map(code);
    let described = cells.filter_map(|it| it.strip_prefix("setway ")?.split(' ').next());
    let command = Cli::command();
    let commands = command.get_subcommands().map(clap::Command::get_name);
    assert_eq!(described.collect::<BTreeSet<_>>(), commands.collect());
}

/// The workspace's crates: where each is, and what its `Cargo.toml` says.
fn members() -> Vec<(String, toml::Table)> {
    let parse = |path: &str| -> toml::Table { text(path).parse().expect("Cargo reads it") };
    let workspace = parse("Cargo.toml");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("a list");
    let members = members
        .iter()
        .map(|it| it.as_str().expect("a path").to_owned());
    members
        .map(|path| (path.clone(), parse(&format!("{path}/Cargo.toml"))))
        .collect()
}

fn name(manifest: &toml::Table) -> &str {
    manifest["package"]["name"]
        .as_str()
        .expect("a crate has a name")
}

#[test]
fn every_crate_that_runs_here_is_linted_and_tested() {
    // What can be built for bare metal alone has the start-up code, or is it; the plugin is built for one generation
    // of QEMU's interface at a time.
    let (runtime, plugin) = ("setway-runtime", "setway-cache-plugin");
    let is_elsewhere = |manifest: &toml::Table| {
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let is_guest = dependencies.is_some_and(|it| it.contains_key(runtime));
        is_guest || [runtime, plugin].contains(&name(manifest))
    };
    let members = members();
    let elsewhere = members
        .iter()
        .filter(|(_, manifest)| is_elsewhere(manifest));
    let elsewhere: BTreeSet<&str> = elsewhere.map(|(_, manifest)| name(manifest)).collect();
    let script = text(".ci/run");
    let script = script.replace("\\\n", " ");
    // The list is one, so that what is linted is tested.
    let list = script
        .lines()
        .find_map(|line| line.strip_prefix("elsewhere=("));
    let list = list
        .expect("`elsewhere` is a list")
        .trim_end_matches(')')
        .split_whitespace();
    assert_eq!(list.collect::<BTreeSet<_>>(), elsewhere);
    for command in [
        "cargo clippy --locked --workspace",
        "cargo test --locked --workspace",
    ] {
        let mut lines = script.lines();
        assert!(
            lines.any(|line| line.starts_with(command)),
            "no `{command}`"
        );
    }
    assert!(script.contains(&format!("cargo clippy --locked -p {plugin} ")));
    assert!(
        script.contains("-- build --check"),
        "the guests are linted by what builds them"
    );
}

#[test]
fn the_architecture_has_every_crate() {
    // A row may give a path once, and its neighbours by name.
    let document = text("architecture.md");
    let mapped: BTreeSet<&str> = document.lines().flat_map(code).collect();
    let members = members().into_iter().map(|(path, _)| path);
    let is_mapped = |path: &str| {
        let own = path.rsplit('/').next().expect("a path has a last part");
        let inside = format!("{path}/");
        mapped.contains(own)
            || mapped
                .iter()
                .any(|it| *it == path || it.starts_with(&inside))
    };
    let faults: Vec<String> = members.filter(|path| !is_mapped(path)).collect();
    assert_none(&faults);
}
