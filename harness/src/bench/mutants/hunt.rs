//! The hunt for one kill, the likeliest and cheapest run first.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use setway_cases::{Case, Premise};
use setway_policy::{Mutant, Site};

use super::{
    Kill, Trial, concerns, demanded,
    kills::Kills,
    order::{self, Hint},
    ran_out_of_time,
};
use crate::{
    bench::{
        Bench, Worker,
        pool::{self, NoThread},
    },
    catalog::source::Mistakes,
    judge::{Judgement, Verdict, outcome::Outcome, sign::Sign},
    lab::tape::Limits,
    plan::Run,
};

/// How long a run may take before others are tried: many defects make a guest hang, and another run may show the defect
/// sooner.
const HASTE: Duration = Duration::from_secs(3);

/// How many runs of a defect are put off for that. Where more hang, all may, and waiting shows no less.
const PUT_OFF: usize = 2;

/// A hypervisor with a defect.
#[derive(Clone, Copy, Debug)]
pub struct Prey<'a> {
    /// What boots it.
    pub bench: &'a Bench,
    /// The mutant that it is told to be; `None` if the defect is in its image.
    pub mutant: Option<&'static str>,
    /// What has to show the defect.
    pub by: &'a [Sign],
    /// Where the mistake is made; none if that is not known.
    pub sites: &'a [Site],
}

/// What came of a hunt.
#[derive(Clone, Debug, Default)]
pub struct Hunt {
    /// The runs that killed the defect: one at most, unless all were asked for.
    pub kills: Vec<Kill>,
    /// Runs that noticed it, but by another kind of evidence than has to show it.
    pub otherwise: Vec<Kill>,
    /// Runs that are red without the defect, and so kill nothing.
    pub red: Vec<(Run, Judgement)>,
    /// Runs that went wrong for a reason that is not the defect's.
    pub errors: Vec<(Run, Judgement)>,
}

impl Hunt {
    /// Adds what another one found besides kills.
    fn note(&mut self, other: Hunt) {
        self.otherwise.extend(other.otherwise);
        self.red.extend(other.red);
        self.errors.extend(other.errors);
    }
}

/// What a run without a defect showed, as soon as it has been made; `None` inside if it passed.
type Green = Arc<OnceLock<Option<Judgement>>>;

/// Looks for kills, and knows what it has learned about the hypervisor without a defect.
#[derive(Debug)]
pub struct Hunter<'a> {
    sound: &'a Bench,
    runs: &'a [Run],
    kills: Kills,
    green: Mutex<HashMap<String, Green>>,
}

impl<'a> Hunter<'a> {
    /// A hunter that tries `runs`, of which `sound` says whether they pass without a defect.
    ///
    /// # Errors
    ///
    /// If the file of remembered kills cannot be used.
    pub fn new(sound: &'a Bench, runs: &'a [Run]) -> Result<Self, Mistakes> {
        Ok(Self {
            sound,
            runs,
            kills: Kills::read(&sound.workspace)?,
            green: Mutex::default(),
        })
    }

    /// The first run that kills the mutant called `name`.
    pub fn mutant(&self, name: &'static str) -> Hunt {
        let mutant = Mutant::by_name(name);
        let site = mutant.map(Mutant::site);
        let prey = Prey {
            bench: self.sound,
            mutant: Some(name),
            by: demanded(mutant),
            sites: site.as_slice(),
        };
        let runs = self.runs.iter();
        self.first_kill(&prey, runs.filter(|run| concerns(run, mutant, self.runs)))
    }

    /// The first run of `case` that kills one of `mutants`, and which. A case that compares data has to kill by data.
    pub fn proof(&self, case: &Case, mutants: &[Mutant]) -> (Hunt, Option<Mutant>) {
        let mut hunted = Hunt::default();
        let by_data = self.must_show_data(case);
        for mutant in self.likely(case, mutants) {
            let demanded = demanded(Some(mutant));
            if by_data && !demanded.contains(&Sign::Data) {
                continue;
            }
            let prey = Prey {
                bench: self.sound,
                mutant: Some(mutant.name()),
                by: if by_data { &[Sign::Data] } else { demanded },
                sites: &[],
            };
            let own = self.runs.iter().filter(|run| run.case.id == case.id);
            let own = own.filter(|run| {
                if by_data {
                    run.caches.is_some()
                } else {
                    concerns(run, Some(mutant), self.runs)
                }
            });
            let mut hunt = self.first_kill(&prey, own);
            hunted.kills = std::mem::take(&mut hunt.kills);
            hunted.note(hunt);
            if !hunted.kills.is_empty() {
                return (hunted, Some(mutant));
            }
        }
        (hunted, None)
    }

    /// Whether `kill`, of a mutant, shows that its case can be red by what it is about.
    pub fn is_proof(&self, kill: &Kill) -> bool {
        !self.must_show_data(kill.run.case) || kill.signs.contains(&Sign::Data)
    }

    fn must_show_data(&self, case: &Case) -> bool {
        case.needs(Premise::Caches) && self.sound.without_model().is_none()
    }

    /// `mutants`, the likeliest to be killed by `case` first: the one that it killed before, those that it is known to
    /// kill, and those that cases of the same rule kill.
    fn likely(&self, case: &Case, mutants: &[Mutant]) -> Vec<Mutant> {
        let before = self.kills.proof(case).map(|(_, mutant)| mutant);
        let mut mutants = mutants.to_vec();
        mutants.sort_by_cached_key(|mutant| {
            let known = self.kills.of(mutant.name());
            let any = |id: &str| {
                let mut rests = known.iter().filter_map(|label| label.strip_prefix(id));
                rests.any(|rest| rest.starts_with(['.', '/']))
            };
            let is_new = before != Some(mutant.name());
            (is_new, !any(case.id), !any(case.rule.id))
        });
        mutants
    }

