//! The files of `expectations/obligations/`: one for each rule, which people can read.

use std::{
    fmt::{self, Write as _},
    io,
    path::Path,
};

use fs_err as fs;
use serde::Deserialize;
use setway_cases::{CASES, Case};
use setway_protocol::word::CheckKind;
use toml::Spanned;

use super::{Obligation, Obligations, Ops, OwedCheck, OwedStep, Want};
use crate::catalog::{
    isa::Isa,
    source::{Mistakes, Source},
};

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    #[serde(default)]
    case: Vec<Spanned<RawCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    id: String,
    isas: Vec<Isa>,
    #[serde(default)]
    steps: Vec<RawStep>,
    #[serde(default)]
    checks: Vec<RawCheck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: String,
    #[serde(default)]
    set_way: RawOps,
    #[serde(default)]
    vm_reg: u64,
    #[serde(default)]
    flush: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawOps {
    Exactly(u64),
    Word(String),
}

impl Default for RawOps {
    fn default() -> Self {
        RawOps::Exactly(0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    data: Option<String>,
    register: Option<String>,
    state: Option<String>,
    want: Option<String>,
    fresh: Option<String>,
    stale: Option<String>,
}

/// The word for a number of ops that the CPU's caches give.
const GEOMETRY: &str = "geometry";

impl RawStep {
    fn checked(self) -> Result<OwedStep, String> {
        let set_way = match self.set_way {
            RawOps::Exactly(ops) => Ops::Exactly(ops),
            RawOps::Word(word) if word == GEOMETRY => Ops::Geometry,
            RawOps::Word(word) => {
                return Err(format!("`{word}` is neither a number nor `{GEOMETRY}`"));
            }
        };
        Ok(OwedStep {
            name: self.name,
            set_way,
            vm_reg: self.vm_reg,
            flush: self.flush,
        })
    }
}

impl RawCheck {
    fn checked(self) -> Result<OwedCheck, String> {
        let (of, name) = match (self.data, self.register, self.state) {
            (Some(name), None, None) => (CheckKind::Data, name),
            (None, Some(name), None) => (CheckKind::Register, name),
            (None, None, Some(name)) => (CheckKind::State, name),
            _ => return Err("a check is one of `data`, `register` and `state`".to_owned()),
        };
        let want = |text: String| text.parse::<Want>().map_err(|error| error.to_string());
        let (fresh, stale) = match (self.want, self.fresh, self.stale) {
            (Some(both), None, None) => {
                let both = want(both)?;
                (both, both)
            }
            (None, Some(fresh), Some(stale)) => (want(fresh)?, want(stale)?),
            _ => {
                return Err(format!(
                    "`{name}` has either `want`, or `fresh` and `stale`"
                ));
            }
        };
        Ok(OwedCheck {
            of,
            name,
            fresh,
            stale,
        })
    }
}

impl Obligations {
    /// Takes up the file of a rule, which is called after it.
    pub fn read(&mut self, source: &Source, raw: RawFile, mistakes: &mut Mistakes) {
        for case in raw.case {
            let span = case.span();
            if let Err(what) = self.add(case.into_inner(), &source.stem()) {
                source.mistake(&span, what, mistakes);
            }
        }
    }

    fn add(&mut self, raw: RawCase, rule: &str) -> Result<(), String> {
        let id = &raw.id;
        let known = |case: &&Case| case.id == id && case.rule.id == rule;
        let case = CASES.iter().find(known);
        let case = case.ok_or_else(|| format!("{rule} has no case `{id}`"))?;
        let steps = raw.steps.into_iter().map(RawStep::checked);
        let checks = raw.checks.into_iter().map(RawCheck::checked);
        let owed = Obligation {
            steps: steps.collect::<Result<_, _>>()?,
            checks: checks.collect::<Result<_, _>>()?,
        };
        if case.is_guest() && owed.steps.is_empty() {
            // The marks around its steps are the proof that the witnesses listened.
            return Err(format!(
                "{id} measures no step, so nothing shows whether anyone counted"
            ));
        }
        for isa in raw.isas {
            if !case.isas.iter().any(|own| Isa::from(*own) == isa) {
                return Err(format!("{id} has no {isa}"));
            }
            if self.set(id, isa, owed.clone()).is_some() {
                return Err(format!("{id} stands twice in {isa}"));
            }
        }
        Ok(())
    }

    /// Writes a file for each rule into `dir`, as far as that changes any. Returns how many are new or different.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<usize> {
        fs::create_dir_all(dir)?;
        let mut rules: Vec<&str> = CASES.iter().map(|case| case.rule.id).collect();
        rules.dedup();
        let mut changed = 0;
        for rule in rules {
            let file = dir.join(format!("{rule}.toml"));
            let text = self.rendered(rule);
            if !text.is_empty() && fs::read_to_string(&file).unwrap_or_default() != text {
                fs::write(&file, text)?;
                changed += 1;
            }
        }
        Ok(changed)
    }

    /// What `case` owes; instruction sets that owe the same stand together.
    pub fn groups(&self, case: &Case) -> Vec<(Vec<Isa>, &Obligation)> {
        let mut groups: Vec<(Vec<Isa>, &Obligation)> = Vec::new();
        for isa in case.isas.iter().map(|isa| Isa::from(*isa)) {
            let Some(obligation) = self.of(case.id, isa) else {
                continue;
            };
            match groups.iter_mut().find(|(_, same)| *same == obligation) {
                Some((isas, _)) => isas.push(isa),
                None => groups.push((vec![isa], obligation)),
            }
        }
        groups
    }

    /// The file of a rule; empty if nothing is known of its cases.
    pub(super) fn rendered(&self, rule: &str) -> String {
        let mut text = String::new();
        for case in CASES.iter().filter(|case| case.rule.id == rule) {
            for (isas, obligation) in self.groups(case) {
                render(&mut text, case, &isas, obligation).expect("text grows as it needs");
            }
        }
        text
    }
}

/// Text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn render(text: &mut String, case: &Case, isas: &[Isa], owed: &Obligation) -> fmt::Result {
    if text.is_empty() {
        writeln!(
            text,
            "# {}\n# Written by `setway run --bless`.",
            case.rule.title
        )?;
    }
    let isas: Vec<String> = isas.iter().map(|isa| quoted(isa.name())).collect();
    writeln!(text, "\n[[case]]\nid = {}", quoted(case.id))?;
    writeln!(text, "isas = [{}]", isas.join(", "))?;
    if !owed.steps.is_empty() {
        writeln!(text, "steps = [")?;
        for step in &owed.steps {
            write!(text, "    {{ name = {}", quoted(&step.name))?;
            match step.set_way {
                Ops::Exactly(0) => {}
                Ops::Exactly(ops) => write!(text, ", set_way = {ops}")?,
                Ops::Geometry => write!(text, ", set_way = {}", quoted(GEOMETRY))?,
            }
            for (name, count) in [("vm_reg", step.vm_reg), ("flush", step.flush)] {
                if count > 0 {
                    write!(text, ", {name} = {count}")?;
                }
            }
            writeln!(text, " }},")?;
        }
        writeln!(text, "]")?;
    }
    if !owed.checks.is_empty() {
        writeln!(text, "checks = [")?;
        for check in &owed.checks {
            let of = match check.of {
                CheckKind::Data => "data",
                CheckKind::Register => "register",
                CheckKind::State => "state",
            };
            write!(text, "    {{ {of} = {}", quoted(&check.name))?;
            if check.fresh == check.stale {
                writeln!(text, ", want = \"{}\" }},", check.fresh)?;
            } else {
                let OwedCheck { fresh, stale, .. } = check;
                writeln!(text, ", fresh = \"{fresh}\", stale = \"{stale}\" }},")?;
            }
        }
        writeln!(text, "]")?;
    }
    Ok(())
}
