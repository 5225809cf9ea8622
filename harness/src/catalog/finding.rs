//! Findings: deviations of real hypervisors that are known, from `expectations/findings/*.toml`.
//!
//! A finding names every failure by which it shows, with its value. What a run has besides is new.

use setway_cases::{CASES, Case};

use super::{
    isa::Isa,
    raw,
    schedule::Caches,
    source::{Mistakes, Source},
};

/// A known deviation.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its short name; the file's, too.
    pub id: String,
    /// One line about it.
    pub title: String,
    /// The rules that are broken.
    pub rules: Vec<String>,
    /// The hypervisors that break it, as `--hyp` names them: without a machine, on all on which they claim the same.
    pub hypervisors: Vec<String>,
    /// Those of them that do not, on the machines that are named.
    pub except: Vec<String>,
    /// What the rule expects.
    pub expected: String,
    /// What happens instead, and why.
    pub happened: String,
    /// Lines of logs and traces that show it.
    pub evidence: String,
    /// The shortest command that shows it again.
    pub repeat: String,
    /// Where it lies in the hypervisor's source: file and function.
    pub place: String,
    /// The versions that have it, by the source's history or by trial.
    pub since: String,
    /// The document that demands otherwise, and its section.
    pub reference: String,
    /// What a guest executes to see it, without Setway.
    pub reproducer: String,
    /// What could be changed.
    pub suggestion: String,
    /// Whether those who write the hypervisor know, and how to tell them.
    pub upstream: Upstream,
    /// The runs that show it.
    pub runs: Vec<Symptom>,
}

/// What there is to say of those who write a hypervisor.
pub type Upstream = raw::Upstream;

/// How a finding shows.
#[derive(Clone, Debug)]
pub struct Symptom {
    /// In this case.
    pub case: &'static Case,
    /// In these instruction sets.
    pub isas: Vec<Isa>,
    /// With these caches, as `--caches` names them, or [`OFF`]; with whichever if none are named.
    pub caches: Vec<String>,
    /// Under these of the finding's hypervisors; under all if none are named.
    pub hypervisors: Vec<String>,
    /// It does not show each time, and then perhaps only in part.
    pub sometimes: bool,
    /// It shows each time, except where this finding shows, which spoils the run before.
    pub unless: Option<String>,
    /// What shows.
    pub shows: Shows,
}

/// What can cost more than a profile grants, by the names that findings use.
pub const COSTS: [&str; 6] = [
    "set-way",
    "vm-register",
    "flushes",
    "again",
    "reach",
    "uncounted",
];

/// What of a run shows a finding.
#[derive(Clone, Debug)]
pub enum Shows {
    /// Failures of a run that was judged: these, and no others.
    Failures {
        /// Checks that are wrong, with the value that the guest found.
        checks: Vec<SymptomCheck>,
        /// Steps that are not as expected, with what is observed.
        steps: Vec<SymptomStep>,
        /// Loads of the guest see data that is not the newest.
        stale: bool,
        /// What costs more than is granted, by name, in whatever steps.
        costs: Vec<String>,
    },
    /// The run ends without being judged, for a reason that contains this text.
    End(EndKind, String),
}

/// How a run can end without being judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// Guest, hypervisor or QEMU gave up.
    Crash,
    /// It exceeded a limit.
    Timeout,
    /// It proved nothing.
    NoVerdict,
}

/// A wrong check.
pub type SymptomCheck = raw::SymptomCheck;

/// A step that is not as expected.
pub type SymptomStep = raw::SymptomStep;

/// What stands for no caches at all.
pub const OFF: &str = "off";

/// The shortest text that can distinguish one reason from another.
const TELLING: usize = 16;

/// The fewest digits that name a commit of Linux.
const COMMIT: usize = 12;

impl Finding {
    /// What `raw`, read from `source`, stands for.
    pub(super) fn new(source: &Source, raw: raw::Finding, mistakes: &mut Mistakes) -> Self {
        if *raw.id.get_ref() != source.stem() {
            let what = format!(
                "the id is `{}`, and the file has another name",
                raw.id.get_ref()
            );
            source.mistake(&raw.id.span(), what, mistakes);
        }
        let names = raw.hypervisors.into_iter().map(toml::Spanned::into_inner);
        let mut finding = Self {
            id: raw.id.into_inner(),
            title: raw.title,
            rules: raw.rules,
            hypervisors: names.collect(),
            except: raw
                .except
                .into_iter()
                .map(toml::Spanned::into_inner)
                .collect(),
            expected: raw.expected,
            happened: raw.happened,
            evidence: raw.evidence,
            repeat: raw.repeat,
            place: raw.place,
            since: raw.since,
            reference: raw.reference,
            reproducer: raw.reproducer,
            suggestion: raw.suggestion,
            upstream: raw.upstream.get_ref().clone(),
            runs: Vec::new(),
        };
        for complaint in finding.gaps() {
            source.mistake(&raw.upstream.span(), complaint, mistakes);
        }
        for symptom in raw.runs {
            let span = symptom.span();
            match finding.symptom(symptom.into_inner()) {
                Ok(symptom) => finding.runs.push(symptom),
                Err(complaint) => source.mistake(&span, complaint, mistakes),
            }
        }
        finding
    }

