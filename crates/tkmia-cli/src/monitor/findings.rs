//! [`Findings`]: what monitors notice, as files.

use std::fs;
use std::path::Path;

use serde::Serialize;
use tkmia_experiment::{ExperimentError, Plan, write_failed};
use tkmia_figure::{Axis, Chart, Series, Shape};
use tkmia_file::write_whole;
use tkmia_metrics::share_interval;
use tkmia_monitor::{Counted, Monitor, Noticed, Statistic, Test, auc, auc_interval};

use super::Arguments;
use super::defence::{SHARES, Watched};
use super::traffic::{Attack, Images};

/// What monitors notice. Its parts are tables, a row for each line of a CSV file.
#[derive(Serialize)]
pub struct Findings {
    title: String,
    victim: String,
    data: String,
    calibration_images: usize,
    traffic_images: usize,
    stated_false_alarms_per_10_000: f64,
    within_images: u32,
    streams: u32,
    seed: u64,
    attacks: Vec<Attacked>,
    false_alarms: Vec<Quiet>,
    detection: Vec<Noticing>,
    auc: Vec<Discrimination>,
}

/// An attack, and how much of the traffic it can be on.
#[derive(Serialize)]
struct Attacked {
    setting: String,
    k: usize,
    method: String,
    images: usize,
    share_of_traffic: f64,
}

/// A monitor on clean images that its calibration did not see.
#[derive(Serialize)]
pub struct Quiet {
    k: usize,
    statistic: &'static str,
    test: &'static str,
    threshold: f64,
    alarms: usize,
    images: usize,
    per_10_000: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// A monitor on an attack.
#[derive(Serialize)]
pub struct Noticing {
    #[serde(skip)]
    attack: usize,
    setting: String,
    method: String,
    statistic: &'static str,
    test: &'static str,
    share_of_attackable: f64,
    share_of_traffic: f64,
    alarms: usize,
    streams: usize,
    noticed: f64,
    low: Option<f64>,
    high: Option<f64>,
    /// Images until a quarter, a half and three quarters of all streams had their alarm.
    delay_quarter: Option<usize>,
    delay_median: Option<usize>,
    delay_three_quarters: Option<usize>,
}

/// How well one image alone tells an attack.
#[derive(Serialize)]
pub struct Discrimination {
    #[serde(skip)]
    attack: usize,
    setting: String,
    method: String,
    statistic: &'static str,
    images: usize,
    auc: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl Quiet {
    pub fn of(monitor: &Monitor, k: usize, Counted { alarms, images }: Counted) -> Self {
        let per_10_000 = |share: f64| 1e4 * share;
        let interval = share_interval(alarms as f64, images).map(|ends| ends.map(per_10_000));
        Self {
            k,
            statistic: monitor.statistic().name(),
            test: monitor.test().name(),
            threshold: monitor.threshold(),
            alarms,
            images,
            per_10_000: per_10_000(alarms as f64 / images as f64),
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
        }
    }
}

impl Noticing {
    pub fn of(
        attack: &Attack,
        monitor: &Monitor,
        [attackable, share]: [f64; 2],
        noticed: &Noticed,
    ) -> Self {
        let (alarms, streams) = (noticed.alarms(), noticed.streams());
        let interval = share_interval(alarms as f64, streams);
        Self {
            attack: attack.number,
            setting: attack.setting.to_string(),
            method: attack.method.clone(),
            statistic: monitor.statistic().name(),
            test: monitor.test().name(),
            share_of_attackable: share,
            share_of_traffic: share * attackable,
            alarms,
            streams,
            noticed: alarms as f64 / streams as f64,
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
            delay_quarter: noticed.delay(0.25),
            delay_median: noticed.delay(0.5),
            delay_three_quarters: noticed.delay(0.75),
        }
    }
}

impl Discrimination {
    /// Of the numbers of clean images and of their twins.
    pub fn of(attack: &Attack, statistic: Statistic, [clean, attacked]: &[Vec<f64>; 2]) -> Self {
        let interval = auc_interval(clean, attacked);
        Self {
            attack: attack.number,
            setting: attack.setting.to_string(),
            method: attack.method.clone(),
            statistic: statistic.name(),
            images: clean.len(),
            auc: auc(clean, attacked),
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
        }
    }
}

/// An attack is called noticed where so many of the streams have an alarm in time.
const NOTICED: f64 = 0.9;

impl Findings {
    pub fn new(
        plan: &Plan,
        arguments: &Arguments,
        [calibration, traffic]: [&Images; 2],
        attacks: &[Attack],
    ) -> Self {
        let attacked = |attack: &Attack| Attacked {
            setting: attack.setting.to_string(),
            k: attack.setting.k,
            method: attack.method.clone(),
            images: attack.successes,
            share_of_traffic: attack.successes as f64 / traffic.len() as f64,
        };
        Self {
            title: plan.title.clone(),
            victim: plan.inputs.victim.description.clone(),
            data: format!("{}, {}", plan.inputs.data.name, arguments.split),
            calibration_images: calibration.len(),
            traffic_images: traffic.len(),
            stated_false_alarms_per_10_000: arguments.false_alarms,
            within_images: arguments.within,
            streams: arguments.streams,
            seed: arguments.seed,
            attacks: attacks.iter().map(attacked).collect(),
            false_alarms: Vec::new(),
            detection: Vec::new(),
            auc: Vec::new(),
        }
    }