    /// The first of `runs` that kills `prey`.
    fn first_kill<'r>(&self, prey: &Prey, runs: impl IntoIterator<Item = &'r Run>) -> Hunt {
        let chase = Chase::new(self, prey);
        let runs = chase.ordered(runs);
        let mut kill = runs.iter().find_map(|run| chase.hasty(run));
        kill = kill.or_else(|| chase.put_off().iter().find_map(|run| chase.patient(run)));
        chase.end(kill)
    }

    /// The first of all runs that kills `prey`, on `workers` threads, of which each calls `around` around each run.
    ///
    /// # Errors
    ///
    /// If there is no thread for them.
    pub fn first_of_all(
        &self,
        prey: &Prey,
        workers: NonZero<usize>,
        around: impl Fn(&Run, &dyn Fn() -> Option<Kill>) -> Option<Kill> + Sync,
    ) -> Result<Hunt, NoThread> {
        let chase = Chase::new(self, prey);
        let runs = chase.ordered(self.runs);
        let hasty = |run: &&Run| around(run, &|| chase.hasty(run));
        let mut kill = pool::find(&runs, workers, hasty)?;
        if kill.is_none() {
            let put_off = chase.put_off();
            kill = pool::find(&put_off, workers, |run| around(run, &|| chase.patient(run)))?;
        }
        Ok(chase.end(kill))
    }

    /// All runs that kill `prey`, likewise.
    ///
    /// # Errors
    ///
    /// If there is no thread for them.
    pub fn all_kills(
        &self,
        prey: &Prey,
        workers: NonZero<usize>,
        around: impl Fn(&Run, &dyn Fn() -> Option<Kill>) -> Option<Kill> + Sync,
    ) -> Result<Hunt, NoThread> {
        let chase = Chase::new(self, prey);
        let patient = |run: &Run| around(run, &|| chase.patient(run));
        let kills = pool::map(self.runs, workers, patient, |_, _| ())?;
        Ok(chase.end(kills.into_iter().flatten()))
    }

    /// What a run shows without a defect, if it does not pass; asked once.
    fn why_red(&self, run: &Run) -> Option<Judgement> {
        let cell = {
            let mut green = self.green.lock().unwrap_or_else(PoisonError::into_inner);
            green.entry(run.label()).or_default().clone()
        };
        let asked = cell.get_or_init(|| {
            let judgement = self.sound.run(run).judgement;
            (judgement.verdict != Verdict::Pass).then_some(judgement)
        });
        asked.clone()
    }
}

/// One hunt while it lasts.
struct Chase<'a> {
    hunter: &'a Hunter<'a>,
    prey: &'a Prey<'a>,
    put_off: Mutex<Vec<Run>>,
    hunt: Mutex<Hunt>,
}

impl<'a> Chase<'a> {
    fn new(hunter: &'a Hunter, prey: &'a Prey) -> Self {
        Self {
            hunter,
            prey,
            put_off: Mutex::default(),
            hunt: Mutex::default(),
        }
    }

    fn ordered<'r>(&self, runs: impl IntoIterator<Item = &'r Run>) -> Vec<&'r Run> {
        let kills = &self.hunter.kills;
        let killers = self.prey.mutant.map_or(&[][..], |name| kills.of(name));
        let hint = Hint {
            killers,
            sites: self.prey.sites,
        };
        order::ordered(runs, &hint, kills, self.hunter.sound.obligations.as_ref())
    }

    /// Tries `run`, and puts it off if it takes long.
    fn hasty(&self, run: &Run) -> Option<Kill> {
        let outcome = self.made(run, HASTE);
        if ran_out_of_time(&outcome) {
            {
                let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
                if put_off.len() < PUT_OFF {
                    put_off.push(*run);
                    return None;
                }
            }
            return self.judged(run, self.made(run, Duration::MAX));
        }
        self.judged(run, outcome)
    }

    /// Tries `run` for as long as it may take.
    fn patient(&self, run: &Run) -> Option<Kill> {
        self.judged(run, self.made(run, Duration::MAX))
    }

    /// Makes `run` under the prey, within `time` and the time of any run.
    fn made(&self, run: &Run, time: Duration) -> Outcome {
        let bench = self.prey.bench;
        let limits = Limits {
            time: time.min(bench.limits.time),
            ..bench.limits
        };
        let run = run.with_mutant(self.prey.mutant);
        bench.run_on(&mut Worker::default(), &run, limits)
    }

    /// The kill, if `outcome` is one. `run` is without the defect.
    fn judged(&self, run: &Run, outcome: Outcome) -> Option<Kill> {
        match Trial::of(outcome, self.prey.by) {
            Trial::Lives => None,
            Trial::Killed(kill) => match self.hunter.why_red(run) {
                None => Some(kill),
                Some(judgement) => {
                    self.hunt().red.push((*run, judgement));
                    None
                }
            },
            Trial::Otherwise(kill) => {
                self.hunt().otherwise.push(kill);
                None
            }
            Trial::Error(run, judgement) => {
                self.hunt().errors.push((run, judgement));
                None
            }
        }
    }

    fn hunt(&self) -> MutexGuard<'_, Hunt> {
        self.hunt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_off(&self) -> Vec<Run> {
        let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *put_off)
    }

    fn end(self, kills: impl IntoIterator<Item = Kill>) -> Hunt {
        let hunt = self.hunt.into_inner();
        Hunt {
            kills: kills.into_iter().collect(),
            ..hunt.unwrap_or_else(PoisonError::into_inner)
        }
    }
}