    /// What its report to those who write the hypervisor would lack.
    fn gaps(&self) -> Vec<String> {
        let texts = [
            ("title", &self.title),
            ("expected", &self.expected),
            ("happened", &self.happened),
            ("evidence", &self.evidence),
            ("repeat", &self.repeat),
            ("where", &self.place),
            ("since", &self.since),
            ("reference", &self.reference),
            ("reproducer", &self.reproducer),
            ("suggestion", &self.suggestion),
            ("upstream.list", &self.upstream.list),
            ("upstream.area", &self.upstream.area),
            ("upstream.known", &self.upstream.known),
        ];
        let empty = texts.iter().filter(|(_, text)| text.trim().is_empty());
        let mut gaps: Vec<String> = empty
            .map(|(key, _)| format!("`{key}` is empty, and a report upstream needs it"))
            .collect();
        if let Some(fixed) = &self.upstream.fixed
            && (fixed.commit.len() < COMMIT
                || !fixed.commit.bytes().all(|it| it.is_ascii_hexdigit()))
        {
            gaps.push(format!(
                "`{}` is no commit: give at least {COMMIT} digits of its id",
                fixed.commit
            ));
        }
        gaps
    }

    /// What `raw` stands for, or why it stands for nothing.
    fn symptom(&self, raw: raw::Symptom) -> Result<Symptom, String> {
        let case = CASES.iter().find(|case| case.id == raw.case);
        let case = case.ok_or_else(|| format!("there is no case `{}`", raw.case))?;
        if !self.rules.iter().any(|rule| rule == case.rule.id) {
            return Err(format!("{} is of rule {}", case.id, case.rule.id));
        }
        if raw.isas.is_empty() {
            return Err(format!("{} has no `isas`", case.id));
        }
        for name in raw.caches.iter().filter(|name| *name != OFF) {
            let parsed = name.parse::<Caches>();
            parsed.map_err(|error| format!("`{name}` names no caches: {error}"))?;
        }
        let stranger = |name: &&String| !self.hypervisors.contains(name);
        if let Some(name) = raw.hypervisors.iter().find(stranger) {
            return Err(format!("`{name}` is none of its hypervisors"));
        }
        if raw.sometimes && raw.unless.is_some() {
            return Err("`sometimes` and `unless` do not go together".to_owned());
        }
        if raw.stale && raw.checks.is_empty() {
            return Err("`stale` needs the checks that saw the old data".to_owned());
        }
        let fails =
            !raw.checks.is_empty() || !raw.steps.is_empty() || raw.stale || !raw.cost.is_empty();
        let shows = match (raw.ends, fails) {
            (None, true) => {
                for check in &raw.checks {
                    if !is_number(&check.got) {
                        return Err(format!(
                            "`{}` is not a value that a check can find",
                            check.got
                        ));
                    }
                }
                let silent = |step: &&SymptomStep| {
                    step.set_way.is_none() && step.vm_reg.is_none() && step.flush.is_none()
                };
                if let Some(step) = raw.steps.iter().find(silent) {
                    return Err(format!("step `{}` has no count", step.name));
                }
                let is_known = |name: &&String| COSTS.contains(&name.as_str());
                if let Some(name) = raw.cost.iter().find(|it| !is_known(it)) {
                    let known = COSTS.join(", ");
                    return Err(format!("`{name}` is no cost; there are {known}"));
                }
                Shows::Failures {
                    checks: raw.checks,
                    steps: raw.steps,
                    stale: raw.stale,
                    costs: raw.cost,
                }
            }
            (Some(end), false) => {
                let kind = match end.verdict.as_str() {
                    "crash" => EndKind::Crash,
                    "timeout" => EndKind::Timeout,
                    "no_verdict" => EndKind::NoVerdict,
                    other => return Err(format!("`{other}` is not crash, timeout or no_verdict")),
                };
                if end.reason.len() < TELLING || end.reason.contains('*') {
                    return Err(format!(
                        "`{}` would excuse too much: give at least {TELLING} characters of the reason, as they are printed",
                        end.reason
                    ));
                }
                Shows::End(kind, end.reason)
            }
            (None, false) => {
                return Err(format!(
                    "{} shows nothing: name the checks, steps or end",
                    case.id
                ));
            }
            (Some(_), true) => {
                return Err("a run that ends like that has no failures to name".to_owned());
            }
        };
        Ok(Symptom {
            case,
            isas: raw.isas,
            caches: raw.caches,
            hypervisors: raw.hypervisors,
            sometimes: raw.sometimes,
            unless: raw.unless,
            shows,
        })
    }