    pub fn add(&mut self, Watched { quiet, noticings, discriminations }: Watched) {
        self.false_alarms.extend(quiet);
        self.detection.extend(noticings);
        self.auc.extend(discriminations);
    }

    /// Writes all files into a folder.
    pub fn write(&mut self, folder: &Path) -> Result<(), ExperimentError> {
        self.detection.sort_by_key(|row| row.attack);
        self.auc.sort_by_key(|row| row.attack);
        fs::create_dir_all(folder).map_err(write_failed(folder))?;
        let write = |name: &str, bytes: Vec<u8>| {
            let path = folder.join(name);
            write_whole(&path, bytes).map_err(write_failed(&path))
        };
        write("false_alarms.csv", csv(&self.false_alarms))?;
        write("detection.csv", csv(&self.detection))?;
        write("auc.csv", csv(&self.auc))?;
        for number in 0..self.attacks.len() {
            write(&chart_file(number), self.chart(number).svg_file().into_bytes())?;
        }
        write("monitor.json", serde_json::to_vec(self).expect("plain values can be written"))?;
        write("monitor.md", self.markdown().into_bytes())
    }

    fn statistics(&self, attack: usize) -> impl Iterator<Item = Statistic> {
        let k = self.attacks[attack].k;
        let rows = self.false_alarms.iter().filter(move |row| row.k == k);
        let rows = rows.filter(|row| row.test == Test::ALL[0].name());
        rows.map(|row| row.statistic.parse().expect("it is a statistic's name"))
    }

    fn of(
        &self,
        attack: usize,
        statistic: Statistic,
        test: Test,
    ) -> impl Iterator<Item = &Noticing> {
        self.detection.iter().filter(move |row| {
            (row.attack, row.statistic, row.test) == (attack, statistic.name(), test.name())
        })
    }

    /// The share of streams with an alarm in time by the share of attacked images.
    fn chart(&self, attack: usize) -> Chart {
        let Attacked { setting, method, k, share_of_traffic, .. } = &self.attacks[attack];
        let series = |statistic: Statistic| Series {
            name: statistic.title(*k),
            points: self
                .of(attack, statistic, Test::Cusum)
                .map(|row| (100.0 * row.share_of_attackable, row.noticed))
                .collect(),
            shape: Shape::Line,
        };
        let can = format!(
            "attacked, % of the {} % of the traffic that can be",
            percent(*share_of_traffic)
        );
        Chart {
            title: format!("{method}, {setting}"),
            horizontal: Axis::logarithmic(can).with_range(1.0, 100.0),
            vertical: Axis::linear(format!("alarm within {} images", self.within_images))
                .with_range(0.0, 1.0),
            series: self.statistics(attack).map(series).collect(),
            size: [420.0, 260.0],
        }
    }

    fn markdown(&self) -> String {
        let Self { title, victim, data, calibration_images, traffic_images, streams, .. } = self;
        let (stated, within) = (self.stated_false_alarms_per_10_000, self.within_images);
        let mut text = format!(
            "# What monitors notice: {title}\n\nVictim: {victim}. Data: {data}; {calibration_images} images for calibration, \
             {traffic_images} others as traffic. Thresholds for {stated} false alarms per 10,000 clean images; {streams} streams, \
             each with {within} clean images before the attack; seed {}.\n\n## False alarms\n\nPer 10,000 clean images that \
             calibration did not see, with the 95 % interval.\n",
            self.seed
        );
        // They come by k.
        let mut sizes: Vec<usize> = self.false_alarms.iter().map(|row| row.k).collect();
        sizes.dedup();
        for k in sizes {
            let rows: Vec<&Quiet> = self.false_alarms.iter().filter(|row| row.k == k).collect();
            let rows = rows.chunks_exact(Test::ALL.len()).map(|row| {
                let cells = row.iter().map(|quiet| match (quiet.low, quiet.high) {
                    (Some(low), Some(high)) => {
                        format!("{:.2} ({low:.2}–{high:.2})", quiet.per_10_000)
                    }
                    _ => format!("{:.2}", quiet.per_10_000),
                });
                [title_of(row[0].statistic, k)].into_iter().chain(cells).collect()
            });
            text += &table(&format!("k = {k}"), Test::ALL.map(|test| test.name().to_owned()), rows);
        }
        for (number, Attacked { setting, .. }) in self.attacks.iter().enumerate() {
            if self.attacks[..number].iter().all(|before| before.setting != *setting) {
                text += &self.of_setting(setting);
            }
        }
        text
    }

