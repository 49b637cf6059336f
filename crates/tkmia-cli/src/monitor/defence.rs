//! [`Defence`]: monitors of each statistic, and what they notice.

use tkmia_monitor::{FalseAlarms, Monitor, MonitorError, Observation, Simulation, Statistic, Test};

use super::findings::{Discrimination, Noticing, Quiet};
use super::traffic::{Attack, Images};

/// Shares of the images that can be attacked which are; the first is for false alarms in the same time.
pub const SHARES: [f64; 8] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Clean images of each stream on which false alarms are counted.
const COUNTED: usize = 10_000;

/// What all monitors have in common.
pub struct Defence<'a> {
    pub rate: FalseAlarms,
    pub within: usize,
    pub streams: usize,
    pub seed: u64,
    /// What thresholds are calibrated on.
    pub clean: Vec<Observation<'a>>,
    pub traffic: &'a Images,
    pub attacks: &'a [Attack],
}

/// What the monitors of a statistic notice.
#[derive(Default)]
pub struct Watched {
    pub quiet: Vec<Quiet>,
    pub noticings: Vec<Noticing>,
    pub discriminations: Vec<Discrimination>,
}

impl Defence<'_> {
    /// What the monitors of a statistic notice of the attacks with this `k`.
    pub fn watch(&self, statistic: Statistic, k: usize) -> Result<Watched, MonitorError> {
        let Self { rate, within, streams, seed, traffic, .. } = *self;
        let clean = traffic.observations();
        let mut found = Watched::default();
        for test in Test::ALL {
            let monitor = Monitor::calibrate(statistic, test, k, &self.clean, rate, seed)?;
            let simulation = Simulation::new(&monitor, &clean, streams, within, seed)?;
            found.quiet.push(Quiet::of(&monitor, k, simulation.false_alarms(COUNTED)));
            for attack in self.attacks.iter().filter(|attack| attack.setting.k == k) {
                let twins = attack.twins(traffic, statistic);
                let noticed = simulation.attacked(&twins, &SHARES)?;
                let attackable = twins.iter().flatten().count() as f64 / clean.len() as f64;
                let noticings = SHARES.iter().zip(&noticed).map(|(&share, noticed)| {
                    Noticing::of(attack, &monitor, [attackable, share], noticed)
                });
                found.noticings.extend(noticings);
                // All tests see the same numbers, the first of which ranks images but for label frequencies.
                if test == Test::ALL[0] && statistic != Statistic::LabelFrequency {
                    let numbers = |seen: &Observation<'_>| monitor.numbers(seen);
                    let mut pairs = [Vec::new(), Vec::new()];
                    for (clean, twin) in clean.iter().zip(&twins) {
                        let Some(twin) = twin else { continue };
                        pairs[0].extend(numbers(clean)?.map(|numbers| numbers[0]));
                        pairs[1].extend(numbers(twin)?.map(|numbers| numbers[0]));
                    }
                    found.discriminations.push(Discrimination::of(attack, statistic, &pairs));
                }
            }
        }
        Ok(found)
    }
}