    /// Whether it is about a target that is called by these names.
    pub fn is_about(&self, names: &[&str]) -> bool {
        let is_any = |list: &[String]| list.iter().any(|it| names.contains(&it.as_str()));
        is_any(&self.hypervisors) && !is_any(&self.except)
    }

    /// Whether it shows by chance only.
    pub fn depends_on_timing(&self) -> bool {
        self.runs.iter().all(|it| it.sometimes)
    }
}

/// Whether `text` is a number as records write it.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix("0x");
    digits.is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a finding that has this `[[run]]`.
    fn complaints(run: &str) -> String {
        about("", run)
    }

    /// What is wrong with one whose `[upstream]` has this line as well.
    fn about(upstream: &str, run: &str) -> String {
        let (_, mistakes) = read(upstream, run);
        let all: Vec<String> = mistakes.iter().map(|it| it.what.clone()).collect();
        all.join("; ")
    }

    fn read(upstream: &str, run: &str) -> (Finding, Mistakes) {
        let text = format!(
            r#"
            id = "f"
            title = "x"
            rules = ["SW-TRAP"]
            hypervisors = ["xen-4.20"]
            expected = "x"
            happened = "x"
            evidence = "x"
            repeat = "x"
            where = "x"
            since = "x"
            reference = "x"
            reproducer = "x"
            suggestion = "x"
            [upstream]
            list = "x"
            area = "x"
            known = "x"
            {upstream}
            [[run]]
            isas = ["a64"]
            {run}
            "#
        );
        let mut mistakes = Mistakes::default();
        let path = std::path::Path::new("f.toml");
        let (source, raw) = Source::parse(path, text, &mut mistakes).expect("TOML");
        let finding = Finding::new(&source, raw, &mut mistakes);
        (finding, mistakes)
    }

    #[test]
    fn a_symptom_names_what_fails() {
        for sound in [
            r#"check = [{ name = "x", got = "0x0" }]"#,
            r#"step = [{ name = "x", flush = 0 }]"#,
            r#"unless = "other"
            check = [{ name = "x", got = "0x0" }]
            stale = true"#,
            r#"ends = { verdict = "crash", reason = "Internal error: Oops" }"#,
        ] {
            assert_eq!(complaints(&format!("case = \"SW-TRAP/isw\"\n{sound}")), "");
        }
    }

    #[test]
    fn what_a_report_upstream_needs_is_there() {
        let run = "case = \"SW-TRAP/isw\"\ncheck = [{ name = \"x\", got = \"0x0\" }]";
        let fix = |commit: &str| {
            let line = format!(r#"fixed = {{ commit = "{commit}", title = "x", version = "1" }}"#);
            about(&line, run)
        };
        assert_eq!(fix("3c1e71650833"), "");
        for wrong in ["3c1e716508", "the fix of 2018"] {
            let said = fix(wrong);
            assert!(said.contains("is no commit"), "{wrong}: {said}");
        }
        let (mut finding, _) = read("", run);
        assert_eq!(finding.gaps(), Vec::<String>::new());
        finding.suggestion = " \n".to_owned();
        let gaps = finding.gaps().join("; ");
        assert!(gaps.contains("`suggestion` is empty"), "{gaps}");
    }

    #[test]
    fn a_symptom_that_would_excuse_anything_is_refused() {
        for (wrong, why) in [
            ("", "shows nothing"),
            (
                r#"ends = { verdict = "crash", reason = "*" }"#,
                "excuse too much",
            ),
            (
                r#"ends = { verdict = "no_verdict", reason = "an error of * own" }"#,
                "excuse too much",
            ),
            (
                r#"ends = { verdict = "fail", reason = "anything that is long" }"#,
                "is not crash",
            ),
            (r#"check = [{ name = "x", got = "*" }]"#, "not a value"),
            (r#"step = [{ name = "x" }]"#, "no count"),
            ("stale = true", "needs the checks"),
            (r#"cost = ["x"]"#, "is no cost"),
            (
                "sometimes = true\nunless = \"other\"\ncheck = [{ name = \"x\", got = \"0x0\" }]",
                "do not go together",
            ),
        ] {
            let said = complaints(&format!("case = \"SW-TRAP/isw\"\n{wrong}"));
            assert!(said.contains(why), "{wrong}: {said}");
        }
        let said = complaints("case = \"COH-CPUS\"\nstale = true");
        assert!(said.contains("is of rule"), "{said}");
    }
}