    fn of_setting(&self, setting: &str) -> String {
        let all = self.attacks.iter().enumerate().filter(|(_, attack)| attack.setting == setting);
        let attacks: Vec<(usize, &Attacked)> = all.collect();
        let within = self.within_images;
        let mut text = format!(
            "\n## {setting}\n\nIn each cell the smallest share of the images that can be attacked, of {}, at which {} % of the \
             streams have an alarm within {within} images, and the median delay in images; — where there is none.\n",
            SHARES[1..]
                .iter()
                .map(|&share| format!("{} %", percent(share)))
                .collect::<Vec<_>>()
                .join(", "),
            percent(NOTICED)
        );
        let methods: Vec<String> =
            attacks.iter().map(|(_, attack)| attack.method.clone()).collect();
        let k = attacks[0].1.k;
        let can =
            attacks.iter().map(|(_, attack)| format!("{} %", percent(attack.share_of_traffic)));
        let can: Vec<String> =
            ["can be attacked, of the traffic".to_owned()].into_iter().chain(can).collect();
        for test in Test::ALL {
            let rows = self.statistics(attacks[0].0).map(|statistic| {
                let cell = |&(attack, _): &(usize, &Attacked)| {
                    let noticed =
                        self.of(attack, statistic, test).find(|row| row.noticed >= NOTICED);
                    noticed.map_or("—".to_owned(), |row| {
                        let median = row.delay_median.expect("most streams have an alarm");
                        format!("{} %, {median}", percent(row.share_of_attackable))
                    })
                };
                [statistic.title(k)].into_iter().chain(attacks.iter().map(cell)).collect()
            });
            text += &table(test.name(), methods.clone(), rows.chain([can.clone()]));
        }
        let areas = self.statistics(attacks[0].0).filter_map(|statistic| {
            let of = |&(attack, _): &(usize, &Attacked)| {
                let is_of = |row: &&Discrimination| {
                    (row.attack, row.statistic) == (attack, statistic.name())
                };
                let row = self.auc.iter().find(is_of)?;
                Some(match (row.auc, row.low, row.high) {
                    (Some(area), Some(low), Some(high)) => {
                        format!("{area:.3} ({low:.3}–{high:.3})")
                    }
                    (Some(area), ..) => format!("{area:.3}"),
                    _ => "—".to_owned(),
                })
            };
            let areas: Option<Vec<String>> = attacks.iter().map(of).collect();
            Some([statistic.title(k)].into_iter().chain(areas?).collect())
        });
        text += "\nThe area under the ROC curve of one image: the probability that an attacked image has a smaller value than \
                 a clean one, with its 95 % interval over images.\n";
        text += &table("AUC", methods, areas);
        for (number, attack) in attacks {
            text += &format!("\n![{}]({})\n", attack.method, chart_file(number));
        }
        text
    }
}

fn chart_file(attack: usize) -> String {
    format!("{:02}.svg", attack + 1)
}

fn title_of(statistic: &str, k: usize) -> String {
    statistic.parse::<Statistic>().expect("it is a statistic's name").title(k)
}

/// A share in percent, with two digits that count.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0..10.0 => format!("{:.1}", percent).trim_end_matches(".0").to_owned(),
        _ => format!("{percent:.0}"),
    }
}

fn table(
    corner: &str,
    headings: impl IntoIterator<Item = String>,
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let headings: Vec<String> = [corner.to_owned()].into_iter().chain(headings).collect();
    let rule = format!("|---{}|\n", "|---:".repeat(headings.len() - 1));
    format!("\n{}{rule}{}", line(headings), rows.map(line).collect::<String>())
}

fn csv(rows: &[impl Serialize]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("rows are flat and memory has room");
    }
    writer.into_inner().expect("memory has room")
}
